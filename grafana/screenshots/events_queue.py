"""A queue that tells the recorded exporter of changes, read between two steps of the clock."""

import random
from collections.abc import Callable
from typing import Final

from exporter.aws.queue import Queue
from exporter.demo.world import World
from exporter.log import Log
from exporter.queue_reader import Outcome, QueueReader, Watcher
from exporter.telemetry import Telemetry

_NAME: Final = "kms-events"


def add(world: World) -> str:
    """Add a queue that is told of every change from now on; return its URL."""
    home = world.home.account_id
    region = min(world.home.regions)
    world.bridge.add_rule(world.add_queue(_NAME, region))
    return f"https://sqs.{region}.amazonaws.com/{home}/{_NAME}"


class Drain:
    """Reads the queue when it is told to: `QueueReader.run` waits on the real clock where there is nothing."""

    def __init__(
        self,
        queue: Queue,
        watcher: Watcher,
        *,
        telemetry: Telemetry,
        log: Log,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """Read `queue` for `watcher`."""
        self._queue = queue
        self._telemetry = telemetry
        self._clock = clock
        self._reader = QueueReader(queue=queue, watcher=watcher, telemetry=telemetry, log=log, monotonic=clock, rng=rng)
        telemetry.queue_reading(list(Outcome))

    async def drain(self) -> None:
        """Take in every message that waits."""
        oldest = 0.0
        while (await self._queue.level()).waiting:
            batch = await self._queue.receive()
            oldest = max((oldest, *(message.age for message in batch.messages)))
            await self._reader.handle(batch.messages)
        self._telemetry.queue_up(True)
        self._telemetry.queue_answered(self._clock())
        self._telemetry.queue_level(0, oldest)
