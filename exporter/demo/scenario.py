"""Worlds to look at and to measure with."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from exporter.demo.cast import fill
from exporter.demo.keys import DAY
from exporter.demo.stage import ANALYTICS, LEGACY, PAYMENTS, PLATFORM
from exporter.demo.vault import Vault
from exporter.demo.world import World

REGIONS: Final = (
    "eu-west-1", "us-east-1", "eu-central-1", "us-west-2", "us-east-2", "us-west-1", "eu-west-2", "eu-west-3",
    "eu-north-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
    "ap-southeast-2", "ca-central-1", "sa-east-1",
)  # fmt: skip
"""The regions that every account of the partition `aws` has enabled from the start."""

ROLE: Final = "KmsExporter"
"""The role of every account but the home account, without an external id."""

_ACCOUNT_BASE: Final = 200_000_000_000
_LONGEST_WAIT: Final = 30
_DEMO_LAG: Final = 15.0
_DEMO_EVENT_LAG: Final = 4.0
_DEMO_TRACKED: Final = 270 * DAY


def demo_world(now: Callable[[], float] = time.time) -> World:
    """Build the organization of `kms-exporter demo`: four accounts with about a hundred keys in every state.

    Nothing in it moves but by the clock: keys whose date comes vanish 15 s later, and CloudTrail
    shows events after 4 s. `timeline.play` adds what people do.
    """
    home, *others = (
        (PLATFORM, "platform", ("eu-west-1", "eu-central-1", "us-east-1")),
        (PAYMENTS, "payments", ("eu-west-1", "eu-central-1", "us-east-1")),
        (ANALYTICS, "analytics", ("eu-west-1", "us-east-1", "us-west-2")),
        (LEGACY, "legacy", ("ap-southeast-2", "us-east-1")),
    )
    world = World(now, home_account=home[0], home_regions=home[2], deletion_lag=_DEMO_LAG)
    world.rules.event_lag = _DEMO_EVENT_LAG
    world.rules.tracking_start = world.agenda.time() - _DEMO_TRACKED
    world.home.name = home[1]
    for account_id, name, regions in others:
        world.add_account(account_id, name, regions)
        world.add_role(account_id, ROLE)
    world.create_organization()
    fill(world)
    return world


def uniform_world(
    keys: int,
    regions: int | Sequence[str] = 1,
    accounts: int = 1,
    *,
    pending: int = 0,
    now: Callable[[], float] = time.time,
) -> World:
    """Build accounts and regions that all look alike, in one organization.

    Args:
        keys: customer managed keys in each account and region, each with one alias.
        regions: names, or how many of `REGIONS`.
        accounts: how many, the home account among them; the others have `ROLE`.
        pending: how many keys of each account and region are pending deletion, spread over the next 30 days.
        now: the clock.
    """
    names = tuple(regions) if isinstance(regions, Sequence) else REGIONS[:regions]
    world = World(now, home_regions=names)
    for number in range(1, accounts):
        account = world.add_account(f"{_ACCOUNT_BASE + number}", f"account-{number:04d}", names)
        world.add_role(account.account_id, ROLE)
    world.create_organization()
    for account_id in world.accounts:
        for region in names:
            _fill_uniformly(world.vault(account_id, region), keys, pending)
    return world


def _fill_uniformly(vault: Vault, keys: int, pending: int) -> None:
    agenda = vault.rules.agenda
    created_at = agenda.time()
    ids = [
        vault.create_key(
            alias=f"alias/key-{number:06d}",
            description=f"key {number} of {vault.region}",
            created_at=created_at,
            by=None,
        ).key_id
        for number in range(keys)
    ]
    for number, key_id in enumerate(ids[:pending]):
        days_waited = _LONGEST_WAIT * number / pending
        with agenda.as_of(created_at - days_waited * DAY):
            vault.schedule_deletion(key_id, _LONGEST_WAIT)
