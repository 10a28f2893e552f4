"""The record: a file of JSON lines, each on disk before the next thing happens. docs/cancel-deletion.md describes it.

A crash, at whatever moment, leaves how far it came; the next run on the same file goes on from there.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from exporter.errors import ConfigError
from exporter.remediation.results import Outcome
from exporter.settings.problems import line, quote

FORMAT: Final = 1
"""Grows with a change that a reader of earlier records would not understand."""

_BEGINNING: Final = '{"format": '
"""Of every line, so that one that a crash cut off is told from what is no record."""
_UNTOUCHED: Final = frozenset({Outcome.STILL_PENDING, Outcome.GONE})
"""Outcomes that say, where no cancellation was accepted before, that nothing was changed."""


class RecordFile:
    """Appends entries, one JSON object a line, each written through to the disk.

    Saving keys matters more than writing about it: once the disk refuses an entry, `trouble` says so and the command
    goes on.

    Attributes:
        trouble: why entries could not be written, `""` while they could.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Append to `file`, which is unbuffered."""
        self._file = file
        self.trouble = ""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write an entry; when this returns it outlives the process and the machine."""
        # What has no bytes, such as an argument that is not UTF-8, becomes an escape that JSON has too.
        rest = json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        if self.trouble:
            rest = b"\n" + rest  # what was written last may have been cut off
        try:
            while rest:  # a disk that fills up takes a part first
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self.trouble = self.trouble or str(error)


@contextmanager
def open_record(path: str) -> Iterator[RecordFile]:
    """Open a record to append to, creating it for its owner alone (mode 0600): it names people and keys.

    Held as long as the context lasts: two runs that write one record would do the same work twice.

    Raises:
        ConfigError: it can't be written, or another run holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _refused(path, f"can't be written ({error.strerror})") from error
    # Unbuffered, and readable to find the end of a line that an earlier run did not finish.
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        _hold(path, file)
        yield RecordFile(file)


def _hold(path: str, file: IO[bytes]) -> None:
    """Lock a record, and let it end with a whole line."""
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise _refused(path, "is no regular file")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _end_line(file)
    except BlockingIOError as error:
        raise _refused(path, "is being written by another run") from error
    except OSError as error:
        raise _refused(path, f"can't be written ({error.strerror})") from error


def append_text(path: str, text: str) -> str:
    """Append to a file beside a record, with the same mode; return why that failed, `""` when it did not."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        return str(error)
    return ""


def _end_line(file: IO[bytes]) -> None:
    """Put an unfinished line, left behind by a crash, out of the way of the next."""
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A key whose deletion an earlier run cancelled, or was about to, and that it is not known to have enabled."""

    arn: str
    account_id: str
    region: str
    key_id: str


def read_unfinished(path: str) -> dict[str, Unfinished]:
    """Return what earlier runs on a record left to do, by ARN; nothing where there is no such file yet.

    Raises:
        ConfigError: it can't be read, or is no record.
    """
    file = Path(path)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise _refused(path, "is no regular file")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _refused(path, f"can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _refused(path, "is no record") from error
    try:
        return _unfinished(_entries(path, text))
    except (KeyError, TypeError) as error:  # JSON with other members than a record's
        raise _refused(path, "is no record") from error


def _entries(path: str, text: str) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(text.split("\n"), 1):  # a reason may hold what `splitlines` takes for an end
        try:
            entry = json.loads(row)
        except ValueError:
            if not row or row.startswith(_BEGINNING):
                continue
            entry = None
        if not isinstance(entry, dict) or entry.get("format") != FORMAT:
            raise _refused(path, f"is no record of this version (line {number})")
        yield entry


def _unfinished(entries: Iterable[Mapping[str, Any]]) -> dict[str, Unfinished]:
    found: dict[str, Unfinished] = {}
    cancelled: set[str] = set()
    for entry in entries:
        key, event = entry.get("key"), entry["event"]
        if key is None:
            continue
        arn = key["arn"]
        if event == "cancelling":
            found[arn] = Unfinished(arn, key["account_id"], key["region"], key["key_id"])
            cancelled.discard(arn)
        elif event == "cancelled":
            cancelled.add(arn)
        elif (
            event == "enabled"
            or entry.get("outcome") == Outcome.SAVED
            or (entry.get("outcome") in _UNTOUCHED and arn not in cancelled)
        ):
            found.pop(arn, None)
    return found


def _refused(path: str, reason: str) -> ConfigError:
    return ConfigError(line("--record", quote(path), "command line", reason, "a record to append to"))
