"""What the platform's own roles do, as requests: each action of each of their policies, as their work makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from iam_deployed import Cloud, Role
from iam_simulator import Question

from rehearsal import definition

Json = dict[str, Any]

ORGANIZATION = "o-a1b2c3d4e5"
POSITIVE = ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool")
"""Operators whose values a request must have."""

HANDED_TO_BUILDS = {
    "codebuild:source.location": "slipway-dev-delivery/source",
    "codebuild:environment.environmentVariables": "true",
    "codebuild:artifacts.location": "slipway-dev-delivery",
}
"""What CodePipeline starts a build with: https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html"""


def needs(cloud: Cloud) -> Iterator[Question]:
    """One request for each action and resource that a role of the platform is allowed."""
    policies = cloud.resource_policies()
    for role in cloud.roles.values():
        if role.stack.startswith("CDKToolkit"):
            continue
        for statement in statements(role):
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    thing = _key(resource, policies) or _thing(action, resource)
                    asked = _asked(cloud, role, action, thing, statement.get("Condition", {}))
                    yield replace(asked, resource_policy=policies.get(_guarded(asked.resource)))


def _key(resource: str, policies: Mapping[str, Any]) -> str:
    """The key that an account has, where a policy speaks of its keys without knowing their ids."""
    if not resource.endswith(":key/*"):
        return ""
    return next((arn for arn in policies if arn.startswith(resource.removesuffix("*"))), "")


def statements(role: Role) -> Iterator[Json]:
    """What its own policies allow."""
    for policy in role.policies:
        yield from (each for each in listed(policy["Statement"]) if each["Effect"] == "Allow")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def sample(pattern: str) -> str:
    """A resource that a pattern speaks of."""
    return pattern if pattern == "*" else pattern.replace("*", "1")


OF_STREAMS = ("logs:CreateLogStream", "logs:GetLogEvents", "logs:PutLogEvents")


def _thing(action: str, resource: str) -> str:
    """A group's ARN, as policies write it, speaks of its streams too."""
    if "PipelineExecution" in action and ":pipeline/" in resource and "/execution/" not in resource:
        return f"{sample(resource)}/execution/1"  # a wildcard at the end speaks of executions too
    if action in OF_STREAMS and ":log-stream:" not in resource:
        return f"{sample(resource.removesuffix(':*'))}:log-stream:1"
    return sample(resource)


def _asked(cloud: Cloud, role: Role, action: str, resource: str, conditions: Json) -> Question:
    context = {
        "aws:PrincipalArn": role.arn,
        "aws:PrincipalAccount": role.account,
        "aws:PrincipalOrgID": ORGANIZATION,
        "aws:RequestedRegion": "eu-west-1",
        "aws:SecureTransport": "true",
        **_demanded(conditions),
        **work(cloud, role, action),
    }
    if action.startswith("s3:"):
        context["s3:TlsVersion"] = "1.3"
    if role.stack.endswith("-Personas"):
        context["aws:PrincipalTag/user"] = "bo"
    named = resource.split(":")[4] if resource != "*" else ""
    return Question(role, action, resource, context, owner=named or _owner(cloud, role, _guarded(resource)))


def _demanded(conditions: Json) -> Json:
    """A request that meets a statement's conditions."""
    found: Json = {}
    for operator, keys in conditions.items():
        for key, values in keys.items():
            if operator in POSITIVE:
                found[key] = sample(str(listed(values)[0]))
            elif operator == "Null" and str(values).lower() == "false":
                found[key] = "x"
    return found


def work(cloud: Cloud, role: Role, action: str) -> Json:
    """What the platform says when it starts jobs, makes models and configurations, and builds; whose a version is."""
    if action in {"sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob"}:
        return _jobs(cloud)[action]
    if action == "sagemaker:CreateModel":
        (model,) = (made for made in cloud.of_kind("AWS::SageMaker::Model") if made.account == role.account)
        return {"sagemaker:VpcSubnets": model.properties["VpcConfig"]["Subnets"]}
    if action == "sagemaker:CreateEndpointConfig":
        (made,) = (each for each in cloud.of_kind("AWS::SageMaker::EndpointConfig") if each.account == role.account)
        types = [variant["InstanceType"] for variant in made.properties["ProductionVariants"]]
        return {"sagemaker:VolumeKmsKeyArn": made.properties["KmsKeyId"], "sagemaker:InstanceTypes": types}
    if action == "sagemaker:UpdateModelPackage":
        return {"sagemaker:CurrentCustomerMetadataProperties/author": "al"}
    if action == "codebuild:StartBuild" and role.name.endswith("-release-pipeline"):
        return HANDED_TO_BUILDS
    return {}


def _jobs(cloud: Cloud) -> dict[str, Json]:
    """The keys that the pipeline's jobs carry; of several jobs of a kind, what each of them has, or nothing."""
    (pipeline,) = cloud.of_kind("AWS::SageMaker::Pipeline")
    body = json.loads(pipeline.properties["PipelineDefinition"]["PipelineDefinitionBody"])
    found: dict[str, Json] = {}
    for step in definition.flatten(body["Steps"]):
        if step["Type"] in {"Processing", "Training"}:
            action = f"sagemaker:Create{step['Type']}Job"
            keys = _keys(step["Arguments"])
            before = found.get(action, keys)
            found[action] = {key: value for key, value in keys.items() if key in before}
            found[action]["sagemaker:InstanceTypes"] = sorted(
                {*keys["sagemaker:InstanceTypes"], *before["sagemaker:InstanceTypes"]}
            )
    return found


def _keys(job: Json) -> Json:
    network = job.get("NetworkConfig", job).get("VpcConfig", {})
    cluster = job.get("ResourceConfig") or job["ProcessingResources"]["ClusterConfig"]
    output = job.get("OutputDataConfig") or job.get("ProcessingOutputConfig", {})
    keys = {
        "sagemaker:VpcSubnets": network.get("Subnets"),
        "sagemaker:VpcSecurityGroupIds": network.get("SecurityGroupIds"),
        "sagemaker:VolumeKmsKeyArn": cluster.get("VolumeKmsKeyId"),
        "sagemaker:OutputKmsKeyArn": output.get("KmsKeyId"),
        "sagemaker:InstanceTypes": [cluster["InstanceType"]],
    }
    return {key: value for key, value in keys.items() if value}


def _guarded(arn: str) -> str:
    """The resource whose own policy speaks: an object's bucket, a version's group."""
    if arn.startswith("arn:aws:s3:"):
        return arn.split("/", maxsplit=1)[0]
    if ":model-package/" in arn:
        return arn.rsplit("/", 1)[0].replace(":model-package/", ":model-package-group/")
    return arn


def _owner(cloud: Cloud, role: Role, guarded: str) -> str:
    owners = [made.account for made in cloud.of_kind("AWS::S3::Bucket") if made.arn == guarded]
    return owners[0] if owners else role.account
