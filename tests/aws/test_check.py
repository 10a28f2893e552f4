"""One look at everything: what it finds of emulated accounts, what it costs, and what it makes of what goes wrong."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from exporter.aws.connection import connect
from exporter.aws.discovery import Memory
from exporter.demo.server import environment
from exporter.demo.world import World
from exporter.findings.judging import report_of
from exporter.findings.report import GapKind, Report, Status
from exporter.log import Log
from exporter.model import Target
from exporter.oneshot import Look, Progress, Scope, Stage, look_once, narrowed
from exporter.settings import Settings
from tests.aws.harness import Hasty, Heard, Lab
from tests.support.moto import moto_server

if TYPE_CHECKING:
    from tests.aws.harness import OpenLab

HOME, PAYMENTS, LEGACY = "111122223333", "222233334444", "333344445555"
IRELAND, VIRGINIA = "eu-west-1", "us-east-1"
EVERYONE = {"organization": {"enabled": True}}

LookAt = Callable[..., Look]


@pytest.fixture
def world() -> World:
    """A home account with two regions, and two others of the same organization with one."""
    world = World(home_regions=[IRELAND, VIRGINIA])
    for account_id, name in ((PAYMENTS, "payments"), (LEGACY, "legacy")):
        world.add_account(account_id, name, [IRELAND])
        world.add_role(account_id, "KmsExporter")
    world.create_organization()
    return world


@pytest.fixture
def lab(open_lab: "OpenLab", world: World) -> Lab:
    return open_lab(world, hurry=5)


def settings_of(aws: dict[str, Any], **sections: Any) -> Settings:
    return Settings.model_validate({"aws": {"request_rate": 1, **EVERYONE, **aws}, **sections})


@pytest.fixture
def look(lab: Lab) -> LookAt:
    """Look once, with these settings of `aws`, `keys` and `shard`."""

    def once(
        scope: Scope | None = None,
        *,
        progress: Progress = lambda *_: None,
        keys: Mapping[str, Any] | None = None,
        shard: Mapping[str, Any] | None = None,
        **aws: Any,
    ) -> Look:
        scope, settings = scope or Scope(), settings_of(aws, keys=keys or {}, shard=shard or {})

        async def run() -> Look:
            return await look_once(
                lab.connect(narrowed(settings, scope)),
                scope,
                concurrency=16,
                log=Log(logging.getLogger("test")),
                now=lab.world.agenda.time,
                monotonic=lab.monotonic,
                progress=progress,
            )

        return lab.run(run())

    return once


def judged(found: Look) -> Report:
    return report_of(found, settings_of({}))


def gaps(found: Look) -> list[tuple[GapKind, str, str, str]]:
    return [(gap.kind, gap.account_id, gap.region, gap.key_id) for gap in judged(found).gaps]


def pending(found: Look) -> set[str]:
    return {finding.facts.key.arn for finding in judged(found).findings}


class TestLooking:
    def test_it_finds_every_pending_key_of_every_account_and_region(self, lab: Lab, look: LookAt) -> None:
        for account_id, region in ((HOME, VIRGINIA), (PAYMENTS, IRELAND)):
            vault = lab.world.vault(account_id, region)
            vault.create_key()
            vault.schedule_deletion(vault.create_key().key_id, 7)
        found = look()
        assert pending(found) == {key.arn for key in lab.world.pending()}
        assert len(pending(found)) == 2
        assert gaps(found) == []

    def test_it_tells_whose_credentials_they_are_and_how_each_account_was_entered(self, look: LookAt) -> None:
        found = look()
        assert found.caller is not None
        assert (found.caller.account_id, found.caller.arn.startswith("arn:aws:")) == (HOME, True)
        assert found.roles == {
            HOME: "",
            PAYMENTS: f"arn:aws:iam::{PAYMENTS}:role/KmsExporter",
            LEGACY: f"arn:aws:iam::{LEGACY}:role/KmsExporter",
        }

    def test_it_finds_out_who_and_whether_the_key_is_still_used(self, lab: Lab, look: LookAt) -> None:
        vault = lab.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id, 7)
        (finding,) = judged(look()).findings
        assert finding.facts.scheduled_by
        assert finding.facts.evidence.usage is not None
        assert finding.facts.denied_uses == 0
        assert finding.missing == {}

    def test_it_reads_each_key_once(self, lab: Lab, look: LookAt) -> None:
        for _ in range(30):
            lab.world.vault(HOME, IRELAND).create_key()
        look()
        assert lab.heard.requests["DescribeKey"] == 30
        assert lab.heard.requests["ListKeys"] == 4

    def test_it_does_not_ask_when_keys_that_are_not_pending_were_used(self, lab: Lab, look: LookAt) -> None:
        lab.world.vault(HOME, IRELAND).create_key()
        look(keys={"last_usage": True})
        assert "GetKeyLastUsage" not in lab.heard.requests

    def test_it_tells_how_far_it_is(self, lab: Lab, look: LookAt) -> None:
        vault = lab.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id, 7)
        told: list[tuple[Stage, int, int]] = []
        look(progress=lambda *step: told.append(step))
        assert told == [
            (Stage.ACCOUNTS, 0, 0),
            *((Stage.KEYS, done, 4) for done in range(5)),
            (Stage.EVIDENCE, 0, 1),
            (Stage.EVIDENCE, 1, 1),
        ]


class TestWhatGoesWrong:
    def test_a_key_that_refuses_is_told(self, lab: Lab, look: LookAt) -> None:
        key = lab.world.vault(HOME, IRELAND).create_key(denied={"DescribeKey"})
        assert gaps(look()) == [(GapKind.KEY, HOME, IRELAND, key.key_id)]

    def test_a_region_that_refuses_is_told_and_costs_no_other(self, lab: Lab, look: LookAt) -> None:
        lab.faults.deny(operation="ListKeys", region=VIRGINIA)
        vault = lab.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id, 7)
        found = look()
        assert gaps(found) == [(GapKind.TARGET, HOME, VIRGINIA, "")]
        assert len(pending(found)) == 1
        assert judged(found).status is Status.UNCHECKED

    def test_an_account_that_lets_nobody_in_is_told(self, lab: Lab, look: LookAt) -> None:
        lab.world.add_role(PAYMENTS, "KmsExporter", assumable=False)
        assert gaps(look()) == [(GapKind.ACCOUNT, PAYMENTS, "", "")]

    def test_an_organization_that_can_not_be_listed_is_told(self, lab: Lab, look: LookAt) -> None:
        lab.faults.deny(operation="ListAccounts")
        assert gaps(look()) == [(GapKind.ORGANIZATION, "", "", "")]

    def test_without_sts_nothing_is_known(self, lab: Lab, look: LookAt) -> None:
        lab.faults.deny(service="sts")
        found = look()
        assert found.caller is None
        assert {kind for kind, *_ in gaps(found)} == {GapKind.IDENTITY, GapKind.ACCOUNT}

    def test_a_target_that_fails_is_tried_once_more_in_the_end(self, lab: Lab, look: LookAt) -> None:
        lab.faults.deny(operation="ListKeys", region=VIRGINIA, times=1)
        found = look()
        assert gaps(found) == []
        assert lab.heard.requests["ListKeys"] == 5

    def test_a_key_that_could_not_be_read_is_too(self, lab: Lab, look: LookAt) -> None:
        vault = lab.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id, 7)
        lab.faults.refuse("NotFoundException", operation="DescribeKey", times=1)
        found = look()
        assert (gaps(found), len(pending(found))) == ([], 1)

    def test_evidence_that_is_denied_is_no_gap(self, lab: Lab, look: LookAt) -> None:
        vault = lab.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id, 7)
        lab.faults.deny(operation="GetKeyLastUsage")
        found = look()
        (finding,) = judged(found).findings
        assert [(source, "AccessDenied" in why) for source, why in finding.missing.items()] == [("last_usage", True)]
        assert gaps(found) == []

    def test_evidence_that_hangs_is_not_waited_for_for_ever(self, lab: Lab, look: LookAt) -> None:
        vault = lab.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id, 7)
        lab.faults.hang(operation="ListGrants")
        found = look(read_timeout=300)
        (finding,) = judged(found).findings
        assert finding.missing == {"grants": "not answered in time"}
        assert finding.facts.scheduled_by


class TestScope:
    def test_accounts_that_are_not_asked_for_are_not_entered(self, lab: Lab, look: LookAt) -> None:
        lab.world.add_role(LEGACY, "KmsExporter", assumable=False)
        found = look(Scope(accounts=frozenset({PAYMENTS})))
        assert [state.target for state in found.snapshot.targets] == [Target(PAYMENTS, IRELAND)]
        assert (gaps(found), lab.heard.requests["AssumeRole"]) == ([], 1)

    def test_regions_that_are_not_asked_for_are_not_asked(self, lab: Lab, look: LookAt) -> None:
        lab.faults.deny(service="kms", region=VIRGINIA)
        found = look(Scope(regions=frozenset({IRELAND})))
        assert {state.target.region for state in found.snapshot.targets} == {IRELAND}
        assert gaps(found) == []

    def test_an_account_that_is_not_watched_is_a_gap(self, look: LookAt) -> None:
        assert gaps(look(Scope(accounts=frozenset({"999999999999"})))) == [(GapKind.SELECTION, "999999999999", "", "")]

    def test_an_account_that_the_configuration_leaves_out_stays_out(self, look: LookAt) -> None:
        found = look(Scope(accounts=frozenset({LEGACY})), organization={"enabled": True, "include": [PAYMENTS]})
        assert gaps(found) == [(GapKind.SELECTION, LEGACY, "", "")]

    def test_an_account_of_the_list_is_entered_by_its_role(self, look: LookAt) -> None:
        roles = [{"role_arn": f"arn:aws:iam::{account}:role/KmsExporter"} for account in (PAYMENTS, LEGACY)]
        found = look(Scope(accounts=frozenset({PAYMENTS})), organization={}, accounts=roles)
        assert found.roles == {PAYMENTS: roles[0]["role_arn"]}

    def test_a_region_that_is_not_watched_is_a_gap(self, look: LookAt) -> None:
        assert gaps(look(Scope(regions=frozenset({"eu-wset-1"})))) == [(GapKind.SELECTION, "", "eu-wset-1", "")]

    def test_an_account_without_the_region_that_was_asked_for_is_a_gap(self, look: LookAt) -> None:
        scope = Scope(accounts=frozenset({HOME, PAYMENTS}), regions=frozenset({VIRGINIA}))
        assert gaps(look(scope)) == [(GapKind.SELECTION, PAYMENTS, "", "")]

    def test_an_account_that_was_asked_for_and_lets_nobody_in_is_told_once(self, lab: Lab, look: LookAt) -> None:
        lab.world.add_role(PAYMENTS, "KmsExporter", assumable=False)
        assert gaps(look(Scope(accounts=frozenset({PAYMENTS})))) == [(GapKind.ACCOUNT, PAYMENTS, "", "")]


def test_the_shard_of_the_service_hides_nothing(look: LookAt) -> None:
    assert len(look(shard={"index": 1, "total": 2}).snapshot.targets) == 4


def test_against_moto_it_finds_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as moto 5.2.5 goes: it knows no GetKeyLastUsage and no LookupEvents."""
    with moto_server() as url:
        for name, value in environment(url).items():
            monkeypatch.setenv(name, value)
        kms = boto3.Session().client("kms", IRELAND)
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_key()
        kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        report = asyncio.run(_look_at_moto(Settings.model_validate({"aws": {"request_rate": 1, "regions": [IRELAND]}})))
        (finding,) = report.findings
        assert (finding.facts.key.key_id, report.status, report.keys) == (key_id, Status.PENDING, 2)
        assert {"scheduled_by", "last_usage", "denied_uses"} <= finding.missing.keys()


async def _look_at_moto(settings: Settings) -> Report:
    connection = connect(
        settings, memory=Memory(), telemetry=Heard(), now=time.time, monotonic=time.monotonic, rng=Hasty()
    )
    try:
        log = Log(logging.getLogger("test"))
        found = await look_once(connection, Scope(), concurrency=16, log=log, now=time.time, monotonic=time.monotonic)
    finally:
        connection.close()
    return report_of(found, settings)
