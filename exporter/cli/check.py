"""`check`: looks once at every key, reports, and tells by its exit status what was found."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import IO, Final, cast

from exporter.aws.connection import connect
from exporter.aws.discovery import Memory
from exporter.cli.arguments import accepts, problem, refused
from exporter.cli.bar import Bar, progress_bar
from exporter.cli.commands import Commands, Flags
from exporter.errors import ConfigError
from exporter.findings.as_csv import as_csv
from exporter.findings.as_json import as_json
from exporter.findings.as_junit import as_junit
from exporter.findings.judging import report_of
from exporter.findings.report import GapKind, Report
from exporter.log import Log, start_logging
from exporter.oneshot import Look, Scope, look_once, narrowed
from exporter.settings import Settings, load, parse_duration
from exporter.settings.durations import Duration
from exporter.settings.values import AccountId, Region

_FORMATS: Final = ("table", "json", "csv", "ocsf", "junit")
_OWN_USAGE: Final = """[--output FORMAT] [--output-file FILE] [--fail-within DURATION]
                          [--account ID ...] [--region NAME ...]
                         """
_STATUSES: Final = (
    "Exit status: 0 everything was checked, and no deletion is pending but acknowledged ones; 1 an unacknowledged "
    "deletion is pending, or an acknowledged one of a key that is used; 2 something could not be checked, whatever was "
    "found. docs/check.md describes the formats."
)


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add(
        "check",
        _check,
        "look once at every key, and report those that are pending deletion",
        usage=_OWN_USAGE,
        epilog=_STATUSES,
    )
    parser.add_argument(
        "--output",
        choices=_FORMATS,
        default="table",
        help="What the report is: a table for people, or JSON, CSV, OCSF Compliance Findings, JUnit XML.\n"
        "default: table",
    )
    parser.add_argument(
        "--output-file",
        metavar="FILE",
        help="Write the report to FILE, and the table to standard output beside it.\ndefault: standard output alone",
    )
    parser.add_argument(
        "--fail-within",
        metavar="DURATION",
        help="Let only deletions fail that are due within this time; the others are listed all the same.\n"
        f"accepted: {accepts(Duration)}\ndefault: any",
    )
    parser.add_argument(
        "--account",
        metavar="ID",
        action="append",
        default=[],
        help="Check this account only; may be repeated. One that is not watched counts as not checked.",
    )
    parser.add_argument(
        "--region",
        metavar="NAME",
        action="append",
        default=[],
        help="Check this region only; may be repeated. One that is not watched counts as not checked.",
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """What the command is asked to do.

    Attributes:
        file: where the report goes; None for standard output.
        fail_within: seconds, infinity for any.
    """

    form: str
    file: Path | None
    fail_within: float
    scope: Scope

    @classmethod
    def of(cls, flags: Flags) -> "_Order":
        """Read the command's own flags; raise ConfigError with a line for each mistake."""
        problems: list[str] = []
        fail_within = _fail_within(flags["fail_within"], problems)
        accounts, regions = cast("list[str]", flags["account"]), cast("list[str]", flags["region"])
        problems += [*refused("--account", accounts, AccountId), *refused("--region", regions, Region)]
        if problems:
            raise ConfigError("\n".join(problems))
        file, scope = flags["output_file"], Scope(frozenset(accounts), frozenset(regions))
        return cls(str(flags["output"]), Path(str(file)) if file else None, fail_within, scope)


def _fail_within(text: object, problems: list[str]) -> float:
    if text is None:
        return inf
    try:
        return parse_duration(str(text))
    except ValueError as error:
        problems.append(problem("--fail-within", str(text), str(error), accepts(Duration)))
        return inf


def _check(flags: Flags, unrecognized: Sequence[str]) -> int:
    order = _Order.of(flags)
    settings = load(flags, os.environ, unrecognized).settings
    log = start_logging(level=settings.log.level, form=settings.log.format)
    with _opened(order.file) as file:
        with progress_bar() as bar:
            look = asyncio.run(_look(settings, order.scope, log, bar))
        report = report_of(look, settings, fail_within=order.fail_within)
        if file is not None:
            _save(file, _rendered(report, order.form))
    as_table = file is not None or order.form == "table"
    try:
        if as_table:
            _print_table(report)
        else:
            sys.stdout.buffer.write(_rendered(report, order.form))
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # who read it has seen enough; what was found counts all the same
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the rest is tried again at the exit
        raise ConfigError(f"standard output can't be written ({error.strerror})") from error
    if not as_table:
        _log_trouble(report, log)
    for gap in report.gaps:
        if gap.kind is GapKind.SELECTION:
            print(f"kms-exporter: {gap.subject}: {gap.reason}", file=sys.stderr)
    return int(report.status)


async def _look(settings: Settings, scope: Scope, log: Log, bar: Bar) -> Look:
    settings = narrowed(settings, scope)
    connection = connect(settings, memory=Memory(), telemetry=bar, now=time.time, monotonic=time.monotonic)
    try:
        return await look_once(
            connection,
            scope,
            concurrency=settings.refresh.concurrency,
            log=log,
            now=time.time,
            monotonic=time.monotonic,
            progress=bar.progress,
        )
    finally:
        connection.close()


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes] | None]:
    """Open the file before anything is asked, so that it fails at once, and no older report is taken for this one."""
    if path is None:
        yield None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise _unwritable(path, error) from error
    with file:
        yield file


def _save(file: IO[bytes], content: bytes) -> None:
    """Write the whole of a report, and close its file; raise ConfigError where there is no room for it."""
    try:
        with file:
            file.write(content)
    except OSError as error:
        raise _unwritable(file.name, error) from error


def _unwritable(path: Path | str, error: OSError) -> ConfigError:
    reason = f"can't be written: {error.strerror}"
    return ConfigError(problem("--output-file", str(path), reason, "a file to write the report to"))


def _rendered(report: Report, form: str) -> bytes:
    """Return the report; libraries that only one of its forms needs are loaded for that form alone."""
    match form:
        case "json":
            return as_json(report)
        case "csv":
            return as_csv(report)
        case "junit":
            return as_junit(report)
        case "ocsf":
            from exporter.findings.as_ocsf import as_ocsf  # noqa: PLC0415 - `serve` does without py_ocsf_models

            return as_ocsf(report)
        case _:
            from exporter.findings.as_table import as_plain  # noqa: PLC0415 - `serve` does without rich

            return as_plain(report)


def _print_table(report: Report) -> None:
    """Print the table with colours on a terminal that wants them, plainly anywhere else."""
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(_rendered(report, "table"))
        return
    from exporter.cli.progress import terminal  # noqa: PLC0415 - `serve` does without rich
    from exporter.findings.as_table import print_table  # noqa: PLC0415 - the same

    print_table(report, terminal(sys.stdout))


def _log_trouble(report: Report, log: Log) -> None:
    """Tell on standard error what the table would show: what reads a report in another form may show it to nobody."""
    for gap in report.gaps:
        match gap.kind:
            case GapKind.ORGANIZATION:
                log.warning("organization_failed", error=gap.reason)
            case GapKind.ACCOUNT | GapKind.IDENTITY:
                log.warning("account_failed", account_id=gap.account_id or "home", error=gap.reason)
            case GapKind.TARGET:
                log.warning("target_failed", account_id=gap.account_id, region=gap.region, error=gap.reason)
            case GapKind.KEY:
                where = {"account_id": gap.account_id, "region": gap.region}
                log.warning("key_unreadable", **where, key_id=gap.key_id, reason=gap.reason)
    for key in report.unmatched or ():
        log.warning("acknowledgement_unmatched", key=key)
