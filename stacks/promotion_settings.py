"""What `promote` of platform.toml may say: how a version comes from where it is trained to where it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    from stacks.settings import Platform

Style = Literal["version", "copy", "code"]
Promote = Annotated[
    Style | None,
    Field(
        description='how versions reach the environments: "version" serves them from where they are trained, '
        '"copy" registers them anew where they serve, "code" trains in each; left out, "version" with `registry`, '
        '"code" without',
        examples=["version"],
    ),
]


def style_of(platform: Platform) -> Style:
    """What the platform says; left out, what `registry` says already."""
    return platform.promote or ("version" if platform.registry else "code")
