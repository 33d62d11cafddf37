"""What holds roles whatever their own policies say: the boundary on each, and what each boundary keeps out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from escalation import WRITE
from iam_deployed import ADMINISTRATOR, Cloud, Role
from iam_simulator import Question, Simulator

WILD_TYPE = re.compile(r"arn:[^:]*:(?!s3:)[^:]*:[^:]*:[^:]*:[^/:]*[*?][^/:]*[/:]")
"""A wildcard in the part of an ARN that names the kind of resource: the simulator never matches it, AWS would."""

OUT = {
    **dict.fromkeys(WRITE, "arn:aws:iam::{account}:role/slipway-{environment}-releaser"),
    "iam:CreateAccessKey": "arn:aws:iam::{account}:user/x",
    "iam:CreatePolicyVersion": "arn:aws:iam::{account}:policy/slipway-{environment}-boundary",
    "iam:CreateRole": "arn:aws:iam::{account}:role/x",
    "iam:CreateUser": "arn:aws:iam::{account}:user/x",
    "cloudtrail:StopLogging": "arn:aws:cloudtrail:eu-west-1:{account}:trail/x",
    "ec2:RunInstances": "arn:aws:ec2:eu-west-1:{account}:instance/x",
    "ecr:SetRepositoryPolicy": "arn:aws:ecr:eu-west-1:{account}:repository/slipway-{environment}-job",
    "kms:PutKeyPolicy": "arn:aws:kms:eu-west-1:{account}:key/x",
    "kms:ScheduleKeyDeletion": "arn:aws:kms:eu-west-1:{account}:key/x",
    "lambda:UpdateFunctionCode": "arn:aws:lambda:eu-west-1:{account}:function:x",
    "organizations:LeaveOrganization": "*",
    "s3:DeleteBucket": "arn:aws:s3:::slipway-{environment}-data-{account}-eu-west-1",
    "s3:PutBucketPolicy": "arn:aws:s3:::slipway-{environment}-data-{account}-eu-west-1",
    "sagemaker:CreatePresignedNotebookInstanceUrl": "arn:aws:sagemaker:eu-west-1:{account}:notebook-instance/x",
    "sagemaker:PutModelPackageGroupPolicy": "arn:aws:sagemaker:eu-west-1:{account}:model-package-group/x",
}
"""What no role of the platform does, even if its own policy allowed all; and on what."""


def unlimited(cloud: Cloud) -> Iterator[str]:
    """Roles without their environment's boundary, and with policies that lie elsewhere and are in no answer."""
    for role in cloud.roles.values():
        if role.stack.startswith("CDKToolkit"):
            continue
        if not role.boundary:
            yield f"{role.name} has no boundary"
        yield from (f"{role.name} has {arn}, which no template shows" for arn in role.unknown)
    for made in [one for one in cloud.of_kind("AWS::IAM::Role") if not one.stack.startswith("CDKToolkit")]:
        own = f":policy/{'-'.join(made.stack.split('-')[:2])}-boundary"
        if not str(made.properties.get("PermissionsBoundary")).endswith(own):
            yield f"{made.name} has not its environment's boundary"


def wild(cloud: Cloud) -> Iterator[str]:
    """Policies with a wildcard that the simulator cannot see."""
    for made in cloud.made:
        if made.kind.startswith("AWS::IAM::") and not made.stack.startswith("CDKToolkit"):
            yield from (f"{made.id}: {match}" for match in WILD_TYPE.findall(str(made.properties)))


def administrators(cloud: Cloud) -> list[Role]:
    """One a boundary: who may all that it lets through."""
    own = tuple(ADMINISTRATOR.values())
    return [
        Role(
            f"{made.name}-admin", f"arn:aws:iam::{made.account}:role/admin", {}, own, made.properties["PolicyDocument"]
        )
        for made in cloud.of_kind("AWS::IAM::ManagedPolicy")
        if made.name.endswith("-boundary") and not made.stack.startswith("CDKToolkit")
    ]


def beyond(cloud: Cloud, simulator: Simulator) -> Iterator[str]:
    """What the boundaries let through and should not."""
    for role in administrators(cloud):
        asked = out(role)
        for one, may in zip(asked, simulator.may(asked), strict=True):
            if may:
                yield f"{role.name.removesuffix('-admin')} lets {one.action} through"


def out(role: Role) -> list[Question]:
    """Each way out, and one that is no way out but in another region."""
    environment, here = role.name.split("-")[1], {"aws:RequestedRegion": "eu-west-1"}
    places = {action: arn.format(account=role.account, environment=environment) for action, arn in OUT.items()}
    asked = [
        Question(role, action, arn, here, _own(role) if action.startswith("kms:") else None)
        for action, arn in places.items()
    ]
    elsewhere = Question(role, "sagemaker:ListModels", "*", {"aws:RequestedRegion": "us-west-2"})
    return [*asked, elsewhere]


def _own(role: Role) -> dict[str, object]:
    """A key's policy that leaves the decision to IAM."""
    owner = {"AWS": f"arn:aws:iam::{role.account}:root"}
    allowed = {"Effect": "Allow", "Principal": owner, "Action": "kms:*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [allowed]}
