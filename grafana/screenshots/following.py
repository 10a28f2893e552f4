"""What tells the recorded exporter of changes: CloudTrail and a queue, taken in one after the other.

`exporter.refresh` and `exporter.queue_reader` do it on the real clock, and wait where there is nothing.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Final

from exporter.aws.connection import Connection
from exporter.aws.eventbridge import read_notice
from exporter.aws.trail import Look
from exporter.demo.world import World
from exporter.eventlog import CLOUDTRAIL, QUEUE
from exporter.inventory import Inventory
from exporter.model import Events, Target
from exporter.queue_reader import Outcome
from exporter.settings import Settings
from exporter.telemetry import Telemetry

if TYPE_CHECKING:
    from exporter.aws.calls import Access

LookAt = Callable[[Target, Collection[str]], Awaitable[bool]]

_NAME: Final = "kms-events"


def add_queue(world: World) -> str:
    """Add a queue that is told of every change from now on; return its URL."""
    home = world.home.account_id
    region = min(world.home.regions)
    world.bridge.add_rule(world.add_queue(_NAME, region))
    return f"https://sqs.{region}.amazonaws.com/{home}/{_NAME}"


async def follow(
    connection: Connection, access: "Access", *, settings: Settings, inventory: Inventory, telemetry: Telemetry
) -> Look:
    """Ask CloudTrail what has changed in a target, and let its full passes be as far apart as the answer allows."""
    look = await connection.trail.look(access)
    if look.errors:
        inventory.count_errors(access.target, look.errors)
    refresh = settings.refresh
    interval = refresh.fallback_interval if look.reason else refresh.full_interval
    inventory.events(access.target, Events("none" if look.reason else CLOUDTRAIL, look.reason, interval))
    for names in look.named.values():
        for name in names:
            telemetry.change(CLOUDTRAIL, name)
    return look


async def drain(connection: Connection, look_at: LookAt, *, telemetry: Telemetry, now: Callable[[], float]) -> None:
    """Take everything out of the queue.

    Args:
        connection: has a queue.
        look_at: describes keys of a target; returns whether it is one that is watched.
        telemetry: what is told of the queue.
        now: the clock, in Unix seconds.
    """
    queue = connection.queue
    assert queue is not None  # noqa: S101 - the settings of a recording name one
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
