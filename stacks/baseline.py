"""The account baseline: what an account has before anything of the platform is deployed to it.

One template for every account and region of the units, so it says AWS::AccountId and AWS::Region, has no assets and no
nested stacks: StackSets carries out neither with its own execution role.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-custom-execution-role.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from stacks.boundary import make_boundary
from stacks.boundary_documents import LOOKS, Limits, deployments_boundary
from stacks.budgets import account_budget
from stacks.denials import STACK_SETS, unless
from stacks.key import KeyPlace, make_key, opened_to
from stacks.organization import admit
from stacks.permissions import accept_inline_policy, acknowledge, allow, wildcard_finding
from stacks.stack_set_template import StackSetTemplate

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import Construct

    from stacks.baseline_names import BaselineNames
    from stacks.readers import Readers
    from stacks.rollout_settings import RolloutSettings

DESCRIPTION = "Key and boundary of an account, before the platform is deployed to it"
OUTER = "The limit of what deployments may do allows everything that it does not deny; their own policies grant."
PARTS: tuple[Callable[[Baseline], None], ...] = (account_budget,)
"""What else each account gets, a function each, such as its budget; `baseline.once` for what an account has once."""


@dataclass(frozen=True)
class Trainer:
    """An account and region where models are trained with the baseline's key, and who reads what was made there."""

    account: str
    region: str
    readers: Readers


class Baseline(StackSetTemplate):
    """Owns the boundary of roles, the limit of deployments, the key, and the role that looks whether they stand."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: RolloutSettings,
        names: BaselineNames,
        organization_id: str | None,
        trainers: tuple[Trainer, ...] = (),
    ) -> None:
        super().__init__(scope, id, description=DESCRIPTION)
        self.config, self.names, self._organization_id = config, names, organization_id
        self._home = cdk.CfnCondition(self, "Home", expression=cdk.Fn.condition_equals(cdk.Aws.REGION, config.home))
        limits = Limits(cdk.Aws.ACCOUNT_ID, f"{names.platform}-*", config.regions)
        self.boundary = make_boundary(self, names.boundary, limits)
        self.once(self.boundary)
        self._limit_deployments(limits)
        self._key(trainers)
        self._auditor()
        for part in PARTS:
            part(self)

    def once(self, construct: Construct) -> None:
        """Make it in the first region only: an account has one IAM and one bill, whatever its regions."""
        for made in construct.node.find_all():
            if isinstance(made, cdk.CfnResource):
                made.cfn_options.condition = self._home

    def _limit_deployments(self, limits: Limits) -> None:
        names = self.names
        document = deployments_boundary(
            limits, boundary=names.boundary, baseline=f"{names.prefix}-*", key_alias=names.key_alias
        )
        made = iam.ManagedPolicy(
            self,
            "Deployments",
            managed_policy_name=names.deployments,
            description="The most deployments of the CDK may do",
            document=iam.PolicyDocument.from_json(document),
        )
        acknowledge(made, {wildcard_finding(wildcard): OUTER for wildcard in ("Action::*", "Resource::*")})
        nist = ("IAMPolicyNoStatementsWithAdminAccess", "IAMPolicyNoStatementsWithFullAccess")
        acknowledge(made, {f"NIST.800.53.R5::NIST.800.53.R5-{rule}": OUTER for rule in nist})
        self.once(made)

    def _key(self, trainers: tuple[Trainer, ...]) -> None:
        names = self.names
        place = KeyPlace(names.key_alias, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION, names.platform)
        days = self.config.key_rotation_days
        key = make_key(self, place, rotation_days=days, removal=cdk.RemovalPolicy.RETAIN)
        if self._organization_id:
            admit(key, self._organization_id)
        key.add_to_resource_policy(_only_the_rollout())
        cdk.CfnOutput(self, "KeyArn", value=key.key_arn, export_name=names.key_export)
        template = key.node.default_child
        assert isinstance(template, kms.CfnKey)  # noqa: S101 a key made here has one
        place_of_next = len(self.resolve(template.key_policy)["Statement"])
        for number, trainer in enumerate(trainers):
            here = cdk.CfnCondition(
                self,
                f"Trainer{number}",
                expression=cdk.Fn.condition_and(
                    cdk.Fn.condition_equals(cdk.Aws.ACCOUNT_ID, trainer.account),
                    cdk.Fn.condition_equals(cdk.Aws.REGION, trainer.region),
                ),
            )
            for statement in opened_to(trainer.readers):
                only_here = {"Fn::If": [here.logical_id, statement.to_json(), {"Ref": "AWS::NoValue"}]}
                template.add_property_override(f"KeyPolicy.Statement.{place_of_next}", only_here)
                place_of_next += 1

    def _auditor(self) -> None:
        """Who may look in every account whether guardrails stand; reads no data and changes nothing."""
        if not self.config.auditor_account:
            return
        inside = {"StringEquals": {"aws:PrincipalOrgID": self._organization_id}} if self._organization_id else {}
        role = iam.Role(
            self,
            "Auditor",
            role_name=self.names.auditor,
            description="Looks whether the guardrails of this account stand",
            assumed_by=iam.PrincipalWithConditions(iam.AccountPrincipal(self.config.auditor_account), inside),
            permissions_boundary=self.boundary,
        )
        accept_inline_policy(role)
        allow(role, "LookAround", LOOKS, ["*"], because="How things are, never what is in them, in the whole account.")
        self.once(role)


def _only_the_rollout() -> iam.PolicyStatement:
    """Not even an administrator of the account changes the key; its root user may, or the key could be lost for good.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    root = f"arn:aws:iam::{cdk.Aws.ACCOUNT_ID}:root"
    return iam.PolicyStatement(
        sid="OnlyTheRolloutChangesTheKey",
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["kms:DisableKey", "kms:DisableKeyRotation", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"],
        resources=["*"],  # in a key policy, "*" is this key
        conditions=unless(STACK_SETS, root),
    )
