"""A deletion is scheduled in AWS, and somebody's telephone rings; nothing but the truth makes it stop."""

import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.paging_fixtures import ACCOUNTS, INTERVALS, REGION, Chain, chain
from tests.rules.sinks import Post
from tests.support.waiting import until

PENDING: Final = {"KmsKeyDeletionScheduled", "KmsKeyDeletionSoon"}
"""What fires for a key that is scheduled with a week, the shortest window."""


@pytest.fixture(scope="module")
def paging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with chain(tmp_path_factory.mktemp("paging")) as running:
        yield running


def schedule(paging: Chain, account: str, name: str) -> str:
    """Create a key that the exporter sees enabled, then schedule its deletion; return its id."""
    vault = paging.vault(account)
    key = vault.create_key(alias=f"alias/{name}", description=f"Data of {name}", tags={"owner": "ledger-team"})
    until(lambda: len(paging.prometheus.query(f'kms_key_pending_deletion{{key_id="{key.key_id}"}} == 0')) == 2)
    vault.schedule_deletion(key.key_id, days=7)
    return key.key_id


def all_firing(paging: Chain) -> set[str]:
    """Return the names of all alerts that fire in Prometheus."""
    return {dict(labels)["alertname"] for labels in paging.prometheus.query('ALERTS{alertstate="firing"}')}


def test_scheduled_deletion_pages_once_with_all_facts(paging: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    key_id = schedule(paging, "payments", "ledger")
    scheduled_at = time.time()
    page = paging.page("payments", key_id, within=30)
    with capsys.disabled():
        print(f"\n  scheduled to paged: {page.at - scheduled_at:.1f} s with {INTERVALS}")  # noqa: T201 - the measurement is for CI's log

    event = page.body
    assert event["payload"]["severity"] == "critical"
    assert event["payload"]["summary"] == (
        f"KMS key alias/ledger (payments {ACCOUNTS['payments']}, {REGION}) will be destroyed in 7.0 days"
    )
    deadline = time.strftime("%Y-%m-%d %H:", time.gmtime(paging.vault("payments").key(key_id).deletion_at))
    for fact in (
        f"Key: alias/ledger {key_id}",
        f"Account: payments {ACCOUNTS['payments']}, region {REGION}",
        f"Destroyed after: {deadline}",
        'Owner: "ledger-team"',
        'Its description: "Data of ledger"',
        f"aws kms cancel-key-deletion --region {REGION} --key-id {key_id}",
        f"aws kms enable-key --region {REGION} --key-id {key_id}",
        "/KmsKeyDeletionSoon.md",
    ):
        assert fact in event["payload"]["custom_details"]["firing"]

    until(lambda: paging.firing("payments") == PENDING)
    until(lambda: len(paging.prometheus.query(f'kms_key_pending_deletion{{key_id="{key_id}"}} == 1')) == 2)
    assert len(paging.pages("payments")) == 1


def test_nothing_resolves_while_aws_cannot_be_reached(paging: Chain) -> None:
    key_id = schedule(paging, "orders", "orders")
    paging.page("orders", key_id, within=30)
    paging.emulator.stop()
    try:
        until(lambda: "KmsTargetFailing" in paging.firing("orders"), within=60)
        assert paging.firing("orders") >= PENDING
    finally:
        paging.emulator.start()
    until(lambda: "KmsTargetFailing" not in all_firing(paging), within=60)
    assert paging.firing("orders") == PENDING
    assert not paging.pages("orders", action="resolve")


def test_nothing_resolves_while_the_exporters_restart(paging: Chain) -> None:
    accounts = ("payments", "orders")
    assert all(paging.firing(account) == PENDING for account in accounts)
    paging.exporters.kill()
    until(lambda: not paging.prometheus.query("kms_key_pending_deletion"))
    until(lambda: "KmsExporterAbsent" in all_firing(paging))
    assert all(paging.firing(account) == PENDING for account in accounts)
    paging.exporters.start()
    until(lambda: "KmsExporterAbsent" not in all_firing(paging))
    until(lambda: len(paging.prometheus.query("kms_exporter_target_up == 1")) == 2 * len(ACCOUNTS))
    until(lambda: all_firing(paging) == PENDING)
    assert all(paging.firing(account) == PENDING for account in accounts)
    assert not any(paging.pages(account, action="resolve") for account in accounts)


def test_cancelled_deletion_resolves_and_reminds_of_enabling(paging: Chain) -> None:
    (key_id,) = (key.key_id for key in paging.vault("payments").pending())
    paging.vault("payments").cancel_deletion(key_id)
    paging.page("payments", "", within=30, action="resolve")
    until(lambda: paging.firing("payments") == set())

    def reminds(post: Post) -> bool:
        text = str(post.body)
        return (
            post.path == "/slack" and "RESOLVED" in text and f"enable-key --region {REGION} --key-id {key_id}" in text
        )

    paging.posts.first(reminds, "a message that tells of the end", within=30)


def test_loss_is_paged_and_its_deletion_never_told_resolved(paging: Chain) -> None:
    key_id = schedule(paging, "archive", "archive")
    deletion = paging.page("archive", key_id, within=30).body
    paging.vault("archive").delete(key_id)
    loss = paging.page("archive", "KmsKeyDeleted.md", within=30).body
    assert loss["payload"]["summary"] == f"KMS key alias/archive is destroyed (archive {ACCOUNTS['archive']}, {REGION})"
    assert loss["payload"]["class"] == "loss"
    assert loss["dedup_key"] != deletion["dedup_key"]
    until(lambda: paging.firing("archive") == {"KmsKeyDeleted"})

    # What other accounts are told meanwhile proves that Alertmanager went on.
    later = len(paging.posts.all())
    schedule(paging, "payments", "next")
    paging.page("payments", "alias/next", within=30, after=later)
    assert not paging.pages("archive", action="resolve")


def test_second_key_pages_though_the_account_has_an_open_incident(paging: Chain) -> None:
    first = schedule(paging, "estate", "first")
    incident = paging.page("estate", first, within=30).body
    second = schedule(paging, "estate", "second")
    page = paging.page("estate", second, within=30).body
    assert page["dedup_key"] != incident["dedup_key"]
    assert page["payload"]["summary"].startswith("KMS key alias/second ")
    assert not paging.pages("estate", action="resolve")


def test_mass_deletion_is_one_page_though_the_account_has_open_incidents(paging: Chain) -> None:
    vault = paging.vault("estate")
    before = {key.key_id for key in vault.pending()}
    incidents = {event["dedup_key"] for event in paging.pages("estate")}
    keys = [vault.create_key(alias=f"alias/estate-{number:02}").key_id for number in range(20)]
    account = f'account_id="{ACCOUNTS["estate"]}"'
    until(lambda: len(paging.prometheus.query(f"kms_key_pending_deletion{{{account}}} == 0")) == 2 * len(keys))
    for key_id in keys:
        vault.schedule_deletion(key_id, days=7)
    event = paging.page("estate", " KMS keys scheduled for deletion within an hour in account", within=90).body
    assert event["payload"]["class"] == "deletion"
    assert event["dedup_key"] not in incidents

    # Every key's own alert fires; that of another account, which comes later, proves that theirs would have come.
    soon = f'ALERTS{{alertstate="firing", alertname="KmsKeyDeletionSoon", {account}}}'
    until(lambda: len(paging.prometheus.query(soon)) == len(keys) + len(before))
    paging.page("orders", schedule(paging, "orders", "later"), within=30)
    assert {event["dedup_key"] for event in paging.pages("estate")} == {*incidents, event["dedup_key"]}
