"""Wires the rooms of this package together for one configuration."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import botocore.session
from botocore.exceptions import BotoCoreError

from exporter.aws.calls import Access, Calls, Telemetry
from exporter.aws.clients import Clients
from exporter.aws.config import Aggregator
from exporter.aws.discovery import Discovery, Memory
from exporter.aws.identities import HomeIdentity
from exporter.aws.investigation import Investigator
from exporter.aws.queue import POLL, Queue, owner_of, region_of
from exporter.aws.sweep import Sweeper
from exporter.aws.trail import Trail
from exporter.aws.workers import Workers
from exporter.model import HOME, Target

if TYPE_CHECKING:
    from exporter.settings import Settings

_DEFAULT_REGIONS: Final = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}
"""Where accounts are asked for when nothing names a region, by partition."""
_QUEUE_REQUESTS: Final = 4
"""Requests to the queue in flight, of which `Calls` gives an endpoint three quarters: a poll, and two that delete."""


@dataclass(frozen=True, slots=True)
class Connection:
    """AWS as one configuration asks it.

    Attributes:
        aggregator: None where AWS Config is not to be asked, or another shard asks it.
        queue: None where there is none to be read.
    """

    discovery: Discovery
    sweeper: Sweeper
    investigator: Investigator
    trail: Trail
    aggregator: Aggregator | None
    calls: Calls
    home: Access
    clients: Clients
    workers: Workers
    queue: Queue | None = None

    def close(self) -> None:
        """Let threads and connections go; requests still on the wire end by themselves."""
        if self.queue is not None:
            self.queue.close()
        self.workers.close()
        self.clients.close()


def connect(
    settings: "Settings",
    *,
    memory: Memory,
    telemetry: Telemetry,
    now: Callable[[], float],
    monotonic: Callable[[], float],
    rng: random.Random | None = None,
    workers: Workers | None = None,
) -> Connection:
    """Build everything that asks AWS; no request is sent yet. Belongs to the event loop that awaits it.

    `memory` is what an earlier connection of the process knew of accounts and regions; `rng` draws the jitter;
    `workers` send the requests, by default as many as there may be in flight.
    """
    aws, concurrency = settings.aws, settings.refresh.concurrency
    clients = Clients(connect_timeout=aws.connect_timeout, read_timeout=aws.read_timeout, connections=concurrency)
    workers = workers or Workers(concurrency)
    rng = rng or random.Random()  # noqa: S311 - jitter
    calls = Calls(
        clients=clients,
        workers=workers,
        concurrency=concurrency,
        request_rate=aws.request_rate,
        telemetry=telemetry,
        rng=rng,
    )
    region, partition = _home_region(settings)
    where = Target(HOME, region)
    home = Access(where, HomeIdentity(workers=workers, where=where, now=monotonic))
    return Connection(
        discovery=Discovery(
            settings=aws, calls=calls, home=home, partition=partition, memory=memory, now=now, monotonic=monotonic
        ),
        sweeper=Sweeper(
            calls=calls,
            request_rate=aws.request_rate,
            tags=settings.keys.tags,
            describe_aws_managed=settings.keys.export == "all",
        ),
        investigator=Investigator(calls=calls, settings=settings, now=now, monotonic=monotonic),
        trail=Trail(calls=calls, now=now, monotonic=monotonic, rng=rng),
        aggregator=_aggregator(settings, calls, home, now),
        calls=calls,
        home=home,
        clients=clients,
        workers=workers,
        queue=_queue(settings, home, telemetry, rng, now),
    )


def _queue(
    settings: "Settings", home: Access, telemetry: Telemetry, rng: random.Random, now: Callable[[], float]
) -> Queue | None:
    """Return the queue, with threads and connections that nobody else needs: a poll takes one of them for 20 s."""
    aws, url = settings.aws, settings.changes.sqs_queue_url.replace("{shard}", str(settings.shard.index))
    if not url:
        return None
    clients = Clients(
        connect_timeout=aws.connect_timeout, read_timeout=POLL + aws.read_timeout, connections=_QUEUE_REQUESTS
    )
    workers = Workers(_QUEUE_REQUESTS)

    def close() -> None:
        workers.close()
        clients.close()

    return Queue(
        calls=Calls(
            clients=clients,
            workers=workers,
            concurrency=_QUEUE_REQUESTS,
            request_rate=1.0,  # the share is of what workloads need too; this queue is there for nobody else
            telemetry=telemetry,
            rng=rng,
        ),
        access=Access(Target(owner_of(url), region_of(url) or home.target.region), home.identity),
        url=url,
        now=now,
        close=close,
    )


def _aggregator(settings: "Settings", calls: Calls, home: Access, now: Callable[[], float]) -> Aggregator | None:
    """Return the aggregator of AWS Config. All shards would be told the same by it, so the first asks."""
    name = settings.changes.config_aggregator
    return Aggregator(calls=calls, home=home, name=name, now=now) if name and settings.shard.index == 0 else None


def _home_region(settings: "Settings") -> tuple[str, str]:
    """Return the region where STS, EC2 and Organizations are asked, and its partition.

    It is the region of boto3's configuration (`AWS_REGION`, `AWS_DEFAULT_REGION`, the profile), else the first region
    that the settings name, else the default of the partition that the first role is in.
    """
    session = botocore.session.Session()
    named = [*settings.aws.regions, *(region for account in settings.aws.accounts for region in account.regions)]
    partition = settings.aws.accounts[0].role_arn.split(":")[1] if settings.aws.accounts else "aws"
    try:
        configured = session.get_config_variable("region")
    except BotoCoreError:  # no such profile, no such file: told of the account when its credentials are looked for
        configured = None
    candidates = (os.environ.get("AWS_REGION"), configured, *named)
    region = next((name for name in candidates if name), _DEFAULT_REGIONS.get(partition, "us-east-1"))
    try:
        return region, str(session.get_partition_for_region(region))
    except BotoCoreError:  # a region newer than this botocore; no such profile
        return region, partition
