"""The record: what it holds, how it survives a crash, what the next run takes from it, and the schema of its lines."""

import errno
import io
import json
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from exporter.aws.calls import Access
from exporter.errors import ConfigError
from exporter.facts import Facts
from exporter.model import Deletion, Evidence, Key, Scheduling, Target
from exporter.remediation.journal import Journal
from exporter.remediation.plan import Action, Plan, Step
from exporter.remediation.record import RecordFile, append_text, open_record, read_unfinished
from exporter.remediation.results import Change, Outcome, Result

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cancel-deletion.schema.json").read_text(encoding="utf-8"))
HERE = Target("111122223333", "eu-west-1")
KEY = Key("abc", "arn:aws:kms:eu-west-1:111122223333:key/abc", "PendingDeletion", deletion=Deletion(at=1_790_000_000.0))
STEP = Step(
    Access(HERE, None),  # type: ignore[arg-type]  # nobody is asked
    "arn:aws:iam::111122223333:role/Rescuer",
    Facts(HERE, KEY, 0.0, evidence=Evidence(scheduling=Scheduling(at=1_780_000_000.0, by="alice", event_id="e-1"))),
    Action.SAVE,
)
CANCELLED = Change("CancelKeyDeletion", "r-1", 0.0)
ENABLED = Change("EnableKey", "r-2", 0.0)


class Story:
    """Writes what happens to a key into a record."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def tell(self, *events: Change | Outcome | None) -> dict[str, Any]:
        """Write an attempt (None), changes and outcomes; return what is left to do."""
        with open_record(str(self.path)) as record:
            journal = Journal(record, "arn:aws:iam::111122223333:user/alice", "a mistake", "", lambda: 1.5)
            for event in events:
                match event:
                    case None:
                        journal.cancelling(STEP)
                    case Change():
                        journal.changed(STEP, event)
                    case Outcome():
                        journal.ended(Result(STEP, event))
        return read_unfinished(str(self.path))

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "record.jsonl")


def test_every_kind_of_line_is_as_the_schema_says(story: Story) -> None:
    with open_record(str(story.path)) as record:
        journal = Journal(record, "arn:aws:iam::111122223333:user/alice", "a mistake", "INC-1", lambda: 1.5)
        journal.started(Plan((STEP,), ("account 222233334444: AccessDenied",)))
        journal.cancelling(STEP)
        journal.changed(STEP, CANCELLED)
        journal.changed(STEP, Change("EnableKey", "", 0.0), "its answer was lost")
        for outcome in Outcome:
            journal.ended(Result(STEP, outcome, KEY, "because"))
            journal.ended(Result(STEP, outcome))
        journal.finished([Result(STEP, outcome) for outcome in Outcome])
    entries = story.entries()
    assert {entry["event"] for entry in entries} == set(SCHEMA["properties"]["event"]["enum"])
    assert {entry["outcome"] for entry in entries if "outcome" in entry} == {str(outcome) for outcome in Outcome}
    for entry in entries:
        jsonschema.validate(entry, SCHEMA, format_checker=jsonschema.FormatChecker())


def test_a_line_of_another_shape_is_not_as_the_schema_says(story: Story) -> None:
    story.tell(CANCELLED)
    (entry,) = story.entries()
    for wrong in ({**entry, "event": "renamed"}, {**entry, "more": 1}, {**entry, "key": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


def test_it_is_for_its_owner_alone(story: Story) -> None:
    story.tell(None)
    assert append_text(f"{story.path}.txt", "text") == ""
    for path in (story.path, Path(f"{story.path}.txt")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_line_is_there_before_the_next_thing_happens(story: Story) -> None:
    with open_record(str(story.path)) as record:
        record.append({"format": 1, "event": "started"})
        assert story.entries() == [{"format": 1, "event": "started"}]


def test_runs_are_appended(story: Story) -> None:
    story.tell(None)
    story.tell(CANCELLED)
    assert [entry["event"] for entry in story.entries()] == ["cancelling", "cancelled"]


def test_two_runs_at_once_are_refused(story: Story) -> None:
    with (
        open_record(str(story.path)),
        pytest.raises(ConfigError, match="written by another run"),
        open_record(str(story.path)),
    ):
        pass


@pytest.mark.parametrize("path", ["", "missing/record.jsonl", "/dev/null"])
def test_what_can_not_be_written_is_refused(tmp_path: Path, path: str) -> None:
    with (
        pytest.raises(ConfigError, match=r"^--record: .*(can't be written|no regular file).*; accepted: "),
        open_record(str(tmp_path / path)),
    ):
        pass


def test_a_disk_that_is_full_is_said_and_stops_nothing() -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - unbuffered, as records are opened
        record = RecordFile(full)
        record.append({"format": 1})
        record.append({"format": 1})
    assert "No space left" in record.trouble


def test_a_disk_that_takes_a_part_gets_the_rest(tmp_path: Path) -> None:
    class Grudging(io.FileIO):
        def write(self, data: Any, /) -> int:
            return super().write(data[:7])

    with Grudging(tmp_path / "record.jsonl", "w") as file:
        RecordFile(file).append({"format": 1, "event": "started"})
    assert json.loads((tmp_path / "record.jsonl").read_bytes()) == {"format": 1, "event": "started"}


def test_once_there_is_room_again_entries_are_lines_of_their_own(tmp_path: Path) -> None:
    class FullForAMoment(io.FileIO):
        room = 7

        def write(self, data: Any, /) -> int:
            if not self.room:
                self.room = 1000
                raise OSError(errno.ENOSPC, "No space left on device")
            taken, self.room = data[: self.room], self.room - len(data[: self.room])
            return super().write(taken)

    with FullForAMoment(tmp_path / "record.jsonl", "w") as file:
        record = RecordFile(file)
        record.append({"format": 1, "event": "cancelling"})
        record.append({"format": 1, "event": "cancelled"})
    cut_off, whole = filter(None, (tmp_path / "record.jsonl").read_bytes().split(b"\n"))
    assert cut_off == b'{"forma'
    assert json.loads(whole) == {"format": 1, "event": "cancelled"}


def test_what_fails_while_it_is_held_is_not_told_as_its_fault(story: Story) -> None:
    with pytest.raises(OSError, match=r"^the terminal is gone$"), open_record(str(story.path)):
        raise OSError("the terminal is gone")


def test_no_character_of_a_summary_keeps_it_from_being_written(tmp_path: Path) -> None:
    path = tmp_path / "record.txt"
    assert append_text(str(path), "not UTF-8: \udcff") == ""
    assert path.read_bytes() == b"not UTF-8: \\udcff"


def test_a_summary_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    assert "No such file" in append_text(str(tmp_path / "missing" / "record.txt"), "text")


class TestUnfinished:
    def test_nothing_is_left_where_nothing_was_begun(self, story: Story) -> None:
        assert read_unfinished(str(story.path)) == {}

    @pytest.mark.parametrize(
        "events",
        [
            (None,),
            (None, CANCELLED),
            (None, CANCELLED, Outcome.NOT_ENABLED),
            (None, CANCELLED, Outcome.LEFT_DISABLED),
            (None, CANCELLED, Outcome.NEEDS_MATERIAL),
            (None, CANCELLED, Outcome.INTERRUPTED),
            (None, CANCELLED, Outcome.STILL_PENDING),
            (None, Outcome.UNKNOWN),
        ],
    )
    def test_a_key_that_may_be_cancelled_and_disabled_is_left_to_do(
        self, story: Story, events: tuple[Change | Outcome | None, ...]
    ) -> None:
        (left,) = story.tell(*events).values()
        assert (left.arn, left.account_id, left.region, left.key_id) == (KEY.arn, "111122223333", "eu-west-1", "abc")

    @pytest.mark.parametrize(
        "events",
        [
            (None, CANCELLED, ENABLED),
            (None, CANCELLED, ENABLED, Outcome.SAVED),
            (None, CANCELLED, Outcome.SAVED),
            (None, Outcome.STILL_PENDING),
            (None, Outcome.GONE),
            (None, CANCELLED, Outcome.NOT_ENABLED, ENABLED),
        ],
    )
    def test_a_key_that_was_enabled_or_not_touched_is_not(
        self, story: Story, events: tuple[Change | Outcome | None, ...]
    ) -> None:
        assert story.tell(*events) == {}

    def test_a_line_that_a_crash_cut_off_is_passed_over_and_the_next_one_is_whole(self, story: Story) -> None:
        story.tell(None, CANCELLED)
        with story.path.open("ab") as file:
            file.write(b'{"format": 1, "at": "20')
        assert len(read_unfinished(str(story.path))) == 1
        assert story.tell(ENABLED) == {}

    @pytest.mark.parametrize("reason", ["a\u2028b\x85c", "not UTF-8: \udcff"])
    def test_no_character_of_a_reason_makes_it_unreadable(self, story: Story, reason: str) -> None:
        with open_record(str(story.path)) as record:
            Journal(record, "arn:aws:iam::111122223333:user/alice", reason, "", lambda: 1.5).cancelling(STEP)
        assert json.loads(story.path.read_bytes())["reason"] == reason
        assert len(read_unfinished(str(story.path))) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "hello",
            "[]",
            "{}",
            '{"format": 2}',
            '{"format": 1}',
            '{"format": 1, "event": "enabled", "key": "abc"}',
            "\xff\xfe",
        ],
    )
    def test_a_file_that_is_no_record_is_refused(self, story: Story, text: str) -> None:
        story.path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ConfigError, match="is no record"):
            read_unfinished(str(story.path))

    @pytest.mark.parametrize("path", ["", "/dev/zero"])
    def test_what_is_no_file_is_not_read(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(ConfigError, match="is no regular file"):
            read_unfinished(str(tmp_path / path))

    def test_a_file_that_can_not_be_read_is_refused(self, story: Story) -> None:
        story.tell(None)
        with pytest.raises(ConfigError, match="can't be read"):
            read_unfinished(f"{story.path}/record.jsonl")
