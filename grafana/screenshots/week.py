"""A week in the demo's organization: what people do to its keys, and what goes wrong."""

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from exporter.demo.actors import APPLICATION, Actor, assumed_role
from exporter.demo.faults import Faults
from exporter.demo.keys import DAY
from exporter.demo.stage import ALICE, ANALYTICS, CARD_SERVICE, LEGACY, PAYMENTS, PIPELINE, PLATFORM
from exporter.demo.vault import Vault
from exporter.demo.world import World

ACQUIRED: Final = "555566667777"
"""An account that joins the organization and has no role for the exporter yet."""


class Deed(NamedTuple):
    """Something that somebody does to a key.

    Attributes:
        day: when, in days from the start of the week.
        what: `schedule`, `cancel` or `enable`.
        window: days until AWS deletes a scheduled key.
        by: who does it.
    """

    day: float
    what: str
    account_id: str
    region: str
    alias: str
    window: int = 30
    by: Actor = ALICE


_BOB: Final = assumed_role("DataEngineer", "bob")
_INTRUDER: Final = assumed_role("BreakGlass", "session-1")

# The keys that `exporter.demo.endangered` has pending go their way beside these: some are deleted within the week.
_DEEDS: Final[Sequence[Deed]] = (
    Deed(0.15, "schedule", PAYMENTS, "us-east-1", "statements", 7, _BOB),
    Deed(0.9, "cancel", PAYMENTS, "us-east-1", "settlement-archive"),
    Deed(1.05, "enable", PAYMENTS, "us-east-1", "settlement-archive"),
    Deed(1.6, "schedule", ANALYTICS, "us-west-2", "exports", 7, PIPELINE),
    Deed(2.4, "cancel", PAYMENTS, "eu-central-1", "chargebacks"),
    Deed(3.3, "schedule", PLATFORM, "eu-central-1", "terraform-state", 7, PIPELINE),
    Deed(3.45, "cancel", PLATFORM, "eu-central-1", "terraform-state"),
    Deed(3.55, "enable", PLATFORM, "eu-central-1", "terraform-state"),
    Deed(4.2, "schedule", LEGACY, "us-east-1", "mail-archive", 14),
    Deed(4.6, "cancel", ANALYTICS, "us-west-2", "warehouse-snapshots"),
    Deed(5.4, "schedule", ANALYTICS, "eu-west-1", "notebooks"),
    Deed(6.551, "schedule", LEGACY, "ap-southeast-2", "reports", by=PIPELINE),
    Deed(6.552, "schedule", LEGACY, "ap-southeast-2", "batch", by=PIPELINE),
    Deed(6.554, "schedule", LEGACY, "ap-southeast-2", "old-intranet", by=PIPELINE),
    Deed(6.7, "schedule", PAYMENTS, "us-east-1", "scheme-network", 7, _INTRUDER),
    Deed(6.87, "enable", PAYMENTS, "eu-central-1", "chargebacks"),
)


class Use(NamedTuple):
    """A program that uses a key again and again, whether it may or not.

    Attributes:
        first: when it begins, in days from the start of the week.
        last: when it ends.
        every: hours between two uses.
    """

    first: float
    last: float
    every: float
    account_id: str
    region: str
    alias: str
    by: Actor = APPLICATION


_USES: Final[Sequence[Use]] = (
    Use(0.0, 7.0, 5.5, PAYMENTS, "us-east-1", "statements", assumed_role("statement-mailer", "nightly")),
    Use(0.0, 0.2, 1.0, PAYMENTS, "eu-west-1", "card-vault-2023", CARD_SERVICE),
    Use(0.0, 3.1, 9.0, ANALYTICS, "us-west-2", "exports"),
    Use(0.0, 6.7, 8.0, PAYMENTS, "us-east-1", "scheme-network", CARD_SERVICE),
    Use(6.72, 7.0, 0.75, PAYMENTS, "us-east-1", "scheme-network", CARD_SERVICE),
)
_GRANTS: Final = (
    (PAYMENTS, "us-east-1", "statements", "rds.us-east-1.amazonaws.com"),
    (PAYMENTS, "us-east-1", "statements", "secretsmanager.us-east-1.amazonaws.com"),
    (ANALYTICS, "us-west-2", "exports", "redshift.us-west-2.amazonaws.com"),
)
"""To whom the use of a key is granted before the week begins."""

_IMPORTED: Final = (2.5, PAYMENTS, "eu-west-1", "partner-bank-next", 9.0)
"""When, into which key, and for how many days key material is imported."""
_JOINS: Final = 6.2
_DENIED_FROM: Final = 6.86
_THROTTLED_AT: Final = (6.77, 6.81, 6.83, 6.89, 6.93, 6.97)


def acknowledgements(end: float) -> list[dict[str, str]]:
    """Return `deletions.acknowledgements` of the exporter for a week that ends at `end`, in Unix seconds.

    One ends before its key does, and one is about no key. Beside these, a tag acknowledges the deletion of `crm`.
    """
    return [
        {
            "key": "alias/clickstream-poc",
            "account": ANALYTICS,
            "reason": "Proof of concept ended",
            "approved_by": "data-platform",
            "ticket": "CHG-5120",
        },
        {
            "key": "alias/mail-archive",
            "account": LEGACY,
            "reason": "Archive moved to another key",
            "approved_by": "key-administrators",
            "ticket": "CHG-5133",
            "until": dt.datetime.fromtimestamp(end + 9 * DAY, dt.UTC).date().isoformat(),
        },
        {"key": "alias/clickstream-pcc", "account": ANALYTICS, "reason": "Mistyped"},
    ]


def play(world: World, faults: Faults) -> None:
    """Plan the week from now on, to end after seven days."""
    start = world.agenda.time()
    for deed in _DEEDS:
        world.agenda.plan(start + deed.day * DAY, partial(_do, world, deed))
    for account_id, region, alias, grantee in _GRANTS:
        vault = world.vault(account_id, region)
        vault.grant(_key_id(vault, alias), grantee)
    for use in _USES:
        moment = use.first
        while moment < use.last:
            world.agenda.plan(start + moment * DAY, partial(_use, world, use))
            moment += use.every / 24
    world.agenda.plan(start + _IMPORTED[0] * DAY, partial(_import, world))
    world.agenda.plan(start + _JOINS * DAY, partial(_join, world))
    world.agenda.plan(start + _DENIED_FROM * DAY, partial(_deny, faults))
    for day in _THROTTLED_AT:
        world.agenda.plan(start + day * DAY, partial(_throttle, faults))


def _join(world: World) -> None:
    world.add_account(ACQUIRED, "acquired", ["eu-west-1"])


def _deny(faults: Faults) -> None:
    faults.deny(operation="ListKeys", account_id=ANALYTICS, region="us-west-2")


def _throttle(faults: Faults) -> None:
    faults.throttle(operation="DescribeKey", times=8)


def _import(world: World) -> None:
    _, account_id, region, alias, days = _IMPORTED
    vault = world.vault(account_id, region)
    vault.import_material(_key_id(vault, alias), world.agenda.time() + days * DAY)


def _use(world: World, use: Use) -> None:
    vault = world.vault(use.account_id, use.region)
    if f"alias/{use.alias}" in vault.aliases:
        vault.use(_key_id(vault, use.alias), by=use.by)


def _do(world: World, deed: Deed) -> None:
    vault = world.vault(deed.account_id, deed.region)
    key_id = _key_id(vault, deed.alias)
    match deed.what:
        case "schedule":
            vault.schedule_deletion(key_id, days=deed.window, by=deed.by)
        case "cancel":
            vault.cancel_deletion(key_id, by=deed.by)
        case _:
            vault.enable(key_id, by=deed.by)


def _key_id(vault: Vault, alias: str) -> str:
    key_id = vault.aliases[f"alias/{alias}"].target
    assert key_id is not None  # noqa: S101 - the demo's aliases have targets
    return key_id
