"""Every request to AWS goes through here: budget, requests in flight, retries, deadline, counters, errors."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from botocore.credentials import ReadOnlyCredentials

from exporter.aws.budget import Lane, Pace
from exporter.aws.clients import Clients
from exporter.aws.failures import Failure, Remedy, Scope, understand
from exporter.aws.workers import Workers, ignore
from exporter.errors import TargetError
from exporter.model import Target

Item = TypeVar("Item", bound=Hashable)
Answer = TypeVar("Answer")

_AT_ONCE: Final = 8
"""Requests that one thread sends in a row: handing over to a thread costs a tenth of a request's CPU time."""
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the AWS API.

    Attributes:
        service: boto3's name of the service.
        name: the operation as the API model writes it.
        quota: requests a second that AWS allows an account in a region.
    """

    service: str
    name: str
    quota: float


class Identity(Protocol):
    """Whose credentials requests are signed with."""

    async def credentials(self) -> ReadOnlyCredentials:
        """Return credentials that are valid now; raise TargetError when none can be had."""
        ...

    def refused(self, credentials: ReadOnlyCredentials) -> None:
        """Take note that AWS no longer accepts `credentials`."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """A target and the identity that may ask about it."""

    target: Target
    identity: Identity
    account_name: str = ""


class Telemetry(Protocol):
    """What is told of each request."""

    def request(self, service: str, operation: str, seconds: float) -> None:
        """Count a request that was sent and took `seconds`."""
        ...

    def throttled(self, service: str, operation: str) -> None:
        """Count a request that was refused for its rate."""
        ...


@dataclass(slots=True)
class Outcomes(Generic[Item, Answer]):
    """What came of asking about many things.

    Attributes:
        answers: what was answered.
        failures: what could not be, each after its retries.
        ended_by: what made it pointless to ask on; things in neither mapping were not asked about.
    """

    answers: dict[Item, Answer] = field(default_factory=dict)
    failures: dict[Item, TargetError] = field(default_factory=dict)
    ended_by: TargetError | None = None

    def raise_first(self) -> None:
        """Raise the TargetError that ended it, or the first of a single item; return when all was answered."""
        for error in (self.ended_by, *self.failures.values()):
            if error is not None:
                raise error


@dataclass(slots=True)
class _Job(Generic[Item, Answer]):
    """One call of `Calls.each` while it runs.

    Attributes:
        attempts: how often each item was asked about in vain.
        failed_volleys: how often in a row what was in flight together failed for the target as a whole. An endpoint
            that hangs is given up after as many attempts as a single item would get, not after as many for each.
    """

    access: Access
    operation: Operation
    request: Callable[[Any, Item], Answer]
    arrived: Callable[[Mapping[Item, Answer]], object]
    queue: deque[Item]
    pace: Pace
    lane: Lane
    attempts: dict[Item, int] = field(default_factory=dict)
    failed_volleys: int = 0
    outcomes: Outcomes[Item, Answer] = field(default_factory=Outcomes)

    def landed(self, volley: int, answers: dict[Item, Answer], failure: Failure | None) -> None:
        """Take note of what came of requests that were sent when so many volleys had failed; give their place back."""
        if failure is None or answers or failure.scope is Scope.ITEM:
            self.failed_volleys = 0
        elif volley == self.failed_volleys:
            self.failed_volleys += 1
            if self.failed_volleys >= failure.attempts:
                self.outcomes.ended_by = self.error(failure)
        self.lane.leave(hung=failure is not None and failure.reason == "timeout")

    def error(self, failure: Failure) -> TargetError:
        return TargetError(self.access.target, self.operation.name, failure.reason, failure.detail)


class Calls:
    """Sends requests for targets; belongs to one event loop.

    A request waits for its budget and its turn without holding a thread; only while it is on the wire does it take one
    of the `Workers`. Its time on the wire is bounded by the clients' time-outs, its attempts by what went wrong, and
    the whole by the deadline of the caller.
    """

    def __init__(
        self,
        *,
        clients: Clients,
        workers: Workers,
        concurrency: int,
        request_rate: float,
        telemetry: Telemetry,
        rng: random.Random,
    ) -> None:
        """Keep to `concurrency` requests in flight, and to `request_rate` of each quota per account and region."""
        self._clients = clients
        self._workers = workers
        self._concurrency = concurrency
        self._request_rate = request_rate
        self._telemetry = telemetry
        self._rng = rng
        self._paces: dict[tuple[Target, Operation], Pace] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}

    async def one(
        self, access: Access, operation: Operation, request: Callable[[Any], Answer], *, deadline: float
    ) -> Answer:
        """Send one request: `request` gets the boto3 client and returns what it read from the answer.

        Raises:
            TargetError: it failed, after the retries that could have helped, or `deadline` (loop time) passed.
        """
        outcomes = await self.each(access, operation, [None], lambda client, _: request(client), deadline=deadline)
        outcomes.raise_first()
        return outcomes.answers[None]

    async def each(
        self,
        access: Access,
        operation: Operation,
        items: Iterable[Item],
        request: Callable[[Any, Item], Answer],
        *,
        deadline: float,
        arrived: Callable[[Mapping[Item, Answer]], object] = ignore,
    ) -> Outcomes[Item, Answer]:
        """Send one request for each of `items`, in their order as far as concurrency lets them.

        `request` runs in another thread, `arrived` in the loop, with a few answers at a time as they come. Never raises
        TargetError: what failed is told in the outcomes, and what was answered before is in them too.
        """
        queue = deque(items)
        if not queue:
            return Outcomes()
        pace, lane = self._pace(access.target, operation), self._lane(operation, access)
        job = _Job(access, operation, request, arrived, queue, pace, lane)
        hands = min(self._concurrency, -(-len(queue) // _AT_ONCE))
        try:
            async with asyncio.timeout_at(deadline):
                if hands == 1:
                    await self._work_off(job)  # without a task of its own, which costs as much as the rest of this
                else:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(hands):
                            group.create_task(self._work_off(job))
        except TimeoutError:
            job.outcomes.ended_by = job.error(Failure("timeout", "the pass took longer than its deadline"))
        return job.outcomes

    async def _work_off(self, job: _Job[Item, Answer]) -> None:
        loop = asyncio.get_running_loop()
        while job.queue and job.outcomes.ended_by is None:
            items = [job.queue.popleft() for _ in range(min(_AT_ONCE, len(job.queue)))]
            if (wait := job.pace.reserve(len(items), loop.time())) > 0:
                await asyncio.sleep(wait)
            try:
                credentials = await job.access.identity.credentials()
            except TargetError as error:
                job.outcomes.ended_by = error
                return
            answers, failure = await self._send(job, credentials, items)
            if answers:
                job.outcomes.answers.update(answers)
                job.pace.accepted()  # before the refusal that may have followed
                job.arrived(answers)
            if failure is not None:
                await self._cope(job, failure, credentials, items[len(answers) :])

    async def _send(
        self, job: _Job[Item, Answer], credentials: ReadOnlyCredentials, items: list[Item]
    ) -> tuple[dict[Item, Answer], Failure | None]:
        """Ask about `items` in a row, up to the first failure, which is about the first item without an answer."""
        await job.lane.enter()
        if job.outcomes.ended_by is not None:
            job.lane.leave(hung=None)
            return {}, None
        volley = job.failed_volleys
        # The place in the lane is held until the thread is free again, even when the deadline gives up waiting for it.
        return await self._workers.submit(
            lambda: self._in_thread(job, credentials, items),
            lambda outcome: job.landed(volley, *outcome),
            long=len(items) > 1,
        )

    def _in_thread(
        self, job: _Job[Item, Answer], credentials: ReadOnlyCredentials, items: list[Item]
    ) -> tuple[dict[Item, Answer], Failure | None]:
        answers: dict[Item, Answer] = {}
        service, operation = job.operation.service, job.operation.name
        try:
            client = self._clients.get(service, job.access.target.region)
            self._clients.sign_with(credentials)
            for item in items:
                started = time.perf_counter()
                try:
                    answers[item] = job.request(client, item)
                finally:
                    self._telemetry.request(service, operation, time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told as this target's failure
            return answers, understand(error).without(
                (credentials.access_key, credentials.secret_key, credentials.token)
            )
        return answers, None

    async def _cope(
        self, job: _Job[Item, Answer], failure: Failure, credentials: ReadOnlyCredentials, unanswered: list[Item]
    ) -> None:
        """Put back what was not sent, and decide about the item that failed."""
        failed, *not_sent = unanswered
        job.queue.extendleft(reversed(not_sent))
        job.pace.give_back(len(not_sent))
        attempt = job.attempts[failed] = job.attempts.get(failed, 0) + 1
        if failure.remedy is Remedy.SLOW_DOWN:
            self._telemetry.throttled(job.operation.service, job.operation.name)
            job.pace.throttled(asyncio.get_running_loop().time(), self._rng)
        elif failure.remedy is Remedy.RENEW:
            job.access.identity.refused(credentials)
        if attempt < failure.attempts:
            if failure.remedy is Remedy.WAIT and job.outcomes.ended_by is None:
                await asyncio.sleep(self._rng.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**attempt)))
            job.queue.append(failed)
        elif failure.scope is Scope.TARGET:
            job.outcomes.ended_by = job.error(failure)
        else:
            job.outcomes.failures[failed] = job.error(failure)

    def _pace(self, target: Target, operation: Operation) -> Pace:
        pace = self._paces.get((target, operation))
        if pace is None:
            pace = self._paces[target, operation] = Pace(operation.quota * self._request_rate)
        return pace

    def _lane(self, operation: Operation, access: Access) -> Lane:
        endpoint = (operation.service, access.target.region)
        lane = self._lanes.get(endpoint)
        if lane is None:
            # Three quarters at most: an endpoint that starts to hang leaves threads to the others.
            lane = self._lanes[endpoint] = Lane(max(1, self._concurrency * 3 // 4))
        return lane
