"""SageMaker's model registry: groups, policies, versions with lifecycle; an update erases nothing it does not name.

moto knows no lifecycle stages, and its UpdateModelPackage clears approval and metadata that a request leaves out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from moto.sagemaker.responses import SageMakerResponse

from rehearsal import events
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.paging import between, page
from rehearsal.policies import Request, may

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rehearsal.resources import Place

GROUP_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)
APPROVALS = ("Approved", "Rejected", "PendingManualApproval")
SUMMARY = (
    "ModelPackageArn",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
CHANGEABLE = ("ModelApprovalStatus", "ApprovalDescription", "ModelLifeCycle", "ModelCard", "SourceUri")


@dataclass
class Group:
    """A model package group: its description, its policy and its versions by number."""

    described: Json
    policy: str | None = None
    versions: dict[int, Json] = field(default_factory=dict)
    last: int = 0


class Registry:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place]) -> None:
        self.place = place
        self.groups: defaultdict[Caller, dict[str, Group]] = defaultdict(dict)

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def CreateModelPackageGroup(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        name = request["ModelPackageGroupName"]
        if name in self.groups[caller]:
            raise ServiceError("ValidationException", f"Model Package Group already exists: {self._arn(caller, name)}")
        self.groups[caller][name] = Group(
            {
                **{key: value for key, value in request.items() if key != "Tags"},
                "ModelPackageGroupArn": self._arn(caller, name),
                "ModelPackageGroupStatus": "Completed",
                "CreationTime": clock.now(),
                "CreatedBy": {},
            }
        )
        return {"ModelPackageGroupArn": self._arn(caller, name)}

    def DescribeModelPackageGroup(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._group(caller, request["ModelPackageGroupName"], "DescribeModelPackageGroup").described

    def ListModelPackageGroups(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        groups = [group.described for group in self.groups[caller].values()]
        summaries = [{key: group[key] for key in GROUP_SUMMARY if key in group} for group in groups]
        return page("ModelPackageGroupSummaryList", summaries, request)

    def DeleteModelPackageGroup(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        group = self._group(caller, request["ModelPackageGroupName"], "DeleteModelPackageGroup")
        name = group.described["ModelPackageGroupName"]
        if group.versions:
            raise ServiceError("ConflictException", f"Model Package Group {name} has {len(group.versions)} versions")
        del self.groups[caller][name]
        return {}

    def PutModelPackageGroupPolicy(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        group = self._group(caller, request["ModelPackageGroupName"], "PutModelPackageGroupPolicy")
        group.policy = request["ResourcePolicy"]
        return {"ModelPackageGroupArn": group.described["ModelPackageGroupArn"]}

    def GetModelPackageGroupPolicy(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        group = self._group(caller, request["ModelPackageGroupName"], "GetModelPackageGroupPolicy")
        if group.policy is None:
            raise ServiceError("ValidationException", "Cannot find resource policy for the model package group")
        return {"ResourcePolicy": group.policy}

    def DeleteModelPackageGroupPolicy(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self._group(caller, request["ModelPackageGroupName"], "DeleteModelPackageGroupPolicy").policy = None
        return {}

    def CreateModelPackage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        group = self._group(caller, request["ModelPackageGroupName"], "CreateModelPackage")
        _check_approval(request)
        group.last += 1
        name = group.described["ModelPackageGroupName"]
        group_arn = group.described["ModelPackageGroupArn"]
        arn = f"{group_arn.replace(':model-package-group/', ':model-package/')}/{group.last}"
        version = group.versions[group.last] = {
            "ModelApprovalStatus": "PendingManualApproval",
            **{key: value for key, value in request.items() if key not in {"ClientToken", "Tags"}},
            "ModelPackageName": f"{name}/{group.last}",  # so that whoever describes by it finds the version
            "ModelPackageGroupName": name,
            "ModelPackageArn": arn,
            "ModelPackageVersion": group.last,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "CreationTime": clock.now(),
            "CertifyForMarketplace": False,
        }
        self._announce(version)
        return {"ModelPackageArn": arn}

    def DescribeModelPackage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._version(caller, request["ModelPackageName"], "DescribeModelPackage")

    def UpdateModelPackage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        version = self._version(caller, request["ModelPackageArn"], "UpdateModelPackage")
        _check_approval(request)
        version.update({key: request[key] for key in CHANGEABLE if key in request})
        metadata = {**version.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
        removed = request.get("CustomerMetadataPropertiesToRemove", [])
        version["CustomerMetadataProperties"] = {key: value for key, value in metadata.items() if key not in removed}
        if "InferenceSpecification" in request:
            version["InferenceSpecification"] = request["InferenceSpecification"]
        version["LastModifiedTime"] = clock.now()
        self._announce(version, [key for key in request if key != "ModelPackageArn"])
        return {"ModelPackageArn": version["ModelPackageArn"]}

    def DeleteModelPackage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        arn = request["ModelPackageName"]
        version = self._version(caller, arn, "DeleteModelPackage")
        del self._home(caller, arn)[version["ModelPackageGroupName"]].versions[version["ModelPackageVersion"]]
        return {}

    def ListModelPackages(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        wanted = request.get("ModelPackageGroupName")
        groups = [self._group(caller, wanted, "ListModelPackages")] if wanted else list(self.groups[caller].values())
        found = [version for group in groups for version in group.versions.values()]
        for key in ("ModelApprovalStatus", "ModelPackageStatus"):
            if key in request:
                found = [version for version in found if version[key] == request[key]]
        found = between(request, lambda version: version["CreationTime"], found)
        found.sort(key=lambda version: version["CreationTime"])
        summaries = [{key: version[key] for key in SUMMARY if key in version} for version in found]
        return page("ModelPackageSummaryList", summaries, request)

    def _arn(self, caller: Caller, group: str) -> str:
        return self.place(caller).arn("sagemaker", f"model-package-group/{group}")

    def _home(self, caller: Caller, name_or_arn: str) -> dict[str, Group]:
        """The groups of the account and region that an ARN names; a bare name means the caller's own."""
        if not name_or_arn.startswith("arn:"):
            return self.groups[caller]
        _, _, _, region, account, _ = name_or_arn.split(":", 5)
        return self.groups[Caller(account, region)]

    def _group(self, caller: Caller, name_or_arn: str, action: str) -> Group:
        name = name_or_arn.rsplit("/", 1)[-1]
        group = self._home(caller, name_or_arn).get(name)
        arn = name_or_arn if name_or_arn.startswith("arn:") else self._arn(caller, name)
        _admit(caller, group, arn, action)
        if group is None:
            raise ServiceError("ValidationException", f"ModelPackageGroup {arn} does not exist.")
        return group

    def _version(self, caller: Caller, arn: str, action: str) -> Json:
        arn = arn if arn.startswith("arn:") else self.place(caller).arn("sagemaker", f"model-package/{arn}")
        parts = arn.split("/")
        group = self._home(caller, arn).get(parts[1]) if len(parts) == 3 else None  # noqa: PLR2004 kind/group/number
        _admit(caller, group, arn, action)
        number = int(parts[2]) if group and parts[2].isdigit() else 0
        if group is None or number not in group.versions:
            raise ServiceError("ValidationException", f"ModelPackage {arn} does not exist.")
        return group.versions[number]

    def _announce(self, version: Json, updated: Sequence[str] = ()) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html."""
        told = {key: value for key, value in version.items() if not isinstance(value, datetime)}
        detail = {**told, "CreationTime": int(version["CreationTime"].timestamp() * 1000)}
        if updated:
            detail["UpdatedModelPackageFields"] = list(updated)
        kind = "SageMaker Model Package State Change"
        arn = version["ModelPackageArn"]
        owner = Caller(arn.split(":")[4], arn.split(":")[3])  # whose registry it is, whoever changed it
        events.send(self.place(owner), "aws.sagemaker", kind, detail, [arn])


def _admit(caller: Caller, group: Group | None, arn: str, action: str) -> None:
    """Another account needs the word of the group's policy, even to learn that there is nothing.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-version.html, "cross-account"
    """
    owner = arn.split(":")[4]
    asked = Request(caller.principal, f"sagemaker:{action}", arn)
    if not may(group.policy if group else None, asked, owner):
        message = f"User: {caller.principal.arn} is not authorized to perform: {asked.action} on resource: {arn}"
        raise ServiceError("AccessDeniedException", message)


def _check_approval(request: Json) -> None:
    status = request.get("ModelApprovalStatus")
    if status is not None and status not in APPROVALS:
        raise ServiceError(
            "ValidationException", f"ModelApprovalStatus {status!r} is not one of {', '.join(APPROVALS)}"
        )
