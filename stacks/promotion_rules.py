"""What `promote` and `registry` of platform.toml must agree about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.promotion_settings import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.settings import Environment, Platform


def promotion_mistakes(folder: str, platform: Platform, environments: Sequence[Environment]) -> Iterator[str]:
    """One line a mistake: file, key, value, fix."""
    where, style = f"{folder}/platform.toml: promote = {platform.promote!r}", style_of(platform)
    for environment in environments:
        if style == "copy" and environment.image and environment.image.serve_image_uri:
            yield (
                f"{folder}/{environment.name}.toml: image.serve_image_uri = {environment.image.serve_image_uri!r}: "
                'promote = "copy" copies images that were built where models are trained; remove the ready ones, '
                'or say promote = "version"'
            )
    names = ", ".join(environment.name for environment in environments)
    if style == "code" and platform.registry:
        yield (
            f"{where}: each environment trains for itself, but registry = {platform.registry!r} trains for all; "
            'remove `registry` and give each environment what it trains with, or say "version" or "copy"'
        )
    elif style != "code" and not platform.registry:
        yield (
            f"{where}: goes with `registry`, which is missing; name the environment that trains ({names}), "
            'or say "code"'
        )
