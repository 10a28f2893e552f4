"""Which accounts and regions there are to watch, asked again and again: accounts come and go, regions are enabled."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from exporter.aws.calls import Access, Calls, Identity, Operation
from exporter.aws.identities import RoleIdentity
from exporter.aws.reading import as_account_id, text
from exporter.errors import TargetError
from exporter.model import HOME, Target, frozen

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_sts import STSClient

    from exporter.settings.model import Aws

GET_CALLER_IDENTITY: Final = Operation("sts", "GetCallerIdentity", quota=600)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
DESCRIBE_REGIONS: Final = Operation("ec2", "DescribeRegions", quota=20)
"""https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""
LIST_ACCOUNTS: Final = Operation("organizations", "ListAccounts", quota=8)
"""https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"""

T = TypeVar("T")

REGIONS_HOLD: Final = 3600.0
"""How long, in seconds, an account's list of enabled regions is taken for current."""
_CALL_TIME: Final = 120.0
_TELL_EVERY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What there is to watch.

    Attributes:
        accesses: every target with the identity that may ask about it.
        account_errors: account id to why its role could not be assumed or its regions not listed, `""` when they could.
        organization_error: why the organization's accounts could not be listed, `""` when they could; None where it is
            not asked.
    """

    accesses: Mapping[Target, Access] = field(default_factory=frozen)
    account_errors: Mapping[str, str] = field(default_factory=frozen)
    organization_error: str | None = None


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions enabled in an account, and when (monotonic) that was asked."""

    names: tuple[str, ...]
    listed_at: float


@dataclass(slots=True)
class Memory:
    """What discovery last knew; outlives a change of configuration, so that a failing call drops no target.

    Attributes:
        home_id: the account of the home credentials.
        home_error: what stood in the way when it was last asked for, `""` for nothing.
        organization: account id to name of every active account of the organization.
        regions: account id to its enabled regions.
        watched: account id to the regions that were watched in it, which need not be all, nor found out.
        account_errors: account id to what stood in the way when it was last prepared, `""` for nothing.
        organization_error: the same for the list of accounts; None before it was asked.
    """

    home_id: str | None = None
    home_error: str = ""
    organization: dict[str, str] = field(default_factory=dict)
    regions: dict[str, Regions] = field(default_factory=dict)
    watched: dict[str, list[str]] = field(default_factory=dict)
    account_errors: dict[str, str] = field(default_factory=dict)
    organization_error: str | None = None


@dataclass(frozen=True, slots=True)
class _Account:
    """One way into an account."""

    account_id: str
    name: str
    identity: Identity
    regions: Sequence[str]


class Discovery:
    """Finds the targets; what could not be asked this time stands as it was last known."""

    def __init__(
        self,
        *,
        settings: "Aws",
        calls: Calls,
        home: Access,
        partition: str,
        memory: Memory,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """Watch what `settings` say, starting from the `home` credentials, all in one AWS `partition`."""
        self._settings = settings
        self._calls = calls
        self._home = home
        self._partition = partition
        self._known = memory
        self._now = now
        self._monotonic = monotonic
        self._identities: dict[tuple[str, str], RoleIdentity] = {}
        self._errors: dict[tuple[str, Identity], str] = {}
        self._seeking_home = False

    async def look(self) -> AsyncGenerator[Watch, None]:
        """Ask AWS for accounts and regions, telling what is known about once a second and at the end.

        So an account that hangs keeps none of the others waiting. Never raises TargetError: failures are part of the
        answer.
        """
        # Where it could not be told before, accounts were taken in without it: they must not leave while it is asked.
        self._seeking_home = self._settings.home_account and not self._known.home_error
        sources = {asyncio.create_task(self._find_home()), asyncio.create_task(self._list_organization())}
        tasks: set[asyncio.Task[None]] = set(sources)
        started: set[tuple[str, Identity]] = set()
        told_at = self._monotonic()
        try:
            accounts = self._accounts()
            while True:
                for account in accounts:
                    if (way := (account.account_id, account.identity)) not in started:
                        started.add(way)
                        tasks.add(asyncio.create_task(self._prepare(account)))
                if not tasks:
                    break
                done, tasks = await asyncio.wait(tasks, timeout=_TELL_EVERY, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                accounts = self._accounts() if done & sources else []
                if self._monotonic() - told_at >= _TELL_EVERY:
                    told_at = self._monotonic()
                    yield self._watch()
            yield self._watch()
        finally:
            for task in tasks:
                task.cancel()

    def _watch(self) -> Watch:
        accesses: dict[Target, Access] = {}
        accounts = self._accounts()
        for account in accounts:
            for region in self._regions_of(account):
                target = Target(account.account_id, region)
                accesses.setdefault(target, Access(target, account.identity, self._name(account)))
        self._known.watched = {}
        for target in accesses:
            self._known.watched.setdefault(target.account_id, []).append(target.region)
        organization_error = self._known.organization_error if self._settings.organization.enabled else None
        return Watch(accesses, self._account_errors(accounts), organization_error)

    def _account_errors(self, accounts: Iterable[_Account]) -> Mapping[str, str]:
        """Return what stands in the way of each account, which is up when none of the ways into it fails."""
        known, errors = self._known, dict[str, str]()
        if self._settings.home_account and (known.home_error or known.home_id is not None):
            errors[known.home_id or HOME] = known.home_error
        for account in accounts:
            error = self._errors.get((account.account_id, account.identity))
            if error is None:  # not tried yet since the settings changed
                error = known.account_errors.get(account.account_id)
            if error is not None:
                errors[account.account_id] = errors.get(account.account_id) or error
        known.account_errors = errors
        return frozen(errors)

    def _accounts(self) -> list[_Account]:
        """Return every way into an account, in the order in which they win where they meet."""
        found: list[_Account] = []
        if self._settings.home_account and self._known.home_id is not None:
            found.append(_Account(self._known.home_id, "", self._home.identity, ()))
        for listed in self._settings.accounts:
            role = self._role(listed.role_arn, listed.external_id.get_secret_value())
            found.append(_Account(listed.role_arn.split(":")[4], listed.name, role, listed.regions))
        known = {account.account_id for account in found}
        wanted = self._settings.organization
        # While the home account is not known, it would be taken for one that needs a role.
        unsettled = self._seeking_home and self._known.home_id is None
        for account_id, name in self._known.organization.items() if wanted.enabled and not unsettled else ():
            out = account_id in known or account_id in wanted.exclude
            if not out and (not wanted.include or account_id in wanted.include):
                arn = f"arn:{self._partition}:iam::{account_id}:role/{wanted.role_name}"
                found.append(_Account(account_id, name, self._role(arn, ""), ()))
        return found

    def _name(self, account: _Account) -> str:
        return account.name or self._known.organization.get(account.account_id, "")

    def _role(self, arn: str, external_id: str) -> RoleIdentity:
        """Return the identity of a role, the same object each time, so that its session lives on."""
        identity = self._identities.get((arn, external_id))
        if identity is None:
            identity = self._identities[arn, external_id] = RoleIdentity(
                calls=self._calls, home=self._home, role_arn=arn, external_id=external_id, now=self._now
            )
        return identity

    def _named_regions(self, account: _Account) -> Sequence[str]:
        return account.regions or self._settings.regions

    def _regions_of(self, account: _Account) -> Iterable[str]:
        known = self._known.regions.get(account.account_id)
        found: Iterable[str] = known.names if known else self._known.watched.get(account.account_id, ())
        return self._named_regions(account) or found

    async def _prepare(self, account: _Account) -> None:
        """Make sure that the account lets us in and that its regions are known."""
        error = ""
        try:
            await account.identity.credentials()
            known = self._known.regions.get(account.account_id)
            stale = known is None or self._monotonic() - known.listed_at >= REGIONS_HOLD
            if stale and not self._named_regions(account):
                where = Access(Target(account.account_id, self._home.target.region), account.identity)
                names = await self._ask(where, DESCRIBE_REGIONS, _enabled_regions)
                self._known.regions[account.account_id] = Regions(names, self._monotonic())
        except TargetError as failure:
            error = str(failure)
        self._errors[account.account_id, account.identity] = error

    async def _find_home(self) -> None:
        """Learn the id of the home account."""
        if not self._settings.home_account:
            return
        try:
            self._known.home_id = await self._ask(self._home, GET_CALLER_IDENTITY, _caller_account)
        except TargetError as failure:
            self._known.home_error = str(failure)
        else:
            self._known.home_error = ""
        self._seeking_home = False

    async def _list_organization(self) -> None:
        """Renew the list of the organization's accounts."""
        if not self._settings.organization.enabled:
            return
        accounts: dict[str, str] = {}
        token: str | None = ""
        try:
            while token is not None:
                found, token = await self._ask(self._home, LIST_ACCOUNTS, partial(_accounts_page, token))
                accounts |= found
        except TargetError as failure:
            self._known.organization_error = str(failure)
        else:
            if accounts:
                self._known.organization = accounts
            self._known.organization_error = "" if accounts else "ListAccounts: no active account, not even the own one"

    async def _ask(self, access: Access, operation: Operation, request: Callable[[Any], T]) -> T:
        deadline = asyncio.get_running_loop().time() + _CALL_TIME
        return await self._calls.one(access, operation, request, deadline=deadline)


def _caller_account(sts: "STSClient") -> str:
    return as_account_id(sts.get_caller_identity()["Account"])


def _enabled_regions(ec2: "EC2Client") -> tuple[str, ...]:
    """Return the regions enabled in the account, which is what DescribeRegions tells unless asked for all."""
    names = tuple(sorted(region["RegionName"] for region in ec2.describe_regions()["Regions"]))
    if not names:
        raise ValueError("no region is enabled, which no account can be without")
    return names


def _accounts_page(token: str, organizations: "OrganizationsClient") -> tuple[dict[str, str], str | None]:
    """Return the active accounts of one page and where the next starts; a page may be empty and not the last.

    `State` replaced `Status`, which may be missing
    (https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html).
    """
    answer = organizations.list_accounts(NextToken=token) if token else organizations.list_accounts()
    following = answer.get("NextToken") or None
    if following is not None and following == token:
        raise ValueError("the next page is the same page again")
    active = {
        as_account_id(account["Id"]): text(account.get("Name", ""))
        for account in answer["Accounts"]
        if (account.get("State") or account.get("Status")) == "ACTIVE"
    }
    return active, following
