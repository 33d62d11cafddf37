"""What releases stand on: the desired version of each model, leases and journal, the serving stacks' deployer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb

from stacks.endpoint_role import serving_deployer
from stacks.function import Shared, function, function_role
from stacks.names import title
from stacks.permissions import acknowledge, allow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sns as sns
    from constructs import Construct

    from stacks.names import Names
    from stacks.settings import ServingSettings


class Releases(cdk.Stack):
    """Owns the parameters that name the version to serve, the table of releases, and the serving stacks' deployer."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: ServingSettings,
        names: Names,
        models: Sequence[str],
        key: kms.IKey,
        notices: sns.ITopic,
        removal: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, id, description="Desired versions, leases and journal of releases")
        self._names = names
        self._table(key, removal)
        serving_deployer(self, "Deployer", models=models, names=names)
        parameters = Shared(key, notices, json.dumps({}), config.log_retention_days, removal)
        self._parameters(models, key, parameters)

    def _table(self, key: kms.IKey, removal: cdk.RemovalPolicy) -> None:
        table = dynamodb.Table(
            self,
            "Releases",
            table_name=self._names.releases,
            partition_key=dynamodb.Attribute(name="model", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="entry", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=removal,
        )
        acknowledge(
            table,
            {"NIST.800.53.R5::NIST.800.53.R5-DynamoDBInBackupPlan": "Point-in-time recovery covers the journal."},
        )

    def _parameters(self, models: Sequence[str], key: kms.IKey, shared: Shared) -> None:
        """Made once with `none`; what a release wrote there no deployment of infrastructure changes."""
        names = self._names
        role = function_role(self, "ParameterRole", key=key)
        arns = [f"arn:aws:ssm:{self.region}:{self.account}:parameter{names.version_parameter(m)}" for m in models]
        allow(role, "DesiredVersion", ["ssm:GetParameter", "ssm:PutParameter"], arns)
        maker = function(
            self,
            "ParameterMaker",
            name=f"{names.prefix}-version-parameter",
            does="Makes the parameter of a model's desired version, and leaves one that is there",
            handler="operations.handlers.make_version_parameter",
            role=role,
            shared=shared,
        )
        for model in models:
            cdk.CustomResource(
                self,
                f"Version{title(model)}",
                resource_type="Custom::VersionParameter",
                service_token=maker.function_arn,
                properties={"Name": names.version_parameter(model)},
            )
