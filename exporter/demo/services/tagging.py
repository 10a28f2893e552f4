"""AWS Resource Groups Tagging API (API Reference, 2017-01-26), for KMS keys."""

from collections.abc import Mapping
from typing import Any, Final

from exporter.demo.errors import AwsError
from exporter.demo.keys import Key
from exporter.demo.paging import BadMarkerError, page
from exporter.demo.services.base import Answer, Call, Code, Service, json_codes

_MOST_ARNS: Final = 100
_LARGEST_PAGE: Final = 100
_KMS_TYPES: Final = frozenset({"kms", "kms:key"})


def get_resources(call: Call) -> Answer:
    """Tell the tags of every key that is or ever was tagged, or of the keys named, up to 100 a page."""
    params = call.params
    arns = params.get("ResourceARNList")
    if arns:
        return {"PaginationToken": "", "ResourceTagMappingList": _named(call, arns)}
    tagged = {key.arn: key for key in call.vault.keys.values() if key.tags is not None and _passes(params, key)}
    types = params.get("ResourceTypeFilters")
    if types and not _KMS_TYPES.intersection(types):
        tagged = {}
    empty_first = call.operation in call.world.rules.empty_pages
    try:
        found, token = page(sorted(tagged), _limit(call), params.get("PaginationToken"), empty_first=empty_first)
    except BadMarkerError:
        raise AwsError("PaginationTokenExpiredException", "The PaginationToken has expired.") from None
    return {"PaginationToken": token or "", "ResourceTagMappingList": [_mapping(tagged[each]) for each in found]}


def _named(call: Call, arns: list[str]) -> list[dict[str, Any]]:
    others = ("ResourceTypeFilters", "TagFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken")
    if any(call.params.get(name) for name in others):
        raise _invalid(f"ResourceARNList can't be combined with any of {', '.join(others)}")
    if len(arns) > _MOST_ARNS:
        raise _invalid(f"ResourceARNList takes at most {_MOST_ARNS} ARNs")
    vault = call.vault
    named = (vault.keys.get(each.removeprefix(f"{vault.arn_prefix}key/")) for each in arns)
    return [_mapping(key) for key in named if key is not None and key.tags is not None]


def _limit(call: Call) -> int:
    limit: int = call.params.get("ResourcesPerPage", _LARGEST_PAGE)
    if not 1 <= limit <= _LARGEST_PAGE:
        raise _invalid(f"ResourcesPerPage must be from 1 to {_LARGEST_PAGE}")
    return limit


def _passes(params: Mapping[str, Any], key: Key) -> bool:
    tags = key.tags or {}
    return all(
        each["Key"] in tags and (not each.get("Values") or tags[each["Key"]] in each["Values"])
        for each in params.get("TagFilters") or ()
    )


def _mapping(key: Key) -> dict[str, Any]:
    tags = key.tags or {}
    return {"ResourceARN": key.arn, "Tags": [{"Key": name, "Value": tags[name]} for name in sorted(tags)]}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


SERVICE: Final = Service(
    name="tagging",
    regional=True,
    codes=json_codes(throttled=Code("ThrottledException"), internal=Code("InternalServiceException", 500)),
    operations={"GetResources": get_resources},
)
