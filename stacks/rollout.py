"""Rolls the account baseline and the CDK bootstrap out to whole organizational units, as stack sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_s3_assets as assets

from stacks.baseline import DESCRIPTION, Baseline, Trainer
from stacks.baseline_names import ROLLOUT, BaselineNames
from stacks.config import ROOT
from stacks.readers import Readers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

    from stacks.config import Config
    from stacks.rollout_settings import RolloutSettings

BOOTSTRAP = ROOT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
"""The template of `cdk bootstrap`, of the version that package.json pins."""

EXECUTION_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
"""As `cdk bootstrap` gives it; what of it remains is for the baseline's limit to say."""


class RolloutError(Exception):
    """The bootstrap template is not there."""


@dataclass(frozen=True)
class Carried:
    """What a stack set carries: a template by its address, and its parameters."""

    name: str
    description: str
    address: str
    parameters: Mapping[str, str] = field(default_factory=dict)


class RolloutStage(cdk.Stage):
    """What the administrator of stack sets deploys, before any environment."""

    def __init__(self, scope: Construct, *, config: Config) -> None:
        platform, settings = config.platform, config.platform.rollout
        assert settings is not None  # noqa: S101 whoever makes it has looked
        super().__init__(scope, f"{platform.name}-{ROLLOUT}")
        for tag, value in {**platform.tags, "platform": platform.name}.items():
            cdk.Tags.of(self).add(tag, value)
        Rollout(self, "StackSets", config=config, settings=settings)


class Rollout(cdk.Stack):
    """Owns the stack sets: the baseline's, and after it the bootstrap's, which needs the baseline's policies.

    Both find their templates in the bootstrap bucket of the administrator's account, since what is given inline ends
    at 51,200 bytes: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, settings: RolloutSettings) -> None:
        super().__init__(
            scope,
            id,
            description="Account baseline and CDK bootstrap for organizational units",
            env=cdk.Environment(account=settings.administrator, region=settings.home),
        )
        self._settings, self._names = settings, BaselineNames(config.platform.name)
        baseline = Baseline(
            self,
            "Baseline",
            config=settings,
            names=self._names,
            organization_id=config.platform.organization_id,
            trainers=trainers(config),
        )
        first = self._stack_set("BaselineSet", Carried(self._names.stack_set, DESCRIPTION, baseline.address))
        if settings.bootstrap:
            self._stack_set("BootstrapSet", self._bootstrap(), first).add_resource_dependency(first)

    def _bootstrap(self) -> Carried:
        if not BOOTSTRAP.is_file():
            raise RolloutError(f"{BOOTSTRAP.relative_to(ROOT)} is missing; run `make setup`")
        address = assets.Asset(self, "BootstrapTemplate", path=str(BOOTSTRAP)).http_url
        trusted = ",".join(self._settings.trusted_accounts)
        parameters = {
            "ApplyPermissionsBoundaryToAllRoles": "true",
            "CloudFormationExecutionPolicies": EXECUTION_POLICY,
            "FileAssetsBucketKmsKeyId": "AWS_MANAGED_KEY",
            "InputPermissionsBoundary": self._names.deployments,
            **({"TrustedAccounts": trusted, "TrustedAccountsForLookup": trusted} if trusted else {}),
        }
        what = "CDK bootstrap, limited by the account baseline"
        return Carried(self._names.bootstrap_stack_set, what, address, parameters)

    def _stack_set(self, id: str, carried: Carried, after: cdk.CfnStackSet | None = None) -> cdk.CfnStackSet:
        settings = self._settings
        return cdk.CfnStackSet(
            self,
            id,
            stack_set_name=carried.name,
            description=carried.description,
            template_url=carried.address,
            permission_model="SERVICE_MANAGED",
            call_as=settings.call_as,
            capabilities=["CAPABILITY_NAMED_IAM"],
            auto_deployment=self._auto_deployment(after),
            operation_preferences=cdk.CfnStackSet.OperationPreferencesProperty(
                concurrency_mode=settings.concurrency_mode,
                failure_tolerance_percentage=settings.failure_tolerance_percentage,
                max_concurrent_percentage=settings.max_concurrent_percentage,
                region_concurrency_type=settings.region_concurrency_type,
                region_order=list(settings.regions),
            ),
            parameters=[
                cdk.CfnStackSet.ParameterProperty(parameter_key=key, parameter_value=value)
                for key, value in carried.parameters.items()
            ],
            stack_instances_group=[self._instances()],
        )

    def _auto_deployment(self, after: cdk.CfnStackSet | None) -> cdk.CfnStackSet.AutoDeploymentProperty:
        """Stack sets of service-managed permissions are the management account's, whoever made them.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html
        """
        settings = self._settings
        if not settings.auto_deployment:
            return cdk.CfnStackSet.AutoDeploymentProperty(enabled=False)
        place = f"{settings.home}:{settings.management_account}"
        needed = [f"arn:aws:cloudformation:{place}:stackset/{after.attr_stack_set_id}"] if after else None
        return cdk.CfnStackSet.AutoDeploymentProperty(
            enabled=True,
            retain_stacks_on_account_removal=settings.retain_stacks_on_account_removal,
            depends_on=needed,
        )

    def _instances(self) -> cdk.CfnStackSet.StackInstancesProperty:
        settings = self._settings
        only, but = list(settings.only_accounts), list(settings.except_accounts)
        return cdk.CfnStackSet.StackInstancesProperty(
            regions=list(settings.regions),
            deployment_targets=cdk.CfnStackSet.DeploymentTargetsProperty(
                organizational_unit_ids=list(settings.organizational_units),
                accounts=only or but or None,
                account_filter_type="INTERSECTION" if only else "DIFFERENCE" if but else None,
            ),
        )


def trainers(config: Config) -> tuple[Trainer, ...]:
    """Environments that train with the baseline's key and are read by others."""
    found = {
        config.registry_of(environment).name: config.registry_of(environment) for environment in config.environments
    }
    return tuple(
        Trainer(each.account, each.region, Readers.of(config, each))
        for each in found.values()
        if each.governance.owner == "baseline" and not each.governance.key_arn and Readers.of(config, each).environments
    )
