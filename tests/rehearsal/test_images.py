"""ECR across accounts, scans, and the stand-ins that lie where nobody can build an image."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from embedded import REGION, Client
from serving_world import Serving

from rehearsal.embedded import EmbeddedAws

OTHER = "888888888888"


def open_to(client: Client, repository: str, role: str) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{role.split(':')[4]}:root"},
                "Action": "ecr:DescribeImages",
                "Condition": {"ArnEquals": {"aws:PrincipalArn": role}},
            }
        ],
    }
    client("ecr").set_repository_policy(repositoryName=repository, policyText=json.dumps(policy))


def test_another_account_looks_only_where_the_repositorys_policy_lets_it(serving: Serving, aws: EmbeddedAws) -> None:
    serving.build()
    stranger = aws.client("ecr", OTHER, REGION)
    asked = {"registryId": serving.world.account, "repositoryName": serving.repository}
    mine = serving.world.client("ecr").describe_images(repositoryName=serving.repository)["imageDetails"]

    with pytest.raises(ClientError, match=r"AccessDenied.* not authorized to perform: ecr:DescribeImages"):
        stranger.describe_images(**asked)
    open_to(serving.world.client, serving.repository, f"arn:aws:iam::{OTHER}:role/OrganizationAccountAccessRole")

    assert [image["imageDigest"] for image in stranger.describe_images(**asked)["imageDetails"]] == [
        mine[0]["imageDigest"]
    ]
    with pytest.raises(ClientError, match=r"AccessDenied.*ecr:DescribeImageScanFindings"):
        stranger.describe_image_scan_findings(**asked, imageId={"imageTag": "1"})
    open_to(serving.world.client, serving.repository, f"arn:aws:iam::{OTHER}:role/somebody-else")
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.describe_images(**asked)


def test_another_account_does_not_even_learn_that_there_is_nothing(serving: Serving, aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("ecr", OTHER, REGION).describe_images(registryId=serving.world.account, repositoryName="nothing")
    with pytest.raises(ClientError, match="RepositoryNotFound"):
        serving.world.client("ecr").describe_images(repositoryName="nothing")


def test_a_build_of_an_image_puts_a_stand_in_once_and_says_so(serving: Serving) -> None:
    first, again = serving.build(), serving.build()

    assert "no command of this build is run" in first[0]
    assert "is a stand-in, sha256:" in first[1]
    assert again[1] == f"{serving.uri} exists"


def test_a_stand_ins_digest_follows_from_the_source(serving: Serving) -> None:
    ecr = serving.world.client("ecr")

    def digest() -> str:
        serving.build()
        found: str = ecr.describe_images(repositoryName=serving.repository)["imageDetails"][0]["imageDigest"]
        ecr.batch_delete_image(repositoryName=serving.repository, imageIds=[{"imageTag": "1"}])
        return found

    first, again = digest(), digest()
    serving.change_source()

    assert first == again
    assert digest() != first


def test_what_was_pushed_is_scanned_where_the_repository_says_so(serving: Serving) -> None:
    ecr, image = serving.world.client("ecr"), {"imageTag": "1"}
    ecr.put_image_scanning_configuration(
        repositoryName=serving.repository, imageScanningConfiguration={"scanOnPush": False}
    )
    serving.build()

    with pytest.raises(ClientError, match="ScanNotFound"):
        ecr.describe_image_scan_findings(repositoryName=serving.repository, imageId=image)
    assert ecr.start_image_scan(repositoryName=serving.repository, imageId=image)["imageScanStatus"] == {
        "status": "COMPLETE"
    }
    found = ecr.describe_image_scan_findings(repositoryName=serving.repository, imageId=image)
    assert found["imageScanFindings"]["findingSeverityCounts"] == {}
