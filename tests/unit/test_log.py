"""One line for each event, in two forms."""

import io
import json
import logging
import shlex
import sys
from collections.abc import Iterator

import pytest

from exporter.log import Log, start_logging


@pytest.fixture(autouse=True)
def _root_logger_is_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    libraries = ("boto3", "botocore", "urllib3", "asyncio", "uvicorn")
    levels = [logging.getLogger(name).level for name in libraries]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in zip(libraries, levels, strict=True):
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def text_log(out: io.StringIO) -> Log:
    return start_logging(level="debug", form="text", stream=out)


@pytest.fixture
def json_log(out: io.StringIO) -> Log:
    return start_logging(level="debug", form="json", stream=out)


def _failure() -> Exception:
    """Return an exception with a traceback."""
    try:
        int("the reason")
    except ValueError as error:
        return error
    raise AssertionError


def fields(line: str) -> dict[str, str]:
    """Read a text line as any reader of logfmt does."""
    return dict(field.split("=", 1) for field in shlex.split(line))


def test_a_text_line_has_time_level_event_and_fields_in_order(text_log: Log, out: io.StringIO) -> None:
    text_log.info("deletion_scheduled", account_id="111122223333", key_id="a", pending=3)
    assert out.getvalue().startswith("ts=20")
    assert out.getvalue().endswith(" level=info event=deletion_scheduled account_id=111122223333 key_id=a pending=3\n")


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_every_level_is_named(text_log: Log, out: io.StringIO, level: str) -> None:
    getattr(text_log, level)("something")
    assert fields(out.getvalue())["level"] == level


def test_a_value_that_is_none_is_left_out(text_log: Log, out: io.StringIO) -> None:
    text_log.info("something", alias=None, key_id="a")
    assert "alias" not in fields(out.getvalue())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("alias/aws/ebs", "alias/aws/ebs"),
        ("two words", '"two words"'),
        ("", '""'),
        ('say "no"', r'"say \"no\""'),
        ("a=b", '"a=b"'),
        ("one\nlevel=error event=forged", r'"one\nlevel=error event=forged"'),
        ("\x1b[31mred", r'"\u001b[31mred"'),
        ("ключ", r'"\u043a\u043b\u044e\u0447"'),
        (True, "true"),
        (2.5, "2.5"),
    ],
)
def test_a_value_is_quoted_where_it_must_be(text_log: Log, out: io.StringIO, value: object, written: str) -> None:
    text_log.info("something", field=value)
    assert out.getvalue().endswith(f" field={written}\n")
    assert out.getvalue().count("\n") == 1


def test_a_json_line_is_one_object(json_log: Log, out: io.StringIO) -> None:
    json_log.warning("target_failed", account_id="111122223333", error="two\nlines", keys=3, up=False, alias=None)
    line = json.loads(out.getvalue())
    assert line.pop("ts").endswith("+00:00")
    assert line == {
        "level": "warning",
        "event": "target_failed",
        "account_id": "111122223333",
        "error": "two\nlines",
        "keys": 3,
        "up": False,
    }
    assert out.getvalue().count("\n") == 1


def test_a_value_that_json_does_not_know_is_written_as_text(json_log: Log, out: io.StringIO) -> None:
    json_log.info("something", where={1}.__class__)
    assert json.loads(out.getvalue())["where"] == "<class 'set'>"


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_part_of_the_line(out: io.StringIO, form: str) -> None:
    log = start_logging(level="info", form=form, stream=out)
    log.error("pass_crashed", exc_info=_failure(), region="eu-west-1")
    assert out.getvalue().count("\n") == 1
    assert "the reason" in out.getvalue()
    assert "Traceback" in out.getvalue()


def test_what_libraries_log_has_the_same_form(text_log: Log, out: io.StringIO) -> None:
    assert text_log
    logging.getLogger("some.library").warning("%d times", 3)
    assert out.getvalue().endswith(' level=warning event=log logger=some.library message="3 times"\n')


def test_libraries_that_log_requests_are_silent_below_warning(text_log: Log, out: io.StringIO) -> None:
    assert text_log
    for library in ("boto3", "botocore", "botocore.auth", "urllib3", "asyncio", "uvicorn"):
        logging.getLogger(library).info("Authorization: secret")
    assert out.getvalue() == ""


def test_a_request_that_is_none_is_no_line_of_the_log(text_log: Log, out: io.StringIO) -> None:
    assert text_log
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert out.getvalue() == ""
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    assert "Exception in ASGI application" in out.getvalue()


def test_they_are_as_silent_as_everything_else_when_only_errors_are_wanted(out: io.StringIO) -> None:
    start_logging(level="error", form="text", stream=out)
    logging.getLogger("botocore").warning("careful")
    assert out.getvalue() == ""


def test_events_below_the_level_are_not_written(out: io.StringIO) -> None:
    log = start_logging(level="warning", form="text", stream=out)
    log.info("something")
    log.warning("something_else")
    assert fields(out.getvalue())["event"] == "something_else"


def test_lines_go_to_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(level="info", form="text").info("something")
    sys.stderr.flush()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "event=something" in captured.err
