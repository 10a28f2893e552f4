"""What watching costs, counted at the emulator over simulated hours, and whether the estimate says the same."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from benchmarks.cost import (
    described_at,
    per_slice,
    second_full_pass,
    steady,
    uniform,
    waits_for_deletions,
    watched,
    without_events,
)
from benchmarks.simulated import Simulation
from exporter.cli import main
from exporter.demo.scenario import uniform_world
from exporter.demo.world import World
from exporter.estimate import DAY, Mode, estimate
from exporter.fleet import Fleet, spread
from exporter.settings import Settings
from tests.aws.harness import OpenLab

HOUR = 3600.0
INTERVAL = 60.0


def estimated(mode: Mode, fleet: Fleet, seconds: float, **settings: Any) -> dict[str, float]:
    """Return the estimate for so many seconds, by operation."""
    requests = estimate(Settings.model_validate(settings), fleet).costs[mode].requests
    return {operation.name: times * seconds / DAY for operation, times in requests.items()}


def one_target(keys: int, pending: int = 0) -> Fleet:
    return Fleet.of(Settings(), spread(keys, 1, pending), 1)


def assert_like(counted: Counter[str], expected: Mapping[str, float], *, each: int = 1) -> None:
    """Assert that every operation was asked for as often as expected, to 2%, or to one request for `each` that asks.

    A count in a span of time is whole, and what comes every 50 or 61 minutes falls into it once more or less.
    """
    assert counted.keys() == expected.keys()
    off = {
        name: (counted[name], times)
        for name, times in expected.items()
        if abs(counted[name] - times) > max(each, 0.02 * times)
    }
    assert not off


def test_with_readable_events_the_estimate_is_what_is_counted() -> None:
    counted = steady(watched(uniform(150), 4.1 * HOUR), 3 * HOUR)

    assert_like(counted, estimated(Mode.EVENTS, one_target(150), 3 * HOUR))


def test_without_readable_events_the_estimate_is_what_is_counted() -> None:
    counted = steady(watched(without_events(uniform(50)), 2.2 * HOUR), 2 * HOUR)

    assert_like(counted, estimated(Mode.NO_EVENTS, one_target(50), 2 * HOUR))


def test_what_pending_keys_cost_with_readable_events_is_estimated() -> None:
    counted = steady(watched(uniform(40, pending=4), 4.1 * HOUR), 3 * HOUR)

    assert_like(counted, estimated(Mode.EVENTS, one_target(40, 4), 3 * HOUR), each=4)


def test_what_pending_keys_cost_without_readable_events_is_estimated() -> None:
    counted = steady(watched(without_events(uniform(40, pending=4)), 2.2 * HOUR), 2 * HOUR)

    assert_like(counted, estimated(Mode.NO_EVENTS, one_target(40, 4), 2 * HOUR), each=4)


def test_what_an_organization_costs_is_estimated() -> None:
    settings = {"aws": {"organization": {"enabled": True}}}
    fleet = Fleet.of(Settings.model_validate(settings), spread(30, 6), 3)

    simulation = watched(lambda now: uniform_world(5, 2, 3, now=now), 4.1 * HOUR, **settings)

    # Each target has its own hour, so a span of time may hold one full pass more or less of each.
    counted = simulation.record.counted(HOUR, 4 * HOUR)
    assert_like(counted, estimated(Mode.EVENTS, fleet, 3 * HOUR, **settings), each=6 * 5)


def test_options_that_cost_are_estimated() -> None:
    def tagged(now: Callable[[], float]) -> World:
        world = uniform_world(150, now=now)
        for key in world.vault(world.home.account_id, "eu-west-1").keys.values():
            key.tags = {"owner": "somebody"}
        return world

    settings = {"keys": {"tags": ["owner"], "export": "all"}, "refresh": {"interval": "2m", "full_interval": "31m"}}

    counted = steady(watched(tagged, 3.1 * HOUR, **settings), 1920 * 5)

    assert_like(counted, estimated(Mode.EVENTS, one_target(150), 1920 * 5, **settings))


def test_readable_events_cost_two_percent_of_describing_every_key_in_every_interval_at_the_most() -> None:
    keys, hours = 1000, 3

    counted = steady(watched(uniform(keys), (hours + 1.1) * HOUR), hours * HOUR)

    assert counted["DescribeKey"] == keys * hours, "not what is to be compared: each hour has one full pass"
    assert counted.total() <= 0.02 * keys * hours * HOUR / INTERVAL


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="events"),
        pytest.param({"refresh": {"fallback_interval": "60s"}, "changes": {"cloudtrail": False}}, id="naive"),
    ],
)
def test_a_deletion_is_seen_within_an_interval_with_events_as_by_describing_every_key(settings: dict[str, Any]) -> None:
    waits = waits_for_deletions(15, **settings)

    assert len(waits) == 15
    assert max(waits) < INTERVAL + 5


def test_a_full_pass_spreads_its_requests_evenly() -> None:
    """Two a second, so that what the machine is busy with besides does not show."""
    simulation = Simulation(uniform(200), Settings.model_validate({"aws": {"request_rate": 0.001}}))
    simulation.run(150)

    sent = described_at(simulation)

    assert len(sent) == 200
    assert sent[-1] - sent[0] == pytest.approx(200 / 2, abs=8)
    assert all(32 <= count <= 48 for count in per_slice(sent, 20.0)[:-1]), "40 each, but for the eight sent in a row"


def test_full_passes_come_at_their_interval() -> None:
    simulation = watched(uniform(10), 3.5 * HOUR)

    started = [ended.at - ended.seconds for ended in simulation.record.passes if ended.mode == "full"][1:]

    assert started[0] == second_full_pass(simulation)
    assert [later - started[0] for later in started] == pytest.approx([number * HOUR for number in range(3)], abs=2)


def live(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["estimate", "--live", *arguments])
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


ORGANIZATION = ("--aws.organization.enabled", "true")


def test_live_counts_what_there_is_by_listing_it_once(open_lab: OpenLab, capsys: pytest.CaptureFixture[str]) -> None:
    lab = open_lab(uniform_world(7, 2, 3))
    lab.world.vault(lab.world.home.account_id, "eu-west-1").create_key(alias="alias/aws/ebs", manager="AWS")

    status, out, _ = live(capsys, *ORGANIZATION, "--output", "json")

    document = json.loads(out)
    assert status == 0
    assert (document["keys"], document["targets"], document["accounts"]) == (42, 6, 3)
    assert lab.world.counts.total("ListKeys") == 6
    assert lab.world.counts.total("DescribeKey") == 0


def test_live_does_not_take_keys_of_which_it_knows_no_state_for_not_pending(
    open_lab: OpenLab, capsys: pytest.CaptureFixture[str]
) -> None:
    open_lab(uniform_world(7, pending=2))

    _, text, _ = live(capsys)
    _, document, _ = live(capsys, "--output", "json")
    _, told, _ = live(capsys, "--pending", "2", "--output", "json")

    assert "how many are pending is not known" in " ".join(text.split())
    assert json.loads(document)["pending"] is None
    assert json.loads(told)["pending"] == 2


def test_live_tells_what_could_not_be_counted(open_lab: OpenLab, capsys: pytest.CaptureFixture[str]) -> None:
    lab = open_lab(uniform_world(7, ["eu-west-1", "us-east-1"]))
    lab.world.home.denied.add(("us-east-1", "ListKeys"))

    status, out, err = live(capsys, "--output", "json")

    assert status == 1
    assert json.loads(out)["keys"] == 7
    assert "us-east-1: AccessDeniedException" in json.loads(out)["not_counted"][0]
    assert err.startswith("kms-exporter: could not be counted: ListKeys in ")


def test_live_without_anything_to_count_tells_why(open_lab: OpenLab, capsys: pytest.CaptureFixture[str]) -> None:
    lab = open_lab(uniform_world(7))
    lab.world.home.denied.add(("eu-west-1", "DescribeRegions"))

    status, out, err = live(capsys)

    assert (status, out) == (2, "")
    assert "DescribeRegions" in err
