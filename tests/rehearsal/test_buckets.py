"""Bucket policies in the rehearsal: conditions are left out of the decision, unconditional statements hold."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded import Client


def bucket(client: Client, name: str, *statements: dict[str, Any]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    policy = {"Version": "2012-10-17", "Statement": [{"Principal": "*", "Resource": "*", **s} for s in statements]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def test_a_deny_for_callers_without_tls_shuts_nobody_out(client: Client) -> None:
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    bucket(client, "tls-only", {"Effect": "Deny", "Action": "s3:*", "Condition": insecure})

    client("s3").put_object(Bucket="tls-only", Key="k", Body=b"x")

    assert client("s3").get_object(Bucket="tls-only", Key="k")["Body"].read() == b"x"


def test_a_deny_without_condition_holds(client: Client) -> None:
    objects = "arn:aws:s3:::kept/*"
    bucket(client, "kept", {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": objects})
    client("s3").put_object(Bucket="kept", Key="k", Body=b"x")

    with pytest.raises(ClientError):
        client("s3").delete_object(Bucket="kept", Key="k")

    assert client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"x"


def test_a_bucket_may_log_to_one_whose_policy_comes_later(client: Client) -> None:
    s3 = client("s3")
    for name in ("logging", "logged"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    target = {"TargetBucket": "logging", "TargetPrefix": "logged/"}

    s3.put_bucket_logging(Bucket="logged", BucketLoggingStatus={"LoggingEnabled": target})

    assert s3.get_bucket_logging(Bucket="logged")["LoggingEnabled"]["TargetBucket"] == "logging"
