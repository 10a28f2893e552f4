"""What AWS's answers are made of, read strictly: what is not of the type that is promised, or absurd, raises."""

import re
from datetime import UTC, datetime
from typing import Final

_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}")
_FIRST: Final = datetime.min.replace(tzinfo=UTC).timestamp()
_LAST: Final = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()
_DAY: Final = 86400.0
_MOST_DAYS: Final = 36_500


def text(value: object) -> str:
    """Return a text.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"text expected, {value!r} found")
    return value


def as_account_id(value: object) -> str:
    """Return the id of an account.

    Raises:
        TypeError: it is no text.
        ValueError: it is no id.
    """
    found = text(value)
    if not _ACCOUNT_ID.fullmatch(found):
        raise ValueError(f"{found!r} is no account id")
    return found


def seconds(moment: datetime) -> float:
    """Return a moment in Unix seconds; one without a zone is in UTC.

    Raises:
        ValueError: in UTC it is before the first year or after the last that has a date: nobody could be told of it.
    """
    found = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not _FIRST <= found <= _LAST:
        raise ValueError(f"{moment} is no date in UTC")
    return found


def days(count: object) -> float:
    """Return a number of days in seconds.

    Raises:
        TypeError: it is no number.
        ValueError: it is negative, or more than a century.
    """
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise TypeError(f"a number of days expected, {count!r} found")
    if not 0 <= count <= _MOST_DAYS:
        raise ValueError(f"{count!r} is no number of days")
    return count * _DAY
