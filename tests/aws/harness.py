"""What the tests of the AWS side are made with: an emulated AWS, and the exporter pointed at it over real HTTP."""

import asyncio
import errno
import logging
import random
import selectors
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from exporter.aws.calls import Access, Calls
from exporter.aws.clients import Clients
from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory, Watch
from exporter.aws.identities import HomeIdentity
from exporter.aws.sweep import Sweeper
from exporter.aws.workers import Workers
from exporter.demo.faults import Faults
from exporter.demo.server import EmulatorServer
from exporter.demo.world import DEFAULT_HOME, World
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import Keys, Pass, PassKind, Target, TargetState, Unreadable
from exporter.refresh import Refresher
from exporter.settings import Settings

T = TypeVar("T")

Eventually = Callable[[Callable[[], object]], None]

REGION = "eu-west-1"
PATIENCE = 20.0
"""How long anything may take on a machine that does other things too, in seconds."""


class Clock:
    """A real clock that can be put ahead."""

    def __init__(self, read: Callable[[], float]) -> None:
        self._read = read
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._read() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


class Hasty(random.Random):
    """Jitter that always draws the shortest pause."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


class HurriedSelector(selectors.DefaultSelector):
    """Waits a fraction of the time it is told to."""

    hurry = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self.hurry)


class HurriedLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are shorter: what waits for half a minute is done in half a second."""

    def __init__(self, hurry: float) -> None:
        self._hurry = hurry
        selector = HurriedSelector()
        selector.hurry = hurry
        super().__init__(selector)

    def time(self) -> float:
        return super().time() * self._hurry


class Heard:
    """What was told to telemetry, by calls and by the refresh loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.throttles: Counter[str] = Counter()
        self.passes: Counter[str] = Counter()
        self.named: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.target_count = 0
        self.failed_reloads = 0
        self.messages: Counter[str] | None = None
        self.queue: dict[str, float | None] = {}

    def request(self, service: str, operation: str, seconds: float) -> None:
        assert service
        assert seconds >= 0
        with self._lock:
            self.requests[operation] += 1

    def throttled(self, service: str, operation: str) -> None:
        assert service
        with self._lock:
            self.throttles[operation] += 1

    def pass_ended(self, mode: str, seconds: float) -> None:
        assert seconds >= 0
        self.passes[mode] += 1

    def change(self, source: str, event: str) -> None:
        (self.changes if source == "sweep" else self.named)[event] += 1

    def targets(self, count: int) -> None:
        self.target_count = count

    def reload_failed(self) -> None:
        self.failed_reloads += 1

    def queue_reading(self, outcomes: Collection[str]) -> None:
        self.messages = self.messages or Counter(dict.fromkeys(outcomes, 0))

    def queue_message(self, outcome: str) -> None:
        assert self.messages is not None
        self.messages[outcome] += 1

    def queue_up(self, up: bool) -> None:
        self.queue["up"] = float(up)

    def queue_answered(self, at: float) -> None:
        self.queue["answered"] = at

    def queue_level(self, waiting: int | None, oldest_age: float | None) -> None:
        self.queue |= {"waiting": waiting, "oldest_age": oldest_age}

    def queue_gone(self) -> None:
        self.messages, self.queue = None, {}


class Workshop:
    """What all labs of a test run share, since it takes longer to make than most tests: boto3 clients.

    For their sake every lab is served on the same port, one after the other, unless somebody else took it in between.
    """

    def __init__(self) -> None:
        self.port = 0
        self._clients: dict[tuple[float, int], Clients] = {}

    def clients(self, *, read_timeout: float, connections: int) -> Clients:
        made = self._clients.get((read_timeout, connections))
        if made is None:
            made = Clients(connect_timeout=1.0, read_timeout=read_timeout, connections=connections)
            self._clients[read_timeout, connections] = made
        return made

    def serve(self, world: World, stack: ExitStack) -> EmulatorServer:
        try:
            emulator = stack.enter_context(EmulatorServer(world, self.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            self.close()  # they know the port that is lost
            emulator = stack.enter_context(EmulatorServer(world))
        self.port = int(emulator.url.rpartition(":")[2])
        return emulator

    def close(self) -> None:
        for clients in self._clients.values():
            clients.close()
        self._clients.clear()


class Lab:
    """An emulated world that is served, and the exporter's AWS side pointed at it.

    Everything runs in one event loop that lasts as long as the lab, and whose clock is `hurry` times as fast as ours.
    """

    def __init__(self, world: World, stack: ExitStack, hurry: float, workshop: Workshop) -> None:
        self.world = world
        self.emulator = workshop.serve(world, stack)
        self.heard = Heard()
        self.monotonic = Clock(time.monotonic)
        self._runner = stack.enter_context(asyncio.Runner(loop_factory=lambda: HurriedLoop(hurry)))
        self._stack = stack
        self._workshop = workshop

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def deadline(self, seconds: float = PATIENCE) -> float:
        """Return a deadline on the clock of the loop."""
        return self._runner.get_loop().time() + seconds

    def calls(
        self,
        *,
        concurrency: int = 16,
        request_rate: float = 1.0,
        read_timeout: float = PATIENCE,
        rng: random.Random | None = None,
    ) -> Calls:
        """Return what sends requests, in a hurry unless it is told otherwise."""
        return Calls(
            clients=self._workshop.clients(read_timeout=read_timeout, connections=concurrency),
            workers=self.workers(concurrency),
            concurrency=concurrency,
            request_rate=request_rate,
            telemetry=self.heard,
            rng=rng or Hasty(),
        )

    def workers(self, count: int = 2) -> Workers:
        workers = Workers(count)
        self._stack.callback(workers.close)
        return workers

    def home(self, region: str = REGION) -> Access:
        """Return access to the home account."""
        where = Target(DEFAULT_HOME, region)
        return Access(where, HomeIdentity(workers=self.workers(), where=where, now=self.monotonic))

    def sweep(
        self,
        kind: PassKind,
        known: Keys | None = None,
        unreadable: Mapping[str, Unreadable] | None = None,
        *,
        tags: tuple[str, ...] = (),
        calls: Calls | None = None,
    ) -> Pass:
        """Make one pass over the home account."""
        sweeper = Sweeper(calls=calls or self.calls(), request_rate=1.0, tags=tags)
        return self.run(sweeper.sweep(self.home(), kind, known, unreadable or {}))

    def connect(self, settings: Settings, memory: Memory | None = None) -> Connection:
        connection = connect(
            settings,
            memory=Memory() if memory is None else memory,
            telemetry=self.heard,
            now=self.world.agenda.time,
            monotonic=self.monotonic,
            rng=Hasty(),
        )
        self._stack.callback(connection.close)
        return connection

    def look(self, connection: Connection) -> Watch:
        """Discover once; return what was found in the end."""

        async def last() -> Watch:
            watch = Watch()
            async for watch in connection.discovery.look():  # noqa: B007 - the last one is wanted
                pass
            return watch

        return self.run(last())

    def discover(self, *, memory: Memory | None = None, **aws: Any) -> Watch:
        """Discover once with these settings of `aws`."""
        return self.look(self.connect(watching(**aws), memory))


class Events(logging.Handler):
    """Every event that was logged, with its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append((record.getMessage(), record.__dict__["fields"]))

    def named(self, name: str) -> list[dict[str, Any]]:
        return [fields for event, fields in list(self.all) if event == name]


class Station:
    """The refresh loop in a thread of its own, as it is in the running exporter."""

    def __init__(self, lab: Lab, settings: Settings, connect: Callable[[Settings], Connection] | None = None) -> None:
        self.lab = lab
        self.memory = Memory()
        self.publications = 0
        self.events = Events()
        logger = logging.Logger("station")  # noqa: LOG001 - belongs to this station alone
        logger.addHandler(self.events)
        self.inventory = Inventory(
            keep_failed=settings.refresh.keep_failed,
            keep_tombstones=settings.deletions.keep_tombstones,
            now=lab.world.agenda.time,
            monotonic=lab.monotonic,
        )
        self.refresher = Refresher(
            settings=settings,
            connect=connect or self.connect,
            inventory=self.inventory,
            published=self._published,
            telemetry=lab.heard,
            log=Log(logger),
            monotonic=lab.monotonic,
            rng=random.Random(0),
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self.refresher.run()), name="refresh", daemon=True)

    def connect(self, settings: Settings) -> Connection:
        return self.lab.connect(settings, self.memory)

    def start(self) -> "Station":
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop, which must not wait for a request that hangs."""
        self.refresher.stop()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), "it goes on"

    def state(self, region: str = REGION, account_id: str = DEFAULT_HOME) -> TargetState | None:
        return next(
            (s for s in self.inventory.snapshot.targets if s.target == Target(account_id, region)),
            None,
        )

    def is_up(self, region: str = REGION, account_id: str = DEFAULT_HOME) -> bool | None:
        state = self.state(region, account_id)
        return None if state is None else state.up

    def pending(self) -> set[str]:
        """Return the ARN of every key that is known to be pending."""
        known = [state.keys for state in self.inventory.snapshot.targets if state.keys is not None]
        return {key.arn for keys in known for key in keys.by_id.values() if key.pending}

    def key_count(self) -> int:
        return sum(len(state.keys.by_id) for state in self.inventory.snapshot.targets if state.keys is not None)

    def passes(self) -> int:
        return self.lab.heard.passes.total()

    def _published(self) -> None:
        self.publications += 1


def brisk(settings: Settings, *, interval: float = 0.05, full_interval: float = 0.15) -> Settings:
    """Return the settings with intervals that are shorter than anybody may configure."""
    refresh = settings.refresh.model_copy(
        update={"interval": interval, "full_interval": full_interval, "fallback_interval": full_interval}
    )
    return settings.model_copy(update={"refresh": refresh})


def watching(*, concurrency: int = 16, **aws: Any) -> Settings:
    """Return settings that watch what `aws` says, with all of each quota."""
    return Settings.model_validate({"aws": {"request_rate": 1, **aws}, "refresh": {"concurrency": concurrency}})


class RunStation(Protocol):
    """Starts a refresh loop over a lab with any settings."""

    def __call__(
        self, lab: Lab, settings: Settings, connect: Callable[[Settings], Connection] | None = None
    ) -> Station: ...


class OpenStation(Protocol):
    """Starts a refresh loop over a lab; `aws` are settings of that section."""

    def __call__(
        self,
        lab: Lab,
        *,
        slow: bool = False,
        concurrency: int = 16,
        connect: Callable[[Settings], Connection] | None = None,
        **aws: Any,
    ) -> Station: ...


class OpenLab(Protocol):
    """Serves a world."""

    def __call__(self, world: World, *, hurry: float = 1.0) -> Lab: ...
