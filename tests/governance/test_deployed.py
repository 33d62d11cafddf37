"""What is deployed is private, walled in and isolated."""

from __future__ import annotations

from deployed import buckets, logs, network, serving
from iam_deployed import Cloud


def test_every_bucket_is_private_versioned_and_encrypted(cloud: Cloud) -> None:
    assert cloud.of_kind("AWS::S3::Bucket")
    assert list(buckets(cloud)) == []


def test_jobs_reach_s3_and_nothing_else(cloud: Cloud) -> None:
    assert cloud.of_kind("AWS::EC2::VPCEndpoint")
    assert cloud.of_kind("AWS::EC2::SecurityGroup")
    assert list(network(cloud)) == []


def test_models_reach_no_network(cloud: Cloud) -> None:
    assert cloud.of_kind("AWS::SageMaker::Model")
    assert list(serving(cloud)) == []


def test_logs_have_a_key_and_an_end(cloud: Cloud) -> None:
    assert cloud.of_kind("AWS::Logs::LogGroup")
    assert list(logs(cloud)) == []
