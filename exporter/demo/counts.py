"""How often each operation was asked for."""

from collections import Counter
from typing import NamedTuple


class RequestKind(NamedTuple):
    """What requests are counted by; `service` as in a credential scope (`kms`, `tagging`, `sts`, ...)."""

    account_id: str
    region: str
    service: str
    operation: str


class RequestCounts:
    """Counters of requests, and of the refusals among them.

    Attributes:
        requests: every request whose sender was known, refused ones included.
        refusals: error code by kind of request.
    """

    def __init__(self) -> None:
        self.requests: Counter[RequestKind] = Counter()
        self.refusals: Counter[tuple[RequestKind, str]] = Counter()

    def total(
        self,
        operation: str | None = None,
        *,
        service: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
    ) -> int:
        """Return the number of requests that match everything given."""
        wanted = RequestKind(*(value or "" for value in (account_id, region, service, operation)))
        return sum(
            count
            for kind, count in self.requests.copy().items()
            if all(not want or want == have for want, have in zip(wanted, kind, strict=True))
        )

    def refused(self, code: str | None = None) -> int:
        """Return the number of requests that were refused, with one code or with any."""
        return sum(count for (_, each), count in self.refusals.copy().items() if code in {None, each})

    def clear(self) -> None:
        """Start counting anew."""
        self.requests.clear()
        self.refusals.clear()
