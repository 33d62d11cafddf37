"""Who may move a version through its life: SageMaker's staging construct, as conditions on two actions.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-staging-construct.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html

| stage / status | approval | who |
|---|---|---|
| Development / Passed | PendingManualApproval | the pipeline, when the gates pass |
| Staging / PendingApproval | as it is | data scientist, ML engineer |
| Staging / Approved | Approved | approver who is not the author |
| Production / PendingApproval | as it is | data scientist, ML engineer, of what staging took |
| Production / Approved | Approved | approver who is not the author |
| any / Rejected, Archived | Rejected | approver |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_iam as iam

from stacks.permissions import allow

if TYPE_CHECKING:
    from collections.abc import Sequence

UPDATE = ["sagemaker:UpdateModelPackage"]
STAGE, STATUS = "sagemaker:ModelLifeCycle:Stage", "sagemaker:ModelLifeCycle:StageStatus"
AT_STAGE, AT_STATUS = "sagemaker:CurrentModelLifeCycleStage", "sagemaker:CurrentModelLifeCycleStageStatus"
APPROVAL = "sagemaker:ModelApprovalStatus"
AUTHOR = "sagemaker:CurrentCustomerMetadataProperties/author"
USER = "${aws:PrincipalTag/user}"
"""Who has taken a role on: the session tag that every way into a persona's role demands."""

ORIGIN = ("author", "commit", "execution", "image_uri", "model_sha256", "provenance", "reason", "started_by")
"""What the pipeline wrote about a version's origin; nobody changes or removes it."""

VERSIONS = "The versions of these groups; their numbers are given when they are registered."


def ask(role: iam.Role, versions: Sequence[str]) -> None:
    """Ask that a version go to staging, and to production once staging has it; the words say nothing of approval."""
    for stage, conditions in {
        "Staging": {AT_STAGE: "Development"},
        "Production": {AT_STAGE: "Staging", AT_STATUS: "Approved"},
    }.items():
        equals = {STAGE: stage, STATUS: "PendingApproval", **conditions}
        given = {"StringEquals": equals, "Null": {APPROVAL: "true"}}
        allow(role, f"AskFor{stage}", UPDATE, versions, because=VERSIONS, conditions=given)
    _deny(role, "NoStatusAlong", versions, {"Null": {APPROVAL: "false"}})
    _keep_origin(role, versions)


def approve(role: iam.Role, versions: Sequence[str]) -> None:
    """Approve what was asked for, reject and archive anything; never a version of one's own."""
    for stage in ("Staging", "Production"):
        equals = {STAGE: stage, STATUS: "Approved", APPROVAL: "Approved", AT_STAGE: stage, AT_STATUS: "PendingApproval"}
        allow(role, f"ApproveFor{stage}", UPDATE, versions, because=VERSIONS, conditions={"StringEquals": equals})
    _refuse(role, versions)
    # Whatever an identity provider makes of capitals.
    _deny(role, "NotOnesOwn", versions, {"StringEqualsIgnoreCase": {AUTHOR: USER}})
    # One whose author nobody knows may be the approver's own; to reject it is harmless.
    unknown = {"Null": {AUTHOR: "true"}, "StringNotEquals": {APPROVAL: "Rejected"}}
    _deny(role, "NotOfUnknown", versions, unknown)
    # Without the tag nobody knows whose version it is.
    _deny(role, "NotWithoutAName", versions, {"Null": {"aws:PrincipalTag/user": "true"}})
    _keep_origin(role, versions)


def refuse(role: iam.Role, versions: Sequence[str]) -> None:
    """Reject and archive copies, so that nothing goes back to them; to approve one would be to approve it unseen."""
    _refuse(role, versions)
    _deny(role, "NotWithoutAName", versions, {"Null": {"aws:PrincipalTag/user": "true"}})
    _keep_origin(role, versions)


def register_pending(role: iam.Role, packages: Sequence[str]) -> None:
    """Register a version that nobody has approved; a pipeline that could say Approved would release by itself.

    It must say whose version it is: the pipeline's parameter `Author`, which only the starter gives.
    """
    authored = {"sagemaker:CustomerMetadataProperties/author": "false"}
    equals = {APPROVAL: "PendingManualApproval", STAGE: "Development", STATUS: "Passed"}
    allow(
        role,
        "RegisterPending",
        ["sagemaker:CreateModelPackage"],
        packages,
        because=VERSIONS,
        conditions={"StringEquals": equals, "Null": authored},
    )


def _refuse(role: iam.Role, versions: Sequence[str]) -> None:
    refused = {STAGE: ["Development", "Staging", "Production"], STATUS: ["Rejected", "Archived"], APPROVAL: "Rejected"}
    allow(role, "Refuse", UPDATE, versions, because=VERSIONS, conditions={"StringEquals": refused})


def _keep_origin(role: iam.Role, versions: Sequence[str]) -> None:
    for key in ORIGIN:
        name = "".join(part.capitalize() for part in key.split("_"))
        _deny(role, f"Keep{name}", versions, {"Null": {f"sagemaker:CustomerMetadataProperties/{key}": "false"}})
    removed = {"ForAnyValue:StringEquals": {"sagemaker:CustomerMetadataPropertiesToRemove": list(ORIGIN)}}
    _deny(role, "KeepOrigin", versions, removed)


def _deny(role: iam.Role, sid: str, versions: Sequence[str], conditions: dict[str, Any]) -> None:
    role.add_to_policy(
        iam.PolicyStatement(
            sid=sid, effect=iam.Effect.DENY, actions=UPDATE, resources=list(versions), conditions=conditions
        )
    )
