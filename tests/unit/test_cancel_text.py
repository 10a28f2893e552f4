"""What `cancel-deletion` says: every outcome and every state of knowledge has words, and strangers' text stays text."""

import pytest

from exporter.acknowledgements import Acknowledgement
from exporter.aws.calls import Access
from exporter.cli.cancel_facts import Line, Tone, cells, rows
from exporter.cli.cancel_text import heading, intention, of_result, phrase, summary
from exporter.facts import Facts
from exporter.model import (
    Deletion,
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Scheduling,
    Source,
    Target,
    Usage,
    UsageCase,
)
from exporter.remediation.journal import Journal
from exporter.remediation.plan import Action, Plan, Relative, Step
from exporter.remediation.results import Change, Outcome, Result

HERE = Target("111122223333", "eu-west-1")
NOW = 1_790_000_000.0
DAY = 86_400.0
ARN = "arn:aws:kms:eu-west-1:111122223333:key/abc"
KEY = Key("abc", ARN, "PendingDeletion", aliases=("alias/ledger",), deletion=Deletion(at=NOW + 5 * DAY))
HOSTILE = "x\x1b[2J\ny\u202e[red]"


def step(key: Key = KEY, action: Action = Action.SAVE, *relatives: Relative, **facts: object) -> Step:
    access = Access(HERE, None)  # type: ignore[arg-type]  # nobody is asked
    return Step(access, "", Facts(HERE, key, NOW, **facts), action, relatives)  # type: ignore[arg-type]  # by name


def told(of: Step) -> dict[str, str]:
    return {row.label: row.value for row in rows(of)}


def test_what_is_not_known_is_told_as_unknown_with_the_reason() -> None:
    facts = told(step(sources={Source.LAST_USAGE: "GetKeyLastUsage: AccessDeniedException"}))
    assert facts["scheduled"] == facts["denied uses"] == facts["grants"] == "unknown"
    assert facts["last used"] == "unknown (GetKeyLastUsage: AccessDeniedException)"


def test_what_is_known_is_told() -> None:
    evidence = Evidence(
        scheduling=Scheduling(at=NOW - DAY, by="alice", event_id="e-1"),
        usage=Usage(UsageCase.USED, last_used_at=NOW - 3 * 3600, operation="Decrypt"),
        grants=Grants(6, ("rds.amazonaws.com", "b", "c", "d", "e")),
        denied_uses=DeniedUses(2, last_at=NOW - 60, last_by="app", last_operation="Encrypt"),
    )
    facts = told(step(evidence=evidence, acknowledgement=Acknowledgement("retired", ticket="T-1")))
    assert facts["state"].endswith("in 5 d")
    assert facts["scheduled"] == "by alice, 2026-09-20 14:13:20 UTC (1 d ago), CloudTrail event e-1"
    assert facts["last used"] == "Decrypt, 2026-09-21 11:13:20 UTC (3 h ago)"
    assert facts["grants"] == "6: rds.amazonaws.com, b, c, d and 1 more"
    assert facts["denied uses"] == "2 since it was scheduled; the last 2026-09-21 14:12:20 UTC, Encrypt by app"
    assert facts["acknowledged"] == "YES, it is declared intended: retired, ticket T-1 (but the key is used)"


@pytest.mark.parametrize(
    ("deletion", "text"),
    [
        (Deletion(at=NOW - DAY), "AWS deletes it any moment: it is due since"),
        (Deletion(window=7 * DAY), "AWS deletes it 7 d after its last replica is deleted"),
        (Deletion(), "AWS deletes it some time after its last replica is deleted"),
    ],
)
def test_when_it_is_deleted(deletion: Deletion, text: str) -> None:
    assert text in told(step(Key("abc", ARN, "PendingDeletion", deletion=deletion)))["state"]


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (Usage(UsageCase.NEVER), "never"),
        (Usage(UsageCase.UNKNOWN, tracked_since=NOW), "not on record; unknown before 2026-09-21 14:13:20 UTC"),
    ],
)
def test_absence_of_a_use_is_told_as_what_it_proves(usage: Usage, text: str) -> None:
    assert told(step(evidence=Evidence(usage=usage)))["last used"] == text


def test_a_declaration_that_is_over_is_told_as_none() -> None:
    assert told(step(acknowledgement=Acknowledgement("retired", until=NOW)))["acknowledged"].startswith("no longer: ")


def test_who_came_through_the_identity_center_is_named_in_a_table() -> None:
    by = "AWSReservedSSO_AdministratorAccess_df24df604b6cb36b/alice@example.com"
    assert cells(step(evidence=Evidence(scheduling=Scheduling(at=NOW, by=by))))[4] == "alice@example.com"
    assert cells(step())[3:] == ("5 d", "unknown", "unknown", "unknown")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_words_and_bad_ones_are_loud(outcome: Outcome) -> None:
    first = next(of_result(Result(step(), outcome)))
    assert first.text.startswith("alias/ledger  ")
    assert first.tone is (Tone.GOOD if outcome.good else Tone.BAD)
    assert outcome.good or first.text.upper().split("  ")[1].split(":")[0] in first.text


def test_a_lost_answer_is_not_given_a_request() -> None:
    lines = [line.text for line in of_result(Result(step(), Outcome.SAVED, KEY, "", (Change("EnableKey", "", NOW),)))]
    assert "  EnableKey at 2026-09-21 14:13:20 UTC, its answer was lost" in lines


def test_what_needs_somebody_comes_last_and_the_sum_says_so() -> None:
    results = [Result(step(), Outcome.NOT_ENABLED), Result(step(), Outcome.SAVED)]
    lines = [line.text for line in summary(Plan((step(),)), results)]
    assert lines.index("alias/ledger  saved: its deletion is cancelled and it is enabled") == 0
    assert lines[-2] == "2 keys: 1 as it was asked for, 1 NOT"
    assert lines[-1] == "  1: CANCELLED BUT NOT ENABLED: it serves nobody"


def test_other_keys_of_a_multi_region_key_are_given_their_command() -> None:
    plan = Plan((step(KEY, Action.SAVE, Relative("arn:other", Key("abc", "arn:other", "PendingDeletion"))),))
    lines = [line.text for line in summary(plan, [])]
    assert "  next: kms-exporter cancel-deletion arn:other --reason 'WHY'" in lines


def test_what_is_asked_says_all_that_is_done() -> None:
    actions = [action for action in Action if action is not Action.NOTHING]
    plan = Plan(tuple(step(Key(action, f"{ARN}-{action}", "PendingDeletion"), action) for action in actions))
    saved, left = "cancel the deletion of, and enable, 1 key", "cancel the deletion of, and leave disabled, 1 key"
    assert intention(plan) == f"{saved} and {left} and enable 1 key"
    assert phrase(plan) == "cancel 2 deletions"
    assert phrase(Plan((step(action=Action.CANCEL),))) == "cancel 1 deletion"
    assert phrase(Plan((step(action=Action.ENABLE),))) == "enable 1 key"


def test_what_strangers_wrote_stays_on_its_line_and_steers_no_terminal() -> None:
    key = Key("abc", ARN, "PendingDeletion", description=HOSTILE, aliases=(HOSTILE,), deletion=Deletion(at=NOW))
    evidence = Evidence(scheduling=Scheduling(at=NOW, by=HOSTILE, event_id=HOSTILE), grants=Grants(1, (HOSTILE,)))
    hostile = step(key, evidence=evidence, account_name=HOSTILE, acknowledgement=Acknowledgement(HOSTILE))
    result = Result(hostile, Outcome.NOT_ENABLED, key, HOSTILE, (Change("EnableKey", HOSTILE, NOW),))
    journal = Journal(None, HOSTILE, HOSTILE, HOSTILE, lambda: NOW)  # type: ignore[arg-type]  # nothing is written
    texts = [row.value for row in rows(hostile)] + list(cells(hostile))
    texts += [line.text for line in (*summary(Plan((hostile,), (HOSTILE,)), [result]), *heading(journal))]
    assert all(text.isprintable() for text in texts)
    assert Line("a\nb").text == "a\\nb"
