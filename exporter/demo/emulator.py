"""AWS as one ASGI application: reads a request, lets the faults at it, asks the service, answers.

No framework: benchmarks send thousands of requests a second through here.
"""

import asyncio
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from exporter.demo.control import Control
from exporter.demo.counts import RequestKind
from exporter.demo.errors import AwsError
from exporter.demo.faults import NOTHING_WRONG, Breakage, Faults, Plan, Refusal
from exporter.demo.principals import Principal
from exporter.demo.services.base import Answer, Call, Code, Later, Service
from exporter.demo.services.catalogue import services
from exporter.demo.signatures import Signatures
from exporter.demo.wire.exchange import Exchange, Message, Receive, Response, Send
from exporter.demo.wire.requests import ApiRequest, RequestReader
from exporter.demo.world import World

_LOOK_AGAIN: Final = 0.25
"""Seconds after which one who waits looks again: time in the world may have moved on without anything being sent."""
_UNANSWERED: Final = frozenset({Breakage.HANG, Breakage.CLOSE})


class Emulator:
    """The ASGI application."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        self._services = services()
        self._control = Control(world, faults)
        self._reader = RequestReader()
        self._signatures = Signatures()
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        exchange = Exchange(scope, receive, send)
        body = await exchange.body()
        if scope["path"].startswith("/_emulator/"):
            status, answer = self._control.answer(scope["method"], scope["path"], body)
            await exchange.respond(Response(status, ((b"content-type", b"application/json"),), answer))
            return
        plan, response = await self._answer(self._reader.read(scope["headers"], body), exchange)
        if plan.breakage is None:
            await exchange.respond(response)
        else:
            await exchange.respond_broken(response, plan.breakage)

    async def _answer(self, request: ApiRequest, exchange: Exchange) -> tuple[Plan, Response]:
        """Return the response, and what of the plan for it is still to be done."""
        plan, scope = NOTHING_WRONG, exchange.scope
        headers = request.protocol.headers
        kind: RequestKind | None = None
        request_id = f"{next(self._numbers):08x}-0000-4000-8000-000000000000"
        try:
            service = self._service(request)
            principal = self._principal(request, service)
            if not self._signatures.valid(
                principal.secret_key, scope["method"], scope["path"], scope["headers"], request.body
            ):
                raise service.codes.bad_signature.error("The request signature does not match.")
            kind = RequestKind(principal.account_id, request.region, request.service, request.operation)
            self._world.counts.requests[kind] += 1
            plan = self._faults.plan(kind)
            if plan.delay:
                await asyncio.sleep(plan.delay)
            if plan.breakage in _UNANSWERED:
                return plan, Response(200, (), b"")
            if plan.refusal is not None:
                raise _refusal(plan.refusal, service, principal, request)
            perform = partial(self._perform, service, principal, request, request_id)
            answer: Any = perform()
            if isinstance(answer, Later):
                answer = await _wait_for(answer, perform, exchange)
            for change in plan.changes:
                answer = change(answer)
            status, body = 200, request.protocol.answer(request.operation, answer, request_id)
        except AwsError as error:
            if kind is not None:
                self._world.counts.refusals[kind, error.code] += 1
            status, body = error.status, request.protocol.error(error, request_id)
            if error.query_code:
                headers = (*headers, (b"x-amzn-query-error", f"{error.query_code};Sender".encode()))
        return plan, Response(status, (*headers, (b"x-amzn-requestid", request_id.encode())), body)

    def _service(self, request: ApiRequest) -> Service:
        if not request.access_key_id:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        service = self._services.get(request.service)
        if service is None:
            raise AwsError("UnknownOperationException", f"The emulator knows no service {request.service!r}", 404)
        return service

    def _principal(self, request: ApiRequest, service: Service) -> Principal:
        """Return the sender.

        Raises:
            AwsError: its access key is unknown, its token is missing or wrong, or it has expired.
        """
        principal = self._world.credentials.find(request.access_key_id)
        invalid = "The security token included in the request is invalid."
        if principal is None or request.token != principal.token:
            raise service.codes.unknown_token.error(invalid)
        if principal.expires_at is not None and principal.expires_at <= self._world.agenda.time():
            raise service.codes.expired_token.error("The security token included in the request is expired")
        if service.regional and request.region not in self._world.accounts[principal.account_id].regions:
            raise service.codes.unknown_token.error(invalid)
        return principal

    def _perform(self, service: Service, principal: Principal, request: ApiRequest, request_id: str) -> Any:
        operation = service.operations.get(request.operation)
        place = (request.region, request.operation)
        if operation is None or place in self._world.rules.missing:
            raise service.codes.unknown_operation.error(f"The emulator has no {service.name}:{request.operation}")
        if place in self._world.accounts[principal.account_id].denied:
            raise _denial(service, principal, request)
        call = Call(self._world, principal, request.region, request.operation, request.params(), request_id)
        with self._world.agenda.lock:
            self._world.agenda.settle()
            return operation(call)


async def _wait_for(first: Later, perform: Callable[[], Answer | Later], exchange: Exchange) -> Answer:
    """Perform an operation anew whenever it may have an answer, until its patience ends or the client is gone."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()

    def listener() -> None:
        loop.call_soon_threadsafe(came.set)

    deadline = loop.time() + first.patience
    left = loop.create_task(exchange.gone())
    try:
        with first.heard_by(listener):
            while not left.done() and (remaining := deadline - loop.time()) > 0:
                came.clear()
                answer = perform()
                if not isinstance(answer, Later):
                    return answer
                heard = loop.create_task(came.wait())
                await asyncio.wait(
                    {heard, left}, timeout=min(remaining, _LOOK_AGAIN), return_when=asyncio.FIRST_COMPLETED
                )
                heard.cancel()
    finally:
        left.cancel()
    return first.empty


def _refusal(refusal: Refusal | Code, service: Service, principal: Principal, request: ApiRequest) -> AwsError:
    match refusal:
        case Refusal.THROTTLED:
            return service.codes.throttled.error("You have exceeded the rate at which you may call this service.")
        case Refusal.INTERNAL:
            return service.codes.internal.error("An internal error occurred.")
        case Refusal.DENIED:
            return _denial(service, principal, request)
        case Code():
            return refusal.error("The emulator was told to refuse this.")


def _denial(service: Service, principal: Principal, request: ApiRequest) -> AwsError:
    return service.codes.denied.error(
        f"User: {principal.arn} is not authorized to perform: {service.name}:{request.operation}"
    )
