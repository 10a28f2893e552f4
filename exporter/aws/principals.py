"""Who made a request, as people know them: the `userIdentity` of CloudTrail read for human eyes.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal.

    Attributes:
        name: `alice`, `Deploy/build-42`, `root`, `rds.amazonaws.com`; `""` where nothing tells.
        arn: the principal in full; `""` where CloudTrail tells none.
    """

    name: str = ""
    arn: str = ""


NOBODY: Final = Principal()


def read_principal(identity: Mapping[str, object]) -> Principal:
    """Make the most of a `userIdentity`.

    AWS adds types and leaves members out as it sees fit, and an event tells more than who made it: whatever is missing
    or odd, the best there is is taken, and nothing raises.
    """
    arn = _text(identity, "arn")
    return Principal(next((name for name in _names(identity, arn) if name), ""), arn)


def _names(identity: Mapping[str, object], arn: str) -> Iterator[str]:
    """Yield what the principal can be called, the best first."""
    match identity.get("type"):
        case "Root":
            yield "root"  # `userName` is the account's alias here
        case "AssumedRole":
            yield _role_session(identity, arn)
        case "AWSService":
            yield _text(identity, "invokedBy")
        case "IdentityCenterUser":
            yield _text(_mapping(identity, "onBehalfOf"), "userId")
        case "AWSAccount":
            yield _account(identity)
    yield _text(identity, "userName")
    yield _after_path(arn)
    yield _text(identity, "invokedBy")
    yield _session(identity)
    yield _account(identity)
    yield _text(identity, "type")


def _role_session(identity: Mapping[str, object], arn: str) -> str:
    """Return `ROLE/SESSION`: the role alone may serve hundreds, who are told apart by the session's name.

    The ARN is `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; without one, both are told elsewhere.
    """
    _, found, rest = arn.partition(":assumed-role/")
    if found and rest:
        return rest
    role = _text(_mapping(_mapping(identity, "sessionContext"), "sessionIssuer"), "userName")
    return "/".join(part for part in (role, _session(identity)) if part) if role else ""


def _session(identity: Mapping[str, object]) -> str:
    """Return what follows the unique id in `AROAIDPPEZS35WEXAMPLE:SESSION`; all of it where nothing does."""
    principal_id = _text(identity, "principalId")
    return principal_id.partition(":")[2] or principal_id


def _after_path(arn: str) -> str:
    """Return the last part of an ARN such as `arn:aws:sts::ACCOUNT:federated-user/alice`."""
    return arn.rpartition("/")[2] if "/" in arn else arn


def _account(identity: Mapping[str, object]) -> str:
    account_id = _text(identity, "accountId")
    return f"account {account_id}" if account_id else ""


def _text(mapping: Mapping[str, object], member: str) -> str:
    value = mapping.get(member)
    return value if isinstance(value, str) else ""


def _mapping(mapping: Mapping[str, object], member: str) -> Mapping[str, object]:
    value = mapping.get(member)
    return value if isinstance(value, Mapping) else {}
