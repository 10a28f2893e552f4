"""Structured events on standard error: one line each, as text (logfmt) or JSON."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import IO, Any, Final

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/@+-,*")


class Log:
    """Writes events of this program: a name, and fields that say which account, region, key, target.

    Never pass a secret: what comes in goes out.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Write to `logger`, whose formatter is one of this module's."""
        self._logger = logger

    def debug(self, event: str, **fields: object) -> None:
        """Write what only the search for a fault needs."""
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: object) -> None:
        """Write what happened."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        """Write what somebody should look at."""
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
        """Write what does not work."""
        self._logger.error(event, extra={"fields": fields}, exc_info=exc_info)


class _Formatter(logging.Formatter):
    """Turns a record, this program's or a library's, into ordered fields."""

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields of one line in their order."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {"ts": moment.isoformat(timespec="milliseconds"), "level": record.levelname.lower()}
        own = getattr(record, "fields", None)
        if own is None:
            line |= {"event": "log", "logger": record.name, "message": record.getMessage()}
        else:
            line |= {"event": record.getMessage()} | {name: value for name, value in own.items() if value is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return line


class TextFormatter(_Formatter):
    """`ts=… level=info event=deletion_scheduled account_id=… key_id=…`, values quoted where they must be."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return " ".join(f"{name}={_value(value)}" for name, value in self.fields(record).items())


class JsonFormatter(_Formatter):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(self.fields(record), default=str)


def start_logging(*, level: str, form: str, stream: IO[str] | None = None) -> Log:
    """Send every log record of the process to `stream` (standard error) in the given form (`text`, `json`)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries write about each request, headers included, at debug level: not even a search for a fault needs a token.
    for library in ("boto3", "botocore", "urllib3", "asyncio"):
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))
    # Its warnings are about requests that are none: whoever reaches the port could fill the log with them.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    return Log(logging.getLogger("exporter"))


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text)
