"""`kms-exporter cancel-deletion` as an operator meets it: a process, a terminal, exit statuses, the record."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import pytest

from exporter.demo.keys import Key
from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import World
from tests.support.moto import moto_server
from tests.support.waiting import until

HOME, MEMBER = "111122223333", "222233334444"
REGION, VIRGINIA = "eu-west-1", "us-east-1"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cancel-deletion.schema.json").read_text(encoding="utf-8"))
WHY = ("--reason", "a mistake of a pipeline")
BLUNT = (
    "--changes.cloudtrail",
    "false",
    "--deletions.last_usage",
    "false",
    "--deletions.grants",
    "false",
    "--deletions.acknowledgement_tag",
    "",
)
"""Asks for no evidence, which takes its time where many keys are pending."""


@pytest.fixture
def emulator() -> Iterator[EmulatorServer]:
    world = World(home_regions=[REGION, VIRGINIA])
    world.add_account(MEMBER, "payments", [REGION])
    world.add_role(MEMBER, "Rescuer")
    world.add_role(MEMBER, "KmsExporter")
    with EmulatorServer(world) as running:
        yield running


@pytest.fixture
def key(emulator: EmulatorServer) -> Key:
    return pending(emulator, alias="alias/ledger")


def pending(emulator: EmulatorServer, account_id: str = HOME, region: str = REGION, **about: Any) -> Key:
    vault = emulator.world.vault(account_id, region)
    return vault.schedule_deletion(vault.create_key(**about).key_id, 10)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exporter", "cancel-deletion", *arguments]


def variables(emulator: EmulatorServer, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **environment(emulator.url), **more}


def run(emulator: EmulatorServer, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=variables(emulator, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def changes(emulator: EmulatorServer) -> int:
    return sum(emulator.world.counts.total(operation) for operation in ("CancelKeyDeletion", "EnableKey"))


def entries(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    return lines


@dataclass
class Terminal:
    """A process on a terminal of its own.

    Attributes:
        seen: everything that it wrote, without colours.
    """

    pid: int
    tty: int
    raw: bytes = b""
    status: int | None = None
    seen: str = field(default="", init=False)

    def expect(self, text: str) -> None:
        """Read until the terminal shows a text."""
        until(lambda: self._read() and text in self.seen, within=60)

    def type(self, text: str) -> None:
        os.write(self.tty, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit status."""
        until(lambda: not self._read(), within=60)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.tty)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        """Read what is there; return whether more may come."""
        try:
            while select.select([self.tty], [], [], 0)[0]:
                self.raw += os.read(self.tty, 65536)
        except OSError:  # the other end is closed
            return False
        finally:
            self.seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw.decode(errors="replace"))
        return True


def on_terminal(emulator: EmulatorServer, *arguments: str) -> Terminal:
    words, env = command(*arguments), variables(emulator, TERM="xterm", COLUMNS="120")
    pid, tty = pty.fork()
    if pid == 0:  # a process with other threads, whose locks are as they were: it does nothing but become another
        os.execve(sys.executable, words, env)
    return Terminal(pid, tty)


class TestSaving:
    def test_a_key_is_saved_shown_and_put_on_record(self, emulator: EmulatorServer, key: Key, tmp_path: Path) -> None:
        record = tmp_path / "record.jsonl"
        ended = run(emulator, key.arn, *WHY, "--ticket", "INC-1", "--yes", "--record", str(record))
        assert (ended.returncode, key.state) == (0, "Enabled")
        assert "by Administrator/alice" in ended.stdout
        assert "alias/ledger  saved: its deletion is cancelled and it is enabled" in ended.stdout
        lines = entries(record)
        assert [line["event"] for line in lines] == [
            "started", "planned", "cancelling", "cancelled", "enabled", "verified", "finished",
        ]  # fmt: skip
        assert {(line["reason"], line["ticket"]) for line in lines} == {("a mistake of a pipeline", "INC-1")}
        summary = Path(f"{record}.txt").read_text(encoding="utf-8")
        for told in (key.arn, "INC-1", f"arn:aws:iam::{HOME}:user/kms-exporter", lines[3]["request"]["request_id"]):
            assert told in summary
        assert "PendingDeletion -> Enabled" in summary

    def test_an_alias_is_of_the_region_of_the_aws_configuration_unless_one_is_given(
        self, emulator: EmulatorServer, key: Key
    ) -> None:
        there = pending(emulator, region=VIRGINIA, alias="alias/ledger")
        assert run(emulator, "alias/ledger", *WHY, "--yes", "--region", VIRGINIA).returncode == 0
        assert (key.state, there.state) == ("PendingDeletion", "Enabled")
        assert run(emulator, "alias/ledger", *WHY, "--yes").returncode == 0
        assert key.state == "Enabled"

    def test_several_keys_of_several_accounts(self, emulator: EmulatorServer, key: Key) -> None:
        member = pending(emulator, MEMBER)
        ended = run(emulator, key.arn, member.arn, *WHY, "--yes", "--role-name", "Rescuer")
        assert (ended.returncode, key.state, member.state) == (0, "Enabled", "Enabled")

    def test_no_enable_leaves_it_disabled_and_the_next_run_on_the_record_enables_it(
        self, emulator: EmulatorServer, key: Key, tmp_path: Path
    ) -> None:
        record = str(tmp_path / "record.jsonl")
        assert run(emulator, key.arn, *WHY, "--yes", "--no-enable", "--record", record).returncode == 0
        assert key.state == "Disabled"
        assert "nothing to do" in run(emulator, key.arn, *WHY, "--yes").stdout
        assert key.state == "Disabled"
        assert run(emulator, key.arn, *WHY, "--yes", "--record", record).returncode == 0
        assert key.state == "Enabled"

    def test_cancelled_but_not_enabled_is_loud_and_status_1(self, emulator: EmulatorServer, key: Key) -> None:
        emulator.faults.deny(operation="EnableKey")
        ended = run(emulator, key.arn, *WHY, "--yes")
        assert (ended.returncode, key.state) == (1, "Disabled")
        assert "CANCELLED BUT NOT ENABLED" in ended.stdout
        assert f"next: aws kms enable-key --region {REGION} --key-id {key.arn}" in ended.stdout

    def test_a_dry_run_sends_nothing_that_changes_and_writes_nothing(
        self, emulator: EmulatorServer, key: Key, tmp_path: Path
    ) -> None:
        record = tmp_path / "record.jsonl"
        ended = run(emulator, key.arn, "--dry-run", "--record", str(record))
        assert (ended.returncode, changes(emulator)) == (0, 0)
        assert "dry run: would cancel the deletion of, and enable, 1 key; nothing was changed" in ended.stdout
        assert not record.exists()

    def test_a_reader_that_goes_away_stops_nothing(self, emulator: EmulatorServer, key: Key) -> None:
        line = " ".join(command(key.arn, "--reason", "x", "--yes"))
        subprocess.run(f"{line} | true", shell=True, env=variables(emulator), check=False, timeout=60)
        assert key.state == "Enabled"


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (WHY, "KEY (command line) is missing"),
            (("alias/ledger",), "--reason (command line) is missing"),
            (("ledger", *WHY), 'KEY: "ledger" (command line) names no key; accepted: '),
            (("alias/ledger", "--all-unacknowledged", *WHY), "--all-unacknowledged (command line) leaves no room"),
            (("alias/ledger", "--account", HOME, *WHY), "--account"),
            (("--all-unacknowledged", "--account", "12", *WHY), '--account: "12" (command line) is refused'),
            (("--all-unacknowledged", "--region", "x", *WHY), '--region: "x" (command line) is refused'),
            (("alias/ledger", "--region", REGION, "--region", VIRGINIA, *WHY), "is more than one"),
            (("alias/ledger", "--role-name", "a b", *WHY), '--role-name: "a b" (command line) is refused'),
            (("alias/ledger", "--record", "/", *WHY), "--record"),
            (("alias/ledger", "--frobnicate", *WHY), "--frobnicate"),
            (("alias/none", *WHY), 'KEY: "alias/none" (command line) can\'t be described'),
            ((f"arn:aws:kms:{REGION}:{MEMBER}:alias/x", *WHY), "--role-name"),
        ],
    )
    def test_a_mistake_is_one_line_and_status_2(
        self, emulator: EmulatorServer, key: Key, arguments: tuple[str, ...], told: str
    ) -> None:
        ended = run(emulator, "--yes", *arguments)
        assert ended.returncode == 2
        (line,) = ended.stderr.splitlines()
        assert line.startswith("kms-exporter: ")
        assert told in line
        assert key.pending

    def test_one_bad_key_keeps_every_other_from_being_changed(self, emulator: EmulatorServer, key: Key) -> None:
        assert run(emulator, key.arn, "alias/none", *WHY, "--yes").returncode == 2
        assert changes(emulator) == 0

    def test_without_a_terminal_it_takes_yes(self, emulator: EmulatorServer, key: Key) -> None:
        ended = run(emulator, key.arn, *WHY)
        assert ended.returncode == 2
        assert "--yes" in ended.stderr
        assert emulator.world.counts.total() == 0

    def test_without_credentials(self, emulator: EmulatorServer, key: Key) -> None:
        ended = run(emulator, key.arn, *WHY, "--yes", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        assert ended.returncode == 2
        assert "Unable to locate credentials" in ended.stderr


class TestTerminal:
    def test_it_shows_the_facts_and_asks(self, emulator: EmulatorServer, key: Key) -> None:
        terminal = on_terminal(emulator, key.arn, *WHY)
        terminal.expect('Type "yes" to go on:')
        for told in (
            "alias/ledger",
            "PendingDeletion; AWS deletes it from",
            "by Administrator/alice",
            "cancel the del",
        ):
            assert told in terminal.seen
        assert changes(emulator) == 0
        terminal.type("yes\n")
        assert terminal.end() == 0
        assert key.state == "Enabled"

    @pytest.mark.parametrize("answer", ["no\n", "y\n", "\n", "\x04", "\x03"])
    def test_anything_but_yes_changes_nothing(self, emulator: EmulatorServer, key: Key, answer: str) -> None:
        terminal = on_terminal(emulator, key.arn, *WHY)
        terminal.expect("to go on:")
        terminal.type(answer)
        assert terminal.end() == 2
        assert "nothing was changed" in terminal.seen
        assert changes(emulator) == 0

    def test_ctrl_c_finishes_what_is_under_way_and_says_what_was_done(
        self, emulator: EmulatorServer, tmp_path: Path
    ) -> None:
        keys = [pending(emulator) for _ in range(60)]
        record = tmp_path / "record.jsonl"
        terminal = on_terminal(emulator, *(key.arn for key in keys), *WHY, *BLUNT, "--yes", "--record", str(record))
        until(lambda: emulator.world.counts.total("EnableKey") > 2, within=60)
        terminal.type("\x03")
        assert terminal.end() == 1
        assert "stopped before its turn" in terminal.seen
        left = [key for key in keys if key.pending]
        assert 0 < len(left) < 60
        assert {key.state for key in keys} == {"PendingDeletion", "Enabled"}
        finished = entries(record)[-1]
        assert finished["outcomes"] == {"saved": 60 - len(left), "not_reached": len(left)}


class TestEverything:
    ALL = ("--all-unacknowledged", "--aws.organization.enabled", *WHY, "--aws.request_rate", "1")

    def test_every_pending_key_that_nobody_acknowledged_is_saved(
        self, emulator: EmulatorServer, tmp_path: Path
    ) -> None:
        emulator.world.create_organization()
        unintended = [pending(emulator), pending(emulator, region=VIRGINIA), pending(emulator, MEMBER)]
        intended = pending(emulator, alias="alias/retired")
        config = tmp_path / "kms.yaml"
        config.write_text("deletions: {acknowledgements: [{key: alias/retired, reason: it is retired}]}\n")
        ended = run(emulator, *self.ALL, "--yes", "--role-name", "Rescuer", "--config", str(config))
        assert (ended.returncode, {key.state for key in unintended}) == (0, {"Enabled"})
        assert intended.pending
        assert "3 keys: all as it was asked for" in ended.stdout

    def test_filters_leave_keys_out(self, emulator: EmulatorServer) -> None:
        emulator.world.create_organization()
        here, there, member = pending(emulator), pending(emulator, region=VIRGINIA), pending(emulator, MEMBER)
        assert run(emulator, *self.ALL, "--yes", "--account", HOME, "--region", REGION).returncode == 0
        assert [key.state for key in (here, there, member)] == ["Enabled", "PendingDeletion", "PendingDeletion"]

    def test_what_could_not_be_checked_is_said_and_status_1(self, emulator: EmulatorServer) -> None:
        emulator.world.create_organization()
        key = pending(emulator)
        emulator.faults.deny(operation="AssumeRole")
        ended = run(emulator, *self.ALL, "--yes")
        assert (ended.returncode, key.state) == (1, "Enabled")
        assert "1 place could not be checked" in ended.stdout
        assert MEMBER in ended.stdout

    def test_nothing_pending_is_status_0_and_blindness_is_not(self, emulator: EmulatorServer) -> None:
        assert run(emulator, "--all-unacknowledged", *WHY, "--yes").returncode == 0
        emulator.faults.deny(operation="ListKeys", region=VIRGINIA)
        assert run(emulator, "--all-unacknowledged", *WHY, "--yes").returncode == 1
        assert run(emulator, "--all-unacknowledged", "--dry-run").returncode == 1

    def test_an_account_that_is_not_watched_is_said(self, emulator: EmulatorServer) -> None:
        ended = run(emulator, "--all-unacknowledged", "--account", "999988887777", *WHY, "--yes")
        assert ended.returncode == 1
        assert "999988887777" in ended.stdout

    def test_the_number_has_to_be_typed(self, emulator: EmulatorServer) -> None:
        keys = [pending(emulator) for _ in range(7)]
        terminal = on_terminal(emulator, "--all-unacknowledged", *WHY, *BLUNT)
        terminal.expect('Type "cancel 7 deletions" to go on:')
        terminal.type("yes\n")
        assert terminal.end() == 2
        assert changes(emulator) == 0
        terminal = on_terminal(emulator, "--all-unacknowledged", *WHY, *BLUNT)
        terminal.expect("to go on:")
        terminal.type("cancel 7 deletions\n")
        assert terminal.end() == 0
        assert {key.state for key in keys} == {"Enabled"}

    def test_a_crash_in_the_middle_loses_nothing(self, tmp_path: Path) -> None:
        record = tmp_path / "record.jsonl"
        again = ("--all-unacknowledged", *WHY, *BLUNT, "--yes", "--record", str(record))
        with EmulatorServer(uniform_world(40, [REGION], pending=40)) as emulator:
            keys = list(emulator.world.keys())
            emulator.faults.latency(0.3, operation="EnableKey")
            process = subprocess.Popen(command(*again), env=variables(emulator), stdout=subprocess.DEVNULL)
            until(lambda: any(key.state == "Enabled" for key in keys) and any(key.state == "Disabled" for key in keys))
            process.kill()
            process.wait()
            disabled = [key for key in keys if key.state == "Disabled"]
            assert any(key.pending for key in keys)
            emulator.faults.clear()
            ended = run(emulator, *again)
            assert ended.returncode == 0
            assert disabled
            assert {key.state for key in keys} == {"Enabled"}
        lines = entries_but_the_torn(record)
        saved = {line["key"]["arn"] for line in lines if line["event"] == "enabled"}
        assert len(saved) >= 39, "the one whose enabling was on its way may be missing"


def entries_but_the_torn(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text.endswith("}")]


def test_moto_agrees(tmp_path: Path) -> None:
    with moto_server() as url:
        env = environment(url)
        kms = boto3.client(
            "kms",
            REGION,
            endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )
        ids = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)]
        for key_id in ids:
            kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        record = tmp_path / "record.jsonl"
        ended = subprocess.run(
            command(*ids[:2], *WHY, *BLUNT, "--yes", "--record", str(record)),
            env={"PATH": os.environ["PATH"], **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stderr
        states = [kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] for key_id in ids]
        assert states == ["Enabled", "Enabled", "PendingDeletion"]
        assert entries(record)[-1]["outcomes"] == {"saved": 2}
        kms.close()
