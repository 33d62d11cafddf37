"""Bucket policies in the rehearsal: who asks, for what and under which conditions, for each request."""

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


def test_only_the_role_that_a_policy_names_writes(client: Client, account: str) -> None:
    writer = f"arn:aws:iam::{account}:role/writer"
    others = {"ArnNotLike": {"aws:PrincipalArn": writer}}
    bucket(client, "records", {"Effect": "Deny", "Action": "s3:PutObject", "Condition": others})

    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").put_object(Bucket="records", Key="k", Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").create_multipart_upload(Bucket="records", Key="k")
    with pytest.raises(ClientError, match="NoSuchKey"):
        client("s3").get_object(Bucket="records", Key="k")


def test_a_copy_needs_both_ends(client: Client) -> None:
    bucket(client, "copy-from", {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::copy-from/shut"})
    bucket(client, "copy-to", {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::copy-to/shut"})
    for key in ("shut", "open"):
        client("s3").put_object(Bucket="copy-from", Key=key, Body=b"x")

    client("s3").copy_object(Bucket="copy-to", Key="k", CopySource={"Bucket": "copy-from", "Key": "open"})

    for target, source in (("k", "shut"), ("shut", "open")):
        with pytest.raises(ClientError, match="AccessDenied"):
            client("s3").copy_object(Bucket="copy-to", Key=target, CopySource={"Bucket": "copy-from", "Key": source})


def test_old_versions_have_actions_of_their_own(client: Client) -> None:
    bucket(client, "versions", {"Effect": "Deny", "Action": "s3:GetObjectVersion"})
    client("s3").put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    first = client("s3").put_object(Bucket="versions", Key="k", Body=b"x")["VersionId"]

    assert client("s3").get_object(Bucket="versions", Key="k")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").get_object(Bucket="versions", Key="k", VersionId=first)


def test_of_many_keys_only_those_that_may_go_are_deleted(client: Client) -> None:
    bucket(client, "many", {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::many/kept"})
    for key in ("kept", "gone"):
        client("s3").put_object(Bucket="many", Key=key, Body=b"x")

    answer = client("s3").delete_objects(Bucket="many", Delete={"Objects": [{"Key": "kept"}, {"Key": "gone"}]})

    assert [found["Key"] for found in answer["Deleted"]] == ["gone"]
    assert [(found["Key"], found["Code"]) for found in answer["Errors"]] == [("kept", "AccessDenied")]
