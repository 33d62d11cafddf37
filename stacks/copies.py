"""Copies of versions: where an environment keeps what it serves, and what its releaser may do to bring it there.

Groups and buckets are rooms of their own, as where models are trained; here is the repository, and the one role that
reads from another account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from stacks import names as spelling
from stacks.image import PULL_ACTIONS, PUSH_ACTIONS, image_repository
from stacks.permissions import allow

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.route import Route


class Copies(cdk.Stack):
    """Owns the repository that the images of copied versions lie in."""

    def __init__(self, scope: Construct, id: str, *, names: Names, key: kms.IKey, removal: cdk.RemovalPolicy) -> None:
        super().__init__(scope, id, description="Images of versions that were copied here")
        image_repository(self, names, key, removal)


def copy_versions(role: iam.Role, route: Route) -> None:
    """Fetch images, write artifacts, records and images of copies, register what says of which version it is a copy.

    What else is read of a version is what is read to check it. Nothing here changes a version, or deletes one.
    """
    trains, names = route.trains, route.holds
    source = f"arn:aws:ecr:{trains.region}:{trains.account}:repository/{trains.repository}"
    allow(role, "FetchImages", PULL_ACTIONS, [source])
    stem = f"arn:aws:sagemaker:{names.region}:{names.account}"
    groups = [f"{stem}:model-package-group/{names.model_package_group(model)}" for model in route.models]
    copies = [f"{stem}:model-package/{names.model_package_group(model)}/*" for model in route.models]
    allow(
        role,
        "RegisterCopies",
        ["sagemaker:CreateModelPackage"],
        [*groups, *copies],
        because="Copies in these groups; their numbers are given when they are registered.",
        conditions={"Null": {"sagemaker:CustomerMetadataProperties/copy_of": "false"}},
    )
    artifacts = [f"arn:aws:s3:::{names.runs_bucket}/{spelling.runs_prefix(m)}/*/package/*" for m in route.models]
    records = [f"arn:aws:s3:::{names.provenance_bucket}/{spelling.provenance_prefix(m)}/*" for m in route.models]
    named = "A copy lies in a folder that is named by its content."
    allow(role, "WriteCopies", ["s3:PutObject"], [*artifacts, *records], because=named)
    repository = f"arn:aws:ecr:{names.region}:{names.account}:repository/{names.repository}"
    allow(role, "PushImages", PUSH_ACTIONS, [repository])
