"""What every emulated service is made of."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from exporter.demo.actors import Actor
from exporter.demo.errors import AwsError
from exporter.demo.principals import Principal
from exporter.demo.vault import Vault
from exporter.demo.world import World


@dataclass(slots=True)
class Call:
    """One request as an operation sees it.

    Attributes:
        account_id: the caller's account.
        params: the members of the operation's input, as the wire carried them.
        request_id: as the response tells it.
    """

    world: World
    principal: Principal
    region: str
    operation: str
    params: Mapping[str, Any]
    request_id: str

    @property
    def account_id(self) -> str:
        """The caller's account."""
        return self.principal.account_id

    @property
    def actor(self) -> Actor:
        """The caller, as CloudTrail tells it."""
        return replace(self.principal.actor, request_id=self.request_id)

    @property
    def vault(self) -> Vault:
        """The caller's keys in the region called."""
        return self.world.vault(self.principal.account_id, self.region)


Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Later:
    """There is nothing to answer yet: the operation is to be performed again when something may have come.

    Attributes:
        patience: seconds after which `empty` is the answer.
        heard_by: lets a listener be called, in any thread, whenever something comes.
    """

    empty: Answer
    patience: float
    heard_by: Callable[[Callable[[], None]], AbstractContextManager[None]]


Operation = Callable[[Call], "Answer | Later"]


class Code(NamedTuple):
    """An error code with the HTTP status that it comes with."""

    code: str
    status: int = 400

    def error(self, message: str) -> AwsError:
        """Return an error with this code."""
        return AwsError(self.code, message, self.status)


@dataclass(frozen=True, slots=True)
class Codes:
    """What a service calls the refusals that every service knows."""

    denied: Code
    throttled: Code
    internal: Code
    unknown_token: Code
    expired_token: Code
    bad_signature: Code
    unknown_operation: Code


def json_codes(*, throttled: Code, internal: Code) -> Codes:
    """Return the codes of a service that speaks JSON: they differ in two only."""
    return Codes(
        denied=Code("AccessDeniedException"),
        throttled=throttled,
        internal=internal,
        unknown_token=Code("UnrecognizedClientException"),
        expired_token=Code("ExpiredTokenException"),
        bad_signature=Code("InvalidSignatureException"),
        unknown_operation=Code("UnknownOperationException"),
    )


@dataclass(frozen=True, slots=True)
class Service:
    """A service.

    Attributes:
        name: as in a credential scope (`kms`, `tagging`, `sts`, ...).
        operations: name to function.
        regional: whether its requests are refused in a region that is not enabled for the account.
    """

    name: str
    operations: Mapping[str, Operation]
    codes: Codes
    regional: bool = False
