"""What AWS Config tells of pending keys, page by page."""

from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws.config import Aggregator, Answer
from exporter.demo.faults import merging
from exporter.demo.keys import Key
from exporter.model import ConfigKey, Target

if TYPE_CHECKING:
    from tests.aws.harness import Lab

HOME, PAYMENTS = "111122223333", "222233334444"
REGION = "eu-west-1"
NAME = "organization"
SELECT = "SelectAggregateResourceConfig"


@pytest.fixture(autouse=True)
def aggregator(lab: "Lab") -> None:
    lab.world.add_account(PAYMENTS, "payments", [REGION])
    lab.world.add_aggregator(NAME, REGION)


def ask(lab: "Lab", name: str = NAME) -> Answer:
    aggregator = Aggregator(calls=lab.calls(), home=lab.home(), name=name, now=lab.world.agenda.time)
    return lab.run(aggregator.pending())


def pending(lab: "Lab", account_id: str = HOME, count: int = 1) -> list[Key]:
    vault = lab.world.vault(account_id, REGION)
    return [vault.schedule_deletion(vault.create_key().key_id) for _ in range(count)]


def names(answer: Answer) -> set[str]:
    return {key.arn for key in answer.keys}


def test_every_pending_key_of_every_account_is_told_and_no_other(lab: "Lab") -> None:
    keys = pending(lab) + pending(lab, PAYMENTS)
    lab.world.vault(HOME, REGION).create_key()
    answer = ask(lab)
    assert answer.complete
    assert set(answer.keys) == {
        ConfigKey(Target(key.account_id, REGION), key.key_id, key.arn, "PendingDeletion", captured.captured_at)
        for key, captured in zip(keys, sorted(answer.keys, key=lambda key: key.target), strict=True)
    }
    assert all(key.captured_at == pytest.approx(answer.at, abs=5) for key in answer.keys)


def test_a_primary_that_waits_for_its_replicas_is_told_too(lab: "Lab") -> None:
    vault = lab.world.vault(HOME, REGION)
    primary = vault.create_key(multi_region=True)
    lab.world.replicate(primary, "us-east-1")
    vault.schedule_deletion(primary.key_id)
    assert [key.state for key in ask(lab).keys] == ["PendingReplicaDeletion"]


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (100, 1), (101, 2)])
def test_a_hundred_cost_a_request(lab: "Lab", count: int, requests: int) -> None:
    keys = pending(lab, count=count)
    answer = ask(lab)
    assert names(answer) == {key.arn for key in keys}
    assert answer.complete
    assert lab.world.counts.total(SELECT) == requests


def test_an_empty_page_ends_nothing(lab: "Lab") -> None:
    lab.world.rules.empty_pages.add(SELECT)
    (key,) = pending(lab)
    assert names(ask(lab)) == {key.arn}


def test_a_page_that_fails_does_not_cost_those_before_it(lab: "Lab") -> None:
    pending(lab, count=101)
    answers: list[Any] = []

    def only_the_first(answer: Any) -> Any:
        answers.append(answer)
        return answer if len(answers) == 1 else {"Results": None}

    lab.faults.change(only_the_first, operation=SELECT)
    answer = ask(lab)
    assert len(answer.keys) == 100
    assert not answer.complete
    assert answer.error is not None
    assert answer.error.reason == "invalid_response"


def test_a_result_that_can_not_be_read_is_counted_and_costs_no_other(lab: "Lab") -> None:
    (key,) = pending(lab)

    def with_nonsense(answer: Any) -> Any:
        return {**answer, "Results": ["{}", *answer["Results"], "nonsense"]}

    lab.faults.change(with_nonsense, operation=SELECT)
    answer = ask(lab)
    assert names(answer) == {key.arn}
    assert answer.unreadable == 2
    assert answer.error is None
    assert not answer.complete


def test_a_key_that_is_told_twice_counts_once(lab: "Lab") -> None:
    (key,) = pending(lab)
    lab.faults.change(lambda answer: {**answer, "Results": answer["Results"] * 2}, operation=SELECT)
    assert [told.arn for told in ask(lab).keys] == [key.arn]


def test_a_page_that_leads_to_itself_is_no_answer(lab: "Lab") -> None:
    lab.world.rules.empty_pages.add(SELECT)
    tokens: list[str] = []

    def back_to_the_second(answer: Any) -> Any:
        tokens.append(answer.get("NextToken", ""))
        return {**answer, "NextToken": tokens[0]}

    lab.faults.change(back_to_the_second, operation=SELECT)
    error = ask(lab).error
    assert error is not None
    assert "same page" in error.detail


@pytest.mark.parametrize("patch", [{"Results": None}, {"Results": 1}], ids=str)
def test_an_answer_without_results_is_not_an_answer_of_none(lab: "Lab", patch: dict[str, Any]) -> None:
    pending(lab)
    lab.faults.change(merging(patch), operation=SELECT)
    answer = ask(lab)
    assert answer.keys == ()
    assert answer.error is not None
    assert (answer.error.operation, answer.error.reason) == (SELECT, "invalid_response")


def test_a_denial_is_told(lab: "Lab") -> None:
    lab.faults.deny(operation=SELECT)
    error = ask(lab).error
    assert error is not None
    assert error.reason == "AccessDeniedException"


def test_an_aggregator_that_is_not_there_is_told(lab: "Lab") -> None:
    error = ask(lab, "another").error
    assert error is not None
    assert error.reason == "NoSuchConfigurationAggregatorException"


def test_throttling_is_waited_for(lab: "Lab") -> None:
    (key,) = pending(lab)
    lab.faults.throttle(operation=SELECT, times=2)
    assert names(ask(lab)) == {key.arn}
    assert lab.heard.throttles == {SELECT: 2}
