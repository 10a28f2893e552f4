"""The part of AWS Config's query language that the emulator understands: columns, and equalities joined by AND.

AWS Config Developer Guide, "Query components".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from exporter.demo.errors import AwsError

Row = Mapping[str, str]
"""A configuration item of a key: column to value."""

COLUMNS: Final = frozenset(
    {
        "accountId",
        "arn",
        "awsRegion",
        "configuration.arn",
        "configuration.description",
        "configuration.keyId",
        "configuration.keyManager",
        "configuration.keyState",
        "configurationItemCaptureTime",
        "resourceId",
        "resourceType",
    }
)

_LONGEST: Final = 4096
_QUERY: Final = re.compile(
    r"\s*SELECT\s+(?P<columns>\S.*?)\s+WHERE\s+(?P<conditions>\S.*?)\s*", re.IGNORECASE | re.DOTALL
)
_AND: Final = re.compile(r"\s+AND\s+", re.IGNORECASE)
_CONDITION: Final = re.compile(
    r"(?P<column>[\w.]+)\s*(?:=\s*(?P<one>'[^']*')|IN\s*\(\s*(?P<some>'[^']*'(?:\s*,\s*'[^']*')*)\s*\))",
    re.IGNORECASE,
)
_LITERAL: Final = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for.

    Attributes:
        conditions: column to the values that it may have.
    """

    columns: tuple[str, ...]
    conditions: tuple[tuple[str, frozenset[str]], ...]

    def matches(self, row: Row) -> bool:
        """Whether a row is asked for."""
        return all(row[column] in values for column, values in self.conditions)


def parse(expression: object) -> Query:
    """Read a query.

    Raises:
        AwsError: `InvalidExpressionException`, also for what AWS would understand and the emulator does not.
    """
    if not isinstance(expression, str) or not 1 <= len(expression) <= _LONGEST:
        raise _invalid(f"a text of 1 to {_LONGEST} characters is expected")
    found = _QUERY.fullmatch(expression)
    if found is None:
        raise _invalid("SELECT ... WHERE ... is expected")
    columns = tuple(_known(name.strip()) for name in found["columns"].split(","))
    return Query(columns, tuple(_condition(text) for text in _AND.split(found["conditions"])))


def _condition(text: str) -> tuple[str, frozenset[str]]:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise _invalid(f"{text!r} is no condition")
    return _known(found["column"]), frozenset(_LITERAL.findall(found["one"] or found["some"]))


def _known(column: str) -> str:
    if column not in COLUMNS:
        raise _invalid(f"{column!r} is no column of AWS::KMS::Key")
    return column


def _invalid(why: str) -> AwsError:
    return AwsError("InvalidExpressionException", f"The query can't be understood: {why}.")
