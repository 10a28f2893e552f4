"""boto3's real clients with a wire that ends here: what they send is answered with the bytes of a test.

A handler of `before-send` that returns a response takes the place of the network (botocore/endpoint.py); everything
before and after it is botocore's and the exporter's own.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import ReadOnlyCredentials

from exporter.aws.calls import Access, Calls
from exporter.aws.clients import Clients
from exporter.aws.workers import Workers
from exporter.errors import TargetError
from exporter.model import Target
from tests.aws.harness import Hasty, Heard, HurriedLoop

T = TypeVar("T")

HERE: Final = Target("111122223333", "eu-west-1")
_ENOUGH: Final = 10_000.0
_HURRY: Final = 50.0


class Anybody:
    """Credentials that nobody checks."""

    async def credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("AKIDEXAMPLE", "secret", None)

    def refused(self, credentials: ReadOnlyCredentials) -> None:
        assert credentials.access_key == "AKIDEXAMPLE"


class _Body:
    """The body of a response as urllib3 gives it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self._content


class Wire:
    """The exporter's way of asking AWS, and the answer that it gets to everything it asks a service.

    Attributes:
        sent: requests that were answered.
    """

    def __init__(self, clients: Clients, workers: Workers, runner: asyncio.Runner) -> None:
        self.access = Access(HERE, Anybody())
        self.sent = 0
        self._answers: dict[str, tuple[int, bytes]] = {}
        self._clients = clients
        self._runner = runner
        self.calls = Calls(
            clients=clients,
            workers=workers,
            concurrency=1,
            request_rate=1.0,
            telemetry=Heard(),
            rng=Hasty(),
        )

    def answers(self, body: bytes, *, status: int = 200, service: str = "kms") -> None:
        """Answer every request to a service with this from now on."""
        if service not in self._answers:
            events = self._clients.get(service, HERE.region).meta.events
            events.unregister(f"before-send.{service}", self._clients._wire.send)
            events.register("before-send", partial(self._respond, service))
        self._answers[service] = (status, body)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def deadline(self) -> float:
        return self._runner.get_loop().time() + _ENOUGH

    def result(self, work: Coroutine[Any, Any, T]) -> T | TargetError:
        """Return what was made of the answer, or the failure that is told instead."""
        try:
            return self.run(work)
        except TargetError as error:
            return error

    def _respond(self, service: str, request: AWSRequest, **_: object) -> AWSResponse:
        self.sent += 1
        status, body = self._answers[service]
        return AWSResponse(request.url, status, {"x-amzn-requestid": "r"}, _Body(body))


@contextmanager
def wire() -> Iterator[Wire]:
    """Open a wire."""
    clients = Clients(connect_timeout=1.0, read_timeout=1.0, connections=1)
    workers = Workers(1)
    with asyncio.Runner(loop_factory=lambda: HurriedLoop(_HURRY)) as runner:
        try:
            yield Wire(clients, workers, runner)
        finally:
            workers.close()
            clients.close()
