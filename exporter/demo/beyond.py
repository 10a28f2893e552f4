"""What lies beyond the demo's organization: an account that nobody watches, and AWS Config, which knows of it."""

from typing import Final

from exporter.demo.actors import assumed_role
from exporter.demo.keys import DAY, Key
from exporter.demo.world import World

AGGREGATOR: Final = "organization"
ACQUIRED: Final = "555566667777"

_RECORDED_EVERY: Final = 60.0


def add(world: World, region: str = "eu-west-1") -> Key:
    """Add the account, with a key that waits for its deletion, and the aggregator to the home account's `region`.

    The account is in no organization and has no role for anybody; return its key.
    """
    world.add_account(ACQUIRED, "acquired", ("eu-central-1",)).member = False
    world.add_aggregator(AGGREGATOR, region, age=_RECORDED_EVERY)
    vault, now = world.vault(ACQUIRED, "eu-central-1"), world.agenda.time()
    key = vault.create_key(
        alias="alias/erp", description="Bought with the company, forgotten since", created_at=now - 700 * DAY
    )
    with world.agenda.as_of(now - 4 * DAY):
        return vault.schedule_deletion(key.key_id, 14, by=assumed_role("Migration", "decommission"))
