"""People as the rehearsal plays them: let in and tagged by Identity Center or an account, then in a role of theirs."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.accounts import ENTRY_ROLE, PERMISSION_SET


@dataclass(frozen=True)
class Person:
    """`user` is the session tag and the session's name, as every trust of people's roles demands."""

    user: str
    entry: str
    role: str


def by_permission_set(user: str, permission_set: str, role: str) -> Person:
    """https://docs.aws.amazon.com/singlesignon/latest/userguide/abac.html."""
    account = role.split(":")[4]
    entry = f"role/aws-reserved/sso.amazonaws.com/{PERMISSION_SET.format(set=permission_set)}"
    return Person(user, f"arn:aws:iam::{account}:{entry}", role)


def by_account(user: str, account: str, role: str) -> Person:
    """From a tagged session of another account."""
    return Person(user, f"arn:aws:iam::{account}:role/{ENTRY_ROLE}", role)
