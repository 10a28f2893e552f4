"""Which events are denied uses of a pending key, and that each counts once."""

import pytest

from exporter.aws.cloudtrail import OVERLAP, Event
from exporter.aws.denied import CRYPTOGRAPHIC, Uses, is_denied_use
from exporter.aws.principals import Principal
from exporter.model import DeniedUses, Key

KEY = Key("abcd", "arn:aws:kms:eu-west-1:111122223333:key/abcd", "PendingDeletion")
OTHER_ARN = "arn:aws:kms:eu-west-1:111122223333:key/ffff"
APPLICATION = Principal("application/i-0abc", "arn:aws:sts::111122223333:assumed-role/application/i-0abc")
NOW = 1_790_000_000.0


def event(
    name: str = "Decrypt",
    *,
    at: float = NOW,
    code: str = "KMSInvalidStateException",
    message: str = f"{KEY.arn} is pending deletion.",
    event_id: str = "1",
) -> Event:
    return Event(event_id, name, at, APPLICATION, code, message)


@pytest.mark.parametrize("name", sorted(CRYPTOGRAPHIC))
def test_every_cryptographic_operation_is_a_use(name: str) -> None:
    assert is_denied_use(event(name), KEY)


@pytest.mark.parametrize(
    "name",
    [
        "CancelKeyDeletion", "CreateGrant", "DescribeKey", "EnableKey", "GetKeyRotationStatus", "PutKeyPolicy",
        "RetireGrant", "ScheduleKeyDeletion", "TagResource", "UpdateKeyDescription",
    ],
)  # fmt: skip
def test_to_manage_a_key_is_no_use_of_it(name: str) -> None:
    assert not is_denied_use(event(name), KEY)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("DisabledException", f"{KEY.arn} is disabled."),
        ("KMSInvalidStateException", f"{KEY.arn} is pending deletion."),
        ("KMSInvalidStateException", ""),
        ("KMSInvalidStateExceptionOfTomorrow", ""),
        ("SomethingNew", f"{KEY.arn} is Pending Deletion."),
        ("Client.InvalidKey", "the key is pending deletion"),
    ],
)
def test_the_code_tells_or_the_message(code: str, message: str) -> None:
    assert is_denied_use(event(code=code, message=message), KEY)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", ""),
        ("AccessDenied", "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: kms:Decrypt"),
        ("InvalidCiphertextException", ""),
        ("ThrottlingException", "Rate exceeded"),
    ],
)
def test_what_failed_for_another_reason_is_none(code: str, message: str) -> None:
    assert not is_denied_use(event(code=code, message=message), KEY)


def test_reencryption_counts_for_the_key_that_is_at_fault() -> None:
    assert not is_denied_use(event("ReEncrypt", message=f"{OTHER_ARN} is pending deletion."), KEY)


class TestCounting:
    def test_none_is_known_at_first(self) -> None:
        assert Uses(since=NOW).told() == DeniedUses(0)

    def test_an_event_that_is_found_twice_counts_once(self) -> None:
        uses = Uses(since=NOW)
        for event_id in "1", "2", "1":
            uses.add(event(event_id=event_id))
        uses.looked(NOW + 60)
        uses.add(event(event_id="2"))
        assert uses.told() == DeniedUses(2, NOW, APPLICATION.name, "Decrypt")

    def test_what_came_before_the_deletion_was_scheduled_does_not_count(self) -> None:
        uses = Uses(since=NOW)
        uses.add(event(at=NOW - 1))
        assert uses.told().count == 0

    def test_the_newest_is_told_whatever_their_order(self) -> None:
        uses = Uses(since=NOW)
        uses.add(event("Sign", at=NOW + 9, event_id="1"))
        uses.add(event("Decrypt", at=NOW + 5, event_id="2"))
        assert uses.told() == DeniedUses(2, NOW + 9, APPLICATION.name, "Sign")

    def test_a_look_goes_back_behind_the_one_before(self) -> None:
        uses = Uses(since=NOW)
        assert uses.look_from == NOW
        uses.looked(NOW + OVERLAP + 100)
        assert uses.look_from == NOW + 100

    def test_but_not_behind_the_scheduling(self) -> None:
        uses = Uses(since=NOW)
        uses.looked(NOW + 100)
        assert uses.look_from == NOW

    def test_only_events_that_may_be_found_again_are_remembered(self) -> None:
        uses = Uses(since=NOW)
        for number in range(100):
            uses.add(event(at=NOW + number, event_id=str(number)))
        uses.looked(NOW + OVERLAP + 1000)
        assert (uses.count, uses.counted) == (100, {})

    def test_what_a_first_look_had_no_time_for_is_left_to_be_read(self) -> None:
        uses = Uses(since=NOW - 1000)
        uses.add(event(at=NOW - 10))
        uses.looked(NOW, cut_at=NOW - 10)
        assert uses.unread_until == NOW - 10
        uses.add(event(at=NOW - 10))  # is found again where it was cut
        uses.add(event(at=NOW - 500, event_id="2"))
        uses.looked_further(NOW - 500)
        assert not uses.told().complete
        uses.looked_further(None)
        assert (uses.count, uses.unread_until) == (2, None)
        assert uses.told().complete

    def test_none_in_a_part_is_not_none(self) -> None:
        uses = Uses(since=NOW - 1000)
        uses.looked(NOW, cut_at=NOW - 10)
        assert uses.told().known is None
        uses.looked_further(None)
        assert uses.told().known == 0

    def test_what_a_later_look_had_no_time_for_is_not(self) -> None:
        uses = Uses(since=NOW - 1000)
        uses.looked(NOW)
        uses.looked(NOW + 300, cut_at=NOW + 100)
        assert uses.unread_until is None
        assert not uses.told().complete

    def test_a_second_that_fills_a_whole_look_does_not_hold_it_up_for_ever(self) -> None:
        uses = Uses(since=NOW - 1000)
        uses.looked(NOW, cut_at=NOW - 10)
        uses.looked_further(NOW - 10)
        assert uses.unread_until is None
        assert not uses.told().complete
