"""`kms-exporter check` as cron, CI and people run it: in a process of its own, against an emulated AWS."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import World
from exporter.findings.as_csv import COLUMNS

HOME, IRELAND = "111122223333", "eu-west-1"
ESCAPE = "\x1b"


class Ended(NamedTuple):
    status: int
    output: str
    errors: str


@pytest.fixture
def world() -> World:
    """A home account with one key."""
    world = World(home_regions=[IRELAND])
    world.vault(HOME, IRELAND).create_key(alias="alias/ledger")
    return world


@pytest.fixture
def emulator(world: World) -> Iterator[EmulatorServer]:
    with EmulatorServer(world) as server:
        yield server


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exporter", "check", *arguments]


def environ(emulator: EmulatorServer, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "KMS_EXPORTER_AWS__REQUEST_RATE": "1", **environment(emulator.url), **more}


def check(emulator: EmulatorServer, *arguments: str, **env: str) -> Ended:
    ended = subprocess.run(
        command(*arguments), env=environ(emulator, **env), capture_output=True, check=False, timeout=120
    )
    return Ended(ended.returncode, ended.stdout.decode("utf-8-sig"), ended.stderr.decode())


def on_terminal(emulator: EmulatorServer, *arguments: str, columns: int = 120, **env: str) -> Ended:
    """Run it with a terminal for standard output and standard error, which are one there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = environ(emulator, TERM="xterm-256color", **env)
    process = subprocess.Popen(command(*arguments), env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while part := _read(ours):
            seen += part
    finally:
        os.close(ours)
        process.kill()
    return Ended(process.wait(10), seen.decode(), "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other side is closed
        return b""


def schedule(world: World, *, days: int = 7) -> str:
    vault = world.vault(HOME, IRELAND)
    key = vault.create_key(alias="alias/old-ledger")
    vault.schedule_deletion(key.key_id, days)
    return key.key_id


class TestExitStatus:
    def test_0_when_nothing_is_pending(self, emulator: EmulatorServer) -> None:
        ended = check(emulator)
        assert (ended.status, ended.errors) == (0, "")
        assert ended.output.endswith("\nEverything was checked. 0 unacknowledged deletions pending.\n")

    def test_1_when_a_deletion_is_pending(self, emulator: EmulatorServer, world: World) -> None:
        schedule(world)
        ended = check(emulator)
        assert (ended.status, ended.errors) == (1, "")
        assert "alias/old-ledger" in ended.output

    def test_0_when_it_is_acknowledged(self, emulator: EmulatorServer, world: World) -> None:
        schedule(world)
        declared = json.dumps([{"key": "alias/old-ledger", "reason": "retired"}])
        ended = check(emulator, KMS_EXPORTER_DELETIONS__ACKNOWLEDGEMENTS=declared)
        assert ended.status == 0
        assert "yes: retired" in ended.output

    def test_1_when_a_use_contradicts_that(self, emulator: EmulatorServer, world: World) -> None:
        vault = world.vault(HOME, IRELAND)
        key = vault.create_key(alias="alias/old-ledger")
        vault.use(key.key_id)
        vault.schedule_deletion(key.key_id, 7)
        declared = json.dumps([{"key": "alias/old-ledger", "reason": "retired"}])
        ended = check(emulator, KMS_EXPORTER_DELETIONS__ACKNOWLEDGEMENTS=declared)
        assert ended.status == 1
        assert "yes, but it is used: retired" in ended.output

    def test_0_when_it_is_due_later_than_counts(self, emulator: EmulatorServer, world: World) -> None:
        schedule(world, days=30)
        assert check(emulator, "--fail-within", "7d").status == 0
        assert check(emulator, "--fail-within", "31d").status == 1

    def test_2_when_a_key_could_not_be_read_whatever_else_was_found(
        self, emulator: EmulatorServer, world: World
    ) -> None:
        schedule(world)
        dark = world.vault(HOME, IRELAND).create_key(denied={"DescribeKey"})
        ended = check(emulator)
        assert ended.status == 2
        assert "alias/old-ledger" in ended.output
        assert f"Could not check\n  key {HOME}/{IRELAND}/{dark.key_id}: AccessDeniedException\n" in ended.output

    def test_2_without_credentials(self, emulator: EmulatorServer) -> None:
        ended = check(emulator, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        assert ended.status == 2
        assert "Unable to locate credentials" in ended.output

    @pytest.mark.parametrize(("flag", "name"), [("--account", "999999999999"), ("--region", "eu-wset-1")])
    def test_2_when_what_was_asked_for_is_not_watched(self, emulator: EmulatorServer, flag: str, name: str) -> None:
        ended = check(emulator, flag, name)
        assert ended.status == 2
        assert re.search(
            rf"^kms-exporter: {flag[2:]} {name}: was asked for, but is not watched$", ended.errors, re.MULTILINE
        )

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--fail-within", "7"], 'kms-exporter: --fail-within: "7" (command line) has no unit; accepted: '),
            (["--account", "12"], 'kms-exporter: --account: "12" (command line) is refused; accepted: '),
            (["--region", "Ireland"], 'kms-exporter: --region: "Ireland" (command line) is refused; accepted: '),
            (["--region", "a\nb"], 'kms-exporter: --region: "a\\nb" (command line) is refused; accepted: '),
            (
                ["--output-file", "/nowhere/at/all"],
                'kms-exporter: --output-file: "/nowhere/at/all" (command line) can\'t',
            ),
        ],
    )
    def test_2_for_a_mistake_on_the_command_line(
        self, emulator: EmulatorServer, arguments: list[str], told: str
    ) -> None:
        ended = check(emulator, *arguments)
        assert (ended.status, ended.output, len(ended.errors.splitlines())) == (2, "", 1)
        assert ended.errors.startswith(told)
        assert emulator.world.counts.total() == 0

    def test_2_when_there_is_no_room_for_the_report(self, emulator: EmulatorServer) -> None:
        ended = check(emulator, "--output-file", "/dev/full")
        assert (ended.status, ended.output) == (2, "")
        assert ended.errors.startswith('kms-exporter: --output-file: "/dev/full" (command line) can\'t be written: No ')

    @pytest.mark.parametrize("form", ["table", "json"])
    def test_2_when_standard_output_has_no_room_for_it(self, emulator: EmulatorServer, form: str) -> None:
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run(
                command("--output", form),
                env=environ(emulator),
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                timeout=120,
            )
        assert ended.returncode == 2
        assert ended.stderr.decode().splitlines()[-1].startswith("kms-exporter: standard output can't be written (No ")


class TestOutput:
    @pytest.fixture
    def world(self) -> World:
        return demo_world()

    def read(self, emulator: EmulatorServer, form: str) -> Ended:
        return check(emulator, "--output", form, KMS_EXPORTER_AWS__ORGANIZATION__ENABLED="true")

    def test_json(self, emulator: EmulatorServer, world: World) -> None:
        ended = self.read(emulator, "json")
        document = json.loads(ended.output)
        assert (ended.status, document["status"]) == (2, 2)
        assert {finding["key_id"] for finding in document["findings"]} == {key.key_id for key in world.pending()}
        assert [gap["kind"] for gap in document["unreadable"]] == ["key"]

    def test_what_could_not_be_checked_is_logged_where_no_table_shows_it(self, emulator: EmulatorServer) -> None:
        (line,) = self.read(emulator, "csv").errors.splitlines()
        assert "level=warning event=key_unreadable account_id=444455556666 region=us-east-1 key_id=" in line

    def test_csv(self, emulator: EmulatorServer, world: World) -> None:
        lines = self.read(emulator, "csv").output.splitlines()
        assert lines[0] == ",".join(COLUMNS)
        assert len(lines) == 1 + len(world.pending()) + 1

    def test_junit(self, emulator: EmulatorServer) -> None:
        root = ET.fromstring(self.read(emulator, "junit").output)
        assert (root.get("errors"), root.get("skipped")) == ("1", "1")

    def test_ocsf(self, emulator: EmulatorServer) -> None:
        events = json.loads(self.read(emulator, "ocsf").output)
        assert {event["status_code"] for event in events} == {"FAIL", "PASS", "WARNING"}

    def test_a_table_in_a_pipe_is_plain(self, emulator: EmulatorServer) -> None:
        ended = check(emulator, KMS_EXPORTER_AWS__ORGANIZATION__ENABLED="true", FORCE_COLOR="1")
        assert ESCAPE not in ended.output + ended.errors
        assert ended.output.isascii()

    def test_a_file_gets_the_report_and_standard_output_the_table(
        self, emulator: EmulatorServer, tmp_path: Path
    ) -> None:
        file = tmp_path / "report.json"
        ended = check(emulator, "--output", "json", "--output-file", str(file), "--account", "222233334444")
        assert ended.status == 2
        assert ended.output.startswith("Could not check\n  account 222233334444: ")
        assert json.loads(file.read_text())["checked"]["only_accounts"] == ["222233334444"]

    def test_a_reader_that_goes_away_changes_no_status(self, emulator: EmulatorServer) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            ended = subprocess.run(
                command("--output", "json"),
                env=environ(emulator, KMS_EXPORTER_AWS__ORGANIZATION__ENABLED="true"),
                stdout=writer,
                stderr=subprocess.PIPE,
                check=False,
                timeout=120,
            )
        finally:
            os.close(writer)
        assert (ended.returncode, b"Traceback" in ended.stderr) == (2, False)

    def test_an_acknowledgement_that_is_about_no_key_is_told(self, emulator: EmulatorServer) -> None:
        typo: Mapping[str, str] = {
            "KMS_EXPORTER_DELETIONS__ACKNOWLEDGEMENTS": json.dumps([{"key": "alias/typo", "reason": "retired"}])
        }
        ended = check(emulator, "--output", "json", **typo)
        assert json.loads(ended.output)["acknowledgements_unmatched"] == ["alias/typo"]
        assert "event=acknowledgement_unmatched key=alias/typo" in ended.errors
        assert "Acknowledgements that are about no key\n  alias/typo\n" in check(emulator, **typo).output


class TestTerminal:
    @pytest.fixture
    def world(self) -> World:
        return demo_world()

    def test_it_shows_a_bar_while_it_looks_and_colours(self, emulator: EmulatorServer) -> None:
        seen = on_terminal(emulator)
        assert "Finding accounts and regions" in seen.output
        assert re.search(r"\x1b\[[0-9;]*31m", seen.output), "nothing is red"

    def test_it_does_without_colours_where_nobody_wants_them(self, emulator: EmulatorServer) -> None:
        seen = on_terminal(emulator, NO_COLOR="1")
        assert re.findall(r"\x1b\[[0-9;]*m", seen.output) == []
        assert "alias/registry-2022" in seen.output

    @pytest.mark.parametrize("columns", [80, 120, 200])
    def test_no_line_but_commands_is_wider_than_it(self, emulator: EmulatorServer, columns: int) -> None:
        seen = on_terminal(emulator, columns=columns, NO_COLOR="1")
        table = seen.output[seen.output.rindex("LEFT") :]
        lines = [line for line in table.splitlines() if "cancel-deletion" not in line]
        assert len(lines) > 10
        assert max(map(len, lines)) <= columns


def test_the_running_service_loads_nothing_of_it() -> None:
    code = (
        "import sys, exporter.cli.main, exporter.service; "
        "print([m for m in ('rich', 'py_ocsf_models') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout == "[]\n"


def test_help_tells_the_exit_statuses() -> None:
    told = subprocess.run(command("--help"), capture_output=True, text=True, check=True, timeout=60)
    assert "Exit status: 0 everything was checked" in told.stdout
    assert told.stdout.index("--fail-within") < told.stdout.index("--aws.regions")
