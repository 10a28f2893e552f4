"""The keys of the demo that wait for their deletion, each with its story."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from exporter.demo.actors import APPLICATION, Actor, assumed_role, root, user
from exporter.demo.keys import DAY, Key
from exporter.demo.stage import (
    ALICE,
    ANALYTICS,
    CARD_SERVICE,
    LEGACY,
    ORDINARY_USE,
    PAYMENTS,
    PIPELINE,
    PLATFORM,
    create,
)
from exporter.demo.world import World

HOUR: Final = 3600.0
ACKNOWLEDGEMENT_TAG: Final = "kms-exporter/deletion-approved"


@dataclass(frozen=True, slots=True)
class Pending:
    """A key that waits for its deletion, and its story.

    Attributes:
        window: the waiting period in days.
        left: what is left of it, in seconds.
        by: who scheduled the deletion.
        age_days: how long ago the key was created.
        unused_for: how long the key had been unused when its deletion was scheduled, in seconds; None for ever.
        grantees: to whom its use is granted.
        denied_ago: how long ago uses of it were refused, in seconds.
        used_by: who used it, and tried to.
    """

    account_id: str
    region: str
    alias: str
    left: float
    window: int = 30
    description: str = ""
    tags: Mapping[str, str] | None = None
    by: Actor = PIPELINE
    age_days: float = 400
    unused_for: float | None = None
    grantees: tuple[str, ...] = ()
    denied_ago: tuple[float, ...] = ()
    used_by: Actor = APPLICATION


_PENDING: Final = (
    Pending(
        PAYMENTS,
        "eu-west-1",
        "card-vault-2023",
        5 * HOUR,
        7,
        "Card numbers up to 2023",
        unused_for=2 * HOUR,
        grantees=("rds.eu-west-1.amazonaws.com", "rds.eu-west-1.amazonaws.com"),
        denied_ago=(6.7 * DAY, 6.5 * DAY, 4.2 * DAY, 1.9 * DAY, 9 * HOUR, 3.5 * HOUR, 0.4 * HOUR),
        used_by=CARD_SERVICE,
    ),
    Pending(
        PAYMENTS,
        "us-east-1",
        "settlement-archive",
        1.5 * DAY,
        7,
        "Settlement files, kept ten years",
        by=ALICE,
        unused_for=64 * DAY,
        grantees=(f"arn:aws:sts::{PAYMENTS}:assumed-role/aws:ec2-infrastructure/i-0b8d1e5f3a2c47690",),
    ),
    Pending(
        ANALYTICS,
        "us-west-2",
        "warehouse-snapshots",
        5 * DAY,
        14,
        "Nightly snapshots of the warehouse",
        by=assumed_role("OrganizationAccountAccessRole", "bob"),
        unused_for=20 * HOUR,
        grantees=("redshift.us-west-2.amazonaws.com",),
        denied_ago=(8.1 * DAY,),
        used_by=assumed_role("snapshot-copy", "snapshot-copy"),
    ),
    Pending(PLATFORM, "eu-central-1", "registry-2022", 6 * DAY, 7, "Images of the old registry", by=root()),
    Pending(LEGACY, "ap-southeast-2", "billing-2019", 12 * DAY, 30, "Invoices of 2019", unused_for=310 * DAY),
    Pending(ANALYTICS, "us-east-1", "clickstream-poc", 29 * DAY, 30, "Proof of concept", by=user("bob"), age_days=40),
    Pending(
        LEGACY,
        "us-east-1",
        "crm",
        9 * DAY,
        30,
        "Retired with the old CRM",
        {ACKNOWLEDGEMENT_TAG: "CHG-4711 data erased, approved by the data protection officer", "owner": "sales-it"},
        by=ALICE,
        unused_for=120 * DAY,
    ),
    Pending(
        PLATFORM,
        "us-east-1",
        "sandbox-demo",
        45.0,
        7,
        "Deleted while you watch",
        by=assumed_role("sandbox-cleanup", "nightly", "service-role/"),
        age_days=20,
        unused_for=9 * DAY,
    ),
    Pending(
        PAYMENTS,
        "eu-central-1",
        "chargebacks",
        3.2 * DAY,
        7,
        "Evidence of chargebacks; saved while you watch",
        unused_for=5 * HOUR,
        grantees=(f"arn:aws:sts::{PAYMENTS}:assumed-role/chargeback-import/chargeback-import",),
    ),
)


def add_pending(world: World) -> None:
    """Add the keys that wait for their deletion on their own."""
    now = world.agenda.time()
    for part in _PENDING:
        key = create(
            world,
            part.account_id,
            part.region,
            part.alias,
            age_days=part.age_days,
            unused_for=None,
            description=part.description,
            tags=part.tags,
        )
        with world.agenda.as_of(now + part.left - part.window * DAY):
            _tell(key, part)
        for ago in part.denied_ago:
            key.vault.use(key.key_id, at=now - ago, by=part.used_by)


def _tell(key: Key, part: Pending) -> None:
    """Let happen what came before the deletion of a key was scheduled, and schedule it."""
    vault, scheduled_at = key.vault, key.vault.rules.agenda.time()
    with vault.rules.agenda.as_of(key.created_at):
        for grantee in part.grantees:
            vault.grant(key.key_id, grantee)
    if part.unused_for is not None:
        vault.use(key.key_id, at=scheduled_at - part.unused_for, by=part.used_by)
    vault.schedule_deletion(key.key_id, part.window, by=part.by)


def add_wallet(world: World) -> None:
    """Add a primary that waits for its replicas: one of them pending, one forgotten and in use.

    It has waited for longer than CloudTrail remembers.
    """
    now = world.agenda.time()
    wallet = create(
        world,
        PAYMENTS,
        "eu-west-1",
        "wallet",
        multi_region=True,
        description="Wallet, second generation",
        unused_for=101 * DAY,
    )
    with world.agenda.as_of(now - 390 * DAY):
        leaving = world.replicate(wallet, "us-east-1")
        forgotten = world.replicate(wallet, "eu-central-1")
        leaving.vault.grant(leaving.key_id, "dynamodb.us-east-1.amazonaws.com")
    forgotten.vault.use(forgotten.key_id, at=now - ORDINARY_USE)
    with world.agenda.as_of(now - 100 * DAY):
        wallet.vault.schedule_deletion(wallet.key_id, 14, by=ALICE)
    with world.agenda.as_of(now - 3 * DAY):
        leaving.vault.use(leaving.key_id)
        leaving.vault.schedule_deletion(leaving.key_id, 7, by=user("bob"))
