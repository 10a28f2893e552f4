"""Where an estimate goes beyond a budget, or the settings ask for what can't be had."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from exporter.aws import kms
from exporter.aws.calls import Operation
from exporter.aws.cloudtrail import LOOKUP_EVENTS
from exporter.aws.grants import LIST_GRANTS
from exporter.aws.usage import GET_KEY_LAST_USAGE
from exporter.estimate import DAY, Cost, Estimate, Mode
from exporter.settings.durations import format_duration

if TYPE_CHECKING:
    from exporter.settings import Settings

MOST_OF_A_PROCESS: Final = 1000.0
"""Requests a second near which one process has no CPU left; measured, whatever the number of threads."""

_SHORT: Final = 10.0
_LATE: Final = {
    LOOKUP_EVENTS: "changes and denied uses are looked for less often",
    GET_KEY_LAST_USAGE: "when keys were last used is asked less often",
    LIST_GRANTS: "grants are asked for less often",
}


def shortfalls(settings: "Settings", estimate: Estimate) -> Iterator[str]:
    """Tell each in a sentence that says what to do."""
    if not settings.changes.cloudtrail:
        yield (
            "changes.cloudtrail is false: events are not readable, whatever the permissions. A queue tells of changes "
            "sooner, and does not make full passes rarer."
        )
    refresh = settings.refresh
    for mode, option, interval in (
        (Mode.EVENTS, "refresh.full_interval", refresh.full_interval),
        (Mode.NO_EVENTS, "refresh.fallback_interval", refresh.fallback_interval),
    ):
        yield from _of_full_passes(settings, estimate.costs[mode], mode, option, interval)
    for operation, rate in estimate.costs[Mode.EVENTS].rates.items():
        if operation in _LATE and rate > _share(settings, operation):
            yield (
                f"{operation.name}: {rate:.3g} a second would be asked for in one account and region, and "
                f"aws.request_rate allows {_share(settings, operation):.3g}: {_LATE[operation]}."
            )
    yield from _of_processes(settings, estimate)


def _of_full_passes(settings: "Settings", cost: Cost, mode: Mode, option: str, interval: float) -> Iterator[str]:
    if cost.full_pass <= interval:
        return
    needed = settings.aws.request_rate * cost.full_pass / interval
    remedy = f"aws.request_rate to {needed:.2g} or more, or " if needed <= 1 else ""
    yield (
        f"{_WHEN[mode]}, full passes follow one another without end: one takes {length(cost.full_pass)} at "
        f"{_share(settings, kms.DESCRIBE_KEY):g} DescribeKey a second, and {option} is {format_duration(interval)}. "
        f"Raise {remedy}{option}."
    )


def _of_processes(settings: "Settings", estimate: Estimate) -> Iterator[str]:
    for mode in (Mode.EVENTS, Mode.NO_EVENTS):
        rate = estimate.costs[mode].total / DAY / settings.shard.total
        if rate > MOST_OF_A_PROCESS:
            yield (
                f"{_WHEN[mode]}, {rate:,.0f} requests a second come from one process, which sends about "
                f"{MOST_OF_A_PROCESS:,.0f} at the most. Share the targets between more shards (shard.total)."
            )


_WHEN: Final = {Mode.EVENTS: "With events readable", Mode.NO_EVENTS: "Where events are not readable"}


def _share(settings: "Settings", operation: Operation) -> float:
    return operation.quota * settings.aws.request_rate


def length(seconds: float) -> str:
    """Write seconds as precisely as they are of interest."""
    return f"{seconds:.2g}s" if seconds < _SHORT else format_duration(float(round(seconds)))
