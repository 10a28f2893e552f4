"""What the page says of keys, one fact at a time."""

import re
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from exporter.acknowledgements import Acknowledgement, Acknowledgements
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.model import (
    Deletion,
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Keys,
    Scheduling,
    Snapshot,
    Source,
    Target,
    TargetState,
    Tombstone,
    Usage,
    UsageCase,
)
from tests.support.declaring import rule

NOW = 1_790_000_000.0
DAY = 86_400.0
HOUR = 3_600.0
K = 'account_id="111122223333",region="eu-west-1",key_id'

ENABLED = Key("enabled", "arn:enabled", "Enabled", aliases=("alias/a", "alias/b"), created_at=1.7e9)
PENDING = Key("pending", "arn:pending", "PendingDeletion", deletion=Deletion(at=NOW + 6.5 * DAY))
WAITING = Key("waiting", "arn:waiting", "PendingReplicaDeletion", deletion=Deletion(window=7 * DAY))
AWS_OWN = Key("aws-own", "arn:aws-own", "Enabled", key_manager="AWS")


def page(*keys: Key, export="customer", now=NOW, tags=None, acknowledgements=None, **known) -> list[str]:
    state = TargetState(
        Target("111122223333", "eu-west-1"), "payments", Keys({key.key_id: key for key in keys}, **known), up=True
    )
    snapshot = Snapshot(NOW, 1, (state,))
    renderer = Renderer(CollectorRegistry(), export=export, tags=tags or {}, acknowledgements=acknowledgements)
    renderer.update(snapshot)
    return b"".join(renderer.scrape(snapshot, Format.TEXT, gzip=False, now=now).parts).decode().splitlines()


def values(lines: list[str], name: str) -> dict[str, str]:
    """Return each sample's labels and value."""
    found = [re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def key_ids(lines: list[str], name: str = "kms_key_state") -> set[str]:
    return {re.search('key_id="([^"]*)"', labels)[1] for labels in values(lines, name)}


def test_series_begin_with_account_region_and_key() -> None:
    assert f'kms_key_pending_deletion{{{K}="pending"}} 1' in page(PENDING)


def test_a_key_has_one_series_for_each_alias_and_one_for_its_state() -> None:
    lines = page(ENABLED)
    assert values(lines, "kms_key_alias") == {
        f'{K}="enabled",alias="alias/a"': "1",
        f'{K}="enabled",alias="alias/b"': "1",
    }
    assert values(lines, "kms_key_state") == {f'{K}="enabled",state="Enabled"': "1"}


def test_pending_is_told_of_every_key() -> None:
    assert values(page(ENABLED, PENDING, WAITING), "kms_key_pending_deletion") == {
        f'{K}="enabled"': "0",
        f'{K}="pending"': "1",
        f'{K}="waiting"': "1",
    }


def test_times_are_plain_digits() -> None:
    assert values(page(ENABLED), "kms_key_created_timestamp_seconds") == {f'{K}="enabled"': "1700000000"}


@pytest.mark.parametrize(
    ("later", "expected"), [(0, "6.500000"), (6 * DAY, "0.500000"), (6.5 * DAY + 12 * HOUR, "-0.500000")]
)
def test_days_left_are_counted_when_scraped(later: float, expected: str) -> None:
    assert values(page(PENDING, now=NOW + later), "kms_key_deletion_days_left") == {f'{K}="pending"': expected}


def test_a_primary_that_waits_for_replicas_has_a_window_and_no_date() -> None:
    lines = page(WAITING)
    assert values(lines, "kms_key_deletion_window_seconds") == {f'{K}="waiting"': "604800"}
    assert values(lines, "kms_key_deletion_timestamp_seconds") == {}
    assert values(lines, "kms_key_deletion_days_left") == {}


def test_what_is_not_known_is_absent() -> None:
    lines = page(PENDING)
    assert values(lines, "kms_key_created_timestamp_seconds") == {}
    assert values(lines, "kms_key_material_expires_timestamp_seconds") == {}
    assert values(lines, "kms_key_deletion_scheduled_timestamp_seconds") == {}


def test_nothing_is_told_of_keys_that_are_not_known() -> None:
    snapshot = Snapshot(NOW, 1, (TargetState(Target("111122223333", "eu-west-1"), up=False),))
    renderer = Renderer(CollectorRegistry(), export="all", tags={})
    renderer.update(snapshot)
    text = b"".join(renderer.scrape(snapshot, Format.TEXT, gzip=False, now=NOW).parts).decode()
    assert not re.search(r"^kms_key", text, re.MULTILINE)
    assert 'kms_exporter_target_up{account_id="111122223333",region="eu-west-1"} 0' in text


def test_a_deleted_key_leaves_its_alias_and_the_time() -> None:
    tombstones = {"gone": Tombstone(Key("gone", "arn:gone", "PendingDeletion", aliases=("alias/old",)), NOW - HOUR)}
    lines = page(ENABLED, tombstones=tombstones)
    assert values(lines, "kms_key_deleted_timestamp_seconds") == {f'{K}="gone",alias="alias/old"': "1789996400"}
    assert key_ids(lines) == {"enabled"}


class TestExport:
    def test_customer_leaves_out_keys_that_aws_manages(self) -> None:
        assert key_ids(page(ENABLED, PENDING, AWS_OWN, export="customer")) == {"enabled", "pending"}

    def test_all_has_every_described_key(self) -> None:
        assert key_ids(page(ENABLED, PENDING, AWS_OWN, export="all")) == {"enabled", "pending", "aws-own"}

    def test_pending_has_the_keys_on_their_way_to_deletion(self) -> None:
        assert key_ids(page(ENABLED, PENDING, WAITING, export="pending")) == {"pending", "waiting"}

    def test_pending_has_the_keys_whose_material_expires(self) -> None:
        imported = replace(ENABLED, key_id="imported", material_expires_at=NOW + DAY)
        lines = page(ENABLED, imported, export="pending")
        assert values(lines, "kms_key_material_expires_timestamp_seconds").keys() == {f'{K}="imported"'}
        assert key_ids(lines) == {"imported"}

    def test_pending_keeps_a_key_whose_deletion_was_cancelled_at_zero(self) -> None:
        lines = page(ENABLED, PENDING, export="pending", cancelled_at={"enabled": NOW - HOUR})
        assert values(lines, "kms_key_pending_deletion") == {f'{K}="enabled"': "0", f'{K}="pending"': "1"}

    @pytest.mark.parametrize("export", ["customer", "pending", "all"])
    def test_every_mode_counts_every_key(self, export: str) -> None:
        lines = page(ENABLED, PENDING, AWS_OWN, export=export, aws_managed=frozenset({"recognised", "aws-own"}))
        where = 'account_id="111122223333",region="eu-west-1"'
        assert values(lines, "kms_keys") == {
            f'{where},key_manager="AWS",state="Enabled"': "2",
            f'{where},key_manager="CUSTOMER",state="Enabled"': "1",
            f'{where},key_manager="CUSTOMER",state="PendingDeletion"': "1",
        }

    @pytest.mark.parametrize("export", ["customer", "pending", "all"])
    def test_every_mode_tells_that_nothing_is_pending(self, export: str) -> None:
        assert values(page(export=export), "kms_keys") == {
            'account_id="111122223333",region="eu-west-1",key_manager="CUSTOMER",state="PendingDeletion"': "0"
        }

    def test_no_mode_tells_so_before_a_pass_went_through(self) -> None:
        assert not values(page(complete=False), "kms_keys")


class TestFreeText:
    def info(self, key: Key, **options) -> str:
        ((labels, value),) = values(page(key, **options), "kms_key_info").items()
        assert value == "1"
        return labels

    def test_descriptions_and_tags_are_cut_at_256_characters(self) -> None:
        key = Key("long", "arn:long", "Enabled", description="é" * 300, tags=(("team", "ü" * 300),))
        labels = self.info(key, tags={"team": "tag_team"})
        assert f'description="{"é" * 256}"' in labels
        assert f'tag_team="{"ü" * 256}"' in labels

    def test_it_is_cut_before_it_is_escaped(self) -> None:
        labels = self.info(Key("quotes", "arn:quotes", "Enabled", description='"' * 300))
        assert 'description="' + r"\"" * 256 + '"' in labels

    def test_only_listed_tags_are_exported_each_under_its_label(self) -> None:
        key = Key("tagged", "arn:tagged", "Enabled", tags=(("cost center", "7"), ("secret", "x")))
        labels = self.info(key, tags={"cost center": "tag_cost_center", "team": "tag_team"})
        assert labels.endswith(',tag_cost_center="7",tag_team=""')
        assert "secret" not in labels

    def test_a_hostile_description_stays_a_description(self) -> None:
        forged = 'x"} 1\nkms_key_pending_deletion{key_id="forged"} 1\n# EOF\n'
        lines = page(Key("hostile", "arn:hostile", "Enabled", description=forged))
        assert key_ids(lines, "kms_key_pending_deletion") == {"hostile"}


def told(evidence: Evidence, acknowledgement=None, *, now=NOW, key=PENDING) -> list[str]:
    """Return the page of a pending key with what is known of its deletion."""
    acknowledgements = Acknowledgements([rule(key.key_id, acknowledgement)] if acknowledgement else ())
    return page(key, now=now, acknowledgements=acknowledgements, evidence={key.key_id: evidence})


def test_the_deletion_names_who_scheduled_it_and_who_approved_it() -> None:
    lines = told(
        Evidence(scheduling=Scheduling(NOW - DAY, by="alice")), Acknowledgement("retired", "the board", "CHG-1")
    )
    labels = f'{K}="pending",scheduled_by="alice",acknowledged_by="the board",reason="retired",ticket="CHG-1"'
    assert values(lines, "kms_key_deletion_info") == {labels: "1"}


def test_what_is_not_known_of_a_deletion_is_empty() -> None:
    labels = f'{K}="pending",scheduled_by="",acknowledged_by="",reason="",ticket=""'
    assert values(page(PENDING, ENABLED), "kms_key_deletion_info") == {labels: "1"}


def test_cloudtrails_time_of_the_schedule_is_told_rather_than_when_it_was_seen() -> None:
    lines = page(
        PENDING,
        scheduled_at={"pending": NOW},
        evidence={"pending": Evidence(scheduling=Scheduling(NOW - DAY))},
    )
    assert values(lines, "kms_key_deletion_scheduled_timestamp_seconds") == {f'{K}="pending"': f"{NOW - DAY:.0f}"}


@pytest.mark.parametrize(("later", "expected"), [(0, "1"), (2 * DAY, "0")])
def test_an_acknowledgement_expires_between_two_scrapes(later: float, expected: str) -> None:
    lines = told(Evidence(), Acknowledgement("retired", until=NOW + DAY), now=NOW + later)
    assert values(lines, "kms_key_deletion_acknowledged") == {f'{K}="pending"': expected}
    assert values(lines, "kms_key_deletion_acknowledged_until_timestamp_seconds") == {
        f'{K}="pending"': f"{NOW + DAY:.0f}"
    }


def test_a_pending_key_that_nobody_acknowledged_is_told_as_that() -> None:
    lines = page(PENDING, WAITING, ENABLED)
    expected = {f'{K}="pending"': "0", f'{K}="waiting"': "0"}
    assert values(lines, "kms_key_deletion_acknowledged") == expected
    assert values(lines, "kms_key_deletion_acknowledged_until_timestamp_seconds") == {}


def test_an_acknowledgement_without_an_end_has_no_time_of_its_end() -> None:
    lines = told(Evidence(), Acknowledgement("retired"))
    assert values(lines, "kms_key_deletion_acknowledged") == {f'{K}="pending"': "1"}
    assert values(lines, "kms_key_deletion_acknowledged_until_timestamp_seconds") == {}


def test_use_and_grants_and_denied_uses_are_told_where_known() -> None:
    lines = told(
        Evidence(
            usage=Usage(UsageCase.USED, tracked_since=NOW - 100 * DAY, last_used_at=NOW - DAY),
            grants=Grants(0),
            denied_uses=DeniedUses(3),
        )
    )
    here = f'{K}="pending"'
    assert values(lines, "kms_key_last_used_timestamp_seconds") == {here: f"{NOW - DAY:.0f}"}
    assert values(lines, "kms_key_usage_tracked_since_timestamp_seconds") == {here: f"{NOW - 100 * DAY:.0f}"}
    assert values(lines, "kms_key_grants") == {here: "0"}
    assert values(lines, "kms_key_deletion_denied_uses") == {here: "3"}


def test_a_key_without_a_use_on_record_has_only_the_start_of_the_record() -> None:
    lines = told(Evidence(usage=Usage(UsageCase.UNKNOWN, tracked_since=NOW - 100 * DAY)))
    assert values(lines, "kms_key_last_used_timestamp_seconds") == {}
    assert len(values(lines, "kms_key_usage_tracked_since_timestamp_seconds")) == 1


@pytest.mark.parametrize(
    "name", ["kms_key_grants", "kms_key_deletion_denied_uses", "kms_key_last_used_timestamp_seconds"]
)
def test_what_was_not_answered_is_absent_and_not_zero(name: str) -> None:
    assert values(page(PENDING), name) == {}


def test_each_source_of_facts_is_up_or_down_by_itself() -> None:
    state = TargetState(
        Target("111122223333", "eu-west-1"), sources={Source.GRANTS: "AccessDenied", Source.LAST_USAGE: ""}
    )
    renderer = Renderer(CollectorRegistry(), export="customer", tags={})
    body = renderer.scrape(Snapshot(NOW, 0, (state,)), Format.TEXT, gzip=False, now=NOW)
    here = 'account_id="111122223333",region="eu-west-1",source'
    assert values(b"".join(body.parts).decode().splitlines(), "kms_exporter_target_source_up") == {
        f'{here}="grants"': "0",
        f'{here}="last_usage"': "1",
    }
