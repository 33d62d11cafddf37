"""SageMaker's model registry: groups, policies, versions with lifecycle; an update erases nothing it does not name.

moto knows no lifecycle stages, and its UpdateModelPackage clears approval and metadata that a request leaves out.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal import events
from rehearsal.api import Caller, Json, ServiceError
from rehearsal.listing import Listing
from rehearsal.model_data import with_etags
from rehearsal.resource_policy import check_access, check_policy
from rehearsal.shapes import install_operations

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place

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
CHANGEABLE = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
NOT_KEPT = {"ClientToken", "Tags"}
EVENT_SPELLING = {"SourceUri": "sourceUri"}
"""Where the documented event spells a field of UpdateModelPackage differently."""

GROUPS = Listing(
    "ModelPackageGroupSummaryList",
    "ModelPackageGroupName",
    sorts={"CreationTime": "CreationTime", "Name": "ModelPackageGroupName"},
)
VERSIONS = Listing(
    "ModelPackageSummaryList",
    "ModelPackageGroupName",
    sorts={"CreationTime": "CreationTime", "Name": "ModelPackageVersion"},
    equal={"ModelApprovalStatus": "ModelApprovalStatus"},
    own=frozenset({"ModelPackageGroupName", "ModelPackageType"}),
)


@dataclass
class Group:
    """A model package group: its description, its policy, its versions by number, and which tokens made them."""

    described: Json
    policy: str | None = None
    versions: dict[int, Json] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    last: int = 0


class Registry:
    """The operations, by AWS's names. An ARN may be of another account: the group's policy decides."""

    def __init__(self, place: Callable[[Caller], Place]) -> None:
        self.place = place
        self.groups: defaultdict[Caller, dict[str, Group]] = defaultdict(dict)
        self.lock = threading.Lock()

    def install(self) -> None:
        install_operations(self)

    def CreateModelPackageGroup(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        name = request["ModelPackageGroupName"]
        described = {
            **{key: value for key, value in request.items() if key not in NOT_KEPT},
            "ModelPackageGroupArn": self._arn(caller, name),
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": datetime.now(UTC),
            "CreatedBy": {},
        }
        with self.lock:
            if name in self.groups[caller]:
                arn = self._arn(caller, name)
                raise ServiceError("ValidationException", f"Model Package Group already exists: {arn}")
            self.groups[caller][name] = Group(described)
        return {"ModelPackageGroupArn": self._arn(caller, name)}

    def DescribeModelPackageGroup(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._group(caller, request["ModelPackageGroupName"], "DescribeModelPackageGroup").described

    def ListModelPackageGroups(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return GROUPS.page([group.described for group in list(self.groups[caller].values())], request)

    def DeleteModelPackageGroup(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        group = self._group(caller, request["ModelPackageGroupName"], "DeleteModelPackageGroup")
        name = group.described["ModelPackageGroupName"]
        with self.lock:
            if group.versions:
                told = f"Model Package Group {name} has {len(group.versions)} versions"
                raise ServiceError("ConflictException", told)
            self.groups[_owner(group.described["ModelPackageGroupArn"])].pop(name, None)
        return {}

    def PutModelPackageGroupPolicy(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        group = self._group(caller, request["ModelPackageGroupName"], "PutModelPackageGroupPolicy")
        check_policy(request["ResourcePolicy"])
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
        group, token = self._group_for_version(caller, request), request.get("ClientToken")
        described = with_etags(request, self.place(caller).client("s3"))
        with self.lock:
            if token in group.tokens:
                return {"ModelPackageArn": group.tokens[token]}
            group.last += 1
            version = group.versions[group.last] = _version(described, group)
            if token:
                group.tokens[token] = version["ModelPackageArn"]
        self._announce(version)
        return {"ModelPackageArn": version["ModelPackageArn"]}

    def DescribeModelPackage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return dict(self._found(caller, request["ModelPackageName"], "DescribeModelPackage"))

    def UpdateModelPackage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        version = self._found(caller, request["ModelPackageArn"], "UpdateModelPackage")
        changed = {key: request[key] for key in CHANGEABLE if key in request}
        if "InferenceSpecification" in changed:
            changed = with_etags(changed, self.place(caller).client("s3"))
        with self.lock:
            changed |= _metadata(version, request) | _specifications(version, request)
            version.update({**changed, "LastModifiedTime": datetime.now(UTC), "LastModifiedBy": {}})
        self._announce(version, tuple(EVENT_SPELLING.get(key, key) for key in changed))
        return {"ModelPackageArn": version["ModelPackageArn"]}

    def DeleteModelPackage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        version = self._found(caller, request["ModelPackageName"], "DeleteModelPackage")
        arn = version["ModelPackageArn"]
        with self.lock:
            self.groups[_owner(arn)][version["ModelPackageGroupName"]].versions.pop(
                version["ModelPackageVersion"], None
            )
        return {}

    def ListModelPackages(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """A group's versions; without a group only those of type Versioned or Both, as Unversioned is the default."""
        groups = list(self.groups[caller].values())
        if "ModelPackageGroupName" in request:
            groups = [self._group(caller, request["ModelPackageGroupName"], "ListModelPackages")]
        elif request.get("ModelPackageType", "Unversioned") == "Unversioned":
            groups = []
        versions = [version for group in groups for version in list(group.versions.values())]
        return VERSIONS.page(
            [{key: version[key] for key in SUMMARY if key in version} for version in versions], request
        )

    def _arn(self, caller: Caller, group: str) -> str:
        return self.place(caller).arn("sagemaker", f"model-package-group/{group}")

    def _group(self, caller: Caller, name_or_arn: str, operation: str) -> Group:
        """The group of that name or ARN; raises ValidationException if there is none, or the caller may not."""
        arn = name_or_arn if name_or_arn.startswith("arn:") else self._arn(caller, name_or_arn)
        owner = _owner(arn)
        group = self.groups[owner].get(arn.rsplit("/", 1)[-1])
        if group is None or owner.region != caller.region:
            raise ServiceError("ValidationException", f"ModelPackageGroup {arn} does not exist.")
        check_access(caller, owner, group.policy, f"sagemaker:{operation}", arn)
        return group

    def _group_for_version(self, caller: Caller, request: Json) -> Group:
        if "ModelPackageName" in request or "ModelPackageGroupName" not in request:
            told = "the embedded AWS registers versions only: name a ModelPackageGroupName and no ModelPackageName"
            raise ServiceError("ValidationException", told)
        if request.get("Tags"):
            told = "Tags cannot be given with ModelPackageGroupName: a version uses the tags of its group"
            raise ServiceError("ValidationException", told)
        return self._group(caller, request["ModelPackageGroupName"], "CreateModelPackage")

    def _found(self, caller: Caller, arn: str, operation: str) -> Json:
        """The version of that ARN; raises ValidationException if there is none, or the caller may not."""
        kind, _, rest = arn.partition("/")
        name, _, number = rest.partition("/")
        owner = _owner(arn) if kind.endswith(":model-package") else caller
        group = self.groups[owner].get(name)
        version = group.versions.get(int(number)) if group and number.isdigit() else None
        if group is None or version is None or owner.region != caller.region:
            raise ServiceError("ValidationException", f"ModelPackage {arn} does not exist.")
        check_access(caller, owner, group.policy, f"sagemaker:{operation}", arn)
        return version

    def _announce(self, version: Json, updated: tuple[str, ...] = ()) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html."""
        arn = version["ModelPackageArn"]
        detail = {key: f"{v:%Y-%m-%dT%H:%M:%SZ}" if isinstance(v, datetime) else v for key, v in version.items()}
        if updated:
            detail["UpdatedModelPackageFields"] = list(updated)
        kind = "SageMaker Model Package State Change"
        events.send(self.place(_owner(arn)), "aws.sagemaker", kind, detail, arn)


def _owner(arn: str) -> Caller:
    region, account = arn.split(":")[3:5]
    return Caller(account, region)


def _version(request: Json, group: Group) -> Json:
    """A new version as DescribeModelPackage shows it; the service names versions by group and number only."""
    name = group.described["ModelPackageGroupName"]
    prefix = group.described["ModelPackageGroupArn"].replace(":model-package-group/", ":model-package/")
    return {
        "ModelApprovalStatus": "PendingManualApproval",
        "CertifyForMarketplace": False,
        **{key: value for key, value in request.items() if key not in NOT_KEPT},
        "ModelPackageGroupName": name,
        "ModelPackageArn": f"{prefix}/{group.last}",
        "ModelPackageVersion": group.last,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CreationTime": datetime.now(UTC),
        "CreatedBy": {},
    }


def _metadata(version: Json, request: Json) -> Json:
    """Metadata is added and changed by key, and removed only by name."""
    if not {"CustomerMetadataProperties", "CustomerMetadataPropertiesToRemove"} & set(request):
        return {}
    merged = {**version.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
    removed = request.get("CustomerMetadataPropertiesToRemove", [])
    return {"CustomerMetadataProperties": {key: value for key, value in merged.items() if key not in removed}}


def _specifications(version: Json, request: Json) -> Json:
    added = request.get("AdditionalInferenceSpecificationsToAdd", [])
    member = "AdditionalInferenceSpecifications"
    return {member: [*version.get(member, []), *added]} if added else {}
