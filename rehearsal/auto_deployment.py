"""Automatic deployments: an account that joins a unit gets what was rolled out to it, and loses it when it leaves.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html
Filters by account and overridden parameters of the roll-out do not count for accounts that join later.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.drift import Drifts
from rehearsal.member_stacks import MemberStacks
from rehearsal.organizations import Organizations
from rehearsal.stack_set_lists import StackSetLists
from rehearsal.stack_sets import Operation, Store
from rehearsal.stack_sets_api import StackSets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloudformation import CloudFormation
    from rehearsal.organizations import Organization
    from rehearsal.stack_sets import Instance, StackSet


@dataclass(frozen=True)
class _Due:
    """What one stack set has to do about one account; the operation is queued until its turn comes."""

    stack_set: StackSet
    operation: Operation
    instances: list[Instance]


class AutoDeployment:
    """Hears of accounts that moved."""

    def __init__(self, store: Store, stack_sets: StackSets) -> None:
        self.store, self.stack_sets = store, stack_sets

    def moved(self, organization: Organization, account: str) -> None:
        """Queue what is due, and carry it out beside: what others need is removed last and made first."""
        if account == organization.management:
            return
        ordered = self.store.automatic(organization.management)
        above = organization.above(account)
        leaving = [due for each in reversed(ordered) for due in self._leaves(each, above, account)]
        joining = [due for each in ordered for due in self._joins(each, above, account)]
        if leaving or joining:
            threading.Thread(target=self._carry_out, args=(leaving, joining), daemon=True).start()

    @staticmethod
    def _joins(stack_set: StackSet, above: list[str], account: str) -> Iterator[_Due]:
        units = [unit for unit in above if unit in stack_set.regions_of]
        lacking = [
            (region, unit)
            for unit in units
            for region in stack_set.regions_of[unit]
            if (account, region) not in stack_set.instances
        ]
        if lacking:
            made = [stack_set.add(account, region, unit) for region, unit in dict(lacking).items()]
            yield _Due(stack_set, _queued(stack_set, "CREATE", units), made)

    @staticmethod
    def _leaves(stack_set: StackSet, above: list[str], account: str) -> Iterator[_Due]:
        stays = {region for unit in above for region in stack_set.regions_of.get(unit, [])}
        gone = [each for each in stack_set.instances.values() if each.account == account and each.region not in stays]
        if gone:
            operation = _queued(stack_set, "DELETE", sorted({each.unit for each in gone}))
            operation.retain = bool(stack_set.settings["AutoDeployment"].get("RetainStacksOnAccountRemoval"))
            yield _Due(stack_set, operation, gone)

    def _carry_out(self, leaving: list[_Due], joining: list[_Due]) -> None:
        for due in leaving:
            self._one(due)
        failed: set[str] = set()
        for due in joining:
            needed = set(due.stack_set.settings["AutoDeployment"].get("DependsOn") or [])
            if needed & failed:
                due.operation.end("FAILED", f"A stack set it depends on failed: {', '.join(sorted(needed & failed))}")
            else:
                self._one(due)
            if due.operation.status != "SUCCEEDED":
                failed.add(due.stack_set.arn)

    def _one(self, due: _Due) -> None:
        stack_set, operation, stack_sets = due.stack_set, due.operation, self.stack_sets
        stack_set.turn.acquire()
        operation.status = "RUNNING"
        if operation.action == "CREATE":
            stack_sets.carry_out(
                stack_set, operation, due.instances, lambda each: stack_sets.stacks.deploy(stack_set, each)
            )
        else:
            stack_sets.carry_out(
                stack_set,
                operation,
                due.instances,
                lambda each: stack_sets.leave(stack_set, each, retain=operation.retain),
            )


def _queued(stack_set: StackSet, action: str, units: list[str]) -> Operation:
    operation = Operation(action, {"OrganizationalUnitIds": units}, {}, status="QUEUED")
    stack_set.operations[operation.id] = operation
    return operation


def install_stack_sets(cloudformation: CloudFormation) -> None:
    """Stack sets on top of CloudFormation, and Organizations that tells them of accounts."""
    Drifts(cloudformation.stack).install()
    store = Store()
    stack_sets = StackSets(store, MemberStacks(cloudformation.place), cloudformation.template)
    stack_sets.install()
    StackSetLists(store).install()
    Organizations(AutoDeployment(store, stack_sets).moved).install()
