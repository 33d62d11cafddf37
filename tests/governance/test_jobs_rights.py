"""What SageMaker's roles may do follows from the pipeline's definition, neither more nor less.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from iam_deployed import Cloud, Role

Json = dict[str, Any]

STARTS = {
    "Processing": {f"sagemaker:{verb}ProcessingJob" for verb in ("Create", "Describe", "Stop")} | {"sagemaker:AddTags"},
    "Training": {f"sagemaker:{verb}TrainingJob" for verb in ("Create", "Describe", "Stop")} | {"sagemaker:AddTags"},
    "RegisterModel": {
        "sagemaker:CreateModelPackage",
        "sagemaker:DescribeModelPackage",
        "sagemaker:DescribeModelPackageGroup",
    },
    "Condition": set(),
    "Fail": set(),
}
"""What SageMaker Pipelines calls for a step, by its type."""

TAKES = {"iam:PassRole"}
READS = {"s3:GetObject", "s3:ListBucket"}
WRITES = {"s3:PutObject", "s3:AbortMultipartUpload"}
PULLS = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
}
JOINS = {
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
}
TELLS = {
    "cloudwatch:PutMetricData",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
}
ENCRYPTS = {"kms:Decrypt", "kms:GenerateDataKey"}


@pytest.fixture(scope="module")
def steps(cloud: Cloud) -> list[Json]:
    (pipeline,) = cloud.of_kind("AWS::SageMaker::Pipeline")
    definition = json.loads(pipeline.properties["PipelineDefinition"]["PipelineDefinitionBody"])
    return list(all_steps(definition["Steps"]))


def all_steps(steps: list[Json]) -> Iterator[Json]:
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from all_steps(step["Arguments"].get(branch, []))


def allowed(role: Role) -> set[str]:
    statements = [statement for policy in role.policies for statement in policy["Statement"]]
    found = [s["Action"] if isinstance(s["Action"], list) else [s["Action"]] for s in statements]
    return {action for actions in found for action in actions}


def needed(request: Json) -> set[str]:
    """What SageMaker does in a job's name, from what its request asks for."""
    text = json.dumps(request)
    found = set(TELLS)
    for word, actions in (
        (".dkr.ecr.", PULLS),
        ("Subnets", JOINS),
        ("KmsKeyId", ENCRYPTS),
        ("S3Input", READS),
        ("S3DataSource", READS),
        ("S3OutputPath", WRITES),
        ("ProcessingOutputConfig", WRITES),
    ):
        found |= actions if word in text else set()
    return found


def test_each_job_may_what_its_request_needs(cloud: Cloud, steps: list[Json]) -> None:
    jobs = [step for step in steps if step["Type"] in {"Processing", "Training"}]

    assert len(jobs) == 5
    for step in jobs:
        role = cloud.roles[step["Arguments"]["RoleArn"]]
        assert allowed(role) == needed(step["Arguments"]), step["Name"]


def test_the_pipeline_may_what_its_steps_types_need(cloud: Cloud, steps: list[Json]) -> None:
    (pipeline,) = cloud.of_kind("AWS::SageMaker::Pipeline")
    role = cloud.roles[pipeline.properties["RoleArn"]]
    types = {step["Type"] for step in steps}

    derived = set().union(*(STARTS[kind] for kind in types))
    derived |= TAKES if types & {"Processing", "Training"} else set()
    derived |= READS if any(step.get("PropertyFiles") for step in steps) else set()
    derived |= PULLS | ENCRYPTS | {"kms:CreateGrant", "kms:DescribeKey"}  # volumes of the jobs it starts, their images

    assert allowed(role) == derived


def test_the_pipeline_passes_the_jobs_their_roles_and_no_other(cloud: Cloud, steps: list[Json]) -> None:
    (pipeline,) = cloud.of_kind("AWS::SageMaker::Pipeline")
    role = cloud.roles[pipeline.properties["RoleArn"]]
    passed = [s for p in role.policies for s in p["Statement"] if s["Action"] == "iam:PassRole"]

    assert [set(s["Resource"]) for s in passed] == [
        {step["Arguments"]["RoleArn"] for step in steps if "RoleArn" in step["Arguments"]}
    ]
