"""The KMS operations of a sweep: requests in, `Key` objects and ids out.

Answers are read strictly: one that lacks what the API model promises raises (KeyError, TypeError, ValueError) and is
told as `invalid_response`, never taken for "no keys". Strings that AWS may extend pass through as they are.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

from exporter.aws.calls import Access, Calls, Operation, Outcomes
from exporter.aws.reading import days, seconds, text
from exporter.aws.workers import ignore
from exporter.model import PENDING_STATES, Deletion, Key

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef, ListAliasesResponseTypeDef, ListKeysResponseTypeDef

# Quotas: https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
LIST_KEYS: Final = Operation("kms", "ListKeys", quota=500)
LIST_ALIASES: Final = Operation("kms", "ListAliases", quota=500)
DESCRIBE_KEY: Final = Operation("kms", "DescribeKey", quota=2000)

KEYS_A_PAGE: Final = 1000
ALIASES_A_PAGE: Final = 100
"""The most that AWS allows."""

AWS_MANAGED_ALIAS: Final = "alias/aws/"

Aliases = dict[str, tuple[str, ...]]
"""Key id to its alias names, sorted."""


class Marker(TypedDict, total=False):
    """Where a page starts; empty for the first."""

    Marker: str


Page = TypeVar("Page", "ListKeysResponseTypeDef", "ListAliasesResponseTypeDef")
Entry = TypeVar("Entry")


async def list_keys(calls: Calls, access: Access, *, deadline: float) -> list[str]:
    """Return the id of every key of the target."""

    def page(kms: "KMSClient", marker: Marker) -> "ListKeysResponseTypeDef":
        return kms.list_keys(Limit=KEYS_A_PAGE, **marker)

    def read(answer: "ListKeysResponseTypeDef") -> list[str]:
        return [text(entry["KeyId"]) for entry in answer["Keys"]]

    return await _all_pages(calls, access, LIST_KEYS, page, read, deadline=deadline)


async def list_aliases(calls: Calls, access: Access, *, deadline: float) -> Aliases:
    """Return the aliases of every key of the target; aliases that name no key are left out."""

    def page(kms: "KMSClient", marker: Marker) -> "ListAliasesResponseTypeDef":
        return kms.list_aliases(Limit=ALIASES_A_PAGE, **marker)

    return _by_key(await _all_pages(calls, access, LIST_ALIASES, page, _pairs, deadline=deadline))


async def aliases_of(
    calls: Calls, access: Access, key_ids: Iterable[str], *, deadline: float
) -> Outcomes[str, tuple[str, ...]]:
    """Return the aliases of a few keys: one request a key, where all pages would cost more."""

    def request(kms: "KMSClient", key_id: str) -> tuple[str, ...]:
        # A key has at most 50 aliases, fewer than a page holds.
        return _by_key(_pairs(kms.list_aliases(KeyId=key_id, Limit=ALIASES_A_PAGE))).get(key_id, ())

    return await calls.each(access, LIST_ALIASES, key_ids, request, deadline=deadline)


async def describe_keys(
    calls: Calls,
    access: Access,
    key_ids: Iterable[str],
    known: Mapping[str, Key] | None = None,
    *,
    deadline: float,
    arrived: Callable[[Mapping[str, Key]], object] = ignore,
) -> Outcomes[str, Key]:
    """Describe each of `key_ids`; `arrived` is called with a few keys at a time, as they are answered.

    DescribeKey tells neither aliases nor tags: they are those of the key in `known`, none without it. A key that is as
    it was known is the very same object, so that a pass over many keys that finds nothing new leaves nothing behind.

    By id and never by alias: describing a predefined `alias/aws/...` that points nowhere yet creates its key
    (https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html).
    """

    def request(kms: "KMSClient", key_id: str) -> Key:
        key = read_key(kms.describe_key(KeyId=key_id)["KeyMetadata"])
        if key.key_id != key_id:
            raise ValueError(f"{key_id} was asked for, {key.key_id} answered")
        before = known.get(key_id) if known else None
        if before is None:
            return key
        key = replace(key, aliases=before.aliases, tags=before.tags)
        return before if key == before else key

    return await calls.each(access, DESCRIBE_KEY, key_ids, request, deadline=deadline, arrived=arrived)


def read_key(metadata: "KeyMetadataTypeDef") -> Key:
    """Make a `Key` of the `KeyMetadata` of DescribeKey.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html
    """
    state = sys.intern(text(metadata["KeyState"]))
    deletion = None
    if state in PENDING_STATES or "DeletionDate" in metadata:
        window = metadata.get("PendingDeletionWindowInDays")
        deletion = Deletion(at=_seconds(metadata.get("DeletionDate")), window=None if window is None else days(window))
    return Key(
        key_id=text(metadata["KeyId"]),
        arn=text(metadata["Arn"]),
        state=state,
        key_manager=sys.intern(text(metadata.get("KeyManager", "CUSTOMER"))),
        description=text(metadata.get("Description", "")),
        key_spec=sys.intern(text(metadata.get("KeySpec", ""))),
        key_usage=sys.intern(text(metadata.get("KeyUsage", ""))),
        origin=sys.intern(text(metadata.get("Origin", ""))),
        multi_region=text(metadata.get("MultiRegionConfiguration", {}).get("MultiRegionKeyType", "")).lower(),
        created_at=_seconds(metadata.get("CreationDate")),
        deletion=deletion,
        material_expires_at=_seconds(metadata.get("ValidTo")),
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else seconds(moment)


def _pairs(answer: "ListAliasesResponseTypeDef") -> list[tuple[str, str]]:
    aliases = answer["Aliases"]
    return [(text(alias["TargetKeyId"]), text(alias["AliasName"])) for alias in aliases if alias.get("TargetKeyId")]


def _by_key(pairs: Iterable[tuple[str, str]]) -> Aliases:
    names: dict[str, set[str]] = {}
    for key_id, name in pairs:
        names.setdefault(key_id, set()).add(name)
    return {key_id: tuple(sorted(of_key)) for key_id, of_key in names.items()}


async def _all_pages(
    calls: Calls,
    access: Access,
    operation: Operation,
    page: Callable[["KMSClient", Marker], Page],
    read: Callable[[Page], list[Entry]],
    *,
    deadline: float,
) -> list[Entry]:
    """Return the entries of all pages.

    Pages may be short or empty while `Truncated` is true
    (https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html), so only `Truncated` ends the list.
    """
    entries: list[Entry] = []
    marker: Marker | None = {}
    while marker is not None:
        found, marker = await calls.one(access, operation, partial(_one_page, page, read, marker), deadline=deadline)
        entries += found
    return entries


def _one_page(
    page: Callable[["KMSClient", Marker], Page], read: Callable[[Page], list[Entry]], marker: Marker, kms: "KMSClient"
) -> tuple[list[Entry], Marker | None]:
    answer = page(kms, marker)
    entries = read(answer)
    if not answer.get("Truncated"):
        return entries, None
    following: Marker = {"Marker": text(answer["NextMarker"])}
    if following["Marker"] in {"", marker.get("Marker")}:
        raise ValueError(f"{following} does not lead to another page")
    return entries, following
