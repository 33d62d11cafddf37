"""Acting as a role: credentials that renew themselves, because a release may take longer than they last.

A role that was assumed by another role is given for an hour at most, a release may bake for two.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html, "role chaining"
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

SESSION = "slipway"


class IdentityError(Exception):
    """A role that the caller cannot become, and who can."""


def become(session: Any, role: str, region: str) -> Any:
    """A boto3 session that acts as the role, for as long as the caller's own credentials last."""
    import boto3
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    own = session.get_credentials()
    fetcher = AssumeRoleCredentialFetcher(
        session._session.create_client,  # noqa: SLF001 boto3 gives no other way to its factory of clients
        own,
        role,
        extra_args={"RoleSessionName": SESSION},
    )
    acting = botocore.session.get_session()
    acting._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 nor to set credentials that renew themselves
        refresh_using=fetcher.fetch_credentials, method="assume-role"
    )
    made = boto3.Session(botocore_session=acting, region_name=region)
    try:
        made.client("sts").get_caller_identity()
    except ClientError as error:
        raise IdentityError(
            f"{session.client('sts').get_caller_identity()['Arn']} cannot become {role}: "
            f"{error.response['Error']['Message']}; people of that account can, whose own policies let them"
        ) from None
    return made
