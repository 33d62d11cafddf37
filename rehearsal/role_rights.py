"""What a role's own policies let it do, for the few deeds of services that the rehearsal holds against them.

Whether a role exists is the first of its rights: what never was made may nothing.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends

from rehearsal.policies import Decision, Principal, Request, decide

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


def may(role: str, action: str, resource: str) -> bool:
    """Whether a role may do this: its policies allow it, none denies it, and its boundary has room for it."""
    account = role.split(":")[4]
    backend = iam_backends[account]["aws"]
    found = next((one for one in backend.roles.values() if one.arn == role), None)
    if found is None:
        return False
    asked = Request(Principal(account, role), action, resource)
    own = {decide(policy, asked) for policy in _policies(found)}
    boundary = backend.managed_policies.get(found.permissions_boundary_arn or "")
    if boundary and decide(_managed(boundary), asked) is not Decision.ALLOWED:
        return False
    return Decision.ALLOWED in own and Decision.DENIED not in own


def _policies(role: Any) -> Iterator[Json]:
    yield from (_anybodys(document) for document in role.policies.values())
    yield from (_managed(policy) for policy in role.managed_policies.values())


def _managed(policy: Any) -> Json:
    """The version of a managed policy that holds."""
    return _anybodys(next(v.document for v in policy.versions if v.version_id == policy.default_version_id))


def _anybodys(document: str) -> Json:
    """A policy of an identity names no principal, since it has but one."""
    statements = json.loads(document)["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return {"Statement": [{**statement, "Principal": "*"} for statement in listed]}
