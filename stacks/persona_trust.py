"""How people come into a role: always with a session tag `user` and a session of that name.

Who approves must not be who made a version, so a role must know who has taken it on, and nobody may choose that freely.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.persona_settings import Principals

SIGN_IN = "https://signin.aws.amazon.com/saml"
RESERVED = "arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{set}_*"
TAGGED, HANDED_ON = "${aws:PrincipalTag/user}", "${aws:RequestTag/user}"


@dataclass(frozen=True)
class Way:
    """One way in: who may come, by which action, how the session must be named and tagged."""

    principal: iam.PrincipalBase
    action: str
    named: dict[str, Any]
    tagged: dict[str, Any]

    def statements(self) -> Iterator[iam.PolicyStatement]:
        """Two, since the name of a session is no key of sts:TagSession."""
        for actions, conditions in (([self.action], self.named), (["sts:TagSession"], self.tagged)):
            yield iam.PolicyStatement(actions=actions, principals=[self.principal], conditions=conditions)


def ways(principals: Principals, account: str) -> list[Way]:
    """Every way into a role."""
    found = []
    if principals.permission_sets:
        arns = [RESERVED.format(account=account, set=name) for name in principals.permission_sets]
        found.append(_from_account(account, {"ArnLike": {"aws:PrincipalArn": arns}}))
    found += [_from_account(other, {}) for other in principals.accounts]
    return found + [_by_saml(provider) for provider in principals.saml_providers]


def _from_account(account: str, more: dict[str, Any]) -> Way:
    """Somebody who is tagged already: the tag is handed on, and is the session's name."""
    tag = {"aws:RequestTag/user": TAGGED}
    named, tagged = {"StringEquals": {**tag, "sts:RoleSessionName": TAGGED}}, {"StringEquals": tag}
    return Way(iam.AccountPrincipal(account), "sts:AssumeRole", {**named, **more}, {**tagged, **more})


def _by_saml(provider: str) -> Way:
    """Somebody whom the provider tags: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_saml.html."""
    audience = {"SAML:aud": SIGN_IN}
    named = {"StringEquals": {**audience, "sts:RoleSessionName": HANDED_ON}}
    principal = iam.FederatedPrincipal(provider, {}, "sts:AssumeRoleWithSAML")
    return Way(principal, "sts:AssumeRoleWithSAML", named, {"StringEquals": audience})
