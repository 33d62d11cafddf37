"""CloudFormation's API of stack sets with service-managed permissions; others are refused, not imitated."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from moto.cloudformation.responses import CloudFormationResponse

from rehearsal import stack_set_answers as answers
from rehearsal import stack_set_targets as targets
from rehearsal import templates
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.organizations import organization_of
from rehearsal.paging import page
from rehearsal.stack_set_work import Work
from rehearsal.stack_sets import NO_ADMINISTRATOR, Operation, StackSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rehearsal.member_stacks import MemberStacks
    from rehearsal.stack_sets import Instance, Store

INLINE_BYTES, TEMPLATE_BYTES = 51_200, 1_000_000
SETTINGS = ("AutoDeployment", "Capabilities", "Description", "ManagedExecution", "Tags")


class StackSets:
    """The operations, by AWS's names; `template_of` reads a request's TemplateBody or TemplateURL."""

    def __init__(self, store: Store, stacks: MemberStacks, template_of: Callable[[Caller, Json], str]) -> None:
        self.store, self.stacks, self.template_of = store, stacks, template_of

    def install(self) -> None:
        operations = {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()}
        install(CloudFormationResponse, operations)

    def ActivateOrganizationsAccess(self, caller: Caller, _request: Json) -> Json:  # noqa: N802 AWS's name
        organization = organization_of(caller.account)
        if organization is None or organization.management != caller.account:
            raise ServiceError("InvalidOperationException", NO_ADMINISTRATOR)
        self.store.access.add(caller.account)
        return {}

    def DescribeOrganizationsAccess(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        home = self.store.home(caller, request)
        return {"Status": "ENABLED" if home.account in self.store.access else "DISABLED"}

    def CreateStackSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        if request.get("PermissionModel") != answers.MODEL:
            raise ServiceError("ValidationError", f"the embedded AWS carries out {answers.MODEL} stack sets only")
        home = self.store.administered(caller, request)
        if "AutoDeployment" not in request:
            raise ServiceError("ValidationError", "AutoDeployment is required with SERVICE_MANAGED permissions")
        made = StackSet(request["StackSetName"], home, self._template(caller, request), {}, {})
        self._set(made, request)
        self.store.add(made)
        return {"StackSetId": made.id}

    def UpdateStackSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self.store.administered(caller, request)
        stack_set = self.store.find(caller, request)
        template = stack_set.template if request.get("UsePreviousTemplate") else self._template(caller, request)
        operation = stack_set.begin(self._operation("UPDATE", request, request.get("DeploymentTargets") or {}))
        try:
            stack_set.template = template
            self._set(stack_set, request)
            instances = self._meant(stack_set, request)
        except ServiceError:
            stack_set.turn.release()
            raise
        for instance in stack_set.instances.values():
            instance.status = "OUTDATED"
        self._go(stack_set, operation, instances, lambda each: self.stacks.deploy(stack_set, each))
        return {"OperationId": operation.id}

    def DeleteStackSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack_set = self.store.find(caller, request)
        if stack_set.instances:
            raise ServiceError("StackSetNotEmptyException", "StackSet is not empty")
        stack_set.status = "DELETED"
        return {}

    def DescribeStackSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return {"StackSet": answers.described(self.store.find(caller, request))}

    def ListStackSets(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self.store.all(self.store.home(caller, request))
        wanted = request.get("Status")
        found = [answers.summary(each) for each in kept if wanted in {None, each.status}]
        return page("Summaries", found, request, newest_first=False)

    def CreateStackInstances(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        home, stack_set = self.store.administered(caller, request), self.store.find(caller, request)
        wanted, organization = targets.check(request, creates=True), organization_of(home.account)
        assert organization is not None  # noqa: S101 it was found to be administered
        operation = stack_set.begin(self._operation("CREATE", request, wanted))
        if targets.missing(wanted, organization):
            operation.end("FAILED", targets.NO_SUCH_UNIT)
            stack_set.turn.release()
            return {"OperationId": operation.id}
        stack_set.target(wanted["OrganizationalUnitIds"], request["Regions"])
        chosen = targets.chosen(wanted, organization).items()
        instances = [stack_set.add(account, region, unit) for region in request["Regions"] for account, unit in chosen]
        _override(instances, request)
        self._go(stack_set, operation, instances, lambda each: self.stacks.deploy(stack_set, each))
        return {"OperationId": operation.id}

    def UpdateStackInstances(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self.store.administered(caller, request)
        stack_set, wanted = self.store.find(caller, request), targets.check(request, creates=False)
        instances = self._meant(stack_set, request)
        operation = stack_set.begin(self._operation("UPDATE", request, wanted))
        _override(instances, request)
        self._go(stack_set, operation, instances, lambda each: self.stacks.deploy(stack_set, each))
        return {"OperationId": operation.id}

    def DeleteStackInstances(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self.store.administered(caller, request)
        stack_set, wanted = self.store.find(caller, request), targets.check(request, creates=False)
        instances = self._meant(stack_set, request)
        operation = stack_set.begin(self._operation("DELETE", request, wanted))
        if not wanted.get("Accounts"):
            stack_set.forget(wanted["OrganizationalUnitIds"], request["Regions"])
        self._go(stack_set, operation, instances, lambda each: self.leave(stack_set, each, retain=operation.retain))
        return {"OperationId": operation.id}

    def DetectStackSetDrift(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack_set = self.store.find(caller, request)
        operation = stack_set.begin(self._operation("DETECT_DRIFT", request, {}))
        instances = list(stack_set.instances.values())
        self._go(stack_set, operation, instances, self.stacks.look_for_drift)
        return {"OperationId": operation.id}

    def StopStackSetOperation(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        operation = self.store.find(caller, request).operation(request["OperationId"])
        if operation.ended:
            message = f"Operation {operation.id} is in {operation.status} state and cannot be stopped"
            raise ServiceError("InvalidOperationException", message)
        operation.status = "STOPPING"
        operation.stopped.set()
        return {}

    def leave(self, stack_set: StackSet, instance: Instance, *, retain: bool) -> None:
        """Take an instance out of the stack set, with its stack or without."""
        if not retain:
            self.stacks.remove(instance)
        stack_set.instances.pop((instance.account, instance.region), None)

    def carry_out(
        self,
        stack_set: StackSet,
        operation: Operation,
        instances: Sequence[Instance],
        do: Callable[[Instance], None],
    ) -> None:
        """Work through an operation that has the stack set's turn, and give the turn back."""
        organization = organization_of(stack_set.place.account)
        try:
            Work(operation, do, organization.suspended if organization else lambda _: False).run(instances)
            if operation.action == "DETECT_DRIFT":
                stack_set.drift = answers.drift(stack_set, operation)
        except Exception as error:
            operation.end("FAILED", f"{type(error).__name__}: {error}")
            raise
        finally:
            stack_set.turn.release()

    def _go(
        self,
        stack_set: StackSet,
        operation: Operation,
        instances: Sequence[Instance],
        do: Callable[[Instance], None],
    ) -> None:
        threading.Thread(target=self.carry_out, args=(stack_set, operation, instances, do), daemon=True).start()

    def _meant(self, stack_set: StackSet, request: Json) -> list[Instance]:
        """The instances that an update or a deletion is for; all, if the request names no targets."""
        wanted, regions = request.get("DeploymentTargets") or {}, request.get("Regions")
        units = wanted.get("OrganizationalUnitIds") or list(stack_set.regions_of)
        unknown = [unit for unit in units if unit not in stack_set.regions_of]
        if unknown:
            message = f"Organizational unit {unknown[0]} not found in StackSet"
            raise ServiceError("ValidationError", message)
        there = [each for each in stack_set.instances.values() if not regions or each.region in regions]
        named, kind = wanted.get("Accounts") or [], wanted.get("AccountFilterType", "NONE")
        if kind == "UNION":
            return [each for each in there if each.unit in units or each.account in named]
        passed = {"INTERSECTION": (True,), "DIFFERENCE": (False,)}.get(kind, (True, False))
        return [each for each in there if each.unit in units and (each.account in named) in passed]

    @staticmethod
    def _operation(action: str, request: Json, wanted: Json) -> Operation:
        preferences = request.get("OperationPreferences") or {}
        for kind in ("FailureTolerance", "MaxConcurrent"):
            if f"{kind}Count" in preferences and f"{kind}Percentage" in preferences:
                message = f"You can specify either {kind}Count or {kind}Percentage, but not both"
                raise ServiceError("ValidationError", message)
        made = Operation(action, wanted, preferences, retain=str(request.get("RetainStacks", False)).lower() == "true")
        made.id = request.get("OperationId") or made.id
        return made

    def _template(self, caller: Caller, request: Json) -> str:
        body = request.get("TemplateBody")
        if body and len(body.encode()) > INLINE_BYTES:
            message = (
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                f"Member must have length less than or equal to {INLINE_BYTES}"
            )
            raise ServiceError("ValidationError", message)
        text = self.template_of(caller, request)
        if len(text.encode()) > TEMPLATE_BYTES:
            message = f"Template may not exceed {TEMPLATE_BYTES} bytes in size."
            raise ServiceError("ValidationError", message)
        try:
            templates.parse(text)
        except templates.TemplateError as error:
            raise ServiceError("ValidationError", str(error)) from None
        return text

    @staticmethod
    def _set(stack_set: StackSet, request: Json) -> None:
        """Take over what the request says of settings and parameters."""
        declared = templates.parse(stack_set.template).get("Parameters", {})
        given = {
            each["ParameterKey"]: stack_set.parameters.get(each["ParameterKey"], "")
            if each.get("UsePreviousValue")
            else each["ParameterValue"]
            for each in request.get("Parameters") or []
        }
        unknown = sorted(set(given) - set(declared))
        if unknown:
            raise ServiceError("ValidationError", f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        unset = sorted(key for key, each in declared.items() if "Default" not in each and key not in given)
        if unset:
            raise ServiceError("ValidationError", f"Parameters: [{', '.join(unset)}] must have values")
        stack_set.parameters = given
        stack_set.settings |= {key: request[key] for key in SETTINGS if key in request}


def _override(instances: Sequence[Instance], request: Json) -> None:
    for instance in instances:
        given = request.get("ParameterOverrides") or []
        instance.overrides |= {each["ParameterKey"]: each["ParameterValue"] for each in given}
