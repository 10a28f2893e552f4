"""Which pending keys the page shows, and in what order.

Ten thousand pending keys are looked at in small steps, and a page of them is made into text: no step is one long call
into C, during which every scrape would wait for this thread.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from exporter.facts import Facts
from exporter.web.status.query import PageQuery

PAGE_SIZE: Final = 100
"""Rows of a table on a page."""

_RUN: Final = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of many.

    Attributes:
        number: of this page, from 1.
        total: rows on all pages together.
    """

    rows: Sequence[T]
    number: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page."""
        return _pages(self.total)

    @property
    def first_row(self) -> int:
        """The number of the first row, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last_row(self) -> int:
        """The number of the last row."""
        return self.first_row + len(self.rows) - 1


def cut(rows: Iterable[T], number: int, total: int) -> Page[T]:
    """Return page `number` of `total` rows, or the last one where there are fewer: rows go while somebody reads."""
    number = min(number, _pages(total))
    return Page(list(islice(rows, (number - 1) * PAGE_SIZE, number * PAGE_SIZE)), number, total)


def select(pending: Iterable[Facts], query: PageQuery) -> Page[Facts]:
    """Return the page of pending keys that is asked for."""
    found = [facts for facts in pending if matches(facts, query)]
    return cut(ordered(found, query), query.page, len(found))


def matches(facts: Facts, query: PageQuery) -> bool:
    """Whether a key passes the filters."""
    return (
        query.account in {"", facts.target.account_id}
        and query.region in {"", facts.target.region}
        and query.acknowledged in {"", _answer(facts.acknowledged)}
        and query.needed in {"", _answer(facts.needed)}
        and (not query.q or _mentions(facts, query.q.casefold()))
    )


def ordered(found: Iterable[Facts], query: PageQuery) -> Iterator[Facts]:
    """Yield keys in the order that is asked for; those where nothing is known to sort by come last in either order."""
    value = _VALUES[query.sort]
    known: list[tuple[Any, Facts]] = []
    unknown: list[tuple[Any, Facts]] = []
    for facts in found:
        at, place = value(facts), (facts.target, facts.key.key_id)
        if at in {None, ""}:
            unknown.append((place, facts))
        else:
            known.append(((at, place), facts))
    yield from _sorted(known, reverse=query.order == "desc")
    yield from _sorted(unknown)


def _sorted(keyed: Sequence[tuple[Any, Facts]], *, reverse: bool = False) -> Iterator[Facts]:
    runs = [sorted(keyed[start : start + _RUN], key=_first, reverse=reverse) for start in range(0, len(keyed), _RUN)]
    return (facts for _, facts in merge(*runs, key=_first, reverse=reverse))


def _first(keyed: tuple[Any, Facts]) -> Any:
    return keyed[0]


def _mentions(facts: Facts, text: str) -> bool:
    declared = facts.acknowledgement
    scheduling, denied = facts.evidence.scheduling, facts.evidence.denied_uses
    told = (
        *facts.key.aliases,
        facts.key.arn,  # holds the id, the account and the region
        facts.account_name,
        facts.key.description,
        *((scheduling.by, scheduling.principal_arn) if scheduling else ()),
        *((denied.last_by,) if denied else ()),
        *((declared.ticket, declared.approved_by, declared.reason) if declared else ()),
    )
    return any(text in part.casefold() for part in told)


def _answer(holds: bool) -> str:
    return "yes" if holds else "no"


def _pages(total: int) -> int:
    return max(1, -(-total // PAGE_SIZE))


_VALUES: Final[dict[str, Callable[[Facts], float | str | None]]] = {
    "deletion": lambda facts: facts.deletion_at,
    "scheduled": lambda facts: facts.scheduled_at,
    "last_used": lambda facts: facts.last_used_at,
    "account": lambda facts: (facts.account_name or facts.target.account_id).casefold(),
    "region": lambda facts: facts.target.region,
    "alias": lambda facts: facts.key.alias.casefold(),
}
