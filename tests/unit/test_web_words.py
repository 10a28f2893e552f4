"""What the page says about a pending key: could not ask, not asked and nothing there are different words."""

import pytest

from exporter.acknowledgements import Acknowledgement, Acknowledgements
from exporter.facts import Facts, pending_facts
from exporter.model import (
    Deletion,
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Scheduling,
    Snapshot,
    Source,
    Unreadable,
    Usage,
    UsageCase,
)
from exporter.web.status.pending import Answer, PendingRow
from tests.support.snapshots import DAY, HOUR, IRELAND, NOW, pending, state

DENIED = "LookupEvents in 111122223333/eu-west-1: AccessDeniedException: User: arn:aws:sts::1:x is not authorized"
SCHEDULED = Scheduling(NOW - DAY, "Deploy/build-42", window=7 * DAY)
UNNEEDED = {
    "usage": Usage(UsageCase.NEVER, NOW - 99 * DAY),
    "denied_uses": DeniedUses(0),
    "grants": Grants(0),
}


def row(key: Key | None = None, *, declared=None, seen_at=None, sources=None, **evidence) -> PendingRow:
    return PendingRow(
        Facts(
            IRELAND,
            key or pending("k", 6),
            NOW,
            evidence=Evidence(**evidence),
            seen_at=seen_at,
            acknowledgement=declared,
            sources=sources or {},
        )
    )


def told(answer: Answer) -> list[str]:
    return [answer.gist.text, *(line.text for line in answer.lines)]


class TestTime:
    @pytest.mark.parametrize(
        ("days", "left", "urgency", "tone"),
        [
            (-1, "due now", "AWS may delete it any moment", "urgent"),
            (0, "due now", "AWS may delete it any moment", "urgent"),
            (30 / DAY, "30 s", "imminent", "urgent"),
            (90 / DAY, "1 min 30 s", "imminent", "urgent"),
            (1.99, "1 d 23 h", "imminent", "urgent"),
            (2, "2 d 0 h", "soon", "near"),
            (6.99, "6 d 23 h", "soon", "near"),
            (7, "7 d 0 h", "", "plain"),
        ],
    )
    def test_urgency_is_told_in_words_too(self, days: float, left: str, urgency: str, tone: str) -> None:
        one = row(pending("k", days))
        assert (one.left, one.urgency.text, one.urgency.tone) == (left, urgency, tone)

    def test_the_date_is_absolute(self) -> None:
        assert row(pending("k", 1)).date == "2026-09-22 14:13 UTC"

    def test_a_clock_that_has_not_started_is_told(self) -> None:
        waiting = row(Key("w", "arn:w", "PendingReplicaDeletion", deletion=Deletion(window=7 * DAY)))
        assert (waiting.left, waiting.date) == ("not started", "starts when its last replica is gone, then 7 days")

    def test_a_date_that_aws_does_not_tell_is_unknown(self) -> None:
        silent = row(Key("w", "arn:w", "PendingDeletion"))
        assert (silent.left, silent.date) == ("unknown", "AWS tells no date")


def test_a_key_that_is_as_it_was_last_read_is_told_as_that() -> None:
    target = state(
        IRELAND, pending("k", 6), pending("l", 6), unreadable={"k": Unreadable("AccessDenied", NOW - 3 * DAY)}
    )
    unread = [PendingRow(facts).unread for facts in pending_facts(Snapshot(NOW, 1, (target,)), Acknowledgements(), NOW)]
    assert unread == ["could not be read for 3 d: AccessDenied", ""]


class TestWhoScheduled:
    def test_who_when_and_window(self) -> None:
        assert told(row(scheduling=SCHEDULED).scheduled) == [
            "Deploy/build-42",
            "2026-09-20 14:13 UTC",
            "1 d ago, window of 7 days",
        ]

    def test_a_hidden_principal_is_not_an_unknown_one(self) -> None:
        assert told(row(scheduling=Scheduling(NOW - DAY)).scheduled)[0] == "not told"

    def test_older_than_the_record(self) -> None:
        assert told(row(scheduling_looked_up=True, sources={Source.SCHEDULED_BY: ""}).scheduled) == [
            "unknown",
            "was pending when first seen",
            "not among CloudTrail's events of the last 90 days",
        ]

    def test_could_not_ask(self) -> None:
        assert told(row(seen_at=NOW - HOUR, sources={Source.SCHEDULED_BY: DENIED}).scheduled) == [
            "could not ask",
            "seen 2026-09-21 13:13 UTC",
            "1 h ago",
            "could not ask CloudTrail: LookupEvents: AccessDeniedException",
        ]

    def test_not_asked(self) -> None:
        assert told(row().scheduled)[0] == "not asked"
        assert told(row(sources={Source.SCHEDULED_BY: ""}).scheduled)[0] == "not known yet"


class TestNeed:
    def test_used_before_it_was_scheduled(self) -> None:
        used = Usage(UsageCase.USED, NOW - 99 * DAY, NOW - DAY - 3 * HOUR, "Decrypt")
        need = row(scheduling=SCHEDULED, **UNNEEDED | {"usage": used}).need
        assert told(need)[:3] == [
            "Yes: it was in use",
            "last used 3 h 0 min before it was scheduled",
            "2026-09-20 11:13 UTC, Decrypt",
        ]
        assert need.lines[0].tone == "urgent"

    def test_not_used_for_long(self) -> None:
        used = Usage(UsageCase.USED, NOW - 99 * DAY, NOW - 64 * DAY)
        need = row(scheduling=SCHEDULED, **UNNEEDED | {"usage": used}).need
        assert told(need)[:3] == [
            "Not used lately",
            "last used 63 d before it was scheduled",
            "2026-07-19 14:13 UTC",
        ]
        assert need.lines[0].tone == "plain"

    @pytest.mark.parametrize(
        ("after", "words"),
        [(10, "just when it was scheduled"), (HOUR, "1 h 0 min after it was scheduled")],
    )
    def test_used_at_the_end(self, after: float, words: str) -> None:
        used = Usage(UsageCase.USED, last_used_at=NOW - DAY + after)
        assert told(row(scheduling=SCHEDULED, usage=used).need)[1] == f"last used {words}"

    def test_used_while_nobody_knows_when_it_was_scheduled(self) -> None:
        assert told(row(usage=Usage(UsageCase.USED, last_used_at=NOW - HOUR)).need)[1] == "last used 1 h ago"

    def test_never_used(self) -> None:
        assert told(row(**UNNEEDED).need) == [
            "Never used",
            "never used since it was created",
            "no denied uses",
            "no grants",
        ]

    def test_a_record_that_is_younger_than_the_key_proves_nothing(self) -> None:
        unknown = Usage(UsageCase.UNKNOWN, NOW - 99 * DAY)
        assert told(row(**UNNEEDED | {"usage": unknown}).need)[:2] == [
            "Unknown: the record is too short",
            "no use on record since 2026-06-14; the key is older: earlier uses are unknown",
        ]

    def test_denied_uses(self) -> None:
        denied = DeniedUses(7, NOW - 24 * 60, "card-service/i-1", "Decrypt")
        need = row(**UNNEEDED | {"denied_uses": denied}).need
        assert told(need)[0] == "Yes: uses of it fail"
        assert told(need)[2] == "7 uses denied, last 24 min ago by card-service/i-1 (Decrypt)"

    def test_a_denied_use_of_which_nothing_else_is_known(self) -> None:
        assert told(row(**UNNEEDED | {"denied_uses": DeniedUses(1)}).need)[2] == "1 use denied"

    def test_grantees_are_named_and_arns_shortened_where_the_row_tells_the_rest(self) -> None:
        grantees = ("rds.amazonaws.com", "arn:aws:iam::111122223333:role/a", "arn:aws:iam::999999999999:role/b")
        need = row(**UNNEEDED | {"grants": Grants(5, (*grantees, "c", "d", "e"))}).need
        assert told(need)[0] == "Perhaps: it is granted to others"
        assert told(need)[3] == ("5 grants: rds.amazonaws.com, role/a, arn:aws:iam::999999999999:role/b, c and 2 more")

    @pytest.mark.parametrize("missing", UNNEEDED)
    def test_one_unknown_fact_makes_the_answer_unknown(self, missing: str) -> None:
        assert told(row(**UNNEEDED | {missing: None}).need)[0] == "Unknown"

    def test_could_not_ask_is_told_of_each_source(self) -> None:
        sources = {Source.LAST_USAGE: "GetKeyLastUsage in x: timeout", Source.DENIED_USES: DENIED, Source.GRANTS: ""}
        assert told(row(sources=sources).need) == [
            "Unknown",
            "last use: could not ask KMS: GetKeyLastUsage in x: timeout",
            "denied uses: could not ask CloudTrail: LookupEvents: AccessDeniedException",
            "grants: not known yet",
        ]

    def test_not_asked_is_told_of_each_source(self) -> None:
        assert told(row().need) == ["Unknown", "last use: not asked", "denied uses: not asked", "grants: not asked"]

    def test_what_was_told_before_may_be_old_where_the_source_fails_now(self) -> None:
        assert "could not ask KMS again: ListGrants: timeout" in told(
            row(**UNNEEDED, sources={Source.GRANTS: "ListGrants: timeout"}).need
        )


class TestIntent:
    def test_not_acknowledged(self) -> None:
        assert told(row(approval_tag="approved").intent) == ["Not acknowledged"]

    def test_tags_that_could_not_be_read_may_acknowledge_it(self) -> None:
        failing = {Source.ACKNOWLEDGEMENT_TAG: "GetResources: timeout"}
        assert told(row(sources=failing).intent)[1] == "could not ask the Tagging API: GetResources: timeout"
        assert told(row(sources={Source.ACKNOWLEDGEMENT_TAG: ""}).intent)[1] == "its tags are not read yet"

    def test_acknowledged(self) -> None:
        declared = Acknowledgement("retired", "carol", "CHG-1", NOW + 10 * DAY, "tag approved")
        intent = row(declared=declared).intent
        assert told(intent) == [
            "Acknowledged",
            "retired",
            "approved by carol",
            "ticket CHG-1",
            "until 2026-10-01",
            "declared by the tag approved",
        ]
        assert intent.gist.tone == "good"

    def test_without_an_end(self) -> None:
        assert told(row(declared=Acknowledgement("retired")).intent) == ["Acknowledged", "retired", "without an end"]

    def test_one_that_ends_before_the_deletion_says_so(self) -> None:
        told_end = told(row(declared=Acknowledgement("", until=NOW + DAY)).intent)[1]
        assert told_end == "until 2026-09-22, which is before the deletion"

    def test_expired(self) -> None:
        expired = Acknowledgement("retired", until=NOW)
        assert told(row(declared=expired).intent) == [
            "Acknowledgement expired",
            "retired",
            "expired on 2026-09-21: it counts as none",
        ]

    def test_a_use_is_told_louder_than_the_acknowledgement(self) -> None:
        intent = row(declared=Acknowledgement("retired"), denied_uses=DeniedUses(1)).intent
        assert (intent.gist.text, intent.gist.tone) == ("Acknowledged, yet used: do not rely on it", "urgent")


class TestRow:
    def test_the_loudest_rows_are_those_of_keys_that_are_needed(self) -> None:
        assert row(denied_uses=DeniedUses(1)).tone == "urgent"
        assert row(pending("k", 6)).tone == "near"
        assert row(pending("k", 1), declared=Acknowledgement("retired")).tone == "calm"

    def test_what_is_special_about_a_key(self) -> None:
        special = Key("k", "arn:k", "PendingReplicaDeletion", multi_region="primary", origin="EXTERNAL")
        assert row(special).kind == "PendingReplicaDeletion, multi-Region primary, origin EXTERNAL"
        assert row(pending("k", origin="AWS_KMS")).kind == ""

    def test_names(self) -> None:
        named = row(pending("k", aliases=("alias/a", "alias/b", "alias/c")))
        assert (named.name, named.other_aliases) == ("alias/a", "alias/b, alias/c")
        assert row().name == "no alias"

    def test_an_anchor_has_no_blanks(self) -> None:
        assert row(pending("a b\n")).anchor == "111122223333/eu-west-1/a%20b%0A"
