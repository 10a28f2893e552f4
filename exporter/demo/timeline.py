"""What people do to the demo's keys while one watches."""

from functools import partial
from typing import Final

from exporter.demo.actors import Actor, assumed_role
from exporter.demo.keys import DAY
from exporter.demo.stage import ALICE, ANALYTICS, CARD_SERVICE, PAYMENTS, PIPELINE, PLATFORM
from exporter.demo.vault import Vault
from exporter.demo.world import World

_PERIOD: Final = 240.0
_BETWEEN_DENIED_USES: Final = 75.0
_FIRST_ROUND: Final = 90.0
_WEEK: Final = 7


def play(world: World) -> None:
    """Plan the demo's events from now on.

    After 20 s a key of the lake is scheduled for deletion; after 40 s another one is saved; after 60 s the key that was
    due vanishes (by itself: see `scenario.demo_world`). From 90 s on, every four minutes a preview environment's key
    comes to its end and a key is scheduled, saved and enabled again. All the while a service goes on trying to read
    cards with a key that is pending.
    """
    start = world.agenda.time()
    lake = world.vault(ANALYTICS, "us-east-1")
    chargebacks = world.vault(PAYMENTS, "eu-central-1")
    world.agenda.plan(start + 20, partial(_schedule, lake, "alias/lake-raw", 30, assumed_role("DataEngineer", "bob")))
    world.agenda.plan(start + 40, partial(_cancel, chargebacks, "alias/chargebacks"))
    world.agenda.plan(start + _FIRST_ROUND, partial(_round, world, 1))
    cards = world.vault(PAYMENTS, "eu-west-1")
    world.agenda.plan(start + _BETWEEN_DENIED_USES, partial(_use, cards, "alias/card-vault-2023", CARD_SERVICE))


def _round(world: World, number: int) -> None:
    """Plan one round of the loop, and the next one."""
    start = world.agenda.time()
    platform = world.vault(PLATFORM, "eu-central-1")
    name, backup = f"alias/preview-{number}", "alias/backup"
    _create_preview(platform, name)
    world.agenda.plan(start + 30, partial(_schedule_long_ago, platform, name, 60.0))
    world.agenda.plan(start + 120, partial(_schedule, platform, backup))
    world.agenda.plan(start + 165, partial(_cancel, platform, backup))
    world.agenda.plan(start + 195, partial(_enable, platform, backup))
    world.agenda.plan(start + _PERIOD, partial(_round, world, number + 1))


def _create_preview(vault: Vault, name: str) -> None:
    created_at = vault.rules.agenda.time() - (_WEEK + 1) * DAY
    vault.create_key(alias=name, description="Preview environment", created_at=created_at)


def _schedule_long_ago(vault: Vault, name: str, left: float) -> None:
    """Schedule a deletion whose week of waiting is over but for `left` seconds, so that one can see the end."""
    with vault.rules.agenda.as_of(vault.rules.agenda.time() + left - _WEEK * DAY):
        _schedule(vault, name, _WEEK)


def _schedule(vault: Vault, name: str, days: int = 30, by: Actor = PIPELINE) -> None:
    """Schedule a deletion unless someone who watches did it before."""
    key_id = _target(vault, name)
    if key_id is not None and not vault.keys[key_id].pending:
        vault.schedule_deletion(key_id, days, by=by)


def _cancel(vault: Vault, name: str) -> None:
    key_id = _target(vault, name)
    if key_id is not None and vault.keys[key_id].pending:
        vault.cancel_deletion(key_id, by=ALICE)


def _enable(vault: Vault, name: str) -> None:
    key_id = _target(vault, name)
    if key_id is not None and not vault.keys[key_id].pending:
        vault.enable(key_id, by=ALICE)


def _use(vault: Vault, name: str, by: Actor) -> None:
    """Use a key, or try to, again and again as long as there is one."""
    key_id = _target(vault, name)
    if key_id is not None:
        vault.use(key_id, by=by)
        agenda = vault.rules.agenda
        agenda.plan(agenda.time() + _BETWEEN_DENIED_USES, partial(_use, vault, name, by))


def _target(vault: Vault, name: str) -> str | None:
    alias = vault.aliases.get(name)
    return None if alias is None else alias.target
