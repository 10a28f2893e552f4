"""Judges a scrape: pure functions from a page, and what was true meanwhile, to what is wrong with the page.

Each check is a promise of the exporter. How late a page may be follows from the configuration (`Bounds`); only
`Bounds.allowance` is for the machine.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from math import inf

from exporter.model import PENDING_STATES
from tests.faults.look import SAME, Look
from tests.faults.page import Shown, ShownTarget
from tests.faults.truth import Fact

_DAY = 86_400.0
_FITS = 300.0
"""Seconds between two deletions of a key that may be taken for one: the exporter can't tell them apart either."""


def missing(look: Look) -> Iterator[str]:
    """No pending key is missing that was seen, or that there was time enough to see."""
    for target in look.truth.spans:
        if look.was_away(target):
            continue
        keys = look.page.targets[target].keys if target in look.page.targets else {}
        for key_id in look.truth.keys(target):
            since = look.truth.pending_since(target, key_id)
            if since is None:
                continue
            seen = look.life.pending.get((target, key_id), -inf) >= since
            readable = min(look.calm_for(target), look.began - since) > look.bounds.detect
            if not seen and not readable:
                continue
            look.checked["missing"] += 1
            shown = keys.get(key_id)
            if shown is not None and shown.pending:
                continue
            if look.key_may_be_dropped(target) and not readable:
                continue
            yield f"{target} {key_id} is pending since {look.began - since:.1f} s and shown as {shown}"


def invented(look: Look) -> Iterator[str]:
    """What is told of a key was true, and not longer ago than it may be served."""
    for target, shown_target in look.page.targets.items():
        calm = look.calm_for(target) > look.bounds.detect
        horizon = look.began - (look.bounds.detect if calm else look.bounds.kept)
        # A pending key that can't be read stays until its date, and the page says that there is such a key.
        unread = look.life.unreadable_since.get(target, look.began) if shown_target.unreadable else inf
        for key_id, shown in shown_target.keys.items():
            look.checked["invented"] += 1
            oldest = min(horizon, unread - look.bounds.kept) if shown.pending else horizon
            facts = look.truth.facts(target, key_id, oldest, look.ended)
            lies = look.truth.told(key_id, oldest)
            if not any(_tells(shown, fact, lies) for fact in facts):
                yield f"{target} {key_id} is shown as {shown}, and was {facts}"
        for key_id, stone in shown_target.tombstones.items():
            look.checked["invented"] += 1
            facts = look.truth.facts(target, key_id, -inf, look.ended)
            if None not in facts or key_id in shown_target.keys or not _passed(look, stone.deleted_at):
                yield f"{target} {key_id} is told as deleted ({stone}), and was {facts}"


def _tells(shown: Shown, fact: Fact | None, lies: set[str]) -> bool:
    if fact is None or len(shown.states) != 1 or shown.pending is not (shown.states[0] in PENDING_STATES):
        return False
    if shown.states[0] in lies and not fact.pending:
        return shown.deletion_at is None
    return shown.states[0] == fact.state and same(shown.deletion_at, fact.deletion_at)


def same(one: float | None, other: float | None, within: float = SAME) -> bool:
    return one is other if one is None or other is None else abs(one - other) <= within


def _passed(look: Look, told: float | None) -> bool:
    """Whether a time that is told is one that has passed since the process was started."""
    return any(moment >= look.life.began - SAME for moment in look.moments(told))


def scheduled(look: Look) -> Iterator[str]:
    """The moment at which a deletion was scheduled is one of that very deletion, whoever tells it."""
    for target, shown_target in look.page.targets.items():
        for key_id, shown in shown_target.keys.items():
            if shown.scheduled_at is None:
                continue
            look.checked["scheduled"] += 1
            spans = look.truth.spans.get(target, {}).get(key_id, [])
            # CloudTrail tells it by AWS's clock, a page that noticed it itself by the exporter's.
            moments = [shown.scheduled_at, *look.moments(shown.scheduled_at)]
            about = [span for span in spans if span.fact and same(shown.deletion_at, span.fact.deletion_at, _FITS)]
            if not any(
                span.since - SAME <= at <= min(span.until, look.ended) + SAME for span in about for at in moments
            ):
                yield f"{target} {key_id} is told as scheduled at {shown.scheduled_at}; it was {spans}"


def days(look: Look) -> Iterator[str]:
    """The remaining days are those of the moment of the scrape."""
    for target, shown in look.page.targets.items():
        for key_id, key in shown.keys.items():
            if (key.days_left is None) is not (key.deletion_at is None):
                yield f"{target} {key_id} has {key.days_left} days left until {key.deletion_at}"
            elif key.days_left is not None and key.deletion_at is not None:
                look.checked["days"] += 1
                at = key.deletion_at - key.days_left * _DAY - look.clock.ahead
                if not look.began - SAME <= at <= look.ended + SAME:
                    yield f"{target} {key_id}: {key.days_left} days left are those of {look.began - at:.1f} s ago"


def ages(look: Look) -> Iterator[str]:
    """Times of success are true, and there is none from when no success was possible."""
    for target, shown in look.page.targets.items():
        for told in (shown.last_success, shown.last_full):
            if told is None:
                continue
            look.checked["ages"] += 1
            if not _passed(look, told):
                yield f"{target} tells a success at {told}, {look.ended - told:.1f} s ago, when there was no such time"
        hopeless = look.troubles.total_since(target) + look.bounds.allowance
        moments = look.moments(shown.last_success)
        if moments and min(moments) > hopeless:
            yield f"{target} tells a success {look.ended - min(moments):.1f} s ago, when none was possible"
    if look.page.snapshot_at is not None and not _passed(look, look.page.snapshot_at):
        yield f"the snapshot is of {look.page.snapshot_at}, when there was no such time"


def admitted(look: Look) -> Iterator[str]:
    """A page that has been wrong about a key for longer than a change takes to be seen says that it may be."""
    settled = look.bounds.detect + 3 * look.bounds.interval + look.bounds.allowance
    for target in look.truth.spans:
        shown = look.page.targets.get(target)
        slow = any(trouble.slow for trouble in look.troubles.about(target, look.began - settled))
        if shown is None or slow or look.began - look.life.began < settled or _admits(look, shown):
            continue
        for key_id in look.truth.keys(target):
            standing = look.truth.standing(target, key_id)
            if look.began - standing.since < settled:
                continue
            look.checked["admitted"] += 1
            key, lies = shown.keys.get(key_id), look.truth.told(key_id, look.began - settled)
            right = key is None if standing.fact is None else key is not None and _tells(key, standing.fact, lies)
            if not right:
                yield f"{target} is told as well read, {key_id} as {key}; it is {standing.fact}"


def _admits(look: Look, shown: ShownTarget) -> bool:
    """Whether it is to be seen that a target may have changed since it was read."""
    moments = look.moments(shown.last_success)
    age = look.ended - max(moments, default=-inf)
    return not shown.up or shown.unreadable > 0 or age > 3 * look.bounds.interval + look.bounds.allowance


def shown_down(look: Look) -> Iterator[str]:
    """A target of which no pass can succeed is told to be down, and its keys go once they are too old."""
    for target, shown in look.page.targets.items():
        failed_for = look.began - max(look.troubles.failed_since(target), look.life.began + look.bounds.start)
        if failed_for <= look.bounds.recover or look.leaves(target) < inf:
            continue
        look.checked["shown_down"] += 1
        if shown.up:
            yield f"{target} is told to be up though passes must have failed for {failed_for:.1f} s"
        if shown.keys and failed_for > look.bounds.kept:
            yield f"{target} still has keys, though passes must have failed for {failed_for:.1f} s"


def recovered(look: Look) -> Iterator[str]:
    """A target that can be read again is up within two intervals, and tells the whole truth after a full pass."""
    for target in look.truth.spans:
        calm_for = look.calm_for(target)
        if calm_for <= look.bounds.recover:
            continue
        look.checked["recovered"] += 1
        shown = look.page.targets.get(target, ShownTarget())
        moments = look.moments(shown.last_success)
        age = look.ended - max(moments, default=-inf)
        if not shown.up or age > look.bounds.recover:
            yield f"{target}: up {shown.up}, read {age:.1f} s ago, after {calm_for:.1f} s of calm"
        if calm_for <= look.bounds.recover + look.bounds.detect:
            continue
        # A key that is deleted between two requests of a pass can't be described in it.
        unreadable_for = look.began - look.life.unreadable_since.get(target, look.began)
        if shown.unreadable and unreadable_for > look.bounds.recover:
            yield f"{target} has unreadable keys for {unreadable_for:.1f} s after {calm_for:.1f} s of calm"
        for key_id in look.truth.keys(target):
            standing = look.truth.standing(target, key_id)
            if look.began - standing.since > look.bounds.detect and standing.fact and key_id not in shown.keys:
                yield f"{target} {key_id} is {standing.fact} and not shown after {calm_for:.1f} s of calm"


def left(look: Look) -> Iterator[str]:
    """What is no longer to be watched is no longer told."""
    for target in look.truth.spans:
        gone_for = look.began - look.leaves(target)
        if gone_for > look.bounds.start:
            look.checked["left"] += 1
            if target in look.page.targets:
                yield f"{target} is told {gone_for:.1f} s after it left"


def counted(look: Look) -> Iterator[str]:
    """The counts of a target are those of its keys."""
    for target, shown in look.page.targets.items():
        look.checked["counted"] += 1
        states = Counter(state for key in shown.keys.values() for state in key.states)
        counts = Counter({state: count for (_, state), count in shown.counts.items() if count})
        if states != counts:
            yield f"{target} counts {dict(counts)}, and shows {dict(states)}"


CHECKS: tuple[Callable[[Look], Iterator[str]], ...] = (
    missing,
    invented,
    scheduled,
    days,
    ages,
    admitted,
    shown_down,
    recovered,
    left,
    counted,
)


def judge(look: Look) -> list[str]:
    """Return every violation, each with the name of the check; take note of what the page told."""
    found = [f"{check.__name__}: {violation}" for check in CHECKS for violation in check(look)]
    _remember(look)
    return found


def _remember(look: Look) -> None:
    # What left and comes back is read anew.
    look.life.pending = {seen: at for seen, at in look.life.pending.items() if not look.was_away(seen[0])}
    for target, shown in look.page.targets.items():
        for key_id, key in shown.keys.items():
            if key.pending and not look.was_away(target):
                look.life.pending[target, key_id] = look.began
        if moments := look.moments(shown.last_success):
            look.life.success[target] = max(moments)
        if shown.unreadable:
            look.life.unreadable_since.setdefault(target, look.began)
        else:
            look.life.unreadable_since.pop(target, None)
