"""Takes away what a story made in a real account: what keeps stacks from going first, then the stacks, then the rest.

Only what bears the story's own names is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cdk import CdkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BATCH = 500
TRIES = 6
"""Logs of the very accesses that empty buckets arrive in another one, sooner or later."""

KEPT = ["sagemaker:endpoint-config", "sagemaker:model"]


def clean(client: Callable[[str], Any], stages: Sequence[str], platform: str, destroy: Callable[[], None]) -> list[str]:
    """Empty what is full, destroy, remove what outlives stacks, and return the ARNs of what would not go."""
    for attempt in range(1, TRIES + 1):
        for stage in stages:
            _empty(client, stage)
        try:
            destroy()
            break
        except CdkError:
            if attempt == TRIES:
                raise
    _forget_parameters(client("ssm"), platform)
    tagging = client("resourcegroupstaggingapi")
    for arn in _left(tagging, platform):
        _delete(client("sagemaker"), arn)
    return _left(tagging, platform)


def _empty(client: Callable[[str], Any], stage: str) -> None:
    _stop(client("sagemaker"), stage)
    _empty_buckets(client("s3"), stage)
    _empty_repositories(client("ecr"), stage)
    _empty_groups(client("sagemaker"), stage)


def _pages(client: Any, operation: str, listed: str, **asked: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**asked):
        yield from page.get(listed, [])


def _stop(sagemaker: Any, stage: str) -> None:
    """Runs that are at work write into buckets that are to be empty."""
    for pipeline in _pages(sagemaker, "list_pipelines", "PipelineSummaries", PipelineNamePrefix=f"{stage}-"):
        listed = "PipelineExecutionSummaries"
        for run in _pages(sagemaker, "list_pipeline_executions", listed, PipelineName=pipeline["PipelineName"]):
            if run["PipelineExecutionStatus"] == "Executing":
                sagemaker.stop_pipeline_execution(PipelineExecutionArn=run["PipelineExecutionArn"])


def _empty_buckets(s3: Any, stage: str) -> None:
    for bucket in s3.list_buckets()["Buckets"]:
        if not bucket["Name"].startswith(f"{stage}-"):
            continue
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            keys = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
            for begin in range(0, len(keys), BATCH):
                s3.delete_objects(Bucket=bucket["Name"], Delete={"Objects": keys[begin : begin + BATCH]})


def _empty_repositories(ecr: Any, stage: str) -> None:
    for repository in _pages(ecr, "describe_repositories", "repositories"):
        name = repository["repositoryName"]
        if name.startswith(f"{stage}-"):
            for image in list(_pages(ecr, "list_images", "imageIds", repositoryName=name)):
                ecr.batch_delete_image(repositoryName=name, imageIds=[image])


def _empty_groups(sagemaker: Any, stage: str) -> None:
    groups = _pages(sagemaker, "list_model_package_groups", "ModelPackageGroupSummaryList", NameContains=f"{stage}-")
    for group in list(groups):
        name = group["ModelPackageGroupName"]
        listed = "ModelPackageSummaryList"
        for version in list(_pages(sagemaker, "list_model_packages", listed, ModelPackageGroupName=name)):
            sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])


def _forget_parameters(ssm: Any, platform: str) -> None:
    """What is desired outlives its stack on purpose."""
    found = list(_pages(ssm, "get_parameters_by_path", "Parameters", Path=f"/{platform}/", Recursive=True))
    for parameter in found:
        ssm.delete_parameter(Name=parameter["Name"])


def _left(tagging: Any, platform: str) -> list[str]:
    """Models and configurations that were replaced outlive their stack, so that one can go back to them."""
    wanted = [{"Key": "platform", "Values": [platform]}]
    found = _pages(tagging, "get_resources", "ResourceTagMappingList", TagFilters=wanted, ResourceTypeFilters=KEPT)
    return sorted(each["ResourceARN"] for each in found)


def _delete(sagemaker: Any, arn: str) -> None:
    kind, name = arn.split(":", 5)[5].split("/", 1)
    if kind == "model":
        sagemaker.delete_model(ModelName=name)
    else:
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
