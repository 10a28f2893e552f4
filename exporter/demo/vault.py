"""What is done to the keys of one account in one region, and what CloudTrail remembers of it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from exporter.demo import lifecycle
from exporter.demo.actors import ADMINISTRATOR, APPLICATION, Actor
from exporter.demo.errors import AwsError
from exporter.demo.inventory import Inventory
from exporter.demo.keys import CustomKeyStore, Family, Grant, Key, LastUse
from exporter.demo.rules import Rules
from exporter.demo.trail import Deed, Event, Trail

AWS_ALIAS: Final = "alias/aws/"


class Vault(Inventory):
    """The truth about one account in one region: its keys, and the changes to them that KMS allows.

    Keys are named by their id, and where a change takes `by`, also by their ARN: CloudTrail tells the name that was
    used. Every method is safe to call from any thread while the emulator serves.

    Attributes:
        trail: CloudTrail's events: what changed keys, and every attempt to use one.
    """

    __slots__ = ("trail",)

    def __init__(self, account_id: str, region: str, rules: Rules) -> None:
        super().__init__(account_id, region, rules)
        self.trail = Trail(account_id, region)

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
        by: Actor | None = ADMINISTRATOR,
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
            by: who creates it; None for a key of which CloudTrail knows nothing.
        """
        agenda = self.rules.agenda
        with agenda.lock, nullcontext() if created_at is None else agenda.as_of(created_at):
            key = Key(
                self,
                self.new_id(multi_region=multi_region),
                agenda.time(),
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
            if by is not None:
                self.tell(Deed("CreateKey", by, key.arn, _creation(key), {"keyMetadata": _created(key)}))
        return key

    def schedule_deletion(self, key_id: str, days: int = lifecycle.DEFAULT_WINDOW, *, by: Actor = ADMINISTRATOR) -> Key:
        """Schedule a key's deletion; see `lifecycle.schedule_deletion`."""
        with self._doing("ScheduleKeyDeletion", key_id, by, pendingWindowInDays=days) as (key, response):
            lifecycle.schedule_deletion(key, days)
            response["keyState"] = key.state
            if key.deletion_at is None:
                response["pendingWindowInDays"] = days
            else:
                response["deletionDate"] = key.deletion_at
        return key

    def cancel_deletion(self, key_id: str, *, by: Actor = ADMINISTRATOR) -> Key:
        """Cancel a key's deletion; see `lifecycle.cancel_deletion`."""
        with self._doing("CancelKeyDeletion", key_id, by) as (key, _):
            lifecycle.cancel_deletion(key)
        return key

    def enable(self, key_id: str, *, by: Actor = ADMINISTRATOR) -> Key:
        """Enable a key; see `lifecycle.enable`."""
        with self._doing("EnableKey", key_id, by) as (key, _):
            lifecycle.enable(key)
        return key

    def disable(self, key_id: str, *, by: Actor = ADMINISTRATOR) -> Key:
        """Disable a key; see `lifecycle.disable`."""
        with self._doing("DisableKey", key_id, by) as (key, _):
            lifecycle.disable(key)
        return key

    def tag(self, key_id: str, tags: Mapping[str, str], *, by: Actor = ADMINISTRATOR) -> Key:
        """Set tags of a key that is not pending."""
        pairs = [{"tagKey": name, "tagValue": value} for name, value in tags.items()]
        with self._doing("TagResource", key_id, by, tags=pairs) as (key, _):
            lifecycle.require_not_pending(key)
            key.tags = {**(key.tags or {}), **tags}
        return key

    def import_material(self, key_id: str, expires_at: float | None = None, *, by: Actor = ADMINISTRATOR) -> Key:
        """Give a key of origin `EXTERNAL` its material; see `lifecycle.import_material`."""
        model = "KEY_MATERIAL_DOES_NOT_EXPIRE" if expires_at is None else "KEY_MATERIAL_EXPIRES"
        with self._doing("ImportKeyMaterial", key_id, by, expirationModel=model) as (key, _):
            lifecycle.import_material(key, expires_at)
        return key

    def grant(
        self,
        key_id: str,
        grantee: str,
        operations: Iterable[str] = ("Decrypt", "GenerateDataKey"),
        *,
        as_service: bool = False,
        name: str = "",
        retiring: str | None = None,
        constraints: Mapping[str, Any] | None = None,
        by: Actor = ADMINISTRATOR,
    ) -> Grant:
        """Grant the use of an enabled key; see `Grant` for what it is made of.

        Raises:
            AwsError: `DisabledException` or `KMSInvalidStateException`.
        """
        member, allowed = "granteeServicePrincipal" if as_service else "granteePrincipal", tuple(operations)
        with self._doing("CreateGrant", key_id, by, **{member: grantee, "operations": allowed}) as (key, response):
            lifecycle.require_enabled(key)
            now = self.rules.agenda.time()
            grant_id = hashlib.sha256(f"{key.arn}/{grantee}/{now}/{len(key.grants)}".encode()).hexdigest()
            grant = Grant(grant_id, grantee, allowed, now, as_service, name, retiring, constraints)
            key.grants = (*key.grants, grant)
            response["grantId"] = grant_id
        return grant

    def revoke_grant(self, key_id: str, grant_id: str, *, by: Actor = ADMINISTRATOR) -> None:
        """Take a grant back, in any state of the key.

        Raises:
            AwsError: `NotFoundException`.
        """
        with self._doing("RevokeGrant", key_id, by, grantId=grant_id) as (key, _):
            left = tuple(grant for grant in key.grants if grant.grant_id != grant_id)
            if len(left) == len(key.grants):
                raise AwsError("NotFoundException", f"Grant ID {grant_id} not found")
            key.grants = left

    def perform(self, key_id: str, operation: str, *, by: Actor = APPLICATION, **request: Any) -> Key:
        """Use a key for a cryptographic operation.

        Raises:
            AwsError: the state of the key does not allow it; CloudTrail knows of the attempt.
        """
        with self.rules.agenda.lock:
            key = self.key(self._bare(key_id))
            try:
                lifecycle.require_enabled(key)
            except AwsError as error:
                self.tell(Deed(operation, by, key.arn, request, error=error, reads=True))
                raise
            event = self.tell(Deed(operation, by, key.arn, request, reads=True))
            now = self.rules.agenda.time()
            if key.last_use is None or key.last_use.at <= now:
                key.last_use = LastUse(operation, now, event.event_id, event.request_id)
        return key

    def use(self, key_id: str, operation: str = "Decrypt", *, at: float | None = None, by: Actor = APPLICATION) -> bool:
        """Let someone use a key, now or at a moment of the past, and return whether the key let them.

        A moment before a pending key was scheduled counts as one when it was enabled.
        """
        agenda = self.rules.agenda
        with agenda.lock, nullcontext() if at is None else agenda.as_of(at):
            try:
                self.perform(key_id, operation, by=by, encryptionAlgorithm="SYMMETRIC_DEFAULT")
            except AwsError as error:
                if error.code == "NotFoundException":
                    raise
                return False
        return True

    def tell(self, deed: Deed) -> Event:
        """Let CloudTrail know what was done or tried just now."""
        event = self.trail.add(deed, self.rules.agenda.time())
        for witness in self.rules.witnesses:
            witness(event, self.account_id, self.region)
        return event

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
        self.take_out(key)
        self.tell(Deed("DeleteKey", None, key.arn, response={"keyId": key.arn}))
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
                alias.target = self.create_key(manager="AWS", description=description, by=None).key_id
                alias.updated_at = self.rules.agenda.time()
            return self.keys[alias.target]

    @contextmanager
    def _doing(self, name: str, key_id: str, by: Actor, **request: Any) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Change a key, and let CloudTrail know what was asked, by whom, and what came of it."""
        with self.rules.agenda.lock:
            key = self.key(self._bare(key_id))
            request = {"keyId": key_id, **request}
            response = {"keyId": key.arn}
            try:
                yield key, response
            except AwsError as error:
                self.tell(Deed(name, by, key.arn, request, error=error))
                raise
            self.tell(Deed(name, by, key.arn, request, response))

    def _bare(self, key_id: str) -> str:
        return key_id.removeprefix(f"{self.arn_prefix}key/")


def _creation(key: Key) -> dict[str, Any]:
    return {
        "description": key.description,
        "keyUsage": key.usage,
        "keySpec": key.spec,
        "origin": key.origin,
        "multiRegion": key.family is not None,
    }


def _created(key: Key) -> dict[str, Any]:
    return {
        "aWSAccountId": key.account_id,
        "keyId": key.key_id,
        "arn": key.arn,
        "creationDate": key.created_at,
        "enabled": key.state == "Enabled",
        "keyState": key.state,
        "keyManager": key.manager,
        **_creation(key),
    }
