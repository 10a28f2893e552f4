"""Tags of keys through the Resource Groups Tagging API: a hundred keys a request, where KMS itself answers for one."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from exporter.aws.calls import Access, Calls, Operation
from exporter.aws.reading import text

if TYPE_CHECKING:
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from mypy_boto3_resourcegroupstaggingapi.type_defs import GetResourcesOutputTypeDef

GET_RESOURCES: Final = Operation("resourcegroupstaggingapi", "GetResources", quota=15)
"""https://docs.aws.amazon.com/general/latest/gr/arg.html"""

PAGE: Final = 100

Tags = dict[str, tuple[tuple[str, str], ...]]
"""Key ARN to its wanted tags, sorted; keys that were never tagged are absent."""


async def all_tags(calls: Calls, access: Access, wanted: Sequence[str], *, deadline: float) -> Tags:
    """Return the tags named in `wanted` of every key of the target.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    tags: Tags = {}
    token: str | None = ""
    while token is not None:
        found, token = await calls.one(access, GET_RESOURCES, partial(_one_page, wanted, token), deadline=deadline)
        tags |= found
    return tags


async def tags_of(calls: Calls, access: Access, arns: Sequence[str], wanted: Sequence[str], *, deadline: float) -> Tags:
    """Return the tags named in `wanted` of the keys in `arns`."""

    def request(tagging: "ResourceGroupsTaggingAPIClient", batch: tuple[str, ...]) -> Tags:
        return _read(tagging.get_resources(ResourceARNList=list(batch)), wanted)

    batches = [tuple(arns[start : start + PAGE]) for start in range(0, len(arns), PAGE)]
    outcomes = await calls.each(access, GET_RESOURCES, batches, request, deadline=deadline)
    outcomes.raise_first()
    return {arn: tags for answer in outcomes.answers.values() for arn, tags in answer.items()}


def _one_page(wanted: Sequence[str], token: str, tagging: "ResourceGroupsTaggingAPIClient") -> tuple[Tags, str | None]:
    answer = tagging.get_resources(ResourceTypeFilters=["kms:key"], ResourcesPerPage=PAGE, PaginationToken=token)
    following = answer.get("PaginationToken") or None
    if following is not None and following == token:
        raise ValueError("the next page is the same page again")
    return _read(answer, wanted), following


def _read(answer: "GetResourcesOutputTypeDef", wanted: Sequence[str]) -> Tags:
    return {
        text(resource["ResourceARN"]): tuple(
            sorted((tag["Key"], text(tag["Value"])) for tag in resource.get("Tags", []) if tag["Key"] in wanted)
        )
        for resource in answer["ResourceTagMappingList"]
    }
