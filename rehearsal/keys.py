"""KMS across accounts: a key is used by its ARN, if its policy names the caller.

moto looks for keys in the caller's own account only.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from moto.kms.models import KmsBackend, kms_backends
from moto.kms.responses import KmsResponse

from rehearsal.api import ServiceError
from rehearsal.callers import caller_of
from rehearsal.policies import Request, may

KEY_ID_BYTES = 36
"""moto's ciphertext begins with the id of its key."""


def install_keys() -> None:
    setattr(KmsResponse, "kms_backend", property(_backend))  # noqa: B010 a mend of moto, not an oversight


def _backend(response: Any) -> KmsBackend:
    """The backend that holds the key a request names, after its policy has spoken."""
    arn = _named(response)
    principal = caller_of(response)
    if not arn.startswith("arn:"):
        return kms_backends[response.current_account][response.region]
    _, _, _, region, account, resource = arn.split(":", 5)
    if account == principal.account:
        return kms_backends[account][response.region]
    key = kms_backends[account][region].keys.get(resource.removeprefix("key/"))
    action = f"kms:{response._get_action()}"  # noqa: SLF001 moto gives no other way
    context = {"kms:CallerAccount": principal.account}
    if key is None or not may(key.policy, Request(principal, action, arn, context), account):
        message = f"User: {principal.arn} is not authorized to perform: {action} on resource: {arn}"
        raise ServiceError("AccessDeniedException", message)
    return kms_backends[account][region]


def _named(response: Any) -> str:
    """The ARN a request names, or that its ciphertext brings along."""
    body = json.loads(response.body or "{}")
    if body.get("KeyId"):
        return str(body["KeyId"])
    try:
        key = base64.b64decode(body.get("CiphertextBlob", ""))[:KEY_ID_BYTES].decode()
    except ValueError:
        return ""
    homes = ((account, region) for account, regions in list(kms_backends.items()) for region in list(regions))
    return next((f"arn:aws:kms:{r}:{a}:key/{key}" for a, r in homes if key and key in kms_backends[a][r].keys), "")
