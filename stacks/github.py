"""Who delivers from GitHub: a role an environment, for jobs that GitHub itself has bound to that environment.

No key is kept anywhere. A job shows a token that GitHub signs, and becomes its environment's role for an hour at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.baseline_names import BaselineNames
from stacks.delivery_names import LOOKS_FIRST, bootstrap_role
from stacks.names import Names
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
"""What shows changes before an approval becomes, beside the reviewer: neither can carry out what it shows."""


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
            names = Names.of(config.platform, environment)
            reviewer, verifier = names.role_arn(names.reviewer), names.role_arn(names.verifier)
            self._role(environment.name, environment, [*bootstrapped(environment, DELIVERS), reviewer, verifier])
            if environment.stage == "Production":
                looks = [*bootstrapped(environment, LOOKS), reviewer]
                self._role(f"{environment.name}-{LOOKS_FIRST}", environment, looks)

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
        ours = [Names.of(config.platform, environment) for environment in config.environments]
        roles += [names.role_arn(role) for names in ours for role in (names.reviewer, names.verifier)]
        become = iam.PolicyStatement(sid="Become", actions=["sts:AssumeRole"], resources=list(dict.fromkeys(roles)))
        return iam.ManagedPolicy(
            self,
            "Boundary",
            managed_policy_name=f"{self._prefix}-boundary",
            description="The most any role of the delivery may do",
            statements=[become],
        )

    def _role(self, name: str, environment: Environment, becomes: Sequence[str]) -> None:
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
        allow(role, "Become", ["sts:AssumeRole"], becomes)
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
    return [bootstrap_role(kind, environment.account, environment.region) for kind in kinds]
