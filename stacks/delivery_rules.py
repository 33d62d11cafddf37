"""What a delivery and the environments that it comes to must agree about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.delivery_names import RESERVED, deploy_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.settings import Environment, Platform

STAGE_CHARACTERS = 100
"""Of the name of a pipeline's stage: https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""


def delivery_mistakes(folder: str, platform: Platform, environments: Sequence[Environment]) -> Iterator[str]:
    """One line a mistake: file, key, value, fix."""
    if platform.delivery is None:
        return
    if any(environment.name == RESERVED for environment in environments):
        where = f"{folder}/{RESERVED}.toml"
        yield f"{where}: the name {RESERVED!r} is the pipeline's; rename the file, or remove [delivery]"
    here = [environment.name for environment in environments if environment.account == platform.delivery.account]
    if here and len(here) < len(environments):
        yield (
            f"{folder}/platform.toml: delivery.account = {platform.delivery.account!r}: also the account of "
            f"{', '.join(here)}, whose deployments could rewrite what delivers to all others; "
            "name an account that is no environment's"
        )
    trains = [e for e in environments if e.name == platform.registry]
    for environment in environments:
        for registry in trains:
            if environment.turn < registry.turn:
                yield (
                    f"{folder}/{environment.name}.toml: delivery.order = {environment.turn} comes before "
                    f"{registry.name}, whose turn is {registry.turn} and whose images and versions it takes; "
                    f"give it {registry.turn} or more"
                )
    for turn in sorted({environment.turn for environment in environments}):
        together = [environment.name for environment in environments if environment.turn == turn]
        if len(deploy_stage(platform.name, together)) > STAGE_CHARACTERS:
            yield (
                f"{folder}: {len(together)} environments have the turn {turn}; their names together may have "
                f"{STAGE_CHARACTERS - len('Deploy-')} characters, so give some of them another delivery.order"
            )
