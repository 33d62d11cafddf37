"""Which models and configurations carry given tags, as the Resource Groups Tagging API tells; moto knows none of them.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.resourcegroupstaggingapi.responses import ResourceGroupsTaggingAPIResponse

from rehearsal.api import Caller, Json, ServiceError, install

if TYPE_CHECKING:
    from collections import defaultdict
    from collections.abc import Iterator

    from rehearsal.hosted import Region

KINDS = ("sagemaker:endpoint-config", "sagemaker:model")


class Tagged:
    """The operation, by AWS's name, over what each account has in each region."""

    def __init__(self, regions: defaultdict[Caller, Region]) -> None:
        self.regions = regions

    def install(self) -> None:
        install(ResourceGroupsTaggingAPIResponse, {"GetResources": self.GetResources})

    def GetResources(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        kinds = request.get("ResourceTypeFilters") or []
        if not kinds or set(kinds) - set(KINDS):
            message = f"the embedded AWS finds {', '.join(KINDS)} by their tags, not {kinds or 'everything'}"
            raise ServiceError("InvalidParameterException", message)
        wanted = [(each["Key"], each.get("Values") or []) for each in request.get("TagFilters") or []]
        found = [
            {"ResourceARN": arn.lower(), "Tags": tags}  # SageMaker's ARNs are in small letters there, whatever the name
            for arn, tags in self._tagged(caller)
            if f"sagemaker:{arn.split(':')[5].split('/')[0]}" in kinds and _carries(tags, wanted)
        ]
        return {"ResourceTagMappingList": found, "PaginationToken": ""}

    def _tagged(self, caller: Caller) -> Iterator[tuple[str, list[Json]]]:
        region = self.regions[caller]
        arns = [one["ModelArn"] for one in list(region.models.values())]
        arns += [one["EndpointConfigArn"] for one in list(region.configs.values())]
        yield from ((arn, region.tags[arn]) for arn in arns if region.tags.get(arn))


def _carries(tags: list[Json], wanted: list[tuple[str, list[str]]]) -> bool:
    """Every key that is asked for, with one of its values if any are named."""
    carried = {tag["Key"]: tag["Value"] for tag in tags}
    return all(key in carried and (not values or carried[key] in values) for key, values in wanted)
