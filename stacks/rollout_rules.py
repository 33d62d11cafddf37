"""What a roll-out and the environments that stand on it must agree about, and how long their boundaries may get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.baseline_names import BaselineNames
from stacks.boundary_documents import POLICY_CHARACTERS, Limits, characters, deployments_boundary, roles_boundary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.boundary_documents import Json
    from stacks.rollout_settings import RolloutSettings
    from stacks.settings import Environment, Platform

RESERVED = ("baseline", "bootstrap", "rollout")
"""Names that the roll-out gives; an environment of such a name would make things of the same name."""

ANY_ACCOUNT = "0" * 12


def rollout_mistakes(folder: str, platform: Platform, environments: Sequence[Environment]) -> Iterator[str]:
    """One line a mistake: file, key, value, fix."""
    for environment in environments:
        file = f"{folder}/{environment.name}.toml"
        if platform.rollout and environment.name in RESERVED:
            yield f"{file}: the name {environment.name!r} is the roll-out's; rename the file, or remove [rollout]"
        if environment.governance.owner == "baseline":
            owner = f"{file}: governance.owner = 'baseline'"
            yield from (f"{owner}: {problem}" for problem in _baseline_problems(platform.rollout, environment))
    for what, document in _boundaries(platform, environments):
        length = characters(document)
        if length > POLICY_CHARACTERS:
            yield (
                f"stacks/boundary_documents.py: {what} has {length:,} characters, a managed policy may have "
                f"{POLICY_CHARACTERS:,}; shorten its lists, or name fewer regions in [rollout]"
            )


def _baseline_problems(rollout: RolloutSettings | None, environment: Environment) -> Iterator[str]:
    """Why the environment's account would have no baseline to stand on."""
    account, region = environment.account, environment.region
    if environment.governance.key_arn:
        return
    if rollout is None:
        yield (
            "there is no baseline; key_arn goes with one that another team made, [rollout] in platform.toml makes one, "
            'or set owner = "stack"'
        )
        return
    if region not in rollout.regions:
        yield f"[rollout] regions in platform.toml are {', '.join(rollout.regions)}, not {region}; add it there"
    if account == rollout.management_account:
        yield f'{account} is the management account, which StackSets pass over; use another account, or owner = "stack"'
    if account in rollout.except_accounts or (rollout.only_accounts and account not in rollout.only_accounts):
        yield f'[rollout] in platform.toml leaves account {account} out; let it in there, or set owner = "stack"'


def _boundaries(platform: Platform, environments: Sequence[Environment]) -> Iterator[tuple[str, Json]]:
    for each in environments:
        if each.governance.owner == "stack":
            limits = Limits(each.account, f"{platform.name}-{each.name}-*", (each.region,))
            yield f"the boundary of {each.name}", roles_boundary(limits)
    if platform.rollout:
        names = BaselineNames(platform.name)
        limits = Limits(ANY_ACCOUNT, f"{platform.name}-*", platform.rollout.regions)
        yield "the boundary of the baseline", roles_boundary(limits)
        baseline = f"{names.prefix}-*"
        yield (
            "the limit of deployments",
            deployments_boundary(limits, boundary=names.boundary, baseline=baseline, key_alias=names.key_alias),
        )
