"""Answers of AWS that are not what the API model promises, as boto3 gets them.

Each is either read, or told as `invalid_response` about the one thing that was asked for. Nothing else is raised,
nothing is invented, and what was read can be told in every format.
"""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws import grants, kms, tagging, usage
from exporter.aws.calls import Outcomes
from exporter.errors import TargetError
from exporter.model import Evidence, Key
from tests.fuzz.corpus import FOLDER, VALID, noting, valid
from tests.fuzz.documents import anything, strings
from tests.fuzz.effort import tries
from tests.fuzz.told import everything_can_be_told, snapshot_of
from tests.fuzz.wire import Wire

KEY_ID: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN: Final = f"arn:aws:kms:eu-west-1:111122223333:key/{KEY_ID}"
KEY: Final = Key(KEY_ID, ARN, "PendingDeletion")


@dataclass(frozen=True)
class Question:
    """Something that AWS is asked.

    Attributes:
        ask: the coroutine that asks.
        tell: checks that what was read can be told.
        service: the one that answers.
        of_one: whether the answer is about one key, and must not cost the others.
    """

    ask: Callable[[Wire], Coroutine[Any, Any, Any]]
    tell: Callable[[Any], None] = lambda _: None
    service: str = "kms"
    of_one: bool = False


def tell_key(key: Key) -> None:
    assert key.key_id == KEY_ID
    everything_can_be_told(snapshot_of(key))


def tell_evidence(**evidence: Any) -> None:
    everything_can_be_told(snapshot_of(KEY, evidence={KEY_ID: Evidence(**evidence)}))


QUESTIONS: Final = {
    "describe_key": Question(
        lambda aws: kms.describe_keys(aws.calls, aws.access, [KEY_ID], deadline=aws.deadline()),
        tell_key,
        of_one=True,
    ),
    "list_keys": Question(lambda aws: kms.list_keys(aws.calls, aws.access, deadline=aws.deadline())),
    "list_aliases": Question(
        lambda aws: kms.list_aliases(aws.calls, aws.access, deadline=aws.deadline()),
        lambda found: everything_can_be_told(
            snapshot_of(*(Key(key_id, ARN, "Enabled", aliases=names) for key_id, names in found.items()))
        ),
    ),
    "list_grants": Question(
        lambda aws: grants.grants_of(aws.calls, aws.access, [KEY_ID], deadline=aws.deadline()),
        lambda found: tell_evidence(grants=found),
        of_one=True,
    ),
    "key_last_usage": Question(
        lambda aws: usage.last_usage_of(aws.calls, aws.access, [KEY_ID], deadline=aws.deadline()),
        lambda found: tell_evidence(usage=found),
        of_one=True,
    ),
    "tags": Question(
        lambda aws: tagging.all_tags(aws.calls, aws.access, ["owner"], deadline=aws.deadline()),
        lambda found: everything_can_be_told(
            snapshot_of(*(Key(KEY_ID, arn, "Enabled", tags=tags) for arn, tags in found.items()))
        ),
        service="resourcegroupstaggingapi",
    ),
}
EXPLAINED: Final = {"CUSTOMER", "primary", "replica", "never used", "used", "unknown", "", KEY_ID}
"""Texts that may be told though no answer has them."""


def put(aws: Wire, question: Question, body: bytes) -> object:
    """Ask; return what was read, or the failure."""
    aws.answers(body, service=question.service)
    found = aws.result(question.ask(aws))
    if isinstance(found, Outcomes):
        assert found.ended_by is None, "one odd answer makes it pointless to ask about other keys"
        assert question.of_one
        return next(iter((*found.answers.values(), *found.failures.values())))
    return found


def check(aws: Wire, name: str, body: bytes) -> object:
    question = QUESTIONS[name]
    with noting(name, body):
        found = put(aws, question, body)
        if isinstance(found, TargetError):
            assert found.reason == "invalid_response", found
            assert str(found).splitlines() == [str(found)]
        else:
            assert set(texts(found)) <= EXPLAINED | words(json.loads(body))
            question.tell(found)
    return found


def texts(found: Any) -> list[str]:
    """Return every text in what was read."""
    if isinstance(found, str):
        return [found]
    if is_dataclass(found):
        return [text for field in fields(found) for text in texts(getattr(found, field.name))]
    if isinstance(found, dict):
        return [text for pair in found.items() for text in texts(pair)]
    return [text for item in found for text in texts(item)] if isinstance(found, list | tuple) else []


def words(document: Any) -> set[str]:
    found = set(strings(document))
    return found | {text.lower() for text in found}


KEPT: Final = [(name, path) for name in QUESTIONS for path in sorted((FOLDER / name).iterdir())]


@pytest.mark.parametrize(("name", "path"), KEPT, ids=[f"{name}-{path.name}" for name, path in KEPT])
def test_answers_that_are_kept(aws: Wire, name: str, path: Path) -> None:
    found = check(aws, name, path.read_bytes())
    assert isinstance(found, TargetError) is not path.name.startswith(VALID)


@pytest.mark.parametrize("name", QUESTIONS)
@tries(60)
@given(st.data())
def test_an_odd_answer_is_read_or_told_as_invalid(aws: Wire, name: str, data: st.DataObject) -> None:
    check(aws, name, data.draw(anything(valid(name))))


@tries(40)
@given(body=st.binary(max_size=300), status=st.sampled_from([400, 403, 404, 413, 500, 503]))
def test_an_error_in_any_words_is_told_in_one_line(aws: Wire, body: bytes, status: int) -> None:
    aws.answers(body, status=status)
    found = aws.result(kms.list_keys(aws.calls, aws.access, deadline=aws.deadline()))
    assert isinstance(found, TargetError)
    assert str(found).splitlines() == [str(found)]
