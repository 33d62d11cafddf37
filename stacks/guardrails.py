"""What the organization forbids in the platform's accounts, attached from the one account that may say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_organizations as organizations

from stacks.denials import Perimeter
from stacks.names import title
from stacks.resource_control import resource_control_policies
from stacks.service_control import service_control_policies

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.config import Config
    from stacks.denials import Json


class Guardrails(cdk.Stack):
    """Owns the organization's policies about the platform; in the management account or a delegated one.

    It takes no bootstrap, since that account should hold no roles of ours: whoever may write policies deploys it.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-organizations-policy.html
    """

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        settings = config.platform.guardrails
        super().__init__(
            scope,
            id,
            description="What the organization forbids in the platform's accounts",
            env=cdk.Environment(account=settings.account, region=settings.region),
            synthesizer=cdk.BootstraplessSynthesizer(),
        )
        self._targets = list(settings.targets)
        about = Perimeter.of(config.platform, config.environments)
        for tag, value in {**config.platform.tags, "platform": about.platform}.items():
            cdk.Tags.of(self).add(tag, value)
        before: cdk.CfnResource | None = None
        for kind, policies in (
            ("SERVICE_CONTROL_POLICY", service_control_policies(about)),
            ("RESOURCE_CONTROL_POLICY", resource_control_policies(about)),
        ):
            for name, policy in policies.items():
                before = self._policy(f"{about.platform}-{name}", title(name), kind, policy, before)

    def _policy(
        self, name: str, id: str, kind: str, policy: Json, before: cdk.CfnResource | None
    ) -> organizations.CfnPolicy:
        """One after the other: Organizations takes one change of an organization at a time."""
        made = organizations.CfnPolicy(
            self,
            id,
            name=name,
            type=kind,
            content=policy,
            target_ids=self._targets,
            description=f"Slipway: {id.lower()}",
        )
        if before:
            made.add_dependency(before)
        return made
