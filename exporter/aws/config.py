"""AWS Config's aggregator: what it has recorded of keys, in every account and region that it collects from.

Config records what it is told to, and when: where it records a type once a day, or its pipeline is late, a key may
have been scheduled or saved since. So its word is a cross-check, and no substitute for asking KMS
(https://docs.aws.amazon.com/config/latest/developerguide/querying-AWS-resources.html).
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from exporter.aws.calls import Access, Calls, Operation
from exporter.aws.reading import seconds
from exporter.errors import TargetError
from exporter.model import PENDING_STATES, ConfigKey, Target

SELECT: Final = Operation("config", "SelectAggregateResourceConfig", quota=5)
"""AWS tells no rate (https://docs.aws.amazon.com/general/latest/gr/awsconfig.html): this one makes it a page a second
at the default `aws.request_rate`."""

_STATES: Final = ", ".join(f"'{state}'" for state in sorted(PENDING_STATES))
QUERY: Final = (
    "SELECT accountId, awsRegion, resourceId, arn, configuration.keyState, configurationItemCaptureTime "
    f"WHERE resourceType = 'AWS::KMS::Key' AND configuration.keyState IN ({_STATES})"
)
"""The columns are those of `AWS::KMS::Key.properties.json` in https://github.com/awslabs/aws-config-resource-schema."""

_PAGE: Final = 100
_ASK_FOR: Final = 300.0
"""Seconds that all pages together may take."""
_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):(\d{12}):key/([A-Za-z0-9-]+)", re.ASCII)


class _ConfigClient(Protocol):
    """What is used of boto3's client."""

    def select_aggregate_resource_config(self, **request: Any) -> Mapping[str, Any]:
        """Return a page."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What Config told of pending keys.

    Attributes:
        keys: each once.
        unreadable: results that could not be read: each may have been a key.
        error: what kept the remaining pages from being had; None for nothing.
        at: when it was asked for the last page.
    """

    keys: tuple[ConfigKey, ...]
    unreadable: int
    error: TargetError | None
    at: float

    @property
    def complete(self) -> bool:
        """Whether a key that is not in it is one that Config does not know to be pending."""
        return self.error is None and not self.unreadable


@dataclass(frozen=True, slots=True)
class _Page:
    keys: tuple[ConfigKey, ...]
    unreadable: int
    token: str | None


class Aggregator:
    """One aggregator, asked with the home credentials in the home region."""

    def __init__(self, *, calls: Calls, home: Access, name: str, now: Callable[[], float]) -> None:
        """Ask the aggregator called `name`; `now` gives Unix seconds."""
        self.name = name
        self._calls = calls
        self._home = home
        self._now = now

    async def pending(self) -> Answer:
        """Ask for every key that is recorded as pending deletion.

        Never raises TargetError: what was told before a failure is part of the answer, like the failure.
        """
        keys: dict[tuple[Target, str], ConfigKey] = {}
        unreadable, error = 0, None
        token: str | None = ""
        deadline = asyncio.get_running_loop().time() + _ASK_FOR
        try:
            while token is not None:
                page = await self._calls.one(
                    self._home, SELECT, partial(_one_page, self.name, token), deadline=deadline
                )
                keys |= {(key.target, key.key_id): key for key in page.keys}
                unreadable += page.unreadable
                token = page.token
        except TargetError as failure:
            error = failure
        return Answer(tuple(keys.values()), unreadable, error, self._now())


def _one_page(aggregator: str, token: str, config: _ConfigClient) -> _Page:
    """Return a page.

    https://docs.aws.amazon.com/config/latest/APIReference/API_SelectAggregateResourceConfig.html
    """
    request = {"Expression": QUERY, "ConfigurationAggregatorName": aggregator, "Limit": _PAGE}
    answer = config.select_aggregate_resource_config(**request, **({"NextToken": token} if token else {}))
    following = answer.get("NextToken") or None
    if following is not None and following == token:
        raise ValueError("the next page is the same page again")
    results = answer["Results"]
    keys = tuple(key for text in results if (key := _try_key(text)) is not None)
    return _Page(keys, len(results) - len(keys), following)


def _try_key(text: str) -> ConfigKey | None:
    """Read one result; None for one that is not as documented, which must not cost the others."""
    try:
        return read_key(text)
    except (LookupError, TypeError, ValueError, RecursionError):
        return None


def read_key(text: str) -> ConfigKey:
    """Read a result, which is an object in JSON with the columns of `QUERY`, `configuration.keyState` nested.

    Raises:
        LookupError: it lacks a column.
        TypeError: a member is of another type.
        ValueError: it is no JSON, or not about a key that is pending deletion.
    """
    row = _mapping(json.loads(text))
    arn, state = row["arn"], _mapping(row["configuration"])["keyState"]
    named = _KEY_ARN.fullmatch(arn)
    if named is None or named.groups() != (row["awsRegion"], row["accountId"], row["resourceId"]):
        raise ValueError(f"{arn!r} is not the key that the other columns name")
    if state not in PENDING_STATES:
        raise ValueError(f"{state!r} was not asked for")
    region, account_id, key_id = named.groups()
    return ConfigKey(
        Target(account_id, region), key_id, arn, state, _moment_or_none(row.get("configurationItemCaptureTime"))
    )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"an object expected, {value!r} found")
    return value


def _moment_or_none(text: object) -> float | None:
    """Return Unix seconds; None for what can't be read, which is no reason to be silent about the key."""
    if not isinstance(text, str):
        return None
    try:
        return seconds(datetime.fromisoformat(text))
    except ValueError:
        return None
