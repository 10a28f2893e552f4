"""The three cases of GetKeyLastUsage, kept apart."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.aws.usage import read_usage
from exporter.model import Usage, UsageCase

TRACKED = datetime(2026, 6, 1, tzinfo=UTC)
USED = datetime(2026, 11, 3, 12, tzinfo=UTC)


def answer(*, created: datetime = TRACKED, **use: Any) -> Any:
    return {"KeyId": "abc", "KeyLastUsage": use, "TrackingStartDate": TRACKED, "KeyCreationDate": created}


def test_a_use_on_record() -> None:
    use = {"Operation": "Decrypt", "Timestamp": USED, "CloudTrailEventId": "e1", "KmsRequestId": "r1"}
    assert read_usage(answer(**use)) == Usage(UsageCase.USED, TRACKED.timestamp(), USED.timestamp(), "Decrypt", "e1")


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=-1)])
def test_no_use_of_a_key_that_the_record_begins_with_means_never(age: timedelta) -> None:
    assert read_usage(answer(created=TRACKED - age)) == Usage(UsageCase.NEVER, TRACKED.timestamp())


def test_no_use_of_an_older_key_proves_nothing() -> None:
    assert read_usage(answer(created=TRACKED - timedelta(seconds=1))) == Usage(UsageCase.UNKNOWN, TRACKED.timestamp())


@pytest.mark.parametrize("member", ["KeyLastUsage", "TrackingStartDate", "KeyCreationDate"])
def test_an_answer_that_lacks_something_proves_nothing_at_all(member: str) -> None:
    broken = answer()
    del broken[member]
    with pytest.raises(KeyError):
        read_usage(broken)


def test_a_use_without_its_time_is_none() -> None:
    with pytest.raises(KeyError):
        read_usage(answer(Operation="Decrypt"))
