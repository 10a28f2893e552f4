"""A queue that tells the recorded exporter of changes, taken in between two steps of the clock.

`exporter.queue_reader` does it on the real clock, and waits where there is nothing.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from exporter.aws.eventbridge import read_notice
from exporter.aws.queue import Queue
from exporter.demo.world import World
from exporter.eventlog import QUEUE
from exporter.model import Target
from exporter.queue_reader import Outcome
from exporter.telemetry import Telemetry

LookAt = Callable[[Target, Collection[str]], Awaitable[bool]]

_NAME: Final = "kms-events"


def add(world: World) -> str:
    """Add a queue that is told of every change from now on; return its URL."""
    home = world.home.account_id
    region = min(world.home.regions)
    world.bridge.add_rule(world.add_queue(_NAME, region))
    return f"https://sqs.{region}.amazonaws.com/{home}/{_NAME}"


async def drain(queue: Queue, look_at: LookAt, *, telemetry: Telemetry, now: Callable[[], float]) -> None:
    """Take everything out of the queue.

    Args:
        queue: where messages wait.
        look_at: describes keys of a target; returns whether it is one that is watched.
        telemetry: what is told of the queue.
        now: the clock, in Unix seconds.
    """
    telemetry.queue_reading(list(Outcome))
    oldest = 0.0
    while (await queue.level()).waiting:
        batch = await queue.receive()
        oldest = max((oldest, *(message.age for message in batch.messages)))
        for message in batch.messages:
            notice = read_notice(message.body)
            ours = [await look_at(target, key_ids) for target, key_ids in notice.about.items()]
            telemetry.queue_message(Outcome.HANDLED if any(ours) else Outcome.IGNORED)
            if any(ours):
                telemetry.change(QUEUE, notice.name)
        await queue.delete(batch.messages)
    telemetry.queue_up(True)
    telemetry.queue_answered(now())
    telemetry.queue_level(0, oldest)
