"""A model's registry: the group of its versions, and who else may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.names import Names
    from stacks.settings import RegistrySettings


class Registry(cdk.Stack):
    """Owns one model's package group."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        model: str,
        config: RegistrySettings,
        names: Names,
        removal: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, id, description=f"Versions of {model}")
        self.group_name = names.model_package_group(model)
        self._group(model, config.reader_accounts, removal)

    def _group(self, model: str, reader_accounts: tuple[str, ...], removal: cdk.RemovalPolicy) -> None:
        arn = f"arn:aws:sagemaker:{self.region}:{self.account}"
        policy = iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    sid="ReadVersions",
                    principals=[iam.AccountPrincipal(account) for account in reader_accounts],
                    actions=[
                        "sagemaker:DescribeModelPackage",
                        "sagemaker:DescribeModelPackageGroup",
                        "sagemaker:ListModelPackages",
                    ],
                    resources=[
                        f"{arn}:model-package-group/{self.group_name}",
                        f"{arn}:model-package/{self.group_name}/*",
                    ],
                )
            ]
        )
        group = sagemaker.CfnModelPackageGroup(
            self,
            "Group",
            model_package_group_name=self.group_name,
            model_package_group_description=f"Versions of {model}",
            model_package_group_policy=policy if reader_accounts else None,
        )
        group.apply_removal_policy(removal)
