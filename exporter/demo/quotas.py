"""Request quotas: token buckets per account, region and operation.

KMS Developer Guide, "Request quotas"; CloudTrail API Reference, LookupEvents.
"""

from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Final

from exporter.demo.counts import RequestKind

DEFAULT_QUOTAS: Final[Mapping[tuple[str, str], float]] = MappingProxyType(
    {
        ("kms", "ListKeys"): 500,
        ("kms", "ListAliases"): 500,
        ("kms", "DescribeKey"): 2000,
        ("kms", "ListResourceTags"): 2000,
        ("kms", "ScheduleKeyDeletion"): 15,
        ("kms", "CancelKeyDeletion"): 5,
        ("kms", "EnableKey"): 5,
        ("kms", "DisableKey"): 5,
        ("kms", "CreateKey"): 5,
        ("kms", "CreateAlias"): 5,
        ("kms", "TagResource"): 10,
        ("kms", "GetKeyLastUsage"): 5,
        ("kms", "ListGrants"): 100,
        ("kms", "CreateGrant"): 50,
        ("kms", "RevokeGrant"): 30,
        ("cloudtrail", "LookupEvents"): 2,
        ("tagging", "GetResources"): 15,
    }
)
"""Requests a second by service and operation."""


class Quotas:
    """The quotas in force; none to begin with."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._rates: dict[tuple[str, str], float] = {}
        self._buckets: dict[RequestKind, tuple[float, float]] = {}

    def use_defaults(self, share: float = 1.0) -> None:
        """Put AWS's default quotas in force, each multiplied by `share`."""
        with self._lock:
            self._rates = {which: rate * share for which, rate in DEFAULT_QUOTAS.items()}

    def set(self, service: str, operation: str, rate: float) -> None:
        """Put one quota in force, in requests a second."""
        with self._lock:
            self._rates = {**self._rates, (service, operation): rate}

    def clear(self) -> None:
        """Lift every quota."""
        with self._lock:
            self._rates = {}
            self._buckets.clear()

    def admits(self, kind: RequestKind) -> bool:
        """Take a request into account; False when its bucket, which holds one second's worth, is empty."""
        rate = self._rates.get((kind.service, kind.operation)) if self._rates else None
        if rate is None:
            return True
        with self._lock:
            now = self._clock()
            most = max(rate, 1.0)
            tokens, filled_at = self._buckets.get(kind, (most, now))
            tokens = min(most, tokens + (now - filled_at) * rate)
            self._buckets[kind] = (tokens - 1 if tokens >= 1 else tokens, now)
            return tokens >= 1
