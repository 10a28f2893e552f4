"""`/api/v1/keys`: the snapshot as JSON, in pages.

`GET /api/v1/keys?limit=100` answers with `keys` and `next`; with `after=<next>` the keys that follow, until `next` is
null. Keys come sorted by account, region and key id, so one that is created or deleted meanwhile moves no other to
another page. What is about all keys, such as which accounts and targets may have others, stands on the first page only.
With `pending=true` there are none but pending keys. Dates are RFC 3339, in UTC; what is not known is null.
`exporter.web.api.openapi` describes it all.
"""

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.acknowledgements import Acknowledgements, Rule
from exporter.facts import facts_of
from exporter.model import Key, Snapshot, Target, TargetState
from exporter.times import rfc3339
from exporter.web.api import records
from exporter.web.parameters import ParameterError, one_of, read_parameters, whole_number

MAX_LIMIT: Final = 1000
"""Keys on a page, at most and unless asked otherwise."""

_ACCEPTED: Final = ("limit", "after", "pending")
_YES_NO: Final = ("true", "false")

_Row = tuple[TargetState, Key]


@dataclass(frozen=True, slots=True)
class Query:
    """Which page is asked for.

    Attributes:
        limit: keys on the page, at most.
        after: the target and the key id that it begins after; None for the first page.
        pending: whether only pending keys are wanted.
    """

    limit: int = MAX_LIMIT
    after: tuple[Target, str] | None = None
    pending: bool = False


def parse_query(text: str) -> Query:
    """Read the query string of a request.

    Raises:
        ParameterError: an unknown, repeated or unusable parameter.
    """
    found = read_parameters(text, _ACCEPTED)
    return Query(
        limit=whole_number("limit", found["limit"], MAX_LIMIT) if "limit" in found else MAX_LIMIT,
        after=_cursor(found["after"]) if "after" in found else None,
        pending=one_of("pending", found.get("pending", "false"), _YES_NO) == "true",
    )


def keys_page(
    snapshot: Snapshot,
    query: Query,
    *,
    acknowledgements: Acknowledgements,
    unmatched: Iterable[Rule] = (),
    now: float,
) -> bytes:
    """Return one page as JSON.

    With 100,000 keys that takes some milliseconds: work for another thread than the event loop's. No step of it is one
    long call into C, during which the loop would wait for that thread after all.

    Args:
        snapshot: what is known.
        query: the page that is wanted.
        acknowledgements: the deletions that are declared intended.
        unmatched: those of them that are about no key.
        now: Unix seconds.
    """
    found = _following(snapshot, query)
    page = found[: query.limit]
    members = {"taken_at": json.dumps(rfc3339(snapshot.taken_at))}
    if query.after is None:
        members["organization_up"] = json.dumps(snapshot.organization)
        members["accounts"] = _array(records.account(snapshot, account_id) for account_id in sorted(snapshot.accounts))
        members["targets"] = _array(records.target(state) for state in snapshot.targets)
        members["transitions"] = _array(map(records.transition, snapshot.transitions))
        members["acknowledgements_unmatched"] = _array(map(records.rule, unmatched))
    members["keys"] = _array(records.key(facts_of(state, key, acknowledgements, now)) for state, key in page)
    members["next"] = json.dumps(_next(page) if len(found) > len(page) else None)
    return "".join(["{", ", ".join(f'"{name}": {value}' for name, value in members.items()), "}\n"]).encode()


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
        wanted = (key_id for key_id, key in by_id.items() if key_id > beyond and (key.pending or not query.pending))
        ids = heapq.nsmallest(query.limit + 1 - len(rows), wanted)
        rows.extend((state, by_id[key_id]) for key_id in ids)
        if len(rows) > query.limit:
            break
    return rows


def _array(items: Iterable[Mapping[str, object]]) -> str:
    return f"[{', '.join([json.dumps(item) for item in items])}]"
