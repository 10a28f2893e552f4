"""Where the demo plays, who acts in it, and how its keys come to be."""

from typing import Any, Final

from exporter.demo.actors import assumed_role, sso_role
from exporter.demo.keys import DAY, Key
from exporter.demo.world import World

PLATFORM, PAYMENTS, ANALYTICS, LEGACY = "111122223333", "222233334444", "333344445555", "444455556666"

ALICE: Final = sso_role("AdministratorAccess", "alice@example.com")
PIPELINE: Final = assumed_role("ci-pipeline", "terraform-apply-1847")
CARD_SERVICE: Final = assumed_role("card-service", "i-0f4a1c9d27b3e6805")

ORDINARY_USE: Final = 25 * 60.0
"""How long ago a key in use was last used, in seconds."""

_OPERATIONS: Final = {"SIGN_VERIFY": "Sign", "GENERATE_VERIFY_MAC": "GenerateMac"}


def create(
    world: World,
    account_id: str,
    region: str,
    alias: str,
    *,
    age_days: float = 400,
    unused_for: float | None = ORDINARY_USE,
    **facts: Any,
) -> Key:
    """Create a key, last used some seconds ago; None for never."""
    names = f"alias/{alias}" if alias else ()
    now = world.agenda.time()
    vault = world.vault(account_id, region)
    key = vault.create_key(alias=names, created_at=now - age_days * DAY, **facts)
    if unused_for is not None and key.state == "Enabled":
        vault.use(key.key_id, _OPERATIONS.get(key.usage, "Decrypt"), at=now - unused_for)
    return key
