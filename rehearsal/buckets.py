"""S3's gate: each request is held against the bucket's policy and, across accounts, the policy of the bucket's key.

moto ignores principals and conditions, so a Deny for callers without TLS would shut out everybody, and it lets every
account into every bucket.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from moto.core.routing import get_service_router
from moto.iam.access_control import PermissionResult
from moto.kms.models import kms_backends
from moto.s3.exceptions import BucketAccessDeniedError
from moto.s3.models import FakeBucket, s3_backends
from moto.s3.responses import S3Response
from werkzeug.exceptions import NotFound

from rehearsal.callers import caller_of
from rehearsal.policies import Decision, Principal, Request, decide, may

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
"""Operations whose IAM action has another name.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""
VERSIONED = {"GetObject", "DeleteObject", "GetObjectTagging"}
KEY_ACTIONS = {"GetObject": "kms:Decrypt", "GetObjectVersion": "kms:Decrypt", "PutObject": "kms:GenerateDataKey"}
"""What S3 asks of the bucket's key in the caller's name."""
_asking = threading.local()


def install_buckets() -> None:
    for name in ("_bucket_response", "_key_response"):
        setattr(S3Response, name, _gated(getattr(S3Response, name)))
    setattr(FakeBucket, "get_permission", _permission)  # noqa: B010 a mend of moto, not an oversight
    # A log bucket's policy names the buckets that log to it, so it can only be made after them; moto wants it before.
    setattr(FakeBucket, "_log_permissions_enabled_policy", staticmethod(lambda **_: True))  # noqa: B010


def _gated(answer: Callable[..., Any]) -> Callable[..., Any]:
    def gated(self: Any, request: Any, full_url: str) -> Any:
        _asking.principal = caller_of(self)
        for action, bucket, key in _asked(request):
            _admit(_asking.principal, action, bucket, key)
        return answer(self, request, full_url)

    return gated


def _asked(request: Any) -> Iterator[tuple[str, str, str]]:
    """Each action of a request with its bucket and key; DeleteObjects asks for each of its keys, see `_permission`."""
    try:
        operation, named = get_service_router("s3").match(request)
    except NotFound:
        return
    if operation.name in {"CreateBucket", "DeleteObjects", "ListBuckets"}:
        return
    action = ACTIONS.get(str(operation.name), str(operation.name))
    if action in VERSIONED and request.args.get("versionId"):
        action = action.replace("Object", "ObjectVersion", 1)
    yield action, str(named["Bucket"]), str(named.get("Key", ""))
    source = request.headers.get("x-amz-copy-source", "").lstrip("/").split("?")[0]
    if source:
        bucket, _, key = source.partition("/")
        yield "GetObject", bucket, key


def _admit(principal: Principal, action: str, name: str, key: str) -> None:
    owner = s3_backends.bucket_accounts.get(name)
    if owner is None:
        return  # S3 says that there is no such bucket
    bucket = s3_backends[owner[1]][owner[0]].buckets[name]
    resource = f"arn:aws:s3:::{name}/{key}" if key else f"arn:aws:s3:::{name}"
    if not may(bucket.policy, Request(principal, f"s3:{action}", resource), owner[1]):
        raise BucketAccessDeniedError(bucket=name)
    if principal.account != owner[1] and action in KEY_ACTIONS and not _key_admits(principal, action, bucket):
        raise BucketAccessDeniedError(bucket=name)


def _key_admits(principal: Principal, action: str, bucket: Any) -> bool:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html, "cross-account operations"."""
    arn = _key_of(bucket)
    if arn is None:
        return True
    _, _, _, region, account, resource = arn.split(":", 5)
    key = kms_backends[account][region].keys.get(resource.removeprefix("key/"))
    context = {"kms:ViaService": f"s3.{bucket.region_name}.amazonaws.com", "kms:CallerAccount": principal.account}
    return key is not None and may(key.policy, Request(principal, KEY_ACTIONS[action], arn, context), account)


def _key_of(bucket: Any) -> str | None:
    """The ARN of the key that the bucket encrypts with; None where S3's own keys do."""
    rules = (bucket.encryption or {}).get("Rule", [])
    rules = rules if isinstance(rules, list) else [rules]
    found = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in rules]
    return next((str(arn) for arn in found if arn), None)


def _permission(self: Any, action: str, resource: str) -> PermissionResult:
    """What moto asks a bucket within some operations, DeleteObjects among them."""
    principal = getattr(_asking, "principal", None)
    if principal is None or self.policy is None:
        return PermissionResult.NEUTRAL
    decided = decide(self.policy, Request(principal, action, resource))
    named = {Decision.ALLOWED: "PERMITTED", Decision.DENIED: "DENIED", Decision.SILENT: "NEUTRAL"}
    return PermissionResult[named[decided]]
