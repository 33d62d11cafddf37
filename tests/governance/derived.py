"""What SageMaker's roles may do, derived from the pipeline's definition.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from iam_deployed import Cloud, Role

from rehearsal import definition

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


def rights(cloud: Cloud) -> Iterator[str]:
    """What a job or the pipeline may do beyond its work, and what it lacks for it."""
    (pipeline,), found = cloud.of_kind("AWS::SageMaker::Pipeline"), steps(cloud)
    for step in jobs(found):
        role = cloud.roles[step["Arguments"]["RoleArn"]]
        yield from _compared(step["Name"], allowed(role), needed(step["Arguments"]))
    role = cloud.roles[pipeline.properties["RoleArn"]]
    yield from _compared("the pipeline", allowed(role), _of_types(found))
    takes = {step["Arguments"]["RoleArn"] for step in found if "RoleArn" in step["Arguments"]}
    passed = [s["Resource"] for p in role.policies for s in p["Statement"] if s["Action"] == "iam:PassRole"]
    if [set(_listed(resources)) for resources in passed] != [takes]:
        yield f"the pipeline passes {passed}, its jobs take {sorted(takes)}"


def isolation(cloud: Cloud) -> Iterator[str]:
    """Jobs that the network, a key or isolation does not hold; a pipeline that registers more than a candidate."""
    for step in (found := steps(cloud)):
        request = step["Arguments"]
        if step["Type"] == "RegisterModel":
            if request.get("ModelApprovalStatus") != "PendingManualApproval":
                yield f"{step['Name']} registers {request.get('ModelApprovalStatus')}"
            if request.get("ModelLifeCycle") != {"Stage": "Development", "StageStatus": "Passed"}:
                yield f"{step['Name']} registers {request.get('ModelLifeCycle')}"
    for step in jobs(found):
        request = step["Arguments"]
        network = request.get("NetworkConfig", request)
        cluster = request.get("ResourceConfig") or request["ProcessingResources"]["ClusterConfig"]
        for what, there in (
            ("isolation", network.get("EnableNetworkIsolation")),
            ("subnets", network.get("VpcConfig", {}).get("Subnets")),
            ("key", cluster.get("VolumeKmsKeyId")),
        ):
            if not there:
                yield f"{step['Name']} runs without {what}"


def steps(cloud: Cloud) -> list[Json]:
    (pipeline,) = cloud.of_kind("AWS::SageMaker::Pipeline")
    body = json.loads(pipeline.properties["PipelineDefinition"]["PipelineDefinitionBody"])
    return list(definition.flatten(body["Steps"]))


def jobs(found: list[Json]) -> list[Json]:
    return [step for step in found if step["Type"] in {"Processing", "Training"}]


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


def _of_types(found: list[Json]) -> set[str]:
    """What SageMaker Pipelines does in the pipeline's name."""
    types = {step["Type"] for step in found}
    derived = set().union(*(STARTS[kind] for kind in types))
    derived |= TAKES if types & {"Processing", "Training"} else set()
    derived |= READS if any(step.get("PropertyFiles") for step in found) else set()
    # Volumes of the jobs it starts, and their images.
    return derived | PULLS | ENCRYPTS | {"kms:CreateGrant", "kms:DescribeKey"}


def _compared(who: str, has: set[str], needs: set[str]) -> Iterator[str]:
    if has - needs:
        yield f"{who} may {', '.join(sorted(has - needs))} and needs none of it"
    if needs - has:
        yield f"{who} needs {', '.join(sorted(needs - has))} and may not"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
