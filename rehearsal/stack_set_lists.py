"""CloudFormation's API of stack sets: what can be asked of their instances and operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.cloudformation.responses import CloudFormationResponse

from rehearsal import stack_set_answers as answers
from rehearsal.answers import listed
from rehearsal.api import Caller, Json, install
from rehearsal.paging import page

if TYPE_CHECKING:
    from rehearsal.stack_sets import Store

FILTERS = {
    "DETAILED_STATUS": lambda told: told["StackInstanceStatus"]["DetailedStatus"],
    "DRIFT_STATUS": lambda told: told["DriftStatus"],
    "LAST_OPERATION_ID": lambda told: told["LastOperationId"],
}
SHOWN = ("StackId", "LogicalResourceId", "PhysicalResourceId", "ResourceType", "PropertyDifferences")


class StackSetLists:
    """The operations that change nothing, by AWS's names."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def install(self) -> None:
        operations = {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()}
        install(CloudFormationResponse, operations)

    def DescribeStackInstance(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        stack_set = self.store.find(caller, request)
        found = stack_set.instance(request["StackInstanceAccount"], request["StackInstanceRegion"])
        overrides = {"ParameterOverrides": listed(found.overrides)}
        return {"StackInstance": {**answers.instance(stack_set, found), **overrides}}

    def ListStackInstances(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack_set = self.store.find(caller, request)
        account, region = request.get("StackInstanceAccount"), request.get("StackInstanceRegion")
        found = [
            answers.instance(stack_set, each)
            for each in list(stack_set.instances.values())
            if account in {None, each.account} and region in {None, each.region}
        ]
        for asked in request.get("Filters") or []:
            found = [told for told in found if FILTERS[asked["Name"]](told) == asked["Values"]]
        return page("Summaries", found, request, newest_first=False)

    def DescribeStackSetOperation(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack_set = self.store.find(caller, request)
        found = stack_set.operation(request["OperationId"])
        return {"StackSetOperation": answers.operation(stack_set, found)}

    def ListStackSetOperations(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        operations = list(self.store.find(caller, request).operations.values())
        return page("Summaries", [answers.operation_summary(each) for each in operations], request)

    def ListStackSetOperationResults(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        operation = self.store.find(caller, request).operation(request["OperationId"])
        return page("Summaries", answers.results(operation), request, newest_first=False)

    def ListStackSetAutoDeploymentTargets(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack_set = self.store.find(caller, request)
        found = [{"OrganizationalUnitId": unit, "Regions": each} for unit, each in stack_set.regions_of.items()]
        return page("Summaries", found, request, newest_first=False)

    def ListStackInstanceResourceDrifts(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack_set = self.store.find(caller, request)
        stack_set.operation(request["OperationId"])
        found = stack_set.instance(request["StackInstanceAccount"], request["StackInstanceRegion"])
        wanted = request.get("StackInstanceResourceDriftStatuses")
        told = [
            {**{key: each[key] for key in SHOWN if key in each}, "StackResourceDriftStatus": status, "Timestamp": at}
            for each in found.drifts
            if (status := each["StackResourceDriftStatus"]) in (wanted or [status]) and (at := each["Timestamp"])
        ]
        return page("Summaries", told, request, newest_first=False)
