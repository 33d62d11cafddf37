"""Models and configurations that nothing serves any more; CloudFormation keeps what it replaces, to go back by.

Their names are made by chance, so the tags tell whose they are. What an interrupted release, an update that failed or a
deployment of infrastructure has left is found like what the last release replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.asking import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operations.place import Place

MISSING = "Could not find"
IN_PROGRESS = "_IN_PROGRESS"
TYPES = {"AWS::SageMaker::Model": "sagemaker:model", "AWS::SageMaker::EndpointConfig": "sagemaker:endpoint-config"}
"""CloudFormation's names of the types, and those of the tagging API."""

PAGES = {"PageSize": 100}


def found(call: Callable[..., Any], **request: str) -> Any:
    """What SageMaker answers, or None if the thing is not there."""
    try:
        return call(**request)
    except ClientError as error:
        if MISSING in str(error):
            return None
        raise


@dataclass(frozen=True)
class Thing:
    """A model or a configuration. SageMaker writes ARNs in small letters, so the name is not to be had from its ARN."""

    kind: str
    name: str
    arn: str


def collect(client: Callable[[str], Any], place: Place, tell: Callable[[str], None]) -> None:
    """Remove what the model's stack once made and neither it nor its endpoint has now.

    A version is live and proved by then: what cannot be removed is told, and found again by the next release.
    """
    sagemaker = client("sagemaker")
    try:
        ours = _ours(client, place)  # first: what is made after this is not among them
        kept = _kept(client, place)
        for thing in ours:
            if kept is None or thing.arn in kept:
                continue
            if thing.kind == "Model":
                found(sagemaker.delete_model, ModelName=thing.name)
            else:
                found(sagemaker.delete_endpoint_config, EndpointConfigName=thing.name)
    except ClientError as error:
        tell(f"what nothing serves any more stays until the next release: {error}")


def _ours(client: Callable[[str], Any], place: Place) -> list[Thing]:
    """What carries the tags of the model's stack.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    tags = [{"Key": key, "Values": [value]} for key, value in place.tags.items()]
    listing = client("resourcegroupstaggingapi").get_paginator("get_resources")
    pages = listing.paginate(TagFilters=tags, ResourceTypeFilters=list(TYPES.values()))
    tagged = {one["ResourceARN"].lower() for page in pages for one in page["ResourceTagMappingList"]}
    return [thing for thing in _listed(client("sagemaker")) if thing.arn in tagged]


def _listed(sagemaker: Any) -> Iterator[Thing]:
    """All there are: tags outlive what they were on for a while."""
    for kind in ("Model", "EndpointConfig"):
        listing = sagemaker.get_paginator("list_models" if kind == "Model" else "list_endpoint_configs")
        for page in listing.paginate(PaginationConfig=PAGES):
            for one in page[f"{kind}s"]:
                yield Thing(kind, one[f"{kind}Name"], one[f"{kind}Arn"].lower())


def _kept(client: Callable[[str], Any], place: Place) -> set[str] | None:
    """ARNs of what the stack has and of what the endpoint serves; None while somebody deploys, who may need more."""
    cloudformation = client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=place.stack)["Stacks"]
    if stack["StackStatus"].endswith(IN_PROGRESS):
        return None
    resources = cloudformation.describe_stack_resources(StackName=place.stack)["StackResources"]
    has = {one.get("PhysicalResourceId", "").lower() for one in resources if one["ResourceType"] in TYPES}
    return has | _serves(client, place)


def _serves(client: Callable[[str], Any], place: Place) -> set[str]:
    """ARNs of the live configuration and of the models behind it: of both kinds of variant, or of the component."""
    sagemaker = client("sagemaker")
    endpoint = found(sagemaker.describe_endpoint, EndpointName=place.endpoint)
    name = endpoint["EndpointConfigName"] if endpoint else ""
    config = found(sagemaker.describe_endpoint_config, EndpointConfigName=name) if name else None
    if not config:
        return set()
    arn = str(config["EndpointConfigArn"])
    variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
    models = {variant["ModelName"] for variant in variants if "ModelName" in variant}
    models.add(Served.of(client, place).model(config))
    stem, _, _ = arn.partition(":endpoint-config/")
    return {arn.lower(), *(f"{stem}:model/{model}".lower() for model in models)}
