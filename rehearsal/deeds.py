"""The deeds of the story of governance: a version's life, what a scientist and an administrator try beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rehearsal.people import Deed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rehearsal.people import People
    from rehearsal.rights import Held

AUTHOR, OTHER, ADMIN = "al", "bo", "cy"
SCIENTIST, APPROVER = "data scientist", "approver"
AUTHORS_IN_STUDIO, APPROVERS_IN_STUDIO = "author's role in Studio", "approver's role in Studio"
PENDING, APPROVED = "PendingApproval", "Approved"

LIFE: tuple[tuple[str, str, str, dict[str, Any], bool], ...] = (
    (SCIENTIST, AUTHOR, "asks for staging", {"life": ("Staging", PENDING)}, True),
    (SCIENTIST, AUTHOR, "approves it", {"life": ("Staging", APPROVED), "approval": APPROVED}, False),
    (SCIENTIST, AUTHOR, "removes its author", {"removed": ["author"]}, False),
    (APPROVER, AUTHOR, "approves their own", {"life": ("Staging", APPROVED), "approval": APPROVED}, False),
    (APPROVER, OTHER, "approves it", {"life": ("Staging", APPROVED), "approval": APPROVED}, True),
    (APPROVER, OTHER, "approves unasked", {"life": ("Production", APPROVED), "approval": APPROVED}, False),
    (AUTHORS_IN_STUDIO, AUTHOR, "asks for production", {"life": ("Production", PENDING)}, True),
    (AUTHORS_IN_STUDIO, AUTHOR, "approves it", {"life": ("Production", APPROVED), "approval": APPROVED}, False),
    (APPROVERS_IN_STUDIO, OTHER, "approves it", {"life": ("Production", APPROVED), "approval": APPROVED}, True),
)
"""Who, under which name, does what, by which request, and whether that is meant to be allowed; one after the other."""


@dataclass(frozen=True)
class Version:
    """A version in the registry, and how requests about it look to IAM."""

    sagemaker: Any
    arn: str

    @classmethod
    def registered(cls, sagemaker: Any, group: str, author: str) -> Version:
        """One that passed its gates, as the pipeline registers it; what it would serve does not matter here."""
        made = sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus="PendingManualApproval",
            ModelLifeCycle={"Stage": "Development", "StageStatus": "Passed"},
            CustomerMetadataProperties={"author": author},
        )
        return cls(sagemaker, made["ModelPackageArn"])

    @property
    def stands(self) -> str:
        """Stage, status and approval, as the registry tells them."""
        told = self._told
        life = told["ModelLifeCycle"]
        return f"{life['Stage']}/{life['StageStatus']}, {told['ModelApprovalStatus']}"

    def change(self, request: Mapping[str, Any]) -> str:
        """Really change it; how it stands then."""
        given: dict[str, Any] = {"ModelPackageArn": self.arn}
        if "life" in request:
            given["ModelLifeCycle"] = dict(zip(("Stage", "StageStatus"), request["life"], strict=True))
        if "approval" in request:
            given["ModelApprovalStatus"] = request["approval"]
        if "removed" in request:
            given["CustomerMetadataPropertiesToRemove"] = request["removed"]
        self.sagemaker.update_model_package(**given)
        return self.stands

    def context(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The condition keys of UpdateModelPackage: of the request, and of the version as it is now.

        https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
        """
        told = self._told
        found = {
            "sagemaker:CurrentModelLifeCycleStage": told["ModelLifeCycle"]["Stage"],
            "sagemaker:CurrentModelLifeCycleStageStatus": told["ModelLifeCycle"]["StageStatus"],
            **{
                f"sagemaker:CurrentCustomerMetadataProperties/{key}": value
                for key, value in told["CustomerMetadataProperties"].items()
            },
        }
        if "life" in request:
            stage, status = request["life"]
            found |= {"sagemaker:ModelLifeCycle:Stage": stage, "sagemaker:ModelLifeCycle:StageStatus": status}
        if "approval" in request:
            found["sagemaker:ModelApprovalStatus"] = request["approval"]
        if "removed" in request:
            found["sagemaker:CustomerMetadataPropertiesToRemove"] = request["removed"]
        return found

    @property
    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = self.sagemaker.describe_model_package(ModelPackageName=self.arn)
        return told


def live(version: Version, roles: Mapping[str, Held], people: People) -> None:
    """The version's life; what is allowed is really done, so that the next deed finds the version so."""
    for who, user, does, request, allowed in LIFE:
        context = version.context(request)
        deed = Deed(user, roles[who], does, "sagemaker:UpdateModelPackage", version.arn, allowed, context)
        people.try_to(deed, lambda request=request: version.change(request))  # type: ignore[misc]


@dataclass(frozen=True)
class Things:
    """What else is there to be reached for, by ARN; the key with its policy, and the role that CloudFormation has."""

    region: str
    pipeline: str
    key: str
    key_policy: dict[str, Any]
    boundary: str
    deployer: str


def past_their_role(scientist: Held, approver: Held, things: Things) -> Iterator[Deed]:
    """What a scientist might try instead of asking."""
    passed = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    version = f"{things.pipeline.replace(':pipeline/', ':model-package/')}/1"
    decided = {"sagemaker:ModelApprovalStatus": APPROVED}
    for does, action, resource, context in (
        ("starts the pipeline", "sagemaker:StartPipelineExecution", things.pipeline, {}),
        ("passes the deployer's role", "iam:PassRole", things.deployer, passed),
        ("takes the approver's role on", "sts:AssumeRole", approver.arn, {}),
        ("registers one as approved", "sagemaker:CreateModelPackage", version, decided),
    ):
        yield Deed(AUTHOR, scientist, does, action, resource, allowed=False, context=context)


def past_the_guardrails(administrator: Held, scientist: Held, version: Version, things: Things) -> Iterator[Deed]:
    """What an administrator, whose own policy allows everything, might try; the first they may."""
    place = f"{things.region}:{administrator.account}"
    trail = f"arn:aws:cloudtrail:{place}:trail/everything"
    approval = version.context({"life": ("Production", APPROVED), "approval": APPROVED})
    keys = {"sagemaker:VolumeKmsKeyArn": things.key, "sagemaker:OutputKmsKeyArn": things.key}
    new = f"arn:aws:iam::{administrator.account}:role/{scientist.name}-2"
    yield Deed(ADMIN, administrator, "looks at the trail", "cloudtrail:GetTrail", trail, allowed=True)
    yield Deed(
        ADMIN,
        administrator,
        "opens the baseline's key",
        "kms:PutKeyPolicy",
        things.key,
        allowed=False,
        context={"kms:CallerAccount": administrator.account},
        resource_policy=things.key_policy,
    )
    for does, action, resource, context in (
        ("stops the trail", "cloudtrail:StopLogging", trail, {}),
        ("deletes the trail", "cloudtrail:DeleteTrail", trail, {}),
        ("takes a boundary away", "iam:DeleteRolePermissionsBoundary", scientist.arn, {}),
        ("rewrites the boundary", "iam:CreatePolicyVersion", things.boundary, {}),
        ("makes a role without one", "iam:CreateRole", new, {}),
        ("approves the version", "sagemaker:UpdateModelPackage", version.arn, approval),
        (
            "runs a job outside the VPC",
            "sagemaker:CreateTrainingJob",
            f"arn:aws:sagemaker:{place}:training-job/x",
            keys,
        ),
        ("leaves the organization", "organizations:LeaveOrganization", "*", {}),
    ):
        yield Deed(ADMIN, administrator, does, action, resource, allowed=False, context=context)
