"""The emulated truth: an organization, its accounts and roles, their regions and keys. No HTTP in here."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from exporter.demo.actors import ADMINISTRATOR, Actor
from exporter.demo.agenda import Agenda
from exporter.demo.aggregators import Aggregator
from exporter.demo.arns import arn
from exporter.demo.bridge import EventBridge
from exporter.demo.counts import RequestCounts
from exporter.demo.keys import DAY, Key
from exporter.demo.lifecycle import plan_removal
from exporter.demo.principals import Credentials, Role
from exporter.demo.queues import DEFAULT_VISIBILITY, Queue, Redrive
from exporter.demo.rules import Rules
from exporter.demo.trail import Deed
from exporter.demo.vault import Vault

DEFAULT_HOME = "111122223333"
_TRACKED: Final = 180 * DAY


@dataclass(slots=True)
class Account:
    """An AWS account.

    Attributes:
        regions: the enabled ones.
        state: as Organizations tells it (`ACTIVE`, `SUSPENDED`, ...).
        member: whether it belongs to the organization.
        denied: operations that a policy denies to everyone in the account, as pairs of region and operation.
    """

    account_id: str
    name: str
    regions: set[str]
    state: str = "ACTIVE"
    member: bool = True
    joined_at: float = 0.0
    denied: set[tuple[str, str]] = field(default_factory=set)


@dataclass(slots=True)
class Organization:
    """An AWS organization.

    Attributes:
        listers: the management account and delegated administrators: who may list accounts.
        tells_status: whether answers still carry `Status` beside `State` (retired on 2026-09-09).
    """

    organization_id: str
    management_account: str
    listers: set[str] = field(default_factory=set)
    tells_status: bool = False


class World:
    """Everything that the emulated services know. Safe to read and change while the emulator serves.

    Attributes:
        accounts: by id.
        roles: by ARN.
        organization: None where the home account is in none.
        aggregators: those of AWS Config, by account, region and name.
        queues: by account, region and name.
        bridge: sends what happens to keys into queues.
        credentials: the known access keys.
        counts: how often each operation was asked for.
        rules: what holds everywhere.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        *,
        home_account: str = DEFAULT_HOME,
        home_regions: Iterable[str] = ("eu-west-1",),
        home_is_role: bool = False,
        deletion_lag: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Create a world of one account, without keys, in which KMS has tracked the use of keys for 180 days.

        Args:
            now: the clock, in Unix seconds.
            home_account: the account of the home credentials.
            home_regions: the regions enabled in it.
            home_is_role: whether the home credentials are a role's (IRSA, Pod Identity), so that assuming is chaining.
            deletion_lag: see `Rules`.
            seed: of ids and credentials; the same seed and the same calls give the same ids.
        """
        random = Random(seed)  # noqa: S311 - ids of a world that is thrown away
        regions = set(home_regions)
        self.agenda = Agenda(now)
        self.rules = Rules(self.agenda, random, deletion_lag, tracking_start=self.agenda.time() - _TRACKED)
        self.accounts: dict[str, Account] = {}
        self.roles: dict[str, Role] = {}
        self.organization: Organization | None = None
        self.aggregators: dict[tuple[str, str, str], Aggregator] = {}
        self.queues: dict[tuple[str, str, str], Queue] = {}
        self.bridge = EventBridge(self.agenda)
        self.rules.witnesses.append(self.bridge.witness)
        self.credentials = Credentials(home_account, min(regions), random, home_is_role=home_is_role)
        self.counts = RequestCounts()
        self._vaults: dict[tuple[str, str], Vault] = {}
        self.home = self.add_account(home_account, "home", regions)

    def add_account(self, account_id: str, name: str, regions: Iterable[str], *, state: str = "ACTIVE") -> Account:
        """Add an account with its enabled regions; it belongs to the organization, if there is one."""
        account = Account(account_id, name, set(regions), state, joined_at=self.agenda.time())
        self.accounts[account_id] = account
        return account

    def add_role(
        self,
        account_id: str,
        name: str,
        *,
        external_id: str | None = None,
        assumable: bool = True,
        max_session: int = 3600,
    ) -> Role:
        """Add a role, or replace the one of the same name; see `Role` for what it is made of."""
        region = min(self.accounts[account_id].regions)
        role_arn = arn("iam", "", account_id, f"role/{name}", of=region)
        role = self.roles[role_arn] = Role(account_id, region, name, role_arn, external_id, assumable, max_session)
        return role

    def create_organization(self, management_account: str | None = None, *, tells_status: bool = False) -> Organization:
        """Put every account into an organization managed by `management_account`, the home account by default."""
        manager = management_account or self.home.account_id
        self.organization = Organization("o-exampleorgid", manager, {manager}, tells_status)
        return self.organization

    def add_aggregator(
        self, name: str, region: str, *, age: float = 0.0, accounts: Iterable[str] | None = None
    ) -> Aggregator:
        """Add an aggregator of AWS Config to a region of the home account; see `Aggregator` for what it is made of."""
        aggregator = Aggregator(name, age, None if accounts is None else frozenset(accounts))
        self.aggregators[self.home.account_id, region, name] = aggregator
        return aggregator

    def add_queue(
        self,
        name: str,
        region: str,
        *,
        account_id: str | None = None,
        visibility: float = DEFAULT_VISIBILITY,
        redrive: Redrive | None = None,
    ) -> Queue:
        """Add an SQS queue to an account, the home account by default; see `Queue` for what it is made of."""
        owner = account_id or self.home.account_id
        queue = Queue(self.agenda, owner, region, name, visibility=visibility, redrive=redrive)
        self.queues[owner, region, name] = queue
        return queue

    def vault(self, account_id: str, region: str) -> Vault:
        """Return the keys of one account in one region, enabled or not."""
        try:
            return self._vaults[account_id, region]
        except KeyError:
            return self._vaults.setdefault((account_id, region), Vault(account_id, region, self.rules))

    def vaults(self) -> list[Vault]:
        """Return every vault that was ever touched, sorted by account and region."""
        return [self._vaults[place] for place in sorted(self._vaults)]

    def keys(self) -> Iterator[Key]:
        """Iterate over every key of every account and region."""
        for vault in self.vaults():
            yield from list(vault.keys.values())

    def pending(self) -> list[Key]:
        """Return every key on its way to destruction, by account, region and id."""
        return [key for vault in self.vaults() for key in vault.pending()]

    def replicate(self, key: Key, region: str, *, by: Actor = ADMINISTRATOR) -> Key:
        """Replicate a multi-Region primary into another region of its account (`ReplicateKey`).

        Raises:
            ValueError: the key is no multi-Region primary, or the region has one of its keys already.
        """
        with self.agenda.lock:
            if key.family is None or not key.is_primary or region in key.family.members:
                raise ValueError(f"{key.arn} can't be replicated to {region}")
            vault = self.vault(key.account_id, region)
            replica = Key(
                vault,
                key.key_id,
                self.agenda.time(),
                key.description,
                "Enabled",
                key.manager,
                key.spec,
                key.usage,
                key.origin,
            )
            replica.family = key.family
            key.family.members[region] = replica
            vault.add(replica)
            request = {"keyId": key.key_id, "replicaRegion": region}
            key.vault.tell(Deed("ReplicateKey", by, key.arn, request, {"replicaKeyMetadata": {"arn": replica.arn}}))
        return replica

    def set_deletion_lag(self, seconds: float) -> None:
        """Change how late AWS deletes keys whose date has passed; infinity for only when told."""
        with self.agenda.lock:
            self.rules.deletion_lag = seconds
            for key in self.keys():
                plan_removal(key)
