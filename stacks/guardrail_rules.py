"""What an organization cannot be told: mistakes of [guardrails] that only show with all files read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.denials import LIMIT, Perimeter, size
from stacks.resource_control import resource_control_policies
from stacks.service_control import service_control_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.settings import Environment, Platform


def guardrail_mistakes(folder: str, platform: Platform, environments: Sequence[Environment]) -> Iterator[str]:
    """Policies too long for Organizations, and what must be known before they can be attached."""
    file, guardrails = f"{folder}/platform.toml", platform.guardrails
    if guardrails.account and not platform.organization_id:
        yield (
            f"{file}: guardrails.account = {guardrails.account!r}: without organization_id, which resource control "
            "policies name; add organization_id"
        )
    here = [each.name for each in environments if each.account == guardrails.account]
    if here:
        yield (
            f"{file}: guardrails.account = {guardrails.account!r}: also the account of {', '.join(here)}, whose "
            "administrators would write their own limits; name the management account, or one that is no environment's"
        )
    about = Perimeter.of(platform, environments)
    for name, policy in {**service_control_policies(about), **resource_control_policies(about)}.items():
        if size(policy) > LIMIT:
            yield (
                f"{file}: guardrails: the policy {name} has {size(policy):,} characters, allowed are {LIMIT:,}; "
                "shorten instance_types, forbidden_services or exempt_roles"
            )
