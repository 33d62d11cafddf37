"""CloudFormation's API over deployment.py: stacks and change sets, each scoped to its account, region and stack.

moto's own CloudFormation skips unknown types in silence, loses outputs of change sets and does not roll back, so none
of its operations stays.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from moto.cloudformation.responses import CloudFormationResponse, get_template_summary_response_from_template

from rehearsal import answers, change_sets
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.deployment import Deployment, Stack, delete

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place
    from rehearsal.rollback import Rollback

SOON_SECONDS = 0.5
"""An update that takes longer goes on when its caller has been answered: one of an endpoint takes its bake."""

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


@dataclass
class ChangeSet:
    """What would change; executes once."""

    name: str
    id: str
    stack: Stack
    kind: str
    template: str
    parameters: dict[str, str]
    tags: list[Json]
    changes: list[Json]
    resolved: dict[str, str]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    execution: str = "AVAILABLE"


@dataclass
class Region:
    """All stacks of one account and region; one operation at a time changes one stack."""

    stacks: dict[str, Stack] = field(default_factory=dict)
    deleted: dict[str, Stack] = field(default_factory=dict)
    change_sets: dict[tuple[str, str], ChangeSet] = field(default_factory=dict)

    def stack(self, name_or_id: str) -> Stack:
        for stack in [*self.stacks.values(), *self.deleted.values()]:
            if name_or_id == stack.id or (name_or_id == stack.name and stack.name in self.stacks):
                return stack
        raise ServiceError("ValidationError", f"Stack with id {name_or_id} does not exist")

    @property
    def exports(self) -> dict[str, str]:
        return {
            output["ExportName"]: output["OutputValue"]
            for stack in self.stacks.values()
            for output in stack.outputs
            if "ExportName" in output
        }


class CloudFormation:
    """The operations, by AWS's names; `place` gives clients, `announce` hears of every final status."""

    def __init__(self, place: Callable[[Caller], Place], announce: Callable[[Stack], None]) -> None:
        self.place, self.announce = place, announce
        self.regions: defaultdict[Caller, Region] = defaultdict(Region)
        self.lock = threading.Lock()

    def install(self) -> None:
        operations = {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()}
        for name in [name for name in vars(CloudFormationResponse) if name.startswith(VERBS)]:
            delattr(CloudFormationResponse, name)
        install(CloudFormationResponse, operations)

    def CreateStack(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        region = self.regions[caller]
        if request["StackName"] in region.stacks:
            raise ServiceError("AlreadyExistsException", f"Stack [{request['StackName']}] already exists")
        stack = self._new_stack(caller, request)
        self._deploy(region, stack, "CREATE", self.template(caller, request), answers.parameters(stack, request))
        return {"StackId": stack.id}

    def UpdateStack(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region = self.regions[caller]
        stack = region.stack(request["StackName"])
        template = stack.template if request.get("UsePreviousTemplate") else self.template(caller, request)
        parameters = answers.parameters(stack, request)
        if Deployment(stack, template, parameters, region.exports).changes_nothing:
            raise ServiceError("ValidationError", "No updates are to be performed.")
        if stack.status.endswith("_IN_PROGRESS") or stack.status == "ROLLBACK_COMPLETE" or stack.rollback:
            message = f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            raise ServiceError("ValidationError", message)
        stack.happened("UPDATE_IN_PROGRESS", reason="User Initiated")
        _soon(lambda: self._deploy(region, stack, "UPDATE", template, parameters))
        return {"StackId": stack.id}

    def ContinueUpdateRollback(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack = self.regions[caller].stack(request["StackName"])
        with self.lock:
            rollback = stack.rollback
            if rollback is None:
                message = f"Stack:{stack.id} is in {stack.status} state and can not continue update rollback."
                raise ServiceError("ValidationError", message)
            rollback.skip(request.get("ResourcesToSkip") or [])
            rollback.begin("User Initiated")
        _soon(lambda: self._go_back(stack, rollback))
        return {}

    def DeleteStack(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region = self.regions[caller]
        stack = region.stacks.get(request["StackName"]) or region.deleted.get(request["StackName"])
        stack = stack or next((s for s in region.stacks.values() if s.id == request["StackName"]), None)
        if stack and stack.name in region.stacks:
            if stack.protected:
                raise ServiceError("ValidationError", f"Stack [{stack.name}] cannot be deleted while it is protected")
            delete(stack)
            if stack.status == "DELETE_COMPLETE":
                region.deleted[stack.id] = region.stacks.pop(stack.name)
            self.announce(stack)
        return {}

    def CreateChangeSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region, kind = self.regions[caller], request.get("ChangeSetType", "UPDATE")
        stack = self._new_stack(caller, request) if kind == "CREATE" else region.stack(request["StackName"])
        template = stack.template if request.get("UsePreviousTemplate") else self.template(caller, request)
        parameters = answers.parameters(stack, request)
        deployment = Deployment(stack, template, parameters, region.exports)
        made = ChangeSet(
            name=request["ChangeSetName"],
            id=_arn(caller, f"changeSet/{request['ChangeSetName']}/{uuid.uuid4()}"),
            stack=stack,
            kind=kind,
            template=template,
            parameters=parameters,
            tags=request.get("Tags", []),
            changes=change_sets.changes(deployment),
            resolved=change_sets.resolved(deployment),
        )
        if kind == "UPDATE" and deployment.changes_nothing:
            made.execution = "UNAVAILABLE"
        region.change_sets[stack.name, made.name] = made
        return {"Id": made.id, "StackId": stack.id}

    def DescribeChangeSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        made = self._change_set(caller, request)
        same = made.execution == "UNAVAILABLE"
        return {
            "ChangeSetName": made.name,
            "ChangeSetId": made.id,
            "StackId": made.stack.id,
            "StackName": made.stack.name,
            "CreationTime": made.created,
            "ExecutionStatus": made.execution,
            "Status": "FAILED" if same else "CREATE_COMPLETE",
            "StatusReason": NO_CHANGES if same else None,
            "Parameters": answers.listed(made.parameters, made.resolved),
            "Tags": made.tags,
            "Changes": [] if same else made.changes,
        }

    def ExecuteChangeSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        made = self._change_set(caller, request)
        with self.lock:
            if made.execution != "AVAILABLE":
                raise ServiceError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{made.id}] cannot be executed in its current execution status of [{made.execution}]",
                )
            made.execution = "EXECUTE_IN_PROGRESS"
        made.stack.tags = made.tags
        self._deploy(self.regions[caller], made.stack, made.kind, made.template, made.parameters)
        made.execution = "EXECUTE_FAILED" if "ROLLBACK" in made.stack.status else "EXECUTE_COMPLETE"
        return {}

    def DeleteChangeSet(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """One that is not there is gone already: the CDK CLI asks so before it makes its own."""
        change_sets = self.regions[caller].change_sets
        for key in [key for key, made in change_sets.items() if _is(made, request)]:
            del change_sets[key]
        return {}

    def ListChangeSets(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack = self.regions[caller].stack(request["StackName"])
        found = [made for made in self.regions[caller].change_sets.values() if made.stack is stack]
        return {"Summaries": [{"ChangeSetId": made.id, "ChangeSetName": made.name} for made in found]}

    def DescribeStacks(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region = self.regions[caller]
        name = request.get("StackName")
        return {
            "Stacks": [answers.described(stack) for stack in ([region.stack(name)] if name else region.stacks.values())]
        }

    def ListStacks(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region = self.regions[caller]
        wanted = request.get("StackStatusFilter") or []
        stacks = [*region.stacks.values(), *region.deleted.values()]
        return {"StackSummaries": [answers.described(s) for s in stacks if not wanted or s.status in wanted]}

    def DescribeStackEvents(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return {"StackEvents": list(reversed(self.regions[caller].stack(request["StackName"]).events))}

    def DescribeStackResources(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack = self.regions[caller].stack(request["StackName"])
        return {"StackResources": answers.resources(stack, "Timestamp")}

    def ListStackResources(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack = self.regions[caller].stack(request["StackName"])
        return {"StackResourceSummaries": answers.resources(stack, "LastUpdatedTimestamp")}

    def GetTemplate(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return {"TemplateBody": self.regions[caller].stack(request["StackName"]).template}

    def GetTemplateSummary(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        given = "StackName" in request
        text = self.GetTemplate(caller, request)["TemplateBody"] if given else self.template(caller, request)
        summary: Json = get_template_summary_response_from_template(text)
        return summary

    def ListExports(self, caller: Caller, _request: Json) -> Json:  # noqa: N802
        return {"Exports": [{"Name": name, "Value": value} for name, value in self.regions[caller].exports.items()]}

    def UpdateTerminationProtection(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack = self.regions[caller].stack(request["StackName"])
        stack.protected = request["EnableTerminationProtection"]
        return {"StackId": stack.id}

    def _new_stack(self, caller: Caller, request: Json) -> Stack:
        name = request["StackName"]
        stack = Stack(
            name, _arn(caller, f"stack/{name}/{uuid.uuid4()}"), self.place(caller), tags=request.get("Tags", [])
        )
        stack.happened("REVIEW_IN_PROGRESS", reason="User Initiated")
        self.regions[caller].stacks[name] = stack
        return stack

    def _deploy(self, region: Region, stack: Stack, verb: str, template: str, parameters: dict[str, str]) -> None:
        Deployment(stack, template, parameters, region.exports).run(verb)
        self.announce(stack)

    def _go_back(self, stack: Stack, rollback: Rollback) -> None:
        rollback.run()
        self.announce(stack)

    def stack(self, caller: Caller, name_or_id: str) -> Stack:
        return self.regions[caller].stack(name_or_id)

    def _change_set(self, caller: Caller, request: Json) -> ChangeSet:
        for made in self.regions[caller].change_sets.values():
            if _is(made, request):
                return made
        raise ServiceError("ChangeSetNotFound", f"ChangeSet [{request['ChangeSetName']}] does not exist")

    def template(self, caller: Caller, request: Json) -> str:
        """The text of the template that a request gives, or names by its place in S3."""
        if request.get("TemplateBody"):
            return str(request["TemplateBody"])
        url = urlparse(request["TemplateURL"])
        bucket, _, key = url.path.lstrip("/").partition("/")
        body = self.place(caller).client("s3").get_object(Bucket=bucket, Key=unquote(key))["Body"].read()
        return str(body.decode())


VERBS = ("create_", "update_", "delete_", "describe_", "list_", "get_", "execute_", "validate_", "stop_", "set_")


def _is(made: ChangeSet, request: Json) -> bool:
    """Whether a request names this change set, by its ARN or by its name and stack."""
    wanted, stack = request["ChangeSetName"], request.get("StackName")
    return wanted == made.id or (wanted == made.name and stack in {made.stack.name, made.stack.id})


def _soon(work: Callable[[], None]) -> None:
    """Do it at once, and go on without the caller where that takes longer."""
    at_work = threading.Thread(target=work, daemon=True)
    at_work.start()
    at_work.join(SOON_SECONDS)


def _arn(caller: Caller, resource: str) -> str:
    return f"arn:aws:cloudformation:{caller.region}:{caller.account}:{resource}"
