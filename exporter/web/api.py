"""`/api/v1/keys`: the snapshot as JSON, in pages.

`GET /api/v1/keys?limit=100` answers `{"taken_at", "organization_up", "accounts", "targets", "keys", "next"}`; with
`after=<next>` the keys that follow, until `next` is null. Keys come sorted by account, region and key id, so one that
is created or deleted meanwhile moves no other to another page. Accounts and targets tell which keys may be missing or
old; they stand on the first page only. Dates are RFC 3339, in UTC; what is not known is null.
"""

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl

from exporter.errors import ExporterError
from exporter.exposition.families import SECONDS_PER_DAY, days_left
from exporter.model import Key, Snapshot, Target, TargetState
from exporter.web.times import rfc3339

MAX_LIMIT: Final = 1000
"""Keys on a page, at most and unless asked otherwise."""

MAX_UNREADABLE: Final = 100
"""Unreadable keys that are named for a target; all are counted."""

_Row = tuple[TargetState, Key]


class ParameterError(ExporterError):
    """A parameter of the request can't be used; the text names it and what is accepted."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which page is asked for.

    Attributes:
        limit: keys on the page, at most.
        after: the target and the key id that it begins after; None for the first page.
    """

    limit: int = MAX_LIMIT
    after: tuple[Target, str] | None = None


def parse_query(text: str) -> Query:
    """Read the query string of a request.

    Raises:
        ParameterError: an unknown, repeated or unusable parameter.
    """
    limit, after = MAX_LIMIT, None
    seen: set[str] = set()
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in seen:
            raise ParameterError(f"{name} is given more than once")
        seen.add(name)
        match name:
            case "limit":
                limit = _limit(value)
            case "after":
                after = _cursor(value)
            case _:
                raise ParameterError(f"unknown parameter {name!r}; accepted are limit and after")
    return Query(limit, after)


def keys_page(snapshot: Snapshot, query: Query, *, now: float) -> bytes:
    """Return one page as JSON; `now` is Unix seconds.

    With 100,000 keys that takes some milliseconds: work for another thread than the event loop's. No step of it is one
    long call into C, during which the loop would wait for that thread after all.
    """
    found = _following(snapshot, query)
    page = found[: query.limit]
    members = {"taken_at": json.dumps(rfc3339(snapshot.taken_at))}
    if query.after is None:
        members["organization_up"] = json.dumps(snapshot.organization)
        members["accounts"] = _array(_account(snapshot, account_id) for account_id in sorted(snapshot.accounts))
        members["targets"] = _array(_target(state) for state in snapshot.targets)
    members["keys"] = _array(_key(state, key, now) for state, key in page)
    members["next"] = json.dumps(_next(page) if len(found) > len(page) else None)
    return "".join(["{", ", ".join(f'"{name}": {value}' for name, value in members.items()), "}\n"]).encode()


def _limit(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= len(str(MAX_LIMIT)) and 1 <= int(value) <= MAX_LIMIT:
        return int(value)
    raise ParameterError(f"limit={value!r} is no whole number from 1 to {MAX_LIMIT}")


def _cursor(value: str) -> tuple[Target, str]:
    match value.split("/"):
        case [account_id, region, key_id] if account_id and region and key_id:
            return Target(account_id, region), key_id
    raise ParameterError(f"after={value!r} is not what next gave")


def _next(page: Sequence[_Row]) -> str:
    state, key = page[-1]
    return f"{state.target.account_id}/{state.target.region}/{key.key_id}"


def _following(snapshot: Snapshot, query: Query) -> list[_Row]:
    """Return the page's keys, and one more where there is one."""
    target_after, id_after = query.after or (None, "")
    rows: list[_Row] = []
    for state in snapshot.targets:
        if state.keys is None or (target_after and state.target < target_after):
            continue
        beyond = id_after if state.target == target_after else ""
        by_id = state.keys.by_id
        ids = heapq.nsmallest(query.limit + 1 - len(rows), (key_id for key_id in by_id if key_id > beyond))
        rows.extend((state, by_id[key_id]) for key_id in ids)
        if len(rows) > query.limit:
            break
    return rows


def _array(items: Iterable[Mapping[str, object]]) -> str:
    return f"[{', '.join([json.dumps(item) for item in items])}]"


def _account(snapshot: Snapshot, account_id: str) -> Mapping[str, object]:
    return {
        "account_id": account_id,
        "up": snapshot.accounts[account_id],
        "error": snapshot.account_errors.get(account_id, ""),
    }


def _target(state: TargetState) -> Mapping[str, object]:
    return {
        "account_id": state.target.account_id,
        "account_name": state.account_name,
        "region": state.target.region,
        "up": state.up,
        "last_success": rfc3339(state.last_success),
        "last_full": rfc3339(state.last_full),
        "keys": None if state.keys is None else len(state.keys.by_id),
        "unreadable": len(state.unreadable),
        "unreadable_keys": [
            {"key_id": key_id, "reason": unreadable.reason, "since": rfc3339(unreadable.since)}
            for key_id, unreadable in islice(state.unreadable.items(), MAX_UNREADABLE)
        ],
        "last_error": state.last_error,
    }


def _key(state: TargetState, key: Key, now: float) -> Mapping[str, object]:
    at, window = (key.deletion.at, key.deletion.window) if key.deletion else (None, None)
    return {
        "account_id": state.target.account_id,
        "account_name": state.account_name,
        "region": state.target.region,
        "key_id": key.key_id,
        "arn": key.arn,
        "aliases": key.aliases,
        "description": key.description,
        "state": key.state,
        "key_manager": key.key_manager,
        "key_spec": key.key_spec,
        "key_usage": key.key_usage,
        "origin": key.origin,
        "multi_region": key.multi_region,
        "tags": dict(key.tags),
        "created": rfc3339(key.created_at),
        "pending": key.pending,
        "deletion_date": rfc3339(at),
        "days_left": None if at is None else days_left(at, now),
        "deletion_window_days": None if window is None else window / SECONDS_PER_DAY,
        "material_expires": rfc3339(key.material_expires_at),
    }
