"""Who sent a request: the role behind its access key, or a service that acts within an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends
from moto.sts.models import sts_backends

from rehearsal.policies import Principal

if TYPE_CHECKING:
    from moto.core.responses import BaseResponse

SERVICE_HEADER = "x-moto-account-id"
"""How services of the embedded AWS call each other within an account."""


session_tags: dict[str, dict[str, str]] = {}
"""What the sessions behind access keys are tagged with; moto forgets it."""


@dataclass
class Organization:
    """The organization of all accounts that are in none of Organizations' own, if they are of any."""

    id: str | None = None

    def of(self, account: str) -> str | None:
        """The organization that an account is in."""
        management, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
        managed = organizations_backends[management][partition].org
        return managed.id if managed else self.id


organization = Organization()
"""The one of this process."""


def caller_of(response: BaseResponse) -> Principal:
    """The principal of the request that a response is made for."""
    account = response.current_account
    if SERVICE_HEADER in response.headers:
        return Principal.root(account)
    return principal(account, response.get_access_key())


def principal(account: str, access_key: str) -> Principal:
    role = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
    arn = role.role_arn if role else Principal.root(account).arn
    tags = {**_tags_of(arn), **session_tags.get(access_key, {})}
    return Principal(account, arn, organization.of(account), tags)


def _tags_of(arn: str) -> dict[str, str]:
    """A role's own tags, which are its sessions', too; those of a session win.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_role-chaining
    """
    roles = iam_backends[arn.split(":")[4]]["aws"].roles.values()
    return {tag["Key"]: tag["Value"] for role in roles if role.arn == arn for tag in role.tags}
