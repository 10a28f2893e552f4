"""Whatever goes wrong with AWS: no pending key is lost, nothing healthy suffers, and everything recovers by itself."""

import random
from typing import TYPE_CHECKING

import pytest

from exporter.demo.faults import Faults
from exporter.demo.scenario import uniform_world
from exporter.demo.vault import Vault
from exporter.demo.world import World

if TYPE_CHECKING:
    from tests.aws.harness import Eventually, Lab, OpenLab, OpenStation, Station

HOME = "111122223333"
IRELAND, VIRGINIA = "eu-west-1", "us-east-1"
REGIONS = (IRELAND, VIRGINIA)


@pytest.fixture
def lab(open_lab: "OpenLab") -> "Lab":
    """Two regions with twenty keys each, five of them pending."""
    return open_lab(uniform_world(20, REGIONS, pending=5))


@pytest.fixture
def station(lab: "Lab", open_station: "OpenStation", eventually: "Eventually") -> "Station":
    """A loop that has seen everything once."""
    station = open_station(lab, read_timeout=0.3)
    eventually(lambda: station.refresher.ready)
    eventually(lambda: station.pending() == truth(lab.world))
    return station


def truth(world: World) -> set[str]:
    """Return the ARN of every key that is pending."""
    return {key.arn for key in world.pending()}


def errors_of(station: "Station", region: str) -> set[tuple[str, str]]:
    state = station.state(region)
    assert state is not None
    return set(state.errors)


class TestAnEndpointThatDies:
    def test_its_keys_stay_and_it_is_down(self, lab: "Lab", station: "Station", eventually: "Eventually") -> None:
        lab.emulator.stop()
        eventually(lambda: not any(station.is_up(region) for region in REGIONS))
        assert station.pending() == truth(lab.world)
        assert "connection" in {reason for _, reason in errors_of(station, IRELAND)}

    def test_it_recovers_and_tells_what_happened_meanwhile(
        self, lab: "Lab", station: "Station", eventually: "Eventually"
    ) -> None:
        lab.emulator.stop()
        eventually(lambda: not any(station.is_up(region) for region in REGIONS))
        vault = lab.world.vault(HOME, IRELAND)
        vault.cancel_deletion(vault.pending()[0].key_id)
        vault.schedule_deletion(next(key.key_id for key in vault.keys.values() if key.state == "Enabled"))
        lab.emulator.start()
        eventually(lambda: all(station.is_up(region) for region in REGIONS))
        eventually(lambda: station.pending() == truth(lab.world))
        eventually(lambda: lab.heard.changes == {"deletion_scheduled": 1, "deletion_cancelled": 1})

    def test_one_that_is_dead_at_the_start_is_found_later(
        self, lab: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        lab.emulator.stop()
        station = open_station(lab)
        eventually(lambda: station.events.named("account_failed"))
        lab.emulator.start()
        lab.monotonic.advance(30)
        eventually(lambda: station.refresher.ready)
        assert station.pending() == truth(lab.world)
        assert not lab.heard.changes, "what is seen for the first time is no change"


class TestARegionThatIsABlackHole:
    @pytest.mark.parametrize("concurrency", [1, 16])
    def test_the_others_keep_their_schedule(
        self, lab: "Lab", open_station: "OpenStation", eventually: "Eventually", concurrency: int
    ) -> None:
        station = open_station(lab, concurrency=concurrency, read_timeout=0.3)
        eventually(lambda: station.refresher.ready)
        hole = lab.faults.hang(region=VIRGINIA)
        eventually(lambda: station.is_up(VIRGINIA) is False)
        lab.world.counts.clear()
        eventually(lambda: lab.world.counts.total("ListKeys", region=IRELAND) >= 6)
        eventually(lambda: station.is_up(IRELAND))
        assert lab.world.counts.total(region=VIRGINIA) < lab.world.counts.total(region=IRELAND)
        assert station.pending() == truth(lab.world)
        lab.faults.remove(hole)
        eventually(lambda: station.is_up(VIRGINIA))

    def test_a_deletion_elsewhere_is_found_all_the_same(
        self, lab: "Lab", station: "Station", eventually: "Eventually"
    ) -> None:
        lab.faults.hang(region=VIRGINIA)
        eventually(lambda: station.is_up(VIRGINIA) is False)
        vault = lab.world.vault(HOME, IRELAND)
        vault.schedule_deletion(next(key.key_id for key in vault.keys.values() if not key.pending))
        eventually(lambda: station.pending() == truth(lab.world))

    def test_an_answer_that_never_ends_is_no_better(
        self, lab: "Lab", station: "Station", eventually: "Eventually"
    ) -> None:
        lab.faults.hang_after_headers(region=VIRGINIA)
        eventually(lambda: station.is_up(VIRGINIA) is False)
        eventually(lambda: station.is_up(IRELAND))
        assert {reason for _, reason in errors_of(station, VIRGINIA)} == {"timeout"}


class TestAnswersThatAreErrors:
    def test_half_of_them_500_and_every_pending_key_is_found(
        self, lab: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        lab.faults.internal_error(fraction=0.5, service="kms")
        station = open_station(lab)
        eventually(lambda: station.pending() == truth(lab.world))
        eventually(lambda: station.key_count() == 40)

    def test_a_third_of_them_broken_in_every_way_and_every_pending_key_is_found(
        self, lab: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        for sabotage in (Faults.garble, Faults.truncate, Faults.close, Faults.internal_error):
            sabotage(lab.faults, fraction=0.08, service="kms")
        station = open_station(lab)
        eventually(lambda: station.pending() == truth(lab.world))
        # A key that could not be read at first is told as scheduled when it is found pending, and as nothing else.
        assert lab.heard.changes.keys() <= {"deletion_scheduled"}

    @pytest.mark.parametrize("empty", [{"Keys": [], "Truncated": False}, {}], ids=["no keys", "no members"])
    def test_an_empty_answer_deletes_nothing(
        self, lab: "Lab", station: "Station", eventually: "Eventually", empty: dict[str, object]
    ) -> None:
        lie = lab.faults.change(lambda _: empty, operation="ListKeys")
        seen = station.passes()
        eventually(lambda: lie.hits >= 6 and station.passes() >= seen + 6)
        assert station.pending() == truth(lab.world)
        assert station.key_count() == 40
        assert not lab.heard.changes


class TestThrottling:
    def test_a_storm_slows_everything_and_loses_nothing(
        self, lab: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        lab.faults.throttle(fraction=0.3, service="kms")
        station = open_station(lab)
        eventually(lambda: station.pending() == truth(lab.world))
        eventually(lambda: lab.heard.throttles.total() >= 10)

    def test_a_quota_that_others_use_up_is_found(
        self, lab: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        lab.faults.set_quota("kms", "DescribeKey", 20)
        station = open_station(lab)
        eventually(lambda: station.pending() == truth(lab.world))
        eventually(lambda: station.key_count() == 40)


class TestCredentialsThatEnd:
    def test_sessions_are_renewed_while_it_runs(
        self, open_lab: "OpenLab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        lab = open_lab(uniform_world(10, [IRELAND], accounts=3, pending=2))
        station = open_station(lab, organization={"enabled": True})
        eventually(lambda: station.refresher.ready)
        lab.world.agenda.advance(3600)
        seen = station.passes()
        eventually(lambda: station.passes() >= seen + 12)
        assert all(state.up for state in station.inventory.snapshot.targets)
        assert lab.world.counts.total("AssumeRole") == 4

    def test_sessions_that_aws_forgets_cost_nothing(
        self, open_lab: "OpenLab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        lab = open_lab(uniform_world(10, [IRELAND], accounts=2, pending=2))
        station = open_station(lab, organization={"enabled": True})
        eventually(lambda: station.refresher.ready)
        lab.world.credentials.revoke("200000000001")
        seen = station.passes()
        eventually(lambda: station.passes() >= seen + 12)
        assert not station.events.named("target_failed")


@pytest.mark.parametrize("seed", range(3))
def test_after_any_mischief_the_truth_is_known_again(
    lab: "Lab", station: "Station", eventually: "Eventually", seed: int
) -> None:
    """Keys are scheduled, saved, created and deleted while all kinds of things go wrong, one after the other."""
    rng = random.Random(seed)
    sabotages = (
        Faults.throttle,
        Faults.internal_error,
        Faults.garble,
        Faults.truncate,
        Faults.close,
        Faults.hang,
        Faults.deny,
    )
    for _ in range(6):
        fault = rng.choice(sabotages)(lab.faults, fraction=rng.choice([0.3, 1.0]), region=rng.choice(REGIONS))
        for region in REGIONS:
            stir(lab.world.vault(HOME, region), rng)
        seen = station.passes()
        eventually(lambda seen=seen: station.passes() > seen)  # type: ignore[misc]  # a default in a lambda
        lab.faults.remove(fault)
    eventually(lambda: all(station.is_up(region) for region in REGIONS))
    eventually(lambda: station.pending() == truth(lab.world))
    eventually(lambda: station.key_count() == len(list(lab.world.keys())))
    eventually(lambda: not any(state.unreadable for state in station.inventory.snapshot.targets))


def stir(vault: Vault, rng: random.Random) -> None:
    """Change a few keys."""
    pending = vault.pending()
    others = sorted(key.key_id for key in vault.keys.values() if not key.pending)
    vault.schedule_deletion(rng.choice(others))
    vault.create_key(alias=f"alias/{rng.random()}")
    if pending:
        vault.cancel_deletion(rng.choice(pending).key_id)
    if len(pending) > 1:
        vault.delete(vault.pending()[0].key_id)
