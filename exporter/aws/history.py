"""What CloudTrail is asked about pending keys: who scheduled the deletion, and who was denied a use since."""

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from math import floor, inf
from typing import Final

from exporter.aws.cloudtrail import OVERLAP, REACH, Event, Query, look_up
from exporter.aws.denied import CRYPTOGRAPHIC, Uses, is_denied_use
from exporter.aws.dossier import HOUR, Case
from exporter.aws.inquiry import Inquiry
from exporter.errors import TargetError
from exporter.model import Deletion, Scheduling, Source

LOOK_EVERY: Final = 300.0
"""Seconds between two looks for denied uses of one key."""
MOST_PAGES: Final = 10
"""Pages of 50 events that one look reads: the others must have their turn. A key's own history is long, since each pass
describes a pending key, which is an event too."""

_SEARCH_EVERY: Final = 60.0
"""Seconds between two searches for who scheduled a deletion, while the event may be on its way."""
_DAY: Final = 86400.0
_DEFAULT_WINDOW: Final = 30 * _DAY
_LONGEST_WINDOW: Final = 30 * _DAY
"""https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""
_FITS_WITHIN: Final = 300.0


async def ask_history(inquiry: Inquiry) -> None:
    """Ask both, one after the other: they share the budget of LookupEvents."""
    await _find_schedulings(inquiry)
    await _count_denied_uses(inquiry)


async def _find_schedulings(inquiry: Inquiry) -> None:
    """Search for who scheduled the deletions that are not explained yet, in one go for all of them.

    A search goes backwards from now and ends with the last deletion explained, so that it mostly takes one request.
    """
    dossier, source = inquiry.dossier, Source.SCHEDULED_BY
    if not dossier.due(source, inquiry.monotonic()):
        return
    until = inquiry.now()
    cases = [case for case in dossier.cases.values() if not case.explained]
    query = Query(
        "EventName", "ScheduleKeyDeletion", min(_search_from(case, until) for case in cases), until, dossier.principals
    )
    by_name = {name: case for case in cases for name in (case.key.arn, case.key.key_id)}
    doubtful = False
    try:
        async with aclosing(look_up(inquiry.calls, inquiry.access, query, deadline=inquiry.deadline())) as pages:
            async for page in pages:
                doubtful = doubtful or bool(page.unreadable)
                _explain(inquiry, by_name, page.events)
                if all(case.explained for case in cases):
                    return
    except TargetError as error:
        dossier.stopped(source, error, inquiry.monotonic())
        return
    for case in cases:
        if not case.explained:
            _searched(inquiry, case, until, doubtful=doubtful)


def _search_from(case: Case, now: float) -> float:
    """Return where a search for the scheduling begins."""
    furthest = now - REACH
    # What was searched may have ended later than now: the clock has been put back since.
    return furthest if case.searched_until is None else max(furthest, min(case.searched_until, now) - OVERLAP)


def _explain(inquiry: Inquiry, by_name: Mapping[str, Case], events: Iterable[Event]) -> None:
    """Settle each case with the newest event that made its key pending, if it is among `events`."""
    for event in events:
        case = next((by_name[name] for name in event.about if name in by_name), None)
        if case is None or case.explained or event.error_code:
            continue
        scheduling = Scheduling(event.at, event.principal.name, event.principal.arn, event.event_id, event.window)
        if _fits(scheduling, case.key.deletion):
            _settle(inquiry, case, scheduling)
        elif case.candidate is None or scheduling.at > case.candidate.at:
            case.candidate = scheduling


def _fits(scheduling: Scheduling, deletion: Deletion | None) -> bool:
    """Whether the deletion that is pending can be the one that was scheduled.

    While the newest event is still on its way to CloudTrail, an older one of the same key, of a deletion that was
    cancelled, is all that is found. It must not put the blame on the wrong person.
    """
    window = _DEFAULT_WINDOW if scheduling.window is None else scheduling.window
    if deletion is None or deletion.at is None:
        return deletion is None or deletion.window in {None, window}
    return abs(scheduling.at + window - deletion.at) <= _FITS_WITHIN


def _settle(inquiry: Inquiry, case: Case, scheduling: Scheduling) -> None:
    case.explained = True
    inquiry.dossier.answered(Source.SCHEDULED_BY, case, again_at=inf)
    inquiry.dossier.learn(case, scheduling=scheduling, scheduling_looked_up=True)


def _searched(inquiry: Inquiry, case: Case, until: float, *, doubtful: bool) -> None:
    """Take note that everything up to `until` was searched in vain."""
    case.searched_until = until
    case.doubtful = case.doubtful or doubtful
    now = inquiry.monotonic()
    late = now - case.opened_at < OVERLAP
    if case.candidate is not None and not late:
        # Nothing better has come. The date was moved, by AWS or by the last replica that left.
        _settle(inquiry, case, case.candidate)
        return
    inquiry.dossier.answered(Source.SCHEDULED_BY, case, again_at=now + (_SEARCH_EVERY if late else HOUR))
    on_its_way = case.seen_at is not None and until - case.seen_at < OVERLAP
    if case.candidate is None and not case.doubtful and not on_its_way:
        inquiry.dossier.learn(case, scheduling_looked_up=True)


async def _count_denied_uses(inquiry: Inquiry) -> None:
    """Look for new denied uses, key by key, those first that have waited longest; then read on in what is old."""
    dossier, source = inquiry.dossier, Source.DENIED_USES
    try:
        for case in dossier.due(source, inquiry.monotonic()):
            if inquiry.over:
                return
            await _look_for_uses(inquiry, case)
            dossier.answered(source, case, again_at=inquiry.monotonic() + LOOK_EVERY)
        for case in dossier.unread(inquiry.monotonic()):
            if inquiry.over:
                return
            await _look_further(inquiry, case)
    except TargetError as error:
        dossier.failed(source, case, error, inquiry.monotonic())  # it comes last when it is tried again
        dossier.stopped(source, error, inquiry.monotonic())  # LookupEvents is not denied for one key alone


async def _look_for_uses(inquiry: Inquiry, case: Case) -> None:
    """Count what has been denied since the last look."""
    until, since = inquiry.now(), _pending_since(case)
    uses = case.uses
    if uses is None or uses.since != since:  # it has turned out when the deletion was scheduled: count anew
        known = case.evidence.denied_uses if uses is None or since < uses.since else None
        uses = case.uses = Uses(since, known)
    cut_at = await _read_uses(inquiry, case, uses, uses.look_from, until)
    uses.looked(until, cut_at)
    before = case.evidence.denied_uses
    inquiry.dossier.urgent = inquiry.dossier.urgent or uses.count > (before.count if before else 0)
    inquiry.dossier.learn(case, denied_uses=uses.told())


async def _look_further(inquiry: Inquiry, case: Case) -> None:
    """Count what the first look had no time for, a few pages more."""
    uses = case.uses
    while uses is not None and uses.unread_until is not None and not inquiry.over:
        # A second more: there may be further events of the very second at which the look before was cut.
        uses.looked_further(await _read_uses(inquiry, case, uses, uses.since, uses.unread_until + 1))
        inquiry.dossier.learn(case, denied_uses=uses.told())


async def _read_uses(inquiry: Inquiry, case: Case, uses: Uses, start: float, end: float) -> float | None:
    """Count the denied uses of a span of time; return the time of the oldest event read where it was not all read."""
    start = min(max(start, inquiry.now() - REACH), end)
    query = Query("ResourceName", case.key.arn, start, end, inquiry.dossier.principals)
    oldest, pages_read = inf, 0
    async with aclosing(look_up(inquiry.calls, inquiry.access, query, deadline=inquiry.deadline())) as pages:
        async for page in pages:
            for event in page.events:
                oldest = min(oldest, event.at)
                if is_denied_use(event, case.key):
                    uses.add(event)
            uses.skipped = uses.skipped or any(not name or name in CRYPTOGRAPHIC for name in page.unreadable)
            pages_read += 1
            if pages_read == MOST_PAGES and page.token is not None:
                return oldest if oldest < inf else None
    return None


def _pending_since(case: Case) -> float:
    """Return since when a failed use is due to the deletion, in Unix seconds; 0 for as far as CloudTrail reaches.

    Whole seconds, as events have them.
    """
    scheduling, deletion = case.evidence.scheduling, case.key.deletion
    if scheduling is not None:
        return scheduling.at
    if case.seen_at is not None:
        return floor(case.seen_at)
    return 0.0 if deletion is None or deletion.at is None else floor(deletion.at - _LONGEST_WINDOW)
