"""Credentials: the exporter's own whatever their source, and those of assumed roles, renewed while it runs."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.credentials import ReadOnlyCredentials

from exporter.aws import kms
from exporter.aws.calls import Access
from exporter.aws.identities import HomeIdentity, RoleIdentity
from exporter.demo.principals import HOME_ACCESS_KEY, HOME_SECRET_KEY
from exporter.demo.world import World
from exporter.errors import TargetError
from exporter.model import Target

if TYPE_CHECKING:
    from tests.aws.harness import Lab, OpenLab

HOME = "111122223333"
MEMBER = "222233334444"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{MEMBER}:role/KmsExporter"
HOUR = 3600.0


class TestHome:
    @pytest.fixture
    def identity(self, lab: "Lab") -> HomeIdentity:
        return HomeIdentity(workers=lab.workers(), where=Target(HOME, REGION), now=lab.monotonic)

    def test_credentials_come_from_the_default_chain(self, lab: "Lab", identity: HomeIdentity) -> None:
        assert lab.run(identity.credentials()) == ReadOnlyCredentials(HOME_ACCESS_KEY, HOME_SECRET_KEY, None)

    def test_without_any_the_account_can_not_be_asked(
        self, lab: "Lab", identity: HomeIdentity, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(TargetError, match="Unable to locate credentials") as raised:
            lab.run(identity.credentials())
        assert raised.value.reason == "credentials"

    def test_a_profile_that_does_not_exist_is_told(
        self, lab: "Lab", identity: HomeIdentity, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nowhere")
        with pytest.raises(TargetError, match="nowhere") as raised:
            lab.run(identity.credentials())
        assert raised.value.reason == "credentials"

    def test_they_are_found_once_they_are_there(
        self, lab: "Lab", identity: HomeIdentity, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as without:
            without.delenv("AWS_ACCESS_KEY_ID")
            with pytest.raises(TargetError):
                lab.run(identity.credentials())
        assert lab.run(identity.credentials()).access_key == HOME_ACCESS_KEY

    def test_what_a_source_calls_temporary_is_renewed(
        self, lab: "Lab", identity: HomeIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        source = tmp_path / "credentials.json"
        _use_process(monkeypatch, tmp_path, f"cat {source}")
        _write(source, "AKIAFIRST", lasts=timedelta(minutes=5))
        assert lab.run(identity.credentials()).access_key == "AKIAFIRST"
        _write(source, "AKIASECOND", lasts=timedelta(hours=1))
        assert lab.run(identity.credentials()).access_key == "AKIAFIRST", "a source is not asked for every request"
        lab.monotonic.advance(30)
        assert lab.run(identity.credentials()).access_key == "AKIASECOND"

    def test_what_is_permanent_is_looked_up_anew_once_aws_refuses_it(
        self, lab: "Lab", identity: HomeIdentity, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as earlier:
            earlier.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
            old = lab.run(identity.credentials())
        lab.monotonic.advance(HOUR)
        assert lab.run(identity.credentials()) == old, "botocore holds them for permanent"
        identity.refused(old)
        assert lab.run(identity.credentials()).access_key == HOME_ACCESS_KEY

    def test_a_late_refusal_of_earlier_ones_says_nothing_of_newer_ones(
        self, lab: "Lab", identity: HomeIdentity, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = lab.run(identity.credentials())
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEWER")
        identity.refused(ReadOnlyCredentials("AKIAOLD", "secret", None))
        assert lab.run(identity.credentials()) == now

    def test_a_request_refused_for_old_ones_succeeds_with_those_that_are_there_now(
        self, lab: "Lab", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        access, calls = lab.home(), lab.calls()
        with monkeypatch.context() as earlier:
            earlier.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
            lab.run(access.identity.credentials())
        assert lab.run(kms.list_keys(calls, access, deadline=lab.deadline())) == []
        assert lab.heard.requests == {"ListKeys": 2}

    def test_many_who_ask_at_once_share_one_answer(
        self, lab: "Lab", identity: HomeIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        source, asked = tmp_path / "credentials.json", tmp_path / "asked"
        _write(source, "AKIAFIRST", lasts=timedelta(hours=1))
        _use_process(monkeypatch, tmp_path, f'sh -c "echo >> {asked}; cat {source}"')

        async def all_at_once() -> None:
            await asyncio.gather(*(identity.credentials() for _ in range(20)))

        lab.run(all_at_once())
        assert asked.read_text() == "\n"


def _use_process(monkeypatch: pytest.MonkeyPatch, folder: Path, command: str) -> None:
    """Let the default chain find credentials through `credential_process` only."""
    config = folder / "config"
    config.write_text(f"[default]\ncredential_process = {command}\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


def _write(source: Path, access_key: str, *, lasts: timedelta) -> None:
    expires = (datetime.now(UTC) + lasts).isoformat()
    answer = {
        "Version": 1,
        "AccessKeyId": access_key,
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": expires,
    }
    source.write_text(json.dumps(answer))


class TestRole:
    @pytest.fixture
    def member_lab(self, open_lab: "OpenLab") -> "Lab":
        world = World(home_regions=[REGION])
        world.add_account(MEMBER, "payments", [REGION])
        world.add_role(MEMBER, "KmsExporter")
        return open_lab(world)

    def role(self, lab: "Lab", *, external_id: str = "", read_timeout: float = 20) -> RoleIdentity:
        return RoleIdentity(
            calls=lab.calls(read_timeout=read_timeout),
            home=lab.home(),
            role_arn=ROLE,
            external_id=external_id,
            now=lab.world.agenda.time,
        )

    def test_it_is_assumed_when_first_needed(self, member_lab: "Lab") -> None:
        role = self.role(member_lab)
        assert not member_lab.world.counts.total()
        credentials = member_lab.run(role.credentials())
        assert str(credentials.access_key).startswith("ASIA")
        assert credentials.token
        assert member_lab.run(role.credentials()) is credentials
        assert member_lab.world.counts.total("AssumeRole") == 1

    def test_many_who_need_it_at_once_share_one_session(self, member_lab: "Lab") -> None:
        role = self.role(member_lab)

        async def all_at_once() -> set[ReadOnlyCredentials]:
            return set(await asyncio.gather(*(role.credentials() for _ in range(20))))

        assert len(member_lab.run(all_at_once())) == 1
        assert member_lab.world.counts.total("AssumeRole") == 1

    def test_its_credentials_show_the_accounts_own_keys(self, member_lab: "Lab") -> None:
        member_lab.world.vault(HOME, REGION).create_key()
        key = member_lab.world.vault(MEMBER, REGION).create_key()
        calls = member_lab.calls()
        member = Access(Target(MEMBER, REGION), self.role(member_lab))
        assert member_lab.run(kms.list_keys(calls, member, deadline=member_lab.deadline())) == [key.key_id]
        assert member_lab.run(kms.list_keys(calls, member_lab.home(), deadline=member_lab.deadline())) != [key.key_id]

    def test_one_client_signs_for_every_account_in_any_order(self, member_lab: "Lab") -> None:
        calls, truth = member_lab.calls(), {}
        for account_id in (HOME, MEMBER):
            vault = member_lab.world.vault(account_id, REGION)
            truth[account_id] = {vault.create_key().key_id for _ in range(30)}
        accesses = {HOME: member_lab.home(), MEMBER: Access(Target(MEMBER, REGION), self.role(member_lab))}

        async def all_at_once() -> list[set[str]]:
            deadline = member_lab.deadline()
            outcomes = await asyncio.gather(
                *(
                    kms.describe_keys(calls, accesses[account_id], truth[account_id], deadline=deadline)
                    for account_id in (HOME, MEMBER)
                )
            )
            return [set(each.answers) for each in outcomes]

        assert member_lab.run(all_at_once()) == [truth[HOME], truth[MEMBER]]

    def test_the_external_id_opens_it(self, member_lab: "Lab") -> None:
        member_lab.world.add_role(MEMBER, "KmsExporter", external_id="s3cret")
        assert member_lab.run(self.role(member_lab, external_id="s3cret").credentials())

    @pytest.mark.parametrize("external_id", ["", "wrong"])
    def test_without_the_right_external_id_it_stays_closed(self, member_lab: "Lab", external_id: str) -> None:
        member_lab.world.add_role(MEMBER, "KmsExporter", external_id="s3cret")
        with pytest.raises(
            TargetError, match=f"not authorized to perform: sts:AssumeRole on resource: {ROLE}"
        ) as raised:
            member_lab.run(self.role(member_lab, external_id=external_id).credentials())
        assert raised.value.reason == "AccessDenied"
        assert "wrong" not in str(raised.value)
        assert member_lab.world.counts.total("AssumeRole") == 1

    def test_home_credentials_that_are_a_role_themselves_will_do(self, open_lab: "OpenLab") -> None:
        world = World(home_regions=[REGION], home_is_role=True)
        world.add_account(MEMBER, "payments", [REGION])
        world.add_role(MEMBER, "KmsExporter")
        lab = open_lab(world)
        assert lab.run(self.role(lab).credentials())

    def test_it_is_renewed_before_it_ends(self, member_lab: "Lab") -> None:
        role = self.role(member_lab)
        first = member_lab.run(role.credentials())
        member_lab.world.agenda.advance(HOUR - 700)
        assert member_lab.run(role.credentials()) == first
        member_lab.world.agenda.advance(200)
        second = member_lab.run(role.credentials())
        assert second != first
        member_lab.world.agenda.advance(HOUR - 700)
        assert member_lab.run(role.credentials()) == second

    def test_while_it_can_not_be_renewed_it_is_used_to_its_end(self, member_lab: "Lab") -> None:
        role = self.role(member_lab)
        first = member_lab.run(role.credentials())
        member_lab.faults.deny(operation="AssumeRole")
        member_lab.world.agenda.advance(HOUR - 500)
        assert member_lab.run(role.credentials()) == first
        member_lab.world.agenda.advance(499)
        assert member_lab.run(role.credentials()) == first
        member_lab.world.agenda.advance(2)
        with pytest.raises(TargetError, match="AccessDenied"):
            member_lab.run(role.credentials())

    def test_requests_do_not_wait_for_a_renewal_that_just_failed(self, member_lab: "Lab") -> None:
        role = self.role(member_lab)
        member_lab.run(role.credentials())
        fault = member_lab.faults.deny(operation="AssumeRole")
        member_lab.world.agenda.advance(HOUR - 500)
        member_lab.world.counts.clear()
        for _ in range(10):
            member_lab.run(role.credentials())
        assert member_lab.world.counts.total("AssumeRole") == 1
        member_lab.faults.remove(fault)
        member_lab.world.agenda.advance(60)
        member_lab.run(role.credentials())
        member_lab.world.agenda.advance(HOUR - 700)
        member_lab.run(role.credentials())
        assert member_lab.world.counts.total("AssumeRole") == 2, "the next attempt succeeded and holds for its time"

    def test_a_session_that_aws_forgot_is_replaced_within_the_request(self, member_lab: "Lab") -> None:
        key_ids = [member_lab.world.vault(MEMBER, REGION).create_key().key_id for _ in range(50)]
        member, calls = Access(Target(MEMBER, REGION), self.role(member_lab)), member_lab.calls()
        member_lab.run(member.identity.credentials())
        member_lab.world.credentials.revoke(MEMBER)
        outcomes = member_lab.run(kms.describe_keys(calls, member, key_ids, deadline=member_lab.deadline()))
        outcomes.raise_first()
        assert set(outcomes.answers) == set(key_ids)
        assert member_lab.world.counts.total("AssumeRole") == 2

    def test_a_late_refusal_of_an_earlier_session_says_nothing_of_the_newer_one(self, member_lab: "Lab") -> None:
        role = self.role(member_lab)
        first = member_lab.run(role.credentials())
        role.refused(first)
        second = member_lab.run(role.credentials())
        role.refused(first)
        assert member_lab.run(role.credentials()) == second

    def test_credentials_that_stay_refused_cost_the_target_after_one_renewal(self, member_lab: "Lab") -> None:
        member = Access(Target(MEMBER, REGION), self.role(member_lab))
        member_lab.faults.refuse("ExpiredTokenException", service="kms")
        with pytest.raises(TargetError, match="ExpiredTokenException"):
            member_lab.run(kms.list_keys(member_lab.calls(), member, deadline=member_lab.deadline()))
        assert member_lab.world.counts.total("AssumeRole") == 2
        assert member_lab.world.counts.total("ListKeys") == 2

    def test_an_sts_that_hangs_costs_no_more_than_its_time(self, member_lab: "Lab") -> None:
        member_lab.faults.hang(operation="AssumeRole")
        with pytest.raises(TargetError) as raised:
            member_lab.run(self.role(member_lab, read_timeout=0.3).credentials())
        assert (raised.value.operation, raised.value.reason) == ("AssumeRole", "timeout")

    @pytest.mark.parametrize("member", ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"])
    def test_an_answer_that_lacks_a_part_opens_nothing(self, member_lab: "Lab", member: str) -> None:
        def without(answer: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
            parts = {name: value for name, value in answer["Credentials"].items() if name != member}
            return {**answer, "Credentials": parts}

        member_lab.faults.change(without, operation="AssumeRole")
        with pytest.raises(TargetError) as raised:
            member_lab.run(self.role(member_lab).credentials())
        assert raised.value.reason == "invalid_response"
