"""A KMS key and what belongs to it, as plain data (KMS API, `KeyMetadata`). Times are Unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from exporter.demo.vault import Vault

PENDING: Final = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class ImportedMaterial:
    """Key material that was imported into a key of origin `EXTERNAL`.

    Attributes:
        expires_at: when AWS deletes it, None for never.
    """

    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class CustomKeyStore:
    """Where the material of a key of origin `AWS_CLOUDHSM` or `EXTERNAL_KEY_STORE` lives."""

    store_id: str
    cloud_hsm_cluster_id: str | None = None
    xks_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class LastUse:
    """The last successful cryptographic operation with a key (KMS API, `KeyLastUsageData`).

    Attributes:
        event_id: of CloudTrail's record.
        request_id: of KMS.
    """

    operation: str
    at: float
    event_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant on a key (KMS API, `GrantListEntry`).

    Attributes:
        grantee: an ARN or a service principal.
        as_service: whether it was granted by `GranteeServicePrincipal` and is told so; the grants that most services
            make for themselves are told with the service principal as `GranteePrincipal`.
        retiring: the principal that may retire it.
        constraints: `Constraints`.
    """

    grant_id: str
    grantee: str
    operations: tuple[str, ...]
    created_at: float
    as_service: bool = False
    name: str = ""
    retiring: str | None = None
    constraints: Mapping[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Family:
    """A multi-Region key: one primary and its replicas, all with the same id, by region."""

    primary_region: str
    members: dict[str, "Key"] = field(default_factory=dict)

    @property
    def primary(self) -> "Key | None":
        """The primary key, None once it is deleted."""
        return self.members.get(self.primary_region)

    @property
    def replicas(self) -> list["Key"]:
        """The replica keys in the order of their regions."""
        return [self.members[region] for region in sorted(self.members) if region != self.primary_region]


@dataclass(slots=True, eq=False)
class Key:
    """One KMS key. Mutable: it is the truth that the emulated services answer from.

    Attributes:
        vault: the account and region that hold it.
        manager: `CUSTOMER` or `AWS`.
        deletion_at: `DeletionDate`, while `PendingDeletion`.
        window_days: the waiting period asked for, while pending in either way.
        scheduled_at: when it was asked for, while pending in either way.
        material: the imported material of a key of origin `EXTERNAL`; None while it has none.
        tags: None when the key never had a tag, which the Tagging API tells from an empty set.
        denied: operations that the key's policy denies to everyone, such as `DescribeKey`.
        last_use: the last one ever, whether KMS was tracking uses then or not.
        grants: in the order of their creation.
    """

    vault: "Vault"
    key_id: str
    created_at: float
    description: str = ""
    state: str = "Enabled"
    manager: str = "CUSTOMER"
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    deletion_at: float | None = None
    window_days: int | None = None
    scheduled_at: float | None = None
    material: ImportedMaterial | None = None
    store: CustomKeyStore | None = None
    family: Family | None = None
    tags: dict[str, str] | None = None
    denied: frozenset[str] = frozenset()
    last_use: LastUse | None = None
    grants: tuple[Grant, ...] = ()

    @property
    def arn(self) -> str:
        """The key's ARN."""
        return f"{self.vault.arn_prefix}key/{self.key_id}"

    @property
    def region(self) -> str:
        """The region that holds it."""
        return self.vault.region

    @property
    def account_id(self) -> str:
        """The account that owns it."""
        return self.vault.account_id

    @property
    def pending(self) -> bool:
        """Whether it is on its way to destruction."""
        return self.state in PENDING

    @property
    def is_primary(self) -> bool:
        """Whether it is the primary of a multi-Region key."""
        return self.family is not None and self.family.primary is self


@dataclass(slots=True, eq=False)
class Alias:
    """An alias.

    Attributes:
        name: with its `alias/` prefix.
        target: the key's id; None for a predefined `alias/aws/...` whose key does not exist yet.
    """

    name: str
    target: str | None
    created_at: float
    updated_at: float
