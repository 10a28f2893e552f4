"""Faults on demand: what goes wrong, for which requests, how often; changeable from any thread while serving."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from random import Random
from threading import Lock
from typing import Any, Final, NamedTuple

from exporter.demo.counts import RequestKind
from exporter.demo.quotas import Quotas
from exporter.demo.services.base import Code

Change = Callable[[Any], Any]


class Breakage(Enum):
    """How a response can break on its way."""

    HANG = "hang"
    HANG_AFTER_HEADERS = "hang_after_headers"
    TRICKLE = "trickle"
    TRUNCATE = "truncate"
    GARBLE = "garble"
    CLOSE = "close"


class Refusal(Enum):
    """A refusal that every service words in its own way; see `services.base.Codes`."""

    THROTTLED = "throttle"
    INTERNAL = "internal_error"
    DENIED = "deny"


@dataclass(frozen=True, slots=True)
class Where:
    """Which requests a fault concerns; None is any."""

    service: str | None = None
    operation: str | None = None
    account_id: str | None = None
    region: str | None = None

    def covers(self, kind: RequestKind) -> bool:
        """Return whether it concerns such a request."""
        return (
            (self.operation is None or self.operation == kind.operation)
            and (self.account_id is None or self.account_id == kind.account_id)
            and (self.region is None or self.region == kind.region)
            and (self.service is None or self.service == kind.service)
        )


@dataclass(slots=True, eq=False)
class Fault:
    """One thing that goes wrong; pass it to `Faults.remove` to end it.

    Attributes:
        fraction: of the requests concerned that are hit.
        times: how many more requests it may hit, None for no bound.
        hits: how many it has hit.
    """

    where: Where
    fraction: float
    times: int | None
    delay: float = 0.0
    refusal: Refusal | Code | None = None
    breakage: Breakage | None = None
    change: Change | None = None
    hits: int = 0


class Plan(NamedTuple):
    """What goes wrong with one request: seconds of delay, then the refusal, or changes and breakage of the answer."""

    delay: float = 0.0
    refusal: Refusal | Code | None = None
    breakage: Breakage | None = None
    changes: tuple[Change, ...] = ()


NOTHING_WRONG: Final = Plan()


class Faults:
    """The faults in force. Every method that adds one takes the same filters and returns the fault."""

    def __init__(self, seed: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """Create without faults.

        Args:
            seed: of the choice of requests that a fraction hits.
            clock: seconds that refill the quotas' buckets.
        """
        self._random = Random(seed)  # noqa: S311 - chooses which requests fail, guards nothing
        self._lock = Lock()
        self._faults: tuple[Fault, ...] = ()
        self._quotas = Quotas(clock)

    def latency(self, seconds: float, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Answer late by so many seconds."""
        return self._add(Fault(Where(**where), fraction, times, delay=seconds))

    def throttle(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Refuse as if a quota were exceeded."""
        return self._add(Fault(Where(**where), fraction, times, refusal=Refusal.THROTTLED))

    def internal_error(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Refuse with the service's own HTTP 500 (EC2, STS, KMS, ...)."""
        return self._add(Fault(Where(**where), fraction, times, refusal=Refusal.INTERNAL))

    def deny(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Refuse for want of permission."""
        return self._add(Fault(Where(**where), fraction, times, refusal=Refusal.DENIED))

    def refuse(
        self, code: str, status: int = 400, *, fraction: float = 1.0, times: int | None = None, **where: str
    ) -> Fault:
        """Refuse with any error code and HTTP status."""
        return self._add(Fault(Where(**where), fraction, times, refusal=Code(code, status)))

    def hang(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Take the request and never answer."""
        return self._add(Fault(Where(**where), fraction, times, breakage=Breakage.HANG))

    def hang_after_headers(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Send the headers of the answer and never its body."""
        return self._add(Fault(Where(**where), fraction, times, breakage=Breakage.HANG_AFTER_HEADERS))

    def trickle(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Send the body byte by byte, a hundred a second: no time-out of a read ever passes."""
        return self._add(Fault(Where(**where), fraction, times, breakage=Breakage.TRICKLE))

    def truncate(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Send half of the body that the headers announce, then close the connection."""
        return self._add(Fault(Where(**where), fraction, times, breakage=Breakage.TRUNCATE))

    def garble(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Send a body that is cut in half though the headers match it: malformed JSON or XML."""
        return self._add(Fault(Where(**where), fraction, times, breakage=Breakage.GARBLE))

    def close(self, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Close the connection without an answer."""
        return self._add(Fault(Where(**where), fraction, times, breakage=Breakage.CLOSE))

    def change(self, change: Change, *, fraction: float = 1.0, times: int | None = None, **where: str) -> Fault:
        """Send what `change` makes of the answer: wrong types, unknown enum values, missing members."""
        return self._add(Fault(Where(**where), fraction, times, change=change))

    def use_quotas(self, share: float = 1.0) -> None:
        """Throttle what exceeds AWS's default request quotas, multiplied by `share`."""
        self._quotas.use_defaults(share)

    def set_quota(self, service: str, operation: str, rate: float) -> None:
        """Throttle an operation beyond `rate` requests a second, per account and region."""
        self._quotas.set(service, operation, rate)

    def remove(self, fault: Fault) -> None:
        """End a fault; one that has ended already stays so."""
        with self._lock:
            self._faults = tuple(each for each in self._faults if each is not fault)

    def clear(self) -> None:
        """End every fault and quota."""
        with self._lock:
            self._faults = ()
        self._quotas.clear()

    def plan(self, kind: RequestKind) -> Plan:
        """Return what goes wrong with a request, and count it as hit."""
        plan = self._plan_faults(kind) if self._faults else NOTHING_WRONG
        return plan if self._quotas.admits(kind) else plan._replace(refusal=Refusal.THROTTLED)

    def _plan_faults(self, kind: RequestKind) -> Plan:
        with self._lock:
            hitting = [fault for fault in self._faults if fault.where.covers(kind) and self._hits(fault)]
        return Plan(
            sum(fault.delay for fault in hitting),
            next((fault.refusal for fault in hitting if fault.refusal is not None), None),
            next((fault.breakage for fault in hitting if fault.breakage is not None), None),
            tuple(fault.change for fault in hitting if fault.change is not None),
        )

    def _hits(self, fault: Fault) -> bool:
        if fault.times is not None and fault.hits >= fault.times:
            return False
        if fault.fraction < 1 and self._random.random() >= fault.fraction:
            return False
        fault.hits += 1
        return True

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults = (*self._faults, fault)
        return fault


def merging(patch: Mapping[str, Any]) -> Change:
    """Return a change that merges `patch` into an answer, map by map; None removes a member."""

    def change(answer: Any) -> Any:
        if not isinstance(answer, Mapping):
            return patch
        merged = dict(answer)
        for name, value in patch.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = merging(value)(merged.get(name)) if isinstance(value, Mapping) else value
        return merged

    return change
