"""The kinds of value that options hold besides plain numbers and durations, each with its check."""

import datetime as dt
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, SecretStr, StringConstraints

from exporter.settings.kinds import Kind

RESERVED_PATHS: Final = ("/", "/healthz", "/readyz", "/api/v1/keys", "/api/v1/openapi.json", "/-/reload")
"""Paths that the web server answers itself, whatever `web.telemetry_path` says."""

NO_END: Final = dt.date.max
"""The day until which something holds that has no end."""

_T = TypeVar("_T")

# IAM API reference, CreateRole: a role's name is 1 to 64 of these characters, its path any printable ASCII.
_ROLE: Final = r"(?:[\x21-\x2e\x30-\x7e]+/)*[A-Za-z0-9_+=,.@-]{1,64}"


def parse_list(text: str) -> list[Any]:
    """Read a list from the text of a flag, a variable or a file: JSON, else items separated by commas.

    One JSON object is a list of one. Numbers stay text, as everywhere in a configuration.

    Raises:
        ValueError: the text starts like JSON and is not.
    """
    text = text.strip()
    if text.startswith(("[", "{")):
        content = parse_json(text)
        return content if isinstance(content, list) else [content]
    return [item.strip() for item in text.split(",")] if text else []


def parse_json(text: str) -> Any:
    """Read JSON whose numbers stay text, so that a value means the same in every source.

    Raises:
        ValueError: the text is not JSON, or an object in it names a member twice.
    """
    try:
        return json.loads(
            text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_object_without_repeats
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON at character {error.pos + 1}: {error.msg}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _object_without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("names a member of an object twice")
    return content


def _list(value: object) -> object:
    return parse_list(value) if isinstance(value, str) else value


def _without_repeats(items: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`, `[v6]:port` or `:port`; the host is `""` for every interface.

    Raises:
        ValueError: there is no port, or it is none that exists.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]*)):([0-9]{1,5})", address)
    if match is None:
        raise ValueError("is no address with a port")
    v6, host, port = match.groups()
    if int(port) > 65535:  # noqa: PLR2004 - the largest port there is
        raise ValueError("has a port above 65535")
    return v6 or host or "", int(port)


def _address(address: str) -> str:
    split_address(address)
    return address


def _optional_address(address: str) -> str:
    return _address(address) if address else ""


def _telemetry_path(path: str) -> str:
    if path in RESERVED_PATHS:
        raise ValueError("is a page of the exporter's own")
    if not re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+", path):
        raise ValueError("is no plain path")
    return path


def _external_id(secret: SecretStr) -> SecretStr:
    # STS API reference, AssumeRole, ExternalId.
    if not re.fullmatch(r"(?:[A-Za-z0-9_+=,.@:/-]{2,1224})?", secret.get_secret_value()):
        raise ValueError("is no external id")
    return secret


def tag_label(tag_key: str) -> str:
    """Return the Prometheus label that carries a tag: what a label name can't hold becomes `_`."""
    return "tag_" + re.sub(r"[^a-zA-Z0-9_]", "_", tag_key)


def _labels_apart(tag_keys: tuple[str, ...]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for key in tag_keys:
        other = first.setdefault(tag_label(key), key)
        if other != key:
            raise ValueError(f"gives {other!r} and {key!r} the same label {tag_label(key)}")
    return tag_keys


def names_every_key(pattern: str) -> bool:
    """Whether a pattern of an acknowledgement says nothing about the key: `*`, `alias/*`, `arn:aws:kms:*`."""
    return not re.sub(r"[*?\[\]!^-]|^alias/|^arn:[^/]*(/|$)|^key/", "", pattern)


def _day(value: object) -> object:
    """Read a date as ISO 8601 writes it, and nothing else that a date could be made of; nothing is no end."""
    if not isinstance(value, str):
        return value
    if not value:
        return NO_END
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("is no date")
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is no day of the calendar") from error


def _show_day(day: dt.date) -> str:
    return "" if day == NO_END else day.isoformat()


def _link(link: str) -> str:
    if not re.fullmatch(r"(?:https?://[\x21-\x7e]+)?", link):
        raise ValueError("is no link")
    return link


ListenAddress = Annotated[
    str,
    AfterValidator(_address),
    Kind("address", "host:port, [IPv6 address]:port, or :port for every interface; port 0 takes a free one"),
]
OptionalListenAddress = Annotated[
    str,
    AfterValidator(_optional_address),
    Kind("address", "host:port, [IPv6 address]:port, :port for every interface, or nothing; port 0 takes a free one"),
]
TelemetryPath = Annotated[
    str,
    AfterValidator(_telemetry_path),
    Kind("path", f"a path such as /metrics, other than {', '.join(RESERVED_PATHS)}"),
]
Region = Annotated[
    str,
    # By shape only: AWS opens regions and partitions faster than anyone's list of them is renewed.
    StringConstraints(pattern=r"^[a-z]{2,8}(?:-[a-z]{2,16})+-[0-9]{1,2}$"),
    Kind("region", "a region's name such as eu-west-1"),
]
AccountId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{12}$"),
    Kind("account id", "an account's id of 12 digits"),
]
RoleArn = Annotated[
    str,
    StringConstraints(pattern=rf"^arn:aws[a-z-]*:iam::[0-9]{{12}}:role/{_ROLE}$"),
    Kind("role ARN", "a role's ARN such as arn:aws:iam::111122223333:role/KmsExporter, in any partition"),
]
RoleName = Annotated[
    str,
    StringConstraints(pattern=rf"^{_ROLE}$"),
    Kind("role name", "a role's name, with its path where it has one, such as KmsExporter or audit/KmsExporter"),
]
ExternalId = Annotated[
    SecretStr,
    AfterValidator(_external_id),
    Kind("external id", "empty, or 2 to 1224 of the characters A-Z a-z 0-9 _ + = , . @ : / -"),
]
TagKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    Kind("tag key", "a tag's key of 1 to 128 characters"),
]

OptionalTagKey = Annotated[
    str,
    StringConstraints(max_length=128),
    Kind("tag key", "a tag's key of 1 to 128 characters, or nothing for none"),
]
OptionalAccountId = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[0-9]{12})?$"),
    Kind("account id", "an account's id of 12 digits, or nothing for any"),
]
OptionalRegion = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[a-z]{2,8}(?:-[a-z]{2,16})+-[0-9]{1,2})?$"),
    Kind("region", "a region's name such as eu-west-1, or nothing for any"),
]
KeyPattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    Kind("key pattern", "a key's ARN, its id or alias/NAME, in which * stands for any text and ? for one character"),
]
Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, strip_whitespace=True),
    Kind("text", "a text of 1 to 256 characters"),
]
ShortText = Annotated[str, StringConstraints(max_length=256), Kind("text", "a text of up to 256 characters")]
Day = Annotated[
    dt.date,
    BeforeValidator(_day),
    PlainSerializer(_show_day, return_type=str, when_used="json"),
    Kind("date", "a day such as 2027-01-31, or nothing for no end", show=_show_day),
]
Link = Annotated[str, AfterValidator(_link), Kind("link", "a link that starts with https:// or http://, or nothing")]

QueueUrl = Annotated[
    str,
    StringConstraints(pattern=r"^(?:https?://[!-~]+/[0-9]{12}/[A-Za-z0-9_{}-]{1,80}(?:\.fifo)?)?$"),
    Kind("queue URL", "the URL of an SQS queue, which ends in /ACCOUNT/NAME, or nothing for none"),
]
AggregatorName = Annotated[
    str,
    # AWS Config API reference, ConfigurationAggregatorName.
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,256}$"),
    Kind("aggregator name", "the name of an AWS Config aggregator, or nothing for none"),
]

FromText = BeforeValidator(_list)
"""Lets a list be given as text: JSON or separated by commas."""
Unique = AfterValidator(_without_repeats)
"""What is named twice counts once."""
LabelsApart = AfterValidator(_labels_apart)
"""Refuses tag keys whose labels would be the same."""
