"""What EventBridge writes about keys: which of them an event names, and whether it can have changed them.

https://docs.aws.amazon.com/kms/latest/developerguide/kms-events.html, and for requests that CloudTrail tells of
https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-kms.html.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from exporter.aws.cloudtrail import names_in
from exporter.aws.trail import OTHERS, SCHEDULING
from exporter.model import Target, frozen

CHANGING: Final = frozenset(
    {
        SCHEDULING,
        *OTHERS,
        "CreateKey",
        "DeleteKey",
        "DeleteExpiredKeyMaterial",
        "KMS CMK Deletion",
        "KMS Imported Key Material Expiration",
    }
)
"""Events after which a key is not what it was. Others, such as of grants, may come by the thousand and change nothing
that is told."""

LONGEST: Final = 1024 * 1024
"""Characters that a message may have at the most: it is the limit of SQS, and of EventBridge a quarter of that."""
_MOST_KEYS: Final = 100

_SOURCE: Final = "aws.kms"
_VIA_CLOUDTRAIL: Final = " via CloudTrail"
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,128}")
_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]{1,40}):([0-9]{12}):key/([A-Za-z0-9-]{1,128})")


class NoEventError(ValueError):
    """A text is not what EventBridge sends; says why in one line, and nothing of what was in it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An event.

    Attributes:
        name: of the request that was made, or of the event that KMS sent itself.
        about: the ids of the keys that may have changed, by where they are; empty where none can have.
    """

    name: str
    about: Mapping[Target, frozenset[str]] = field(default_factory=frozen)


def read_notice(text: str) -> Notice:
    """Read an event of EventBridge.

    Raises:
        NoEventError: it is none.
    """
    if len(text) > LONGEST:
        raise NoEventError(f"{len(text)} characters")
    try:
        return _read(json.loads(text))
    except NoEventError:
        raise
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise NoEventError(_why(error)) from error


def _read(envelope: object) -> Notice:
    event = _unwrapped(_mapping(envelope))
    source, kind, detail = _text(event["source"]), _text(event["detail-type"]), _mapping(event["detail"])
    where = _place(event, detail)
    if source != _SOURCE:
        return Notice(kind)
    if not kind.endswith(_VIA_CLOUDTRAIL):
        names = [*map(_text, _list(event["resources"])), _text(detail.get("key-id") or "")]
        return Notice(kind, _sorted_by_place(names, where) if kind in CHANGING else frozen())
    name = _text(detail["eventName"])
    in_vain = name not in CHANGING or bool(detail.get("errorCode"))
    return Notice(name, frozen() if in_vain else _sorted_by_place(names_in(detail), where))


def _unwrapped(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take an event out of the notification in which SNS passes it on where raw message delivery is off.

    https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html
    """
    if envelope.get("Type") != "Notification":
        return envelope
    return _mapping(json.loads(_text(envelope["Message"])))


def _place(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Target | None:
    """Return where it happened; None where it does not say, as what a rule's input transformer has passed through."""
    account_id = event.get("account", detail.get("recipientAccountId"))
    region = event.get("region", detail.get("awsRegion"))
    if account_id is None or region is None:
        return None
    return Target(_matching(_ACCOUNT, account_id), _matching(_REGION, region))


def _sorted_by_place(names: Iterable[str], where: Target | None) -> Mapping[Target, frozenset[str]]:
    """Return key ids by the place that their ARNs name, and for bare ids by the place of the event."""
    found: defaultdict[Target, set[str]] = defaultdict(set)
    for target, key_id in _keys(names, where):
        found[target].add(key_id)
    if where is None and not found:
        raise NoEventError("it does not say where it happened")
    if sum(map(len, found.values())) > _MOST_KEYS:
        raise NoEventError(f"it names more than {_MOST_KEYS} keys")
    return frozen({target: frozenset(key_ids) for target, key_ids in found.items()})


def _keys(names: Iterable[str], where: Target | None) -> Iterator[tuple[Target, str]]:
    """Tell keys from what else is named. No alias gets through: describing one of AWS's can create its key."""
    for name in names:
        if arn := _KEY_ARN.fullmatch(name):
            yield Target(arn[2], arn[1]), arn[3]
        elif where is not None and _KEY_ID.fullmatch(name):
            yield where, name


def _why(error: Exception) -> str:
    match error:
        case KeyError():
            return f"it has no {error}"
        case json.JSONDecodeError():
            return f"no JSON: {error.msg}"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return type(error).__name__


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NoEventError(f"{type(value).__name__} in place of an object")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise NoEventError(f"{type(value).__name__} in place of a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NoEventError(f"{type(value).__name__} in place of a text")
    return value


def _matching(pattern: re.Pattern[str], value: object) -> str:
    if not pattern.fullmatch(text := _text(value)):
        raise NoEventError(f"not as {pattern.pattern}")
    return text
