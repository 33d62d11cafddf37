"""What a delivery from GitHub and the environments it delivers to must agree about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.github_settings import GitHubSettings
    from stacks.settings import Environment, Platform

RESERVED = "github"
"""The name of what the delivery makes; an environment of that name would make roles that pass for its own."""


def github_mistakes(folder: str, platform: Platform, environments: Sequence[Environment]) -> Iterator[str]:
    """One line a mistake: file, key, value, fix."""
    github = platform.github
    if github is None:
        return
    file = f"{folder}/platform.toml"
    if any(each.name == RESERVED for each in environments):
        yield f"{folder}/{RESERVED}.toml: the name {RESERVED!r} is the delivery's; rename the file, or remove [github]"
    here = [each.name for each in environments if each.account == github.account]
    if here and len(here) < len(environments):
        yield (
            f"{file}: github.account = {github.account!r}: also the account of {', '.join(here)}, whose deployments "
            "could rewrite who becomes the roles of all others; name an account that is no environment's"
        )
    yield from (f"{file}: {problem}" for problem in _baseline_problems(platform, github, environments))


def _baseline_problems(
    platform: Platform, github: GitHubSettings, environments: Sequence[Environment]
) -> Iterator[str]:
    stands = [each for each in environments if each.governance.owner == "baseline"]
    if github.boundary == "baseline" and not platform.rollout and not stands:
        yield "github.boundary = 'baseline': there is no baseline; add [rollout], or set boundary = \"stack\""
    rollout = platform.rollout
    trusting = [each.name for each in stands if each.account != github.account and not each.governance.key_arn]
    if rollout and rollout.bootstrap and trusting and github.account not in rollout.trusted_accounts:
        yield (
            f"rollout.trusted_accounts = {list(rollout.trusted_accounts)!r}: without {github.account}, from which "
            f"[github] delivers to {', '.join(trusting)}; add it"
        )
