"""Every request: its budget, its place in flight, its retries, its deadline, what it costs when it fails."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as botocore_errors

from exporter.aws import kms
from exporter.aws.calls import Access, Calls, Operation, Outcomes
from exporter.demo.faults import Faults
from exporter.demo.world import World
from exporter.errors import TargetError
from exporter.model import Target
from tests.aws.harness import PATIENCE

if TYPE_CHECKING:
    from tests.aws.harness import Lab, OpenLab

HOME = "111122223333"
REGION = "eu-west-1"
OTHER_REGION = "us-east-1"

Sabotage = Callable[[Faults], object]


def create_keys(lab: "Lab", count: int) -> list[str]:
    vault = lab.world.vault(HOME, REGION)
    return [vault.create_key().key_id for _ in range(count)]


def describe(
    lab: "Lab", key_ids: list[str], *, calls: Calls | None = None, patience: float = PATIENCE
) -> Outcomes[str, Any]:
    return lab.run(kms.describe_keys(calls or lab.calls(), lab.home(), key_ids, deadline=lab.deadline(patience)))


@pytest.fixture
def hurried_lab(open_lab: "OpenLab") -> "Lab":
    """A lab where the pauses after throttling pass a hundred times as fast."""
    return open_lab(World(home_regions=[REGION]), hurry=100)


def warmed_up(lab: "Lab", calls: Calls) -> Access:
    """Let credentials be found and the client be made, which takes longer than what a test wants to see."""
    access = lab.home()
    lab.run(calls.one(access, kms.LIST_KEYS, lambda _: None, deadline=lab.deadline()))
    return access


class TestRetries:
    @pytest.mark.parametrize(
        ("sabotage", "requests", "reason"),
        [
            (lambda faults: faults.deny(), 1, "AccessDeniedException"),
            (lambda faults: faults.refuse("NotFoundException"), 1, "NotFoundException"),
            (lambda faults: faults.refuse("CodeOfTomorrow"), 1, "CodeOfTomorrow"),
            (lambda faults: faults.internal_error(), 6, "KMSInternalException"),
            (lambda faults: faults.refuse("DependencyTimeoutException", 503), 6, "DependencyTimeoutException"),
            (lambda faults: faults.garble(), 3, "invalid_response"),
            (lambda faults: faults.truncate(), 3, "invalid_response"),
            (lambda faults: faults.change(lambda _: {}), 3, "invalid_response"),
        ],
        ids=[
            "denied",
            "not found",
            "unknown refusal",
            "internal error",
            "dependency",
            "garbled",
            "truncated",
            "empty answer",
        ],
    )
    def test_what_concerns_one_key_costs_that_key_after_its_attempts(
        self, lab: "Lab", sabotage: Sabotage, requests: int, reason: str
    ) -> None:
        (key_id,) = create_keys(lab, 1)
        sabotage(lab.faults)
        outcomes = describe(lab, [key_id])
        assert (outcomes.failures[key_id].reason, outcomes.ended_by) == (reason, None)
        assert lab.world.counts.total("DescribeKey") == requests

    @pytest.mark.parametrize(
        ("sabotage", "requests", "reason"),
        [
            (lambda faults: faults.hang(), 2, "timeout"),
            (lambda faults: faults.hang_after_headers(), 2, "timeout"),
            (lambda faults: faults.close(), 3, "connection"),
            (lambda faults: faults.refuse("ExpiredTokenException"), 2, "ExpiredTokenException"),
            (lambda faults: faults.refuse("UnrecognizedClientException"), 2, "UnrecognizedClientException"),
        ],
        ids=["hangs", "hangs after headers", "closes", "expired", "unknown token"],
    )
    def test_what_concerns_them_all_ends_the_asking_after_its_attempts(
        self, lab: "Lab", sabotage: Sabotage, requests: int, reason: str
    ) -> None:
        key_ids = create_keys(lab, 3)
        sabotage(lab.faults)
        outcomes = describe(lab, key_ids[:1], calls=lab.calls(read_timeout=0.2 if reason == "timeout" else PATIENCE))
        assert outcomes.ended_by is not None
        assert (outcomes.ended_by.reason, outcomes.failures) == (reason, {})
        assert lab.world.counts.total("DescribeKey") == requests

    def test_throttling_is_borne_ten_times(self, hurried_lab: "Lab") -> None:
        (key_id,) = create_keys(hurried_lab, 1)
        hurried_lab.faults.throttle()
        outcomes = describe(hurried_lab, [key_id], patience=1000)
        assert (outcomes.failures[key_id].reason, outcomes.ended_by) == ("ThrottlingException", None)
        assert hurried_lab.world.counts.total("DescribeKey") == 10
        assert hurried_lab.heard.throttles == {"DescribeKey": 10}

    def test_an_endpoint_that_is_not_there_is_tried_three_times(self, lab: "Lab") -> None:
        (key_id,) = create_keys(lab, 1)
        lab.emulator.stop()
        outcomes = describe(lab, [key_id])
        assert outcomes.ended_by is not None
        assert outcomes.ended_by.reason == "connection"
        assert lab.heard.requests == {"DescribeKey": 3}

    @pytest.mark.parametrize(
        "sabotage",
        [
            lambda faults: faults.internal_error(times=5),
            lambda faults: faults.garble(times=2),
            lambda faults: faults.close(times=2),
            lambda faults: faults.throttle(times=2),
            lambda faults: faults.refuse("ExpiredTokenException", times=1),
        ],
        ids=["internal error", "garbled", "closes", "throttled", "expired"],
    )
    def test_what_passes_in_time_costs_nothing(self, lab: "Lab", sabotage: Sabotage) -> None:
        (key_id,) = create_keys(lab, 1)
        sabotage(lab.faults)
        outcomes = describe(lab, [key_id])
        outcomes.raise_first()
        assert set(outcomes.answers) == {key_id}

    def test_so_does_a_single_time_out(self, lab: "Lab") -> None:
        (key_id,) = create_keys(lab, 1)
        lab.faults.hang(times=1)
        outcomes = describe(lab, [key_id], calls=lab.calls(read_timeout=0.5))
        outcomes.raise_first()
        assert lab.world.counts.total("DescribeKey") == 2

    def test_single_connections_that_break_here_and_there_end_nothing(self, lab: "Lab") -> None:
        broken = set[int]()

        def request(_: object, item: int) -> int:
            if item % 7 == 3 and item not in broken:
                broken.add(item)
                raise botocore_errors.ConnectionClosedError(endpoint_url="http://127.0.0.1:1")
            return item

        calls = lab.calls(concurrency=1)
        outcomes = lab.run(calls.each(lab.home(), kms.DESCRIBE_KEY, range(100), request, deadline=lab.deadline()))
        outcomes.raise_first()
        assert set(outcomes.answers) == set(range(100))
        assert len(broken) == 14

    def test_an_endpoint_that_comes_back_serves_the_same_clients(self, lab: "Lab") -> None:
        (key_id,) = create_keys(lab, 1)
        calls = lab.calls()
        describe(lab, [key_id], calls=calls).raise_first()
        lab.emulator.stop()
        assert describe(lab, [key_id], calls=calls).ended_by is not None
        lab.emulator.start()
        describe(lab, [key_id], calls=calls).raise_first()


class TestOutcomes:
    def test_one_failure_costs_no_other_answer(self, lab: "Lab") -> None:
        key_ids = create_keys(lab, 50)
        denied = lab.world.vault(HOME, REGION).create_key(denied={"DescribeKey"}).key_id
        outcomes = describe(lab, [*key_ids[:20], denied, *key_ids[20:]])
        assert set(outcomes.answers) == set(key_ids)
        assert set(outcomes.failures) == {denied}
        assert lab.world.counts.total("DescribeKey") == 51

    def test_what_was_answered_before_the_end_is_kept(self, lab: "Lab") -> None:
        def request(_: object, item: int) -> int:
            if item == 5:
                raise botocore_errors.EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
            return item * item

        calls = lab.calls(concurrency=1)
        outcomes = lab.run(calls.each(lab.home(), kms.DESCRIBE_KEY, range(10), request, deadline=lab.deadline()))
        assert outcomes.answers == {item: item * item for item in range(10) if item != 5}
        assert outcomes.ended_by is not None

    def test_what_ends_it_is_told_with_target_and_operation(self, lab: "Lab") -> None:
        (key_id,) = create_keys(lab, 1)
        lab.faults.close()
        with pytest.raises(TargetError, match=r"^DescribeKey in 111122223333/eu-west-1: connection: ") as raised:
            describe(lab, [key_id]).raise_first()
        assert raised.value.target == Target(HOME, REGION)

    def test_nothing_to_ask_takes_no_request(self, lab: "Lab") -> None:
        outcomes = describe(lab, [])
        assert outcomes == Outcomes()
        assert not lab.world.counts.total()

    def test_half_of_the_answers_may_be_errors(self, hurried_lab: "Lab") -> None:
        key_ids = create_keys(hurried_lab, 200)
        hurried_lab.faults.internal_error(fraction=0.5)
        outcomes = describe(hurried_lab, key_ids, patience=1000)
        assert outcomes.ended_by is None
        assert len(outcomes.answers) > 180
        assert outcomes.answers.keys() | outcomes.failures.keys() == set(key_ids)

    def test_no_credentials_end_it_before_a_request(self, lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        outcomes = describe(lab, create_keys(lab, 20))
        assert outcomes.ended_by is not None
        assert (outcomes.ended_by.reason, outcomes.answers) == ("credentials", {})
        assert not lab.heard.requests


class TestTelemetry:
    def test_requests_that_are_counted_are_those_that_aws_sees(self, lab: "Lab") -> None:
        lab.faults.internal_error(fraction=0.3)
        lab.faults.close(fraction=0.05)
        lab.faults.throttle(fraction=0.1)
        describe(lab, create_keys(lab, 100))
        seen = lab.world.counts.total("DescribeKey")
        assert seen > 100
        assert lab.heard.requests == {"DescribeKey": seen}
        assert lab.heard.throttles["DescribeKey"] == lab.world.counts.refused("ThrottlingException")


class TestBudget:
    def test_requests_take_their_share_of_the_quota_and_no_more(self, lab: "Lab") -> None:
        rate, sent_at = 100.0, list[float]()

        def request(_client: object, _item: int) -> None:
            sent_at.append(time.monotonic())

        calls = lab.calls(request_rate=rate / kms.DESCRIBE_KEY.quota)
        access = warmed_up(lab, calls)
        lab.run(calls.each(access, kms.DESCRIBE_KEY, range(48), request, deadline=lab.deadline())).raise_first()
        begun = min(sent_at)
        for number, at in enumerate(sorted(sent_at)):
            # Eight in a row, then as the quota allows; a thread that is slow to start says nothing about that.
            assert at - begun >= (number - 8) / rate - 0.1

    def test_each_target_and_operation_has_its_own(self, lab: "Lab") -> None:
        slow = Operation("kms", "DescribeKey", quota=0.1)
        other = Operation("kms", "ListKeys", quota=0.1)
        calls, here, there = lab.calls(), lab.home(), Access(Target(HOME, OTHER_REGION), lab.home().identity)

        def ask(access: Access, operation: Operation, patience: float = 5) -> None:
            lab.run(calls.one(access, operation, lambda _: None, deadline=lab.deadline(patience)))

        ask(here, slow)
        ask(there, slow)
        ask(here, other)
        with pytest.raises(TargetError, match="deadline"):
            ask(here, slow, patience=0.2)

    def test_what_is_refused_one_by_one_does_not_cost_the_budget_of_eight(self, open_lab: "OpenLab") -> None:
        lab = open_lab(World(home_regions=[REGION]), hurry=5)
        vault = lab.world.vault(HOME, REGION)
        denied = [vault.create_key(denied={"DescribeKey"}).key_id for _ in range(8)]
        calls = lab.calls(request_rate=1 / kms.DESCRIBE_KEY.quota)
        access = warmed_up(lab, calls)
        # One a second makes 7 seconds; if what is put back were paid for each time, 27.
        outcomes = lab.run(kms.describe_keys(calls, access, denied, deadline=lab.deadline(26)))
        assert (len(outcomes.failures), outcomes.ended_by) == (8, None)

    def test_throttling_slows_only_the_operation_that_is_throttled(self, lab: "Lab") -> None:
        key_ids = create_keys(lab, 1)
        lab.faults.throttle(operation="DescribeKey")
        calls, access = lab.calls(), lab.home()

        async def both() -> set[str]:
            deadline = lab.deadline()
            tasks = [
                asyncio.create_task(kms.describe_keys(calls, access, key_ids, deadline=deadline), name="describe"),
                asyncio.create_task(kms.list_aliases(calls, access, deadline=deadline), name="aliases"),
            ]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            return {task.get_name() for task in done}

        assert lab.run(both()) == {"aliases"}


class Gate:
    """A request that stays on the wire until it is let through, and counts how many are."""

    def __init__(self, wanted: int) -> None:
        self._lock = threading.Lock()
        self._wanted = wanted
        self._open = threading.Event()
        self.inside = 0
        self.most = 0

    def __call__(self, _client: object, item: object) -> object:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == self._wanted:
                self._open.set()
        self._open.wait(PATIENCE)
        with self._lock:
            self.inside -= 1
        return item

    def open(self) -> None:
        self._open.set()


class TestInFlight:
    def test_one_endpoint_gets_three_quarters_of_the_places(self, lab: "Lab") -> None:
        gate = Gate(wanted=6)
        calls = lab.calls(concurrency=8)
        work = calls.each(lab.home(), kms.DESCRIBE_KEY, range(200), gate, deadline=lab.deadline())
        assert len(lab.run(work).answers) == 200
        assert gate.most == 6

    def test_all_endpoints_together_get_all_of_them(self, open_lab: "OpenLab") -> None:
        lab = open_lab(World(home_regions=[REGION, OTHER_REGION]))
        gate, calls = Gate(wanted=8), lab.calls(concurrency=8)

        async def both() -> None:
            await asyncio.gather(
                *(
                    calls.each(lab.home(region), kms.DESCRIBE_KEY, range(200), gate, deadline=lab.deadline())
                    for region in (REGION, OTHER_REGION)
                )
            )

        lab.run(both())
        assert gate.most == 8

    def test_a_single_place_is_enough(self, lab: "Lab") -> None:
        gate = Gate(wanted=1)
        work = lab.calls(concurrency=1).each(lab.home(), kms.DESCRIBE_KEY, range(20), gate, deadline=lab.deadline())
        assert len(lab.run(work).answers) == 20
        assert gate.most == 1


class TestDeadline:
    def test_it_holds_though_the_request_is_still_on_the_wire(self, lab: "Lab") -> None:
        gate, calls = Gate(wanted=2), lab.calls(concurrency=1)
        access = warmed_up(lab, calls)

        def ask(patience: float) -> Outcomes[str, object]:
            return lab.run(calls.each(access, kms.DESCRIBE_KEY, ["a"], gate, deadline=lab.deadline(patience)))

        given_up = ask(0.5)
        assert given_up.ended_by is not None
        assert given_up.ended_by.reason == "timeout"
        assert gate.inside == 1, "nothing ended before the deadline did"

        assert ask(0.5).ended_by is not None
        assert gate.inside == 1, "the place is taken as long as the thread is"

        gate.open()
        assert ask(PATIENCE).answers == {"a": "a"}
        assert gate.most == 1

    def test_it_holds_while_requests_wait_for_their_budget(self, lab: "Lab") -> None:
        rare, calls = Operation("kms", "DescribeKey", quota=0.1), lab.calls()
        access = warmed_up(lab, calls)
        outcomes = lab.run(calls.each(access, rare, range(20), lambda _, item: item, deadline=lab.deadline(1.0)))
        assert outcomes.ended_by is not None
        assert set(outcomes.answers) == set(range(8)), "what was answered before is kept"

    def test_one_that_has_passed_is_no_time_at_all(self, lab: "Lab") -> None:
        outcomes = describe(lab, create_keys(lab, 1), patience=-1)
        assert outcomes.ended_by is not None
        assert outcomes.ended_by.reason == "timeout"


class TestHangingEndpoint:
    def test_it_gets_one_probe_at_a_time_and_the_others_their_share(self, open_lab: "OpenLab") -> None:
        lab = open_lab(World(home_regions=[REGION, OTHER_REGION]))
        calls = lab.calls(concurrency=4, read_timeout=0.3)
        lab.faults.hang(region=OTHER_REGION)
        key_ids = create_keys(lab, 40)
        doomed = [lab.world.vault(HOME, OTHER_REGION).create_key().key_id for _ in range(40)]

        async def both() -> tuple[Outcomes[str, Any], Outcomes[str, Any]]:
            return await asyncio.gather(
                kms.describe_keys(calls, lab.home(OTHER_REGION), doomed, deadline=lab.deadline()),
                kms.describe_keys(calls, lab.home(), key_ids, deadline=lab.deadline()),
            )

        hanging, healthy = lab.run(both())
        assert hanging.ended_by is not None
        assert hanging.ended_by.reason == "timeout"
        assert set(healthy.answers) == set(key_ids)
        # Three at once found out that it hangs; then one at a time, until one key had been tried twice.
        assert lab.world.counts.total("DescribeKey", region=OTHER_REGION) == 4

    def test_it_is_as_good_as_any_other_once_it_answers(self, lab: "Lab") -> None:
        calls = lab.calls(concurrency=4, read_timeout=0.3)
        fault = lab.faults.hang()
        assert describe(lab, create_keys(lab, 40), calls=calls).ended_by is not None
        lab.faults.remove(fault)
        gate = Gate(wanted=3)
        work = calls.each(lab.home(), kms.DESCRIBE_KEY, range(100), gate, deadline=lab.deadline())
        gate.open()
        lab.run(work).raise_first()
        full_again = Gate(wanted=3)
        lab.run(calls.each(lab.home(), kms.DESCRIBE_KEY, range(100), full_again, deadline=lab.deadline())).raise_first()
        assert full_again.most == 3
