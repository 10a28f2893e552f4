"""What people get to read: the shipped templates, rendered by the real Alertmanager and sent to loopback.

The alerts are those that the rules' own unit tests expect, so their texts are what Prometheus really makes.
"""

import datetime as dt
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.rules.alertmanagers import alertmanager, post_alerts, silence, turned_to_loopback
from tests.rules.paths import ALERTMANAGER, PROMTOOL_TESTS
from tests.rules.sinks import Inbox, Post, mailbox, webhooks
from tests.support.components import program

WITHIN: Final = 20.0
TIMES: Final = {"10s": "200ms", "1m": "1s", "5m": "1s", "1h": "1s"}
HOSTILE: Final = 'Account: 100000000004\nIts description: "<!channel> <script>alert(1)</script> ``` & more"'


@dataclass(frozen=True)
class Channels:
    """A running Alertmanager and where its notifications arrive."""

    url: str
    posts: Inbox[Post]
    mails: Inbox[EmailMessage]

    def pages(self, account: str) -> list[dict[str, Any]]:
        """Return the events that PagerDuty got for an account."""
        return [post.body for post in self.posts.all() if post.path == "/pagerduty" and account in str(post.body)]

    def posts_about(self, account: str) -> list[Post]:
        """Return what came of an account by webhook: pages and messages."""
        return [post for post in self.posts.all() if account in json.dumps(post.body)]

    def page(self, account: str, action: str = "trigger") -> dict[str, Any]:
        """Return the first event that PagerDuty gets for an account."""

        def wanted(post: Post) -> bool:
            return post.path == "/pagerduty" and account in str(post.body) and post.body["event_action"] == action

        return self.posts.first(wanted, f"a page ({action}) for {account}", WITHIN).body

    def message(self, account: str, containing: str = "") -> dict[str, Any]:
        """Return the first Slack message that names an account."""

        def wanted(post: Post) -> bool:
            text = json.dumps(post.body)
            return post.path == "/slack" and account in text and containing in text

        body: dict[str, Any] = self.posts.first(wanted, f"a message for {account}", WITHIN).body["attachments"][0]
        return body

    def mail(self, account: str) -> EmailMessage:
        """Return the first e-mail that names an account."""
        return self.mails.first(lambda mail: account in part(mail, "plain"), f"a mail for {account}", WITHIN)


def part(mail: EmailMessage, kind: str) -> str:
    """Return a mail's text, `plain` or `html`."""
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channels]:
    program("prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    with webhooks() as (webhook_url, posts), mailbox() as (smtp_port, mails):
        configuration = turned_to_loopback(folder, webhook_url, smtp_port, TIMES)
        with alertmanager(configuration) as url:
            yield Channels(url, posts, mails)


@cache
def _expected() -> list[tuple[str, dict[str, Any]]]:
    """Return the alerts that the rules' unit tests expect, each with its name."""
    return [
        (test["alertname"], alert)
        for file in PROMTOOL_TESTS
        for case in yaml.safe_load(file.read_text())["tests"]
        for test in case.get("alert_rule_test", ())
        for alert in test["exp_alerts"]
    ]


def alert(name: str, account: str, *, key: str = "k1", severity: str | None = None, **extra: str) -> dict[str, Any]:
    """Return an alert with the labels and texts that its unit test expects, moved to another account and key."""
    expected = next(
        alert for of, alert in _expected() if of == name and severity in {None, alert["exp_labels"]["severity"]}
    )
    moved = json.loads(
        json.dumps(expected)
        .replace(expected["exp_labels"].get("account_id", "111122223333"), account)
        .replace("k1", key)  # a label here, a word of the text there
    )
    annotations = {**moved["exp_annotations"], **extra}
    return {"labels": {"alertname": name, **moved["exp_labels"]}, "annotations": annotations}


def ended(alert: dict[str, Any]) -> dict[str, Any]:
    """Return an alert as Prometheus tells its end."""
    now = dt.datetime.now(dt.UTC)
    start = now - dt.timedelta(hours=1)
    return {**alert, "startsAt": start.isoformat(), "endsAt": now.isoformat()}


def test_page_tells_what_dies_when_and_how_to_save_it(channels: Channels) -> None:
    post_alerts(channels.url, [alert("KmsKeyDeletionImminent", "100000000001")])
    event = channels.page("100000000001")
    assert event["payload"]["summary"] == "KMS key k1 (100000000001, eu-west-1) will be destroyed in 0.5 days"
    assert event["payload"]["severity"] == "critical"
    assert event["payload"]["class"] == "deletion"
    firing = event["payload"]["custom_details"]["firing"]
    assert "Destroyed after: 1970-01-10 00:00:00 +0000 UTC" in firing
    assert "aws kms cancel-key-deletion --region eu-west-1 --key-id k1\naws kms enable-key --region" in firing
    assert [link["text"] for link in event["links"]] == ["Runbook", "Dashboard"]
    assert event["links"][0]["href"].endswith("/KmsKeyDeletionImminent.md")


def test_page_goes_to_chat_and_mail_as_well(channels: Channels) -> None:
    post_alerts(channels.url, [alert("KmsKeyDeletionSoon", "100000000002")])
    message = channels.message("100000000002")
    assert message["title"] == "CRITICAL: KMS key k1 (100000000002, eu-west-1) will be destroyed in 0.5 days"
    assert "aws kms enable-key --region eu-west-1 --key-id k1" in message["text"]
    assert {action["text"] for action in message["actions"]} == {"Runbook", "Dashboard"}
    mail = channels.mail("100000000002")
    assert mail["Subject"] == "KMS key k1 (100000000002, eu-west-1) will be destroyed in 0.5 days"
    for kind in ("plain", "html"):
        assert "aws kms cancel-key-deletion --region eu-west-1 --key-id k1" in part(mail, kind)
        assert "/KmsKeyDeletionSoon.md" in part(mail, kind)


def test_who_did_it_and_who_approved_it_are_told_when_known(channels: Channels) -> None:
    post_alerts(channels.url, [alert("KmsKeyDeletionScheduled", "100000000003", severity="info")])
    text = part(channels.mail("100000000003"), "plain")
    assert "Scheduled by: arn:aws:iam::100000000003:role/Deployer" in text
    assert 'Declared intended by: key-administrators, reason "retired", ticket SEC-7' in text


def test_text_from_aws_stays_text(channels: Channels) -> None:
    key = alert("KmsKeyDeletionImminent", "100000000004", description=HOSTILE, summary="<!here> <b>key</b>")
    post_alerts(channels.url, [key])
    message = channels.message("100000000004")
    assert "&lt;!channel&gt; &lt;script&gt;" in message["text"]
    assert "&amp; more" in message["text"]
    assert message["text"].count("```") == 2
    assert message["title"] == "CRITICAL: &lt;!here&gt; &lt;b&gt;key&lt;/b&gt;"
    html = part(channels.mail("100000000004"), "html")
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


def many(account: str, name: str = "KmsKeyDeletionSoon", *, count: int = 20) -> list[dict[str, Any]]:
    """Return an alert for each of many keys."""
    return [alert(name, account, key=f"key-{number:02}") for number in range(count)]


def come_to_pass(channels: Channels, account: str) -> None:
    """Wait until everything that was posted before is told: then a later alert, of a key of another account, is."""
    post_alerts(channels.url, [alert("KmsKeyDeletionImminent", account)])
    channels.page(account)


def test_second_key_of_an_account_is_a_page_of_its_own(channels: Channels) -> None:
    account = "100000000016"
    first = alert("KmsKeyDeletionSoon", account, key="first")
    post_alerts(channels.url, [first])
    incident = channels.page(account)
    post_alerts(channels.url, [first, alert("KmsKeyDeletionSoon", account, key="second")])
    come_to_pass(channels, "100000000017")
    (second,) = [event for event in channels.pages(account) if event["dedup_key"] != incident["dedup_key"]]
    assert second["payload"]["summary"] == f"KMS key second ({account}, eu-west-1) will be destroyed in 0.5 days"
    assert "first" not in second["payload"]["custom_details"]["firing"]
    assert len(channels.pages(account)) == 2


def test_what_becomes_worse_of_one_key_is_added_to_its_incident(channels: Channels) -> None:
    account = "100000000018"
    soon = alert("KmsKeyDeletionSoon", account)
    post_alerts(channels.url, [soon])
    channels.page(account)
    post_alerts(channels.url, [soon, alert("KmsKeyPendingDeletionDeniedUse", account)])
    come_to_pass(channels, "100000000019")
    assert len({event["dedup_key"] for event in channels.pages(account)}) == 1
    assert "is missed" in channels.pages(account)[-1]["payload"]["custom_details"]["firing"]


def test_mass_deletion_in_an_account_is_one_page(channels: Channels) -> None:
    account = "100000000005"
    post_alerts(channels.url, [*many(account), alert("KmsMassDeletionInAccount", account)])
    event = channels.page(account)
    assert event["payload"]["summary"] == f"5 KMS keys scheduled for deletion within an hour in account {account}"
    assert event["payload"]["class"] == "deletion"
    assert event["payload"]["group"] == account
    assert "kms-exporter cancel-deletion --all-unacknowledged" in event["payload"]["custom_details"]["firing"]
    come_to_pass(channels, "100000000020")
    assert len(channels.pages(account)) == 1


def test_mass_deletion_pages_though_an_incident_is_open(channels: Channels) -> None:
    account = "100000000021"
    first = alert("KmsKeyDeletionSoon", account)
    post_alerts(channels.url, [first])
    incident = channels.page(account)
    post_alerts(channels.url, [first, *many(account), alert("KmsMassDeletionInAccount", account)])
    come_to_pass(channels, "100000000022")
    (mass,) = [event for event in channels.pages(account) if event["dedup_key"] != incident["dedup_key"]]
    assert mass["payload"]["summary"].startswith("5 KMS keys scheduled for deletion within an hour")
    assert len(channels.pages(account)) == 2


def test_mass_deletion_known_a_moment_later_is_still_one_page(channels: Channels) -> None:
    account = "100000000023"
    post_alerts(channels.url, [*many(account), *many(account, "KmsKeyPendingDeletionInUse")])
    post_alerts(channels.url, [alert("KmsMassDeletionInAccount", account)])
    come_to_pass(channels, "100000000024")
    assert [event["payload"]["summary"][:10] for event in channels.pages(account)] == ["5 KMS keys"]


def test_keys_page_by_themselves_when_the_mass_deletion_ends(channels: Channels) -> None:
    account = "100000000025"
    mass = alert("KmsMassDeletionInAccount", account)
    post_alerts(channels.url, [*many(account, count=2), mass])
    channels.page(account)
    post_alerts(channels.url, [*many(account, count=2), ended(mass)])
    assert channels.page(account, action="resolve")
    for number in range(2):
        assert channels.page(f"KMS key key-{number:02} ({account}, ")


def test_mass_deletion_mutes_no_other_account_no_loss_and_no_key_that_was_scheduled_before(channels: Channels) -> None:
    account, other = "100000000026", "100000000027"
    told = [
        alert("KmsKeyDeletionImminent", account, key="imminent"),
        alert("KmsKeyDeleted", account, key="lost"),
        alert("KmsKeyDeletionSoon", other),
    ]
    post_alerts(channels.url, [alert("KmsMassDeletionInAccount", account), *told])
    assert channels.page(f"KMS key imminent ({account}, ")
    assert channels.page(f"destroyed (payments {account}, ")
    assert channels.page(other)


def test_mass_deletion_over_all_accounts_mutes_none(channels: Channels) -> None:
    account = "100000000028"
    overall = alert("KmsMassDeletionOverall", "")
    post_alerts(
        channels.url, [overall, alert("KmsKeyDeletionSoon", account), alert("KmsMassDeletionInAccount", account)]
    )
    event = channels.page("over all accounts")
    assert event["payload"]["class"] == "deletion"
    assert channels.page(account)["dedup_key"] != event["dedup_key"]
    post_alerts(channels.url, [ended(overall)])


def test_key_store_that_is_down_is_one_page_for_all_of_its_keys(channels: Channels) -> None:
    account = "100000000029"
    post_alerts(channels.url, many(account, "KmsKeyUnavailable"))
    come_to_pass(channels, "100000000030")
    (event,) = channels.pages(account)
    assert event["payload"]["summary"] == f"20 KMS alerts in account {account}"
    firing = event["payload"]["custom_details"]["firing"]
    assert all(f"key-{number:02}" in firing for number in range(20))


def test_of_many_keys_the_first_are_told_in_full(channels: Channels) -> None:
    account = "100000000006"
    post_alerts(
        channels.url,
        [alert("KmsKeyDeletionScheduled", account, key=f"key-{number:02}", severity="warning") for number in range(30)],
    )
    message = channels.message(account)
    assert message["title"] == f"WARNING: 30 KMS keys will be destroyed in account {account}"
    assert message["text"].count("\n• ") == 25  # 24 keys below the first, and the line that tells of more
    assert "• and more, 30 in all: see the dashboard" in message["text"]
    assert message["text"].count("aws kms cancel-key-deletion") == 5


def test_key_of_several_alerts_counts_once_in_the_headline(channels: Channels) -> None:
    account = "100000000012"
    several = [alert(name, account) for name in ("KmsKeyDeletionImminent", "KmsKeyPendingDeletionDeniedUse")]
    post_alerts(channels.url, several)
    event = channels.page(account)
    assert event["payload"]["summary"] == f"KMS key k1 ({account}, eu-west-1) will be destroyed in 0.5 days"
    firing = event["payload"]["custom_details"]["firing"]
    assert "is missed: 3 uses failed since its deletion was scheduled" in firing
    assert firing.count("Runbook: ") == 2
    assert channels.message(account)["title"] == f"CRITICAL: {event['payload']['summary']}"


def test_denied_uses_do_not_take_the_place_of_the_use_before(channels: Channels) -> None:
    account = "100000000013"
    post_alerts(
        channels.url,
        [alert("KmsKeyPendingDeletionInUse", account), alert("KmsKeyPendingDeletionDeniedUse", account)],
    )
    firing = channels.page(account)["payload"]["custom_details"]["firing"]
    assert "is missed: 3 uses failed" in firing
    assert "though it was in use" in firing


def test_silence_mutes_lesser_alerts_of_its_key_and_no_other_page(channels: Channels) -> None:
    account = "100000000031"
    silence(channels.url, alertname="KmsKeyPendingDeletionDeniedUse", account_id=account, key_id="k1")
    denied, scheduled = (
        alert("KmsKeyPendingDeletionDeniedUse", account),
        alert("KmsKeyDeletionScheduled", account, severity="warning"),
    )
    post_alerts(channels.url, [denied, scheduled])
    come_to_pass(channels, "100000000032")
    assert not channels.posts_about(account)
    post_alerts(channels.url, [alert("KmsKeyPendingDeletionInUse", account)])
    assert "though it was in use" in channels.page(account)["payload"]["summary"]


def test_acknowledged_deletion_goes_to_mail_alone_until_the_key_is_used(channels: Channels) -> None:
    account = "100000000014"
    post_alerts(channels.url, [alert("KmsKeyDeletionScheduled", account, severity="info")])
    assert "Declared intended by: key-administrators" in part(channels.mail(account), "plain")
    assert not channels.posts_about(account)
    post_alerts(channels.url, [alert("KmsKeyPendingDeletionInUse", account)])
    firing = channels.page(account)["payload"]["custom_details"]["firing"]
    assert "Scheduled by: Deployer/build-42, 1970-01-10 00:00:00 +0000 UTC" in firing
    assert "Last used: 1970-01-04 00:00:00 +0000 UTC" in firing
    assert "Denied uses since it was scheduled: none seen" in firing
    assert "kms-exporter cancel-deletion arn:aws:kms:eu-west-1:" in firing


def test_what_is_not_known_is_told_as_unknown(channels: Channels) -> None:
    post_alerts(channels.url, [alert("KmsKeyDeletionImminent", "100000000015")])
    firing = channels.page("100000000015")["payload"]["custom_details"]["firing"]
    assert "Scheduled by: unknown\nLast used: unknown\nDenied uses since it was scheduled: unknown" in firing


def test_loss_of_a_key_is_a_page_of_its_own_and_silences_the_warnings_of_it(channels: Channels) -> None:
    warned = alert("KmsKeyDeletionImminent", "100000000007")
    post_alerts(channels.url, [warned])
    deletion = channels.page("100000000007")
    post_alerts(channels.url, [alert("KmsKeyDeleted", "100000000007"), ended(warned)])

    def loss(post: Post) -> bool:
        payload = post.body.get("payload", {})
        return bool(payload.get("class") == "loss") and payload["group"] == "100000000007"

    lost = channels.posts.first(loss, "a page for the loss", WITHIN).body
    assert lost["dedup_key"] != deletion["dedup_key"]
    assert lost["payload"]["summary"] == "KMS key alias/orders is destroyed (payments 100000000007, eu-west-1)"
    # A sign that Alertmanager has gone through the groups again since: another account's alert of later.
    post_alerts(channels.url, [alert("KmsKeyDeletionImminent", "100000000008")])
    channels.page("100000000008")
    assert "resolve" not in {event["event_action"] for event in channels.pages("100000000007")}


def test_end_of_an_alert_reminds_of_enabling_the_key(channels: Channels) -> None:
    saved = alert("KmsKeyDeletionImminent", "100000000009")
    post_alerts(channels.url, [saved])
    channels.page("100000000009")
    post_alerts(channels.url, [ended(saved)])
    message = channels.message("100000000009", containing="RESOLVED")
    assert message["title"] == "RESOLVED: KmsKeyDeletionImminent k1 100000000009 eu-west-1"
    assert "aws kms enable-key --region eu-west-1 --key-id k1" in message["text"]
    assert "Told before: KMS key k1" in message["text"]
    assert channels.page("100000000009", action="resolve")


def test_only_the_most_severe_alert_of_a_key_is_told(channels: Channels) -> None:
    account = "100000000010"
    post_alerts(
        channels.url,
        [
            alert("KmsKeyDeletionScheduled", account, severity="warning"),
            alert("KmsKeyDeletionSoon", account),
            alert("KmsKeyDeletionImminent", account),
        ],
    )
    assert channels.page(account)["payload"]["custom_details"]["firing"].count("Runbook: ") == 1
    assert channels.message(account)["title"].startswith("CRITICAL")
    assert channels.message(account)["text"].count("aws kms cancel-key-deletion") == 1


def test_other_keys_and_other_concerns_are_not_silenced(channels: Channels) -> None:
    account = "100000000011"
    post_alerts(
        channels.url,
        [
            alert("KmsKeyDeletionImminent", account),
            alert("KmsKeyDeletionScheduled", account, key="other", severity="warning"),
            alert("KmsKeyMaterialExpiring", account),
        ],
    )
    assert "other" in channels.message(account, containing="WARNING: KMS key")["text"]
    assert channels.message(account, containing="WARNING: Imported material")


def test_alerts_about_the_exporter_itself_do_not_silence_each_other(channels: Channels) -> None:
    post_alerts(channels.url, [alert("KmsShardMissing", ""), alert("KmsExporterConfigReloadFailed", "")])
    title = "kms-exporter refused its new configuration"
    assert channels.message(title)["title"] == f"WARNING: {title}"


def test_missing_shard_does_not_hide_an_account_that_left_the_organization(channels: Channels) -> None:
    account = "100000000033"
    post_alerts(channels.url, [alert("KmsShardMissing", ""), alert("KmsTargetVanished", account)])
    assert channels.message(account)["title"] == f"WARNING: 1 regions of account {account} are no longer watched"


def test_without_an_exporter_nothing_else_is_told_of_the_watch_but_a_key_that_is_pending_all_the_same(
    channels: Channels,
) -> None:
    failing, unwatched = "100000000034", "100000000035"
    absent = alert("KmsExporterAbsent", "")
    post_alerts(channels.url, [absent])
    channels.page("No kms-exporter is scraped")
    post_alerts(
        channels.url, [alert("KmsTargetFailing", failing), alert("KmsUnwatchedAccountPendingDeletion", unwatched)]
    )
    assert "which nobody watches" in channels.page(unwatched)["payload"]["summary"]
    come_to_pass(channels, "100000000036")
    assert not channels.posts_about(failing)
    post_alerts(channels.url, [ended(absent)])


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "KmsKeyDeletionSoon", "severity": "critical"}, "kms-page"),
        ({"alertname": "KmsKeyDeletionScheduled", "severity": "warning"}, "kms-chat"),
        ({"alertname": "KmsKeyDeletionScheduled", "severity": "info"}, "kms-mail"),
        ({"alertname": "KmsKeyDeleted", "severity": "info"}, "kms-mail"),
        ({"alertname": "KmsKeyPendingDeletionInUse", "severity": "critical"}, "kms-page"),
        ({"alertname": "KmsEvidenceUnavailable", "severity": "warning"}, "kms-chat"),
        ({"alertname": "KmsAcknowledgementUnmatched", "severity": "info"}, "kms-mail"),
    ],
)
def test_severity_decides_who_is_told(labels: dict[str, str], receiver: str) -> None:
    pairs = [f"{name}={value}" for name, value in labels.items()]
    configuration = f"--config.file={ALERTMANAGER / 'alertmanager.yml'}"
    command = [program("amtool"), "config", "routes", "test", configuration, f"--verify.receivers={receiver}", *pairs]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, result.stdout + result.stderr


def test_shipped_configuration_is_valid_where_it_is_put(tmp_path: Path) -> None:
    shutil.copytree(ALERTMANAGER, tmp_path / "alertmanager")
    command = [program("amtool"), "check-config", str(tmp_path / "alertmanager" / "alertmanager.yml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 templates" in result.stdout
