"""The keys of the demo's organization."""

import math
from collections.abc import Mapping
from typing import Final

from exporter.demo import actors
from exporter.demo.endangered import add_pending, add_wallet
from exporter.demo.keys import DAY, CustomKeyStore
from exporter.demo.stage import ANALYTICS, LEGACY, ORDINARY_USE, PAYMENTS, PLATFORM, create
from exporter.demo.world import World

_ORDINARY: Final[Mapping[str, tuple[str, ...]]] = {
    PLATFORM: ("ci-artifacts", "container-images", "cloudtrail", "terraform-state", "backup", "secrets", "audit-log"),
    PAYMENTS: ("card-vault", "ledger", "settlement", "payout", "disputes", "statements", "fraud-features"),
    ANALYTICS: ("lake-raw", "lake-curated", "warehouse", "notebooks", "streams", "exports", "feature-store"),
    LEGACY: ("mainframe-bridge", "reports", "mail-archive", "file-shares", "old-intranet", "batch", "faxes"),
}
_AWS_SERVICES: Final = ("ebs", "s3", "rds", "secretsmanager", "lambda")
_NOT_YET_USED_SERVICES: Final = ("acm", "sns")

_LONG_TEXT: Final = "A very long description that no one will read to its end. " * 100


_NEVER_USED: Final = frozenset({"container-images", "reports"})
_LONG_UNUSED: Final = frozenset({"mail-archive", "exports", "disputes", "faxes"})
_LONG_UNUSED_FOR: Final = 200 * DAY
_DISABLED: Final = frozenset({"disputes", "faxes"})


_HOSTILE: Final = (
    ("quotes", "Say \"hi\" and 'bye'", {"owner": 'O\'Brien "the boss"'}),
    ("backslashes", "C:\\temp\\new\\ and a trailing one \\", {"path": "\\\\server\\share\\"}),
    ("newlines", "first line\nsecond line\r\n# HELP not_a_metric", {"note": "kms_key_info{} 1\n"}),
    ("html", "<script>alert('kms')</script><img src=x onerror=alert(1)>", {"owner": "<b>bold</b>&amp;"}),
    ("unicode", "ключ 鍵 🔑 \u202eright to left\u202c e\u0301 \x00\x1b[31m", {"größe": "naïve ☃"}),
    ("long", _LONG_TEXT, {"k" * 128: "v" * 256}),
    ("template", "{{ 7*7 }} ${jndi:ldap://x} %s %(x)s {alias}", {"owner": "{{config}}"}),
)
_HOSTILE_ALIASES: Final = ('alias/"quoted"', "alias/back\\slash", "alias/new\nline", "alias/<i>html</i>", "alias/ключ")


def fill(world: World) -> None:
    """Put every key of the demo into a world that has its accounts and regions."""
    _add_aws_managed(world)
    _add_ordinary(world)
    add_pending(world)
    _add_multi_region(world)
    add_wallet(world)
    _add_imported(world)
    _add_custom_stores(world)
    _add_oddities(world)
    world.accounts[LEGACY].denied.add(("ap-southeast-2", "LookupEvents"))


def _add_aws_managed(world: World) -> None:
    for account in world.accounts.values():
        for region in sorted(account.regions):
            vault = world.vault(account.account_id, region)
            for service in _AWS_SERVICES:
                vault.add_alias(f"alias/aws/{service}", None)
                key = vault.predefined_key(f"alias/aws/{service}")
                if key is not None:
                    vault.use(key.key_id, "GenerateDataKey", by=actors.service(f"{service}.amazonaws.com"))
            for service in _NOT_YET_USED_SERVICES:
                vault.add_alias(f"alias/aws/{service}", None)


def _add_ordinary(world: World) -> None:
    for account_id, names in _ORDINARY.items():
        account = world.accounts[account_id]
        for region in sorted(account.regions):
            for number, name in enumerate(names):
                key = create(
                    world,
                    account_id,
                    region,
                    name,
                    age_days=100 + 90 * number,
                    description=f"{name.replace('-', ' ').capitalize()} of {account.name}",
                    tags={"owner": account.name, "env": "prod"},
                    unused_for=_unused_for(name, number),
                )
                if name in _DISABLED:
                    with world.agenda.as_of(world.agenda.time() - 90 * DAY):
                        key.vault.disable(key.key_id)


def _unused_for(name: str, number: int) -> float | None:
    if name in _NEVER_USED:
        return None
    return _LONG_UNUSED_FOR if name in _LONG_UNUSED else ORDINARY_USE * (1 + number)


def _add_multi_region(world: World) -> None:
    """Add a family that is growing and one whose primary moves."""
    tokens = create(world, PLATFORM, "eu-west-1", "session-tokens", multi_region=True, description="Session tokens")
    replica = world.replicate(tokens, "us-east-1")
    replica.vault.use(replica.key_id)
    world.replicate(tokens, "eu-central-1").state = "Creating"
    moving = create(world, ANALYTICS, "us-east-1", "global-table", multi_region=True, description="Moves its primary")
    world.replicate(moving, "us-west-2").state = "Updating"
    moving.state = "Updating"


def _add_imported(world: World) -> None:
    now = world.agenda.time()
    for region, alias, days in (
        ("eu-west-1", "partner-bank", 3.0),
        ("us-east-1", "scheme-network", 20.0),
        ("eu-central-1", "notary", math.inf),
    ):
        key = create(world, PAYMENTS, region, alias, origin="EXTERNAL", description="Imported key material")
        key.vault.import_material(key.key_id, None if days == math.inf else now + days * DAY)
        key.vault.use(key.key_id)
    create(world, PAYMENTS, "eu-west-1", "partner-bank-next", origin="EXTERNAL", description="Waits for its material")


def _add_custom_stores(world: World) -> None:
    cluster = CustomKeyStore("cks-1234567890abcdef0", cloud_hsm_cluster_id="cluster-1a23b4cdefg")
    proxy = CustomKeyStore("cks-9876543210fedcba9", xks_key_id="bb8562717f809024")
    create(
        world,
        PAYMENTS,
        "eu-west-1",
        "hsm-root",
        state="Unavailable",
        origin="AWS_CLOUDHSM",
        store=cluster,
        description="Its key store is disconnected",
    )
    create(world, LEGACY, "us-east-1", "on-premises", origin="EXTERNAL_KEY_STORE", store=proxy)


def _add_oddities(world: World) -> None:
    """Add keys that a reader must survive: undescribable, nameless, of other specs, with hostile texts."""
    create(world, LEGACY, "us-east-1", "break-glass", denied={"DescribeKey"}, description="Its policy lets nobody in")
    create(world, LEGACY, "us-east-1", "", description="It has no alias")
    shared = create(world, PLATFORM, "eu-west-1", "shared", description="It has several aliases")
    for name in ("alias/app/blue", "alias/app/green", "alias/zz-last"):
        shared.vault.add_alias(name, shared.key_id)
    for alias, spec, usage in (
        ("release-signing", "RSA_4096", "SIGN_VERIFY"),
        ("jwt", "ECC_NIST_P256", "SIGN_VERIFY"),
        ("webhooks", "HMAC_256", "GENERATE_VERIFY_MAC"),
        ("post-quantum", "ML_DSA_65", "SIGN_VERIFY"),
    ):
        create(world, PLATFORM, "eu-west-1", alias, spec=spec, usage=usage)
    for alias, description, tags in _HOSTILE:
        create(world, ANALYTICS, "eu-west-1", f"hostile-{alias}", description=description, tags=tags)
    named = create(world, ANALYTICS, "eu-west-1", "", description="Names that KMS itself would not allow")
    for name in _HOSTILE_ALIASES:
        named.vault.add_alias(name, named.key_id)
