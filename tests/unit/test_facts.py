"""What is concluded from the evidence about a pending key."""

import shlex

import pytest

from exporter.acknowledgements import Acknowledgement
from exporter.facts import Facts
from exporter.model import Deletion, DeniedUses, Evidence, Key, Scheduling, Source, Target, Usage, UsageCase

HERE = Target("111122223333", "eu-west-1")
NOW = 1_790_000_000.0
DAY = 86_400.0
ARN = "arn:aws:kms:eu-west-1:111122223333:key/abc"
KEY = Key("abc", ARN, "PendingDeletion", deletion=Deletion(at=NOW + 20 * DAY))
APPROVED = Acknowledgement("retired")
SCHEDULED = Scheduling(at=NOW - 10 * DAY, by="alice")


def used(at: float) -> Usage:
    return Usage(UsageCase.USED, last_used_at=at)


def facts(key: Key = KEY, acknowledgement: Acknowledgement | None = None, seen_at=None, **evidence) -> Facts:
    return Facts(HERE, key, NOW, evidence=Evidence(**evidence), acknowledgement=acknowledgement, seen_at=seen_at)


def test_cloudtrail_knows_better_when_it_was_scheduled_than_who_merely_saw_it() -> None:
    assert facts(seen_at=NOW).scheduled_at == NOW
    assert facts(seen_at=NOW, scheduling=SCHEDULED).scheduled_at == NOW - 10 * DAY


@pytest.mark.parametrize(
    ("last_used", "lately"), [(NOW - 18 * DAY, False), (NOW - 16 * DAY, True), (NOW - 5 * DAY, True)]
)
def test_a_use_in_the_week_before_it_was_scheduled_or_since_is_recent(last_used: float, lately: bool) -> None:
    assert facts(scheduling=SCHEDULED, usage=used(last_used)).used_lately is lately


def test_where_nobody_knows_when_it_was_scheduled_the_longest_window_is_taken() -> None:
    assert facts(usage=used(NOW - 16 * DAY)).used_lately
    assert not facts(usage=used(NOW - 18 * DAY)).used_lately


def test_a_primary_that_waits_for_its_replicas_is_judged_from_today() -> None:
    waiting = Key("abc", ARN, "PendingReplicaDeletion", deletion=Deletion(window=7 * DAY))
    assert facts(waiting, usage=used(NOW - 36 * DAY)).used_lately
    assert not facts(waiting, usage=used(NOW - 38 * DAY)).used_lately


def test_an_acknowledged_deletion_is_calm() -> None:
    assert facts(acknowledgement=APPROVED).calm


def test_an_expired_acknowledgement_counts_as_none() -> None:
    assert not facts(acknowledgement=Acknowledgement("retired", until=NOW)).acknowledged


@pytest.mark.parametrize("evidence", [{"usage": used(NOW - DAY)}, {"denied_uses": DeniedUses(1)}])
def test_a_use_revokes_the_calm_of_an_acknowledged_deletion(evidence: dict[str, object]) -> None:
    contradicted = facts(acknowledgement=APPROVED, **evidence)
    assert contradicted.acknowledged
    assert contradicted.needed
    assert not contradicted.calm


def test_no_denied_use_is_not_the_same_as_unknown() -> None:
    assert facts(denied_uses=DeniedUses(0)).denied_uses == 0
    assert facts().denied_uses is None


def test_a_key_that_is_not_pending_is_neither_needed_nor_acknowledged() -> None:
    enabled = Key("abc", ARN, "Enabled")
    assert not facts(enabled, acknowledgement=APPROVED, usage=used(NOW)).needed
    assert not facts(enabled, acknowledgement=APPROVED).acknowledged


def test_only_sources_that_failed_are_unknown() -> None:
    asked = Facts(HERE, KEY, NOW, sources={Source.GRANTS: "AccessDenied", Source.LAST_USAGE: ""})
    assert asked.unknown == {Source.GRANTS: "AccessDenied"}


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_console_is_that_of_the_partition(partition: str, region: str, host: str) -> None:
    key = Key("abc", f"arn:{partition}:kms:{region}:111122223333:key/abc", "PendingDeletion")
    url = Facts(Target("111122223333", region), key, NOW).console_url
    assert url == f"https://{host}/kms/home?region={region}#/kms/keys/abc"


def test_the_commands_survive_a_shell_whatever_the_arn_holds() -> None:
    hostile = Key("abc", "arn:aws:kms:eu-west-1:1:key/a; rm -rf ~", "PendingDeletion")
    own, aws = facts(hostile).save_commands
    assert shlex.split(own)[:3] == ["kms-exporter", "cancel-deletion", hostile.arn]
    assert shlex.split(aws).count(hostile.arn) == 2
