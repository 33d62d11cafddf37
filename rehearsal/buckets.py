"""Bucket policies: moto ignores conditions, so a Deny for callers without TLS would shut out everybody.

Statements with a condition are left out of the decision, the others hold; what conditions mean is not rehearsed.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def get_permission(self: Any, action: str, resource: str) -> PermissionResult:
    """The decision of the bucket's unconditional statements; neutral where none speaks."""
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy)
    statements = [statement for statement in policy["Statement"] if "Condition" not in statement]
    if not statements:
        return PermissionResult.NEUTRAL
    kept = json.dumps({**policy, "Statement": statements})
    return PermissionResult(IAMPolicy(kept).is_action_permitted(action, resource))


def install_buckets() -> None:
    setattr(FakeBucket, "get_permission", get_permission)  # noqa: B010 a mend of moto, not an oversight
    # A log bucket's policy names the buckets that log to it, so it can only be made after them; moto wants it before.
    setattr(FakeBucket, "_log_permissions_enabled_policy", staticmethod(lambda **_: True))  # noqa: B010
