"""Grants and tags of pending keys from an AWS that no one here wrote.

moto 5.2.5 knows neither GetKeyLastUsage nor LookupEvents, and says so as AWS does in a region that lacks them: two
sources more that must cost nothing but their own facts.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory, Watch
from exporter.inventory import Inventory
from exporter.model import Evidence, Grants, PassKind, Source, Target, TargetState
from tests.aws.harness import Hasty, Heard, watching
from tests.support.moto import moto_server

HOME, IRELAND = "123456789012", "eu-west-1"
HERE = Target(HOME, IRELAND)
TAG = "kms-exporter/deletion-approved"
ROLE = f"arn:aws:iam::{HOME}:role/app"


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with moto_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_REGION", IRELAND)
        yield boto3.Session().client("kms", IRELAND)


async def investigated() -> TargetState:
    """Read the target once, and look into its keys once."""
    connection = connect(
        watching(regions=[IRELAND]),
        memory=Memory(),
        telemetry=Heard(),
        now=time.time,
        monotonic=time.monotonic,
        rng=Hasty(),
    )
    try:
        return await _investigated(connection)
    finally:
        connection.close()


async def _investigated(connection: Connection) -> TargetState:
    watch = Watch()
    async for watch in connection.discovery.look():  # noqa: B007 - the last one is wanted
        pass
    inventory = Inventory(keep_failed=600, keep_tombstones=600, now=time.time, monotonic=time.monotonic)
    inventory.watch({HERE: ""}, {}, None)
    access = watch.accesses[HERE]
    inventory.apply(HERE, await connection.sweeper.sweep(access, PassKind.FULL, None, {}))
    state = inventory.state(HERE)
    assert state is not None
    assert connection.investigator.due(state)
    async for learned in connection.investigator.investigate(access, state):
        inventory.learn(HERE, learned)
    state = inventory.state(HERE)
    assert state is not None
    assert not connection.investigator.due(state)
    return state


def test_grants_and_tags_are_told_and_the_rest_is_unknown(kms: Any) -> None:
    tagged = kms.create_key(Tags=[{"TagKey": TAG, "TagValue": "obsolete"}])["KeyMetadata"]["KeyId"]
    granted = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_grant(KeyId=granted, GranteePrincipal=ROLE, Operations=["Decrypt"])
    kms.create_grant(KeyId=granted, GranteePrincipal="rds.eu-west-1.amazonaws.com", Operations=["Decrypt"])
    for key_id in tagged, granted:
        kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)

    state = asyncio.run(investigated())

    assert state.keys is not None
    assert state.keys.evidence == {
        tagged: Evidence(grants=Grants(0), approval="obsolete", approval_tag=TAG),
        granted: Evidence(grants=Grants(2, ("rds.eu-west-1.amazonaws.com", ROLE)), approval_tag=TAG),
    }
    assert {source for source, error in state.sources.items() if error} == {
        Source.LAST_USAGE,
        Source.SCHEDULED_BY,
        Source.DENIED_USES,
    }
