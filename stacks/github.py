"""Who delivers from GitHub: a role an environment, for jobs that GitHub itself has bound to that environment.

No key is kept anywhere. A job shows a token that GitHub signs, and becomes its environment's role for an hour at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.baseline_names import BaselineNames
from stacks.permissions import accept_inline_policy, allow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

    from stacks.config import Config
    from stacks.settings import Environment

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"

DELIVERS = ("deploy", "file-publishing", "lookup")
"""Roles of an environment's CDK bootstrap that a delivery becomes. No image-publishing: images are built in AWS."""

LOOKS = ("lookup",)
"""What shows changes before production's approval becomes: it reads, and neither makes nor carries out a change set."""

CHANGES = "changes"
"""Ends the name of the role, and of the environment on GitHub, of whoever looks before an approval."""


class GitHub(cdk.Stack):
    """Owns what the delivery account has of GitHub: the identity provider, and the roles of its jobs."""

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        settings = config.platform.github
        assert settings is not None  # noqa: S101 whoever makes it has looked
        super().__init__(
            scope,
            id,
            description="Roles of the jobs that deliver from GitHub",
            env=cdk.Environment(account=settings.account, region=settings.region),
        )
        self._settings, self._prefix = settings, f"{config.platform.name}-github"
        for tag, value in {**config.platform.tags, "platform": config.platform.name}.items():
            cdk.Tags.of(self).add(tag, value)
        self._provider = self._trusted() if settings.provider == "stack" else None
        self._boundary = self._limit(config)
        for environment in config.environments:
            self._role(environment.name, environment, DELIVERS)
            if environment.stage == "Production":
                self._role(f"{environment.name}-{CHANGES}", environment, LOOKS)

    def _trusted(self) -> iam.CfnOIDCProvider:
        """Without thumbprints: AWS checks GitHub's certificate against its own list of authorities.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
        """
        return iam.CfnOIDCProvider(self, "Provider", url=f"https://{ISSUER}", client_id_list=[AUDIENCE])

    def _limit(self, config: Config) -> iam.IManagedPolicy:
        """What the roles may do at most; the account may be none of the platform's, and have no other boundary."""
        if self._settings.boundary == "baseline":
            name = BaselineNames(config.platform.name).boundary
            return iam.ManagedPolicy.from_managed_policy_name(self, "Boundary", name)
        roles = [role for environment in config.environments for role in bootstrapped(environment, DELIVERS)]
        become = iam.PolicyStatement(sid="Become", actions=["sts:AssumeRole"], resources=list(dict.fromkeys(roles)))
        return iam.ManagedPolicy(
            self,
            "Boundary",
            managed_policy_name=f"{self._prefix}-boundary",
            description="The most any role of the delivery may do",
            statements=[become],
        )

    def _role(self, name: str, environment: Environment, kinds: Sequence[str]) -> None:
        role = iam.Role(
            self,
            "".join(part.capitalize() for part in name.split("-")),
            role_name=f"{self._prefix}-{name}",
            description=f"What jobs of {self._settings.repository} bound to {name} become",
            assumed_by=self._jobs_of(name),
            max_session_duration=cdk.Duration.hours(1),
            permissions_boundary=self._boundary,
        )
        accept_inline_policy(role)
        allow(role, "Become", ["sts:AssumeRole"], bootstrapped(environment, kinds))
        cdk.Tags.of(role).add("environment", environment.name)
        if self._provider:
            role.node.add_dependency(self._provider)
        cdk.CfnOutput(self, f"RoleOf{role.node.id}", value=role.role_arn, description=f"AWS_ROLE_ARN of {name}")

    def _jobs_of(self, name: str) -> iam.PrincipalBase:
        """Jobs of this repository bound to this environment, on the one branch; each value as it is, none by pattern.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
        """
        demanded = {
            "aud": AUDIENCE,
            "ref": f"refs/heads/{self._settings.branch}",
            "sub": self._settings.subject(name),
        }
        provider = f"arn:aws:iam::{self._settings.account}:oidc-provider/{ISSUER}"
        conditions = {"StringEquals": {f"{ISSUER}:{claim}": value for claim, value in demanded.items()}}
        return iam.WebIdentityPrincipal(provider, conditions)


def bootstrapped(environment: Environment, kinds: Sequence[str]) -> list[str]:
    """Roles that `cdk bootstrap` made in the environment's account."""
    place = f"{environment.account}-{environment.region}"
    qualifier = cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER
    return [f"arn:aws:iam::{environment.account}:role/cdk-{qualifier}-{kind}-role-{place}" for kind in kinds]
