"""The keys and aliases of one account in one region."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from exporter.demo import lifecycle
from exporter.demo.agenda import Agenda
from exporter.demo.arns import arn
from exporter.demo.errors import AwsError
from exporter.demo.keys import Alias, CustomKeyStore, Family, Key

AWS_ALIAS: Final = "alias/aws/"


@dataclass(slots=True)
class Rules:
    """What holds in the whole emulated world; changeable at any time.

    Attributes:
        deletion_lag: how long AWS takes to delete a key once its `DeletionDate` has passed, in seconds (real: up to a
            day); infinity to keep every key until `Vault.delete`.
        empty_pages: operations that put an empty page before each page, such as `ListAccounts`.
    """

    agenda: Agenda
    random: Random
    deletion_lag: float = 0.0
    empty_pages: set[str] = field(default_factory=set)


class Vault:
    """The truth about one account in one region, and the changes that KMS allows.

    Keys are named by their id. Every method is safe to call from any thread while the emulator serves.

    Attributes:
        keys: by id; read it, change it through the methods.
        aliases: by name.
        ghosts: ids of deleted keys that ListKeys still lists, since KMS is eventually consistent.
    """

    __slots__ = (
        "_alias_order",
        "_key_order",
        "account_id",
        "aliases",
        "arn_prefix",
        "ghosts",
        "keys",
        "region",
        "rules",
    )

    def __init__(self, account_id: str, region: str, rules: Rules) -> None:
        self.account_id = account_id
        self.region = region
        self.rules = rules
        self.arn_prefix = arn("kms", region, account_id, "")
        self.keys: dict[str, Key] = {}
        self.aliases: dict[str, Alias] = {}
        self.ghosts: set[str] = set()
        self._key_order: list[str] | None = None
        self._alias_order: list[str] | None = None

    def create_key(
        self,
        *,
        alias: str | Iterable[str] = (),
        description: str = "",
        state: str = "Enabled",
        manager: str = "CUSTOMER",
        spec: str = "SYMMETRIC_DEFAULT",
        usage: str = "ENCRYPT_DECRYPT",
        origin: str = "AWS_KMS",
        store: CustomKeyStore | None = None,
        tags: Mapping[str, str] | None = None,
        multi_region: bool = False,
        denied: Iterable[str] = (),
        created_at: float | None = None,
    ) -> Key:
        """Create a key.

        Args:
            alias: one name or several, with the `alias/` prefix.
            description: anything, up to 8192 characters.
            state: the state to begin with; a key of origin `EXTERNAL` begins in `PendingImport` and needs
                `lifecycle.import_material`.
            manager: `CUSTOMER` or `AWS`.
            spec: `KeySpec`.
            usage: `KeyUsage`.
            origin: `Origin`.
            store: for keys in custom key stores.
            tags: tag keys and values; None for a key that never had a tag.
            multi_region: whether it is a multi-Region primary, which `World.replicate` can replicate.
            denied: operations that its key policy denies.
            created_at: Unix seconds, now when None.
        """
        agenda = self.rules.agenda
        with agenda.lock:
            key = Key(
                self,
                self._new_id(multi_region=multi_region),
                agenda.time() if created_at is None else created_at,
                description,
                "PendingImport" if origin == "EXTERNAL" and state == "Enabled" else state,
                manager,
                spec,
                usage,
                origin,
                store=store,
                tags=None if tags is None else dict(tags),
                denied=frozenset(denied),
            )
            if multi_region:
                key.family = Family(self.region, {self.region: key})
            self.add(key)
            for name in (alias,) if isinstance(alias, str) else alias:
                self.add_alias(name, key.key_id)
        return key

    def add(self, key: Key) -> None:
        """Put a key that was made elsewhere into this vault."""
        self.keys[key.key_id] = key
        self._key_order = None

    def add_alias(self, name: str, target: str | None) -> Alias:
        """Create an alias; without a target it is a predefined AWS alias whose key does not exist yet."""
        with self.rules.agenda.lock:
            now = self.rules.agenda.time()
            alias = self.aliases[name] = Alias(name, target, now, now)
            self._alias_order = None
        return alias

    def key(self, key_id: str) -> Key:
        """Return a key.

        Raises:
            AwsError: `NotFoundException`.
        """
        self.rules.agenda.settle()
        try:
            return self.keys[key_id]
        except KeyError:
            raise AwsError("NotFoundException", f"Key '{self.arn_prefix}key/{key_id}' does not exist") from None

    def schedule_deletion(self, key_id: str, days: int = lifecycle.DEFAULT_WINDOW) -> Key:
        """Schedule a key's deletion; see `lifecycle.schedule_deletion`."""
        with self.rules.agenda.lock:
            lifecycle.schedule_deletion(key := self.key(key_id), days)
        return key

    def cancel_deletion(self, key_id: str) -> Key:
        """Cancel a key's deletion; see `lifecycle.cancel_deletion`."""
        with self.rules.agenda.lock:
            lifecycle.cancel_deletion(key := self.key(key_id))
        return key

    def enable(self, key_id: str) -> Key:
        """Enable a key; see `lifecycle.enable`."""
        with self.rules.agenda.lock:
            lifecycle.enable(key := self.key(key_id))
        return key

    def disable(self, key_id: str) -> Key:
        """Disable a key; see `lifecycle.disable`."""
        with self.rules.agenda.lock:
            lifecycle.disable(key := self.key(key_id))
        return key

    def tag(self, key_id: str, tags: Mapping[str, str]) -> Key:
        """Set tags of a key that is not pending."""
        with self.rules.agenda.lock:
            lifecycle.require_not_pending(key := self.key(key_id))
            key.tags = {**(key.tags or {}), **tags}
        return key

    def delete(self, key_id: str, *, listed: bool = False) -> None:
        """Delete a key now, as AWS does when its time has come.

        Args:
            key_id: the key.
            listed: keep it in ListKeys though it can't be described any more (KMS is eventually consistent).
        """
        with self.rules.agenda.lock:
            self.remove(self.key(key_id))
            if listed:
                self.ghosts.add(key_id)

    def remove(self, key: Key) -> None:
        """Take a key out of this vault with its aliases, and tell the multi-Region key that it was part of."""
        del self.keys[key.key_id]
        self._key_order = None
        for name in [name for name, alias in self.aliases.items() if alias.target == key.key_id]:
            del self.aliases[name]
            self._alias_order = None
        if key.family is not None:
            key.family.members.pop(self.region, None)
            lifecycle.lose_replica(key.family)

    def predefined_key(self, name: str) -> Key | None:
        """Return the AWS managed key of an `alias/aws/...`, created now where only its alias existed.

        This side effect is KMS's own: describing a predefined alias without a key creates the key (KMS API Reference,
        DescribeKey). None when there is no such alias.
        """
        with self.rules.agenda.lock:
            alias = self.aliases.get(name)
            if alias is None:
                return None
            if alias.target is None:
                service = name.removeprefix(AWS_ALIAS)
                description = f"Default key that protects my {service} data when no other key is defined"
                alias.target = self.create_key(manager="AWS", description=description).key_id
                alias.updated_at = self.rules.agenda.time()
            return self.keys[alias.target]

    def key_ids(self) -> list[str]:
        """Return the ids that ListKeys lists, sorted; ghosts among them."""
        with self.rules.agenda.lock:
            if self._key_order is None or self.ghosts:
                self._key_order = sorted(self.keys.keys() | self.ghosts) if self.ghosts else sorted(self.keys)
            return self._key_order

    def alias_names(self) -> list[str]:
        """Return the names of all aliases, sorted."""
        with self.rules.agenda.lock:
            if self._alias_order is None:
                self._alias_order = sorted(self.aliases)
            return self._alias_order

    def pending(self) -> list[Key]:
        """Return the keys on their way to destruction, sorted by id."""
        with self.rules.agenda.lock:
            self.rules.agenda.settle()
            return sorted((key for key in self.keys.values() if key.pending), key=lambda key: key.key_id)

    def _new_id(self, *, multi_region: bool) -> str:
        bits = f"{self.rules.random.getrandbits(128):032x}"
        if multi_region:
            return f"mrk-{bits}"
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
