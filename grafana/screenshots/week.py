"""A week in the demo's organization: what people do to its keys, and what goes wrong."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from exporter.demo import lifecycle
from exporter.demo.cast import ANALYTICS, LEGACY, PAYMENTS, PLATFORM
from exporter.demo.faults import Faults
from exporter.demo.keys import DAY
from exporter.demo.world import World

ACQUIRED: Final = "555566667777"
"""An account that joins the organization and has no role for the exporter yet."""


class Deed(NamedTuple):
    """Something that somebody does to a key.

    Attributes:
        day: when, in days from the start of the week.
        what: `schedule`, `cancel` or `enable`.
        window: days until AWS deletes a scheduled key.
    """

    day: float
    what: str
    account_id: str
    region: str
    alias: str
    window: int = 30


# The keys that `exporter.demo.cast` has pending go their way beside these: some are deleted within the week.
_DEEDS: Final[Sequence[Deed]] = (
    Deed(0.15, "schedule", PAYMENTS, "us-east-1", "statements", 7),
    Deed(0.9, "cancel", PAYMENTS, "us-east-1", "settlement-archive"),
    Deed(1.05, "enable", PAYMENTS, "us-east-1", "settlement-archive"),
    Deed(1.6, "schedule", ANALYTICS, "us-west-2", "exports", 7),
    Deed(2.4, "cancel", PAYMENTS, "eu-central-1", "chargebacks"),
    Deed(3.3, "schedule", PLATFORM, "eu-central-1", "terraform-state", 7),
    Deed(3.45, "cancel", PLATFORM, "eu-central-1", "terraform-state"),
    Deed(3.55, "enable", PLATFORM, "eu-central-1", "terraform-state"),
    Deed(4.2, "schedule", LEGACY, "us-east-1", "mail-archive", 14),
    Deed(4.6, "cancel", ANALYTICS, "us-west-2", "warehouse-snapshots"),
    Deed(5.4, "schedule", ANALYTICS, "eu-west-1", "notebooks"),
    Deed(6.551, "schedule", LEGACY, "ap-southeast-2", "reports"),
    Deed(6.552, "schedule", LEGACY, "ap-southeast-2", "batch"),
    Deed(6.554, "schedule", LEGACY, "ap-southeast-2", "old-intranet"),
    Deed(6.7, "schedule", PAYMENTS, "us-east-1", "scheme-network", 7),
)
_IMPORTED: Final = (2.5, PAYMENTS, "eu-west-1", "partner-bank-next", 9.0)
"""When, into which key, and for how many days key material is imported."""
_JOINS: Final = 6.2
_DENIED_FROM: Final = 6.86
_THROTTLED_AT: Final = (6.77, 6.81, 6.83, 6.89, 6.93, 6.97)


def play(world: World, faults: Faults) -> None:
    """Plan the week from now on, to end after seven days."""
    start = world.agenda.time()
    for deed in _DEEDS:
        world.agenda.plan(start + deed.day * DAY, partial(_do, world, deed))
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
    key_id = vault.aliases[f"alias/{alias}"].target
    assert key_id is not None  # noqa: S101 - the demo's aliases have targets
    lifecycle.import_material(vault.keys[key_id], world.agenda.time() + days * DAY)


def _do(world: World, deed: Deed) -> None:
    vault = world.vault(deed.account_id, deed.region)
    key_id = vault.aliases[f"alias/{deed.alias}"].target
    assert key_id is not None  # noqa: S101 - the demo's aliases have targets
    match deed.what:
        case "schedule":
            vault.schedule_deletion(key_id, days=deed.window)
        case "cancel":
            vault.cancel_deletion(key_id)
        case _:
            vault.enable(key_id)
