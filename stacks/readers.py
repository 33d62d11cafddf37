"""What an environment that trains lets the others read: by role, by account, within the organization.

Roles are named in conditions, not as principals: a policy that names a role as principal can only be made once the role
is there, and these are made later, in other accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_iam as iam

from stacks.config import models
from stacks.names import Names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.config import Config
    from stacks.settings import Environment


@dataclass(frozen=True)
class Readers:
    """The other environments that release this one's versions; `crowning` are those whose version is the champion."""

    environments: tuple[Names, ...]
    crowning: tuple[Names, ...]
    models: tuple[str, ...]
    organization_id: str | None

    @classmethod
    def of(cls, config: Config, registry: Environment) -> Readers:
        """Those of an environment that trains, itself not among them."""
        others = [each for each in config.released_from(registry) if each.name != registry.name]
        return cls(
            environments=tuple(Names.of(config.platform, each) for each in others),
            crowning=tuple(Names.of(config.platform, each) for each in others if each.stage == "Production"),
            models=tuple(models()),
            organization_id=config.platform.organization_id,
        )

    @property
    def releasers(self) -> list[str]:
        """Who checks a version and makes it live."""
        return [names.role_arn(names.releaser) for names in self.environments]

    @property
    def checkers(self) -> list[str]:
        """Who compares a version with its record: before a release, and after a deployment."""
        return [*self.releasers, *(names.role_arn(names.verifier) for names in self.environments)]

    @property
    def deployers(self) -> list[str]:
        """Who makes models of versions, in CloudFormation's name."""
        return [names.role_arn(names.serving_deployer) for names in self.environments]

    @property
    def crowners(self) -> list[str]:
        """Who says which version is the champion."""
        return [names.role_arn(names.releaser) for names in self.crowning]

    def endpoints(self, model: str | None = None) -> list[str]:
        """Who fetches image and artifact to serve them."""
        models = [model] if model else self.models
        return [names.role_arn(names.endpoint_role(each)) for names in self.environments for each in models]

    def let(
        self, sid: str, roles: Sequence[str], actions: Sequence[str], resources: Sequence[str]
    ) -> iam.PolicyStatement:
        """A statement of a resource's policy: these roles, and nobody else of their accounts, may do the actions."""
        accounts = sorted({role.split(":")[4] for role in roles})
        conditions: dict[str, Any] = {"ArnEquals": {"aws:PrincipalArn": sorted(roles)}}
        if self.organization_id:
            conditions["StringEquals"] = {"aws:PrincipalOrgID": self.organization_id}
        return iam.PolicyStatement(
            sid=sid,
            principals=[iam.AccountPrincipal(account) for account in accounts],
            actions=list(actions),
            resources=list(resources) or None,
            conditions=conditions,
        )
