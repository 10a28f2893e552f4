"""The keys of the demo's organization."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exporter.demo import lifecycle
from exporter.demo.keys import DAY, CustomKeyStore, Key
from exporter.demo.world import World

HOUR: Final = 3600.0
ACKNOWLEDGEMENT_TAG: Final = "kms-exporter/deletion-approved"

PLATFORM, PAYMENTS, ANALYTICS, LEGACY = "111122223333", "222233334444", "333344445555", "444455556666"

_ORDINARY: Final[Mapping[str, tuple[str, ...]]] = {
    PLATFORM: ("ci-artifacts", "container-images", "cloudtrail", "terraform-state", "backup", "secrets", "audit-log"),
    PAYMENTS: ("card-vault", "ledger", "settlement", "payout", "disputes", "statements", "fraud-features"),
    ANALYTICS: ("lake-raw", "lake-curated", "warehouse", "notebooks", "streams", "exports", "feature-store"),
    LEGACY: ("mainframe-bridge", "reports", "mail-archive", "file-shares", "old-intranet", "batch", "faxes"),
}
_AWS_SERVICES: Final = ("ebs", "s3", "rds", "secretsmanager", "lambda")
_NOT_YET_USED_SERVICES: Final = ("acm", "sns")

_LONG: Final = "A very long description that no one will read to its end. " * 100


@dataclass(frozen=True, slots=True)
class Pending:
    """A key that waits for its deletion.

    Attributes:
        window: the waiting period in days.
        left: what is left of it, in seconds.
    """

    account_id: str
    region: str
    alias: str
    left: float
    window: int = 30
    description: str = ""
    tags: Mapping[str, str] | None = None


_PENDING: Final = (
    Pending(PAYMENTS, "eu-west-1", "card-vault-2023", 5 * HOUR, 7, "Card numbers up to 2023"),
    Pending(PAYMENTS, "us-east-1", "settlement-archive", 1.5 * DAY, 7, "Settlement files, kept ten years"),
    Pending(ANALYTICS, "us-west-2", "warehouse-snapshots", 5 * DAY, 14, "Nightly snapshots of the warehouse"),
    Pending(PLATFORM, "eu-central-1", "registry-2022", 6 * DAY, 7, "Images of the old registry"),
    Pending(LEGACY, "ap-southeast-2", "billing-2019", 12 * DAY, 30, "Invoices of 2019"),
    Pending(ANALYTICS, "us-east-1", "clickstream-poc", 29 * DAY, 30, "Proof of concept"),
    Pending(
        LEGACY,
        "us-east-1",
        "crm",
        9 * DAY,
        30,
        "Retired with the old CRM",
        {ACKNOWLEDGEMENT_TAG: "CHG-4711 data erased, approved by the data protection officer", "owner": "sales-it"},
    ),
    Pending(PLATFORM, "us-east-1", "sandbox-demo", 45.0, 7, "Deleted while you watch"),
    Pending(PAYMENTS, "eu-central-1", "chargebacks", 3.2 * DAY, 7, "Evidence of chargebacks; saved while you watch"),
)

_HOSTILE: Final = (
    ("quotes", "Say \"hi\" and 'bye'", {"owner": 'O\'Brien "the boss"'}),
    ("backslashes", "C:\\temp\\new\\ and a trailing one \\", {"path": "\\\\server\\share\\"}),
    ("newlines", "first line\nsecond line\r\n# HELP not_a_metric", {"note": "kms_key_info{} 1\n"}),
    ("html", "<script>alert('kms')</script><img src=x onerror=alert(1)>", {"owner": "<b>bold</b>&amp;"}),
    ("unicode", "ключ 鍵 🔑 \u202eright to left\u202c e\u0301 \x00\x1b[31m", {"größe": "naïve ☃"}),
    ("long", _LONG, {"k" * 128: "v" * 256}),
    ("template", "{{ 7*7 }} ${jndi:ldap://x} %s %(x)s {alias}", {"owner": "{{config}}"}),
)
_HOSTILE_ALIASES: Final = ('alias/"quoted"', "alias/back\\slash", "alias/new\nline", "alias/<i>html</i>", "alias/ключ")


def fill(world: World) -> None:
    """Put every key of the demo into a world that has its accounts and regions."""
    _add_aws_managed(world)
    _add_ordinary(world)
    _add_pending(world)
    _add_multi_region(world)
    _add_imported(world)
    _add_custom_stores(world)
    _add_oddities(world)


def _create(world: World, account_id: str, region: str, alias: str, *, age_days: float = 400, **facts: Any) -> Key:
    names = f"alias/{alias}" if alias else ()
    created_at = world.agenda.time() - age_days * DAY
    return world.vault(account_id, region).create_key(alias=names, created_at=created_at, **facts)


def _add_aws_managed(world: World) -> None:
    for account in world.accounts.values():
        for region in sorted(account.regions):
            vault = world.vault(account.account_id, region)
            for service in _AWS_SERVICES:
                vault.add_alias(f"alias/aws/{service}", None)
                vault.predefined_key(f"alias/aws/{service}")
            for service in _NOT_YET_USED_SERVICES:
                vault.add_alias(f"alias/aws/{service}", None)


def _add_ordinary(world: World) -> None:
    for account_id, names in _ORDINARY.items():
        account = world.accounts[account_id]
        for region in sorted(account.regions):
            for number, name in enumerate(names):
                _create(
                    world,
                    account_id,
                    region,
                    name,
                    age_days=100 + 90 * number,
                    description=f"{name.replace('-', ' ').capitalize()} of {account.name}",
                    tags={"owner": account.name, "env": "prod"},
                    state="Disabled" if name in {"disputes", "faxes"} else "Enabled",
                )


def _add_pending(world: World) -> None:
    now = world.agenda.time()
    for part in _PENDING:
        key = _create(world, part.account_id, part.region, part.alias, description=part.description, tags=part.tags)
        with world.agenda.as_of(now + part.left - part.window * DAY):
            lifecycle.schedule_deletion(key, part.window)


def _add_multi_region(world: World) -> None:
    """Add a healthy family, and a primary that waits for its replicas: one of them pending, one forgotten."""
    tokens = _create(world, PLATFORM, "eu-west-1", "session-tokens", multi_region=True, description="Session tokens")
    world.replicate(tokens, "us-east-1")
    world.replicate(tokens, "eu-central-1").state = "Creating"
    moving = _create(world, ANALYTICS, "us-east-1", "global-table", multi_region=True, description="Moves its primary")
    world.replicate(moving, "us-west-2").state = "Updating"
    moving.state = "Updating"

    wallet = _create(world, PAYMENTS, "eu-west-1", "wallet", multi_region=True, description="Wallet, second generation")
    leaving = world.replicate(wallet, "us-east-1")
    world.replicate(wallet, "eu-central-1")
    with world.agenda.as_of(world.agenda.time() - 3 * DAY):
        lifecycle.schedule_deletion(wallet, 14)
        lifecycle.schedule_deletion(leaving, 7)


def _add_imported(world: World) -> None:
    now = world.agenda.time()
    for region, alias, days in (
        ("eu-west-1", "partner-bank", 3.0),
        ("us-east-1", "scheme-network", 20.0),
        ("eu-central-1", "notary", math.inf),
    ):
        key = _create(world, PAYMENTS, region, alias, origin="EXTERNAL", description="Imported key material")
        lifecycle.import_material(key, None if days == math.inf else now + days * DAY)
    _create(world, PAYMENTS, "eu-west-1", "partner-bank-next", origin="EXTERNAL", description="Waits for its material")


def _add_custom_stores(world: World) -> None:
    cluster = CustomKeyStore("cks-1234567890abcdef0", cloud_hsm_cluster_id="cluster-1a23b4cdefg")
    proxy = CustomKeyStore("cks-9876543210fedcba9", xks_key_id="bb8562717f809024")
    _create(
        world,
        PAYMENTS,
        "eu-west-1",
        "hsm-root",
        state="Unavailable",
        origin="AWS_CLOUDHSM",
        store=cluster,
        description="Its key store is disconnected",
    )
    _create(world, LEGACY, "us-east-1", "on-premises", origin="EXTERNAL_KEY_STORE", store=proxy)


def _add_oddities(world: World) -> None:
    """Add keys that a reader must survive: undescribable, nameless, of other specs, with hostile texts."""
    _create(world, LEGACY, "us-east-1", "break-glass", denied={"DescribeKey"}, description="Its policy lets nobody in")
    _create(world, LEGACY, "us-east-1", "", description="It has no alias")
    shared = _create(world, PLATFORM, "eu-west-1", "shared", description="It has several aliases")
    for name in ("alias/app/blue", "alias/app/green", "alias/zz-last"):
        shared.vault.add_alias(name, shared.key_id)
    for alias, spec, usage in (
        ("release-signing", "RSA_4096", "SIGN_VERIFY"),
        ("jwt", "ECC_NIST_P256", "SIGN_VERIFY"),
        ("webhooks", "HMAC_256", "GENERATE_VERIFY_MAC"),
        ("post-quantum", "ML_DSA_65", "SIGN_VERIFY"),
    ):
        _create(world, PLATFORM, "eu-west-1", alias, spec=spec, usage=usage)
    for alias, description, tags in _HOSTILE:
        _create(world, ANALYTICS, "eu-west-1", f"hostile-{alias}", description=description, tags=tags)
    named = _create(world, ANALYTICS, "eu-west-1", "", description="Names that KMS itself would not allow")
    for name in _HOSTILE_ALIASES:
        named.vault.add_alias(name, named.key_id)
