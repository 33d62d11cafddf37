"""What policies of an organization are made of: denials, each with its reason, and whom they are about."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline_code.models import names as model_names
from stacks.names import Names
from stacks.promotion_settings import style_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stacks.settings import Environment, Platform

Json = dict[str, Any]

LIMIT = 5120
"""Characters of one policy: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"""

CDK = "arn:aws:iam::*:role/cdk-*-cfn-exec-role-*"
STACK_SETS = "arn:aws:iam::*:role/stacksets-exec-*"
DEPLOYERS = (CDK, STACK_SETS)
"""CloudFormation's roles: what `cdk bootstrap` made, and what service-managed StackSets deploy with."""


@dataclass(frozen=True)
class Denial:
    """One statement. Its Sid says what is forbidden, `because` why; a policy itself has no room for reasons."""

    sid: str
    because: str
    actions: Sequence[str]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    resources: Sequence[str] = ("*",)

    def statement(self) -> Json:
        return {
            "Sid": self.sid,
            "Effect": "Deny",
            "Action": _one_or_many(self.actions),
            "Resource": _one_or_many(self.resources),
            **({"Condition": dict(self.conditions)} if self.conditions else {}),
        }


@dataclass(frozen=True)
class Perimeter:
    """What the documents must know: whose accounts, what may run there, who changes what nobody else may."""

    platform: str
    organization_id: str | None
    instance_types: tuple[str, ...]
    forbidden_services: tuple[str, ...]
    exempt_roles: tuple[str, ...]
    outside_vpc: tuple[str, ...]
    copiers: tuple[str, ...] = ()

    @classmethod
    def of(cls, platform: Platform, environments: Iterable[Environment]) -> Perimeter:
        guardrails, every = platform.guardrails, tuple(environments)
        outside = [
            role
            for environment in every
            if any(environment.serving.of(model).vpc_exempt for model in model_names())
            for role in _deployers_of(Names.of(platform, environment))
        ]
        return cls(
            platform.name,
            platform.organization_id,
            platform.instance_types,
            guardrails.forbidden_services,
            guardrails.exempt_roles,
            tuple(outside),
            tuple(_copiers(platform, every)),
        )

    @property
    def deployers(self) -> list[str]:
        """Who changes roles, policies and logs: deployments that were reviewed, and the organization itself."""
        return [*DEPLOYERS, *self.exempt_roles]

    def role(self, name: str) -> str:
        """The pattern of a role's ARN in every environment of the platform."""
        return f"arn:aws:iam::*:role/{self.platform}-*-{name}"

    def arn(self, service: str, kind: str) -> str:
        """The pattern of what the platform names, in every account and region."""
        return f"arn:aws:{service}:*:*:{kind}/{self.platform}-*"


def _copiers(platform: Platform, environments: Iterable[Environment]) -> Iterator[str]:
    """Who registers copies of versions that were approved where they were trained."""
    for environment in environments:
        if style_of(platform) == "copy" and environment.name != platform.registry:
            names = Names.of(platform, environment)
            yield names.role_arn(names.releaser)


def unless(*roles: str) -> Json:
    """The condition that leaves roles out of a denial."""
    return {"ArnNotLike": {"aws:PrincipalArn": list(roles)}}


def document(denials: Sequence[Denial], **principal: str) -> Json:
    """The policy; resource control policies say `Principal="*"` in each statement."""
    statements = [{**principal, **denial.statement()} for denial in denials]
    return {"Version": "2012-10-17", "Statement": statements}


def size(policy: Json) -> int:
    """Its characters as CloudFormation hands it on: without white space."""
    return len(json.dumps(policy, separators=(",", ":")))


def _one_or_many(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _deployers_of(names: Names) -> list[str]:
    """Who makes models in an environment: releases, and deployments of the whole."""
    exec_role = f"cdk-*-cfn-exec-role-{names.account}-*"
    return [names.role_arn(names.serving_deployer), names.role_arn(exec_role)]
