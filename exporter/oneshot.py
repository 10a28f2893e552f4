"""One look at everything: the discovery, passes and inquiries of the service, once and to their end.

What could not be asked is part of the answer, as it is for the service; whoever looks once decides what that means.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Final

from exporter.aws.caller import Caller, who_am_i
from exporter.aws.calls import Access
from exporter.aws.connection import Connection
from exporter.aws.discovery import Watch
from exporter.aws.identities import RoleIdentity
from exporter.errors import TargetError
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import HOME, PassKind, Snapshot, Target, TargetState, frozen

if TYPE_CHECKING:
    from exporter.settings import Settings

EVIDENCE_TIME: Final = 60.0
"""How long, in seconds, is waited for who, why and whether still used. LookupEvents answers twice a second at the most,
so where hundreds of keys are pending in one place some of it stays unasked; that keys are pending is known by then."""
_TARGETS_FOR_EACH_REQUEST: Final = 4
"""Passes under way for each request in flight: enough that none of them idles, few enough that no pass runs into its
deadline for having waited for thousands of others."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at.

    Attributes:
        accounts: ids of accounts; empty = all that are watched.
        regions: names of regions; empty = all that are watched.
    """

    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether nothing that is watched is left out."""
        return not self.accounts and not self.regions

    def covers(self, target: Target) -> bool:
        """Whether a target is looked at."""
        return self.covers_account(target.account_id) and (not self.regions or target.region in self.regions)

    def covers_account(self, account_id: str) -> bool:
        """Whether any of an account may be looked at; while the home account is not known, it may be any."""
        return not self.accounts or account_id in self.accounts or account_id == HOME


class Stage(StrEnum):
    """What is under way."""

    ACCOUNTS = "accounts"
    KEYS = "keys"
    EVIDENCE = "evidence"


Progress = Callable[[Stage, int, int], None]
"""Gets the stage, and how many of how many targets are done with; accounts are not counted."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found.

    Attributes:
        caller: None where AWS did not tell; why, `caller_error` says.
        snapshot: what is known of the targets in the scope, of their accounts and of the organization.
        organization_error: why its accounts could not be listed; `""` where they could or are not asked for.
        accesses: the ways into the targets, for whoever has more to ask.
        roles: account id to the ARN of the role by which it was entered, `""` for the caller's own credentials;
            accounts without a target are absent.
        started: Unix seconds, as `ended`.
    """

    scope: Scope
    caller: Caller | None
    caller_error: str
    snapshot: Snapshot
    organization_error: str
    accesses: Mapping[Target, Access]
    roles: Mapping[str, str]
    started: float
    ended: float

    @property
    def unwatched_accounts(self) -> tuple[str, ...]:
        """The accounts that the scope names and of which nothing is watched, for no reason that AWS gave."""
        found = {target.account_id for target in self.accesses} | self.snapshot.account_errors.keys()
        return tuple(sorted(self.scope.accounts - found))

    @property
    def unwatched_regions(self) -> tuple[str, ...]:
        """The regions that the scope names and that no account in it is watched in."""
        return tuple(sorted(self.scope.regions - {target.region for target in self.accesses}))


def narrowed(settings: "Settings", scope: Scope) -> "Settings":
    """Return settings that enter no account outside the scope, and ask for nothing that a single look does not tell."""
    aws = settings.aws
    if scope.accounts:
        members = scope.accounts.intersection(aws.organization.include or scope.accounts)
        organization = aws.organization.model_copy(
            update={"enabled": aws.organization.enabled and bool(members), "include": tuple(sorted(members))}
        )
        accounts = tuple(way for way in aws.accounts if way.role_arn.split(":")[4] in scope.accounts)
        aws = aws.model_copy(update={"organization": organization, "accounts": accounts})
    keys = settings.keys.model_copy(update={"last_usage": False})
    return settings.model_copy(update={"aws": aws, "keys": keys})


async def look_once(
    connection: Connection,
    scope: Scope,
    *,
    concurrency: int,
    log: Log,
    now: Callable[[], float],
    monotonic: Callable[[], float],
    progress: Progress = lambda *_: None,
) -> Look:
    """Look at every target of the scope: all keys of each, then what is behind the pending ones.

    Never raises TargetError. A target that failed, or some of whose keys did, is tried once more when all are done.

    Args:
        connection: made for settings that were `narrowed` to the scope.
        scope: what is looked at.
        concurrency: requests in flight, as the connection was told.
        log: where faults of this program are written.
        now: gives Unix seconds.
        monotonic: measures ages.
        progress: is told how far it is, in the event loop.
    """
    started = now()
    progress(Stage.ACCOUNTS, 0, 0)
    (caller, caller_error), watch = await asyncio.gather(_find_caller(connection), _discover(connection))
    accesses = {target: access for target, access in watch.accesses.items() if scope.covers(target)}
    inventory = Inventory(keep_failed=inf, keep_tombstones=inf, now=now, monotonic=monotonic)
    inventory.watch(
        {target: access.account_name for target, access in accesses.items()},
        {account: error for account, error in watch.account_errors.items() if scope.covers_account(account)},
        None if watch.organization_error is None else not watch.organization_error,
    )
    rounds = _Rounds(connection, accesses, inventory, concurrency, log, progress)
    await rounds.read_keys()
    await rounds.ask_for_evidence()
    return Look(
        scope=scope,
        caller=caller,
        caller_error=caller_error,
        snapshot=inventory.snapshot,
        organization_error=watch.organization_error or "",
        accesses=frozen(accesses),
        roles=frozen({target.account_id: _role_of(access) for target, access in accesses.items()}),
        started=started,
        ended=now(),
    )


async def _discover(connection: Connection) -> Watch:
    watch = Watch()
    async for watch in connection.discovery.look():  # noqa: B007 - the last one is wanted
        pass
    return watch


async def _find_caller(connection: Connection) -> tuple[Caller | None, str]:
    try:
        return await who_am_i(connection.calls, connection.home), ""
    except TargetError as error:
        return None, str(error)


def _role_of(access: Access) -> str:
    return access.identity.role_arn if isinstance(access.identity, RoleIdentity) else ""


@dataclass(slots=True)
class _Rounds:
    """What is done with every target."""

    connection: Connection
    accesses: Mapping[Target, Access]
    inventory: Inventory
    concurrency: int
    faults: Log
    progress: Progress

    async def read_keys(self) -> None:
        """Read all keys; then read once more what could not be."""
        await self._each(Stage.KEYS, self.accesses, lambda target: self._read(target, PassKind.FULL))
        troubled = {
            state.target: PassKind.CHANGES if state.up else PassKind.FULL
            for state in self.inventory.snapshot.targets
            if not state.up or state.unreadable
        }
        await self._each(Stage.KEYS, troubled, lambda target: self._read(target, troubled[target]))

    async def ask_for_evidence(self) -> None:
        """Ask what pending keys are about, as long as there is time."""
        due = [state.target for state in self.inventory.snapshot.targets if self.connection.investigator.due(state)]
        with contextlib.suppress(TimeoutError):  # what is not known is told of each key
            async with asyncio.timeout(EVIDENCE_TIME):
                await self._each(Stage.EVIDENCE, due, self._investigate)

    async def _read(self, target: Target, kind: PassKind) -> None:
        state = self.inventory.state(target) or TargetState(target)
        try:
            result = await self.connection.sweeper.sweep(self.accesses[target], kind, state.keys, state.unreadable)
        except TargetError as error:
            self.inventory.fail(target, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one target, and is told as that
            self.faults.error("pass_crashed", exc_info=error, account_id=target.account_id, region=target.region)
            self.inventory.fail(target, TargetError(target, "pass", type(error).__name__))
        else:
            self.inventory.apply(target, result)

    async def _investigate(self, target: Target) -> None:
        state = self.inventory.state(target) or TargetState(target)
        try:
            async with aclosing(self.connection.investigator.investigate(self.accesses[target], state)) as told:
                async for learned in told:
                    self.inventory.learn(target, learned)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs facts, and no key
            self.faults.error("task_crashed", exc_info=error)

    async def _each(self, stage: Stage, targets: Iterable[Target], work: Callable[[Target], Awaitable[None]]) -> None:
        """Do the same for many targets side by side, telling how far it is."""
        waiting = list(targets)
        if not waiting:
            return
        done = 0
        places = asyncio.Semaphore(self.concurrency * _TARGETS_FOR_EACH_REQUEST)
        self.progress(stage, done, len(waiting))

        async def one(target: Target) -> None:
            nonlocal done
            async with places:
                await work(target)
            done += 1
            self.progress(stage, done, len(waiting))

        async with asyncio.TaskGroup() as group:
            for target in waiting:
                group.create_task(one(target))
