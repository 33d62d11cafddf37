"""What releases stand on: the desired version of each model, leases and journal, the roles that release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb

from pipeline_code.models import load_model
from stacks.endpoint_role import serving_deployer
from stacks.function import function, function_role
from stacks.names import title
from stacks.permissions import acknowledge, allow
from stacks.releaser import grant_journal, releaser_role
from stacks.reviewer import reviewer_role
from stacks.verifier import verifier_role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

    from stacks.delivery_names import Deliverers
    from stacks.function import Shared
    from stacks.names import Names
    from stacks.route import Route


class Releases(cdk.Stack):
    """Owns the parameters that name the version to serve, the table of releases, the releaser and its deployer."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        names: Names,
        route: Route,
        deliverers: Deliverers,
        shared: Shared,
    ) -> None:
        super().__init__(scope, id, description="Desired versions, leases and journal of releases")
        self._names, self._shared = names, shared
        self.table = self._table()
        models, registry = route.models, route.holds
        serving_deployer(self, "Deployer", models=models, names=names, registry=registry, key=shared.key)
        releaser = releaser_role(self, "Releaser", names=names, route=route)
        grant_journal(releaser, names=names, models=models, table=self.table, key=shared.key)
        verifier_role(self, "Verifier", names=names, registry=registry, models=models, deliverers=deliverers.verifiers)
        reviewer_role(self, "Reviewer", names=names, models=models, reviewers=deliverers.reviewers)
        self._parameters(models)

    def _table(self) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            "Releases",
            table_name=self._names.releases,
            partition_key=dynamodb.Attribute(name="model", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="entry", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._shared.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=self._shared.removal,
        )
        acknowledge(
            table,
            {"NIST.800.53.R5::NIST.800.53.R5-DynamoDBInBackupPlan": "Point-in-time recovery covers the journal."},
        )
        return table

    def _parameters(self, models: Sequence[str]) -> None:
        """Made once with `none`; what a release wrote there no deployment of infrastructure changes."""
        names, shared = self._names, self._shared
        role = function_role(self, "ParameterRole", key=shared.key)
        made = {f"Version{title(model)}": names.version_parameter(model) for model in models}
        made |= {f"Shadow{title(m)}": names.shadow_parameter(m) for m in models if load_model(m).shadow}
        arns = [f"arn:aws:ssm:{self.region}:{self.account}:parameter{name}" for name in made.values()]
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
        for logical, name in made.items():
            cdk.CustomResource(
                self,
                logical,
                resource_type="Custom::VersionParameter",
                service_token=maker.function_arn,
                properties={"Name": name},
            )
