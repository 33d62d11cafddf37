"""A model's registry: the group of its versions, and who else may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.names import Names
    from stacks.readers import Readers


class Registry(cdk.Stack):
    """Owns one model's package group."""

    def __init__(
        self, scope: Construct, id: str, *, model: str, names: Names, readers: Readers, removal: cdk.RemovalPolicy
    ) -> None:
        super().__init__(scope, id, description=f"Versions of {model}")
        self.group_name = names.model_package_group(model)
        group = sagemaker.CfnModelPackageGroup(
            self,
            "Group",
            model_package_group_name=self.group_name,
            model_package_group_description=f"Versions of {model}",
            model_package_group_policy=self._policy(model, readers) if readers.environments else None,
        )
        group.apply_removal_policy(removal)

    def _policy(self, model: str, readers: Readers) -> iam.PolicyDocument:
        """Releasers look versions up, deployers make models of them, endpoints read what they serve.

        https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-deploy-xaccount.html
        """
        arn = f"arn:aws:sagemaker:{self.region}:{self.account}"
        group, versions = f"{arn}:model-package-group/{self.group_name}", f"{arn}:model-package/{self.group_name}/*"
        describe = "sagemaker:DescribeModelPackage"
        listed = [describe, "sagemaker:DescribeModelPackageGroup", "sagemaker:ListModelPackages"]
        made = [describe, "sagemaker:CreateModel"]
        let: list[tuple[str, list[str], list[str], list[str]]] = [
            ("LookUp", readers.checkers, listed, [group, versions]),
            ("MakeModels", readers.deployers, made, [versions]),
            ("Serve", readers.endpoints(model), [describe], [versions]),
        ]
        return iam.PolicyDocument(statements=[readers.let(sid, who, may, on) for sid, who, may, on in let if who])
