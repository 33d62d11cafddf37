"""What an environment that trains lets the others read: by role, by account, within the organization.

Roles are named in conditions, not as principals: a policy that names a role as principal can only be made once the role
is there, and these are made later, in other accounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_iam as iam

from stacks.released_to import ReleasedTo

if TYPE_CHECKING:
    from collections.abc import Sequence


class Readers(ReleasedTo):
    """Those who release the versions, and the statements of resources' policies that let them in."""

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
