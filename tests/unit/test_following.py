"""How long a pass relies on events instead of the list of keys."""

import logging
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from exporter.eventlog import EventLog
from exporter.following import Following
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import Events, Target, TargetState
from exporter.schedule import Schedule
from exporter.settings import Settings

if TYPE_CHECKING:
    from exporter.aws.trail import Trail

SETTINGS = Settings()
INTERVAL, YOUNG = SETTINGS.refresh.interval, SETTINGS.refresh.fallback_interval


def following(clock: list[float]) -> Following:
    """Follow events with a clock that reads `clock[0]`; CloudTrail is never asked."""
    log = Log(logging.getLogger("exporter"))
    rng = random.Random(0)
    return Following(
        settings=SETTINGS,
        trail=cast("Trail", None),
        inventory=Inventory(keep_failed=600, keep_tombstones=600, now=lambda: 0.0, monotonic=lambda: clock[0]),
        schedule=Schedule(interval=INTERVAL, full_interval=YOUNG, rng=rng),
        eventlog=EventLog(log, cast("Any", None)),
        monotonic=lambda: clock[0],
        rng=rng,
    )


def state(number: int) -> TargetState:
    return TargetState(Target(f"{number:012}", "eu-west-1"), up=True, events=Events("cloudtrail", "", 3600.0))


def test_a_list_is_relied_on_for_the_fallback_interval_at_the_most() -> None:
    clock = [0.0]
    room, one = following(clock), state(1)
    assert not room.can_rely_on_events(one), "nothing was listed"
    for began in (0.0, YOUNG, 2 * YOUNG):
        room.listed(one.target, began)
        clock[0] = began + YOUNG
        assert not room.can_rely_on_events(one)
    room.listed(one.target, clock[0])
    clock[0] += YOUNG / 2
    assert room.can_rely_on_events(one)


def test_a_key_that_an_event_named_is_a_suspect_until_a_while_after_kms_was_asked() -> None:
    clock = [0.0]
    room, target = following(clock), state(1).target
    room.suspect(target, {"asked", "not asked"})
    clock[0] += 86_400
    assert room.suspects(target) == {"asked", "not asked"}, "no event names it again"
    room.answered(target, {"asked", "of another event"})
    clock[0] += 149
    room.answered(target, {"asked"})
    assert room.suspects(target) == {"asked", "not asked"}
    clock[0] += 2
    assert room.suspects(target) == {"not asked"}


def test_targets_that_began_together_do_not_list_their_keys_together() -> None:
    clock = [0.0]
    room, states = following(clock), [state(number) for number in range(500)]
    for one in states:
        room.listed(one.target, 0.0)
    lists: Counter[int] = Counter()
    passes = round(3 * YOUNG / INTERVAL)
    for number in range(1, passes):
        clock[0] = number * INTERVAL
        for one in states:
            if not room.can_rely_on_events(one):
                room.listed(one.target, clock[0])
                lists[number] += 1
    assert set(lists) == set(range(1, passes))
    assert max(lists.values()) < len(states) / 2
