"""One pass over one target: which keys exist, and what those are that have to be looked at."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from exporter.aws import kms, tagging
from exporter.aws.calls import Access, Calls, Outcomes
from exporter.aws.workers import ignore
from exporter.errors import TargetError
from exporter.model import Key, Keys, Pass, PassKind, Unreadable

_SHORTEST_DEADLINE: Final = 120.0
MANY: Final = 5000
"""Keys from which on a full pass does not wait for all pages of aliases: they take longer than it takes to describe the
AWS managed keys, one or two for each service of AWS, that only their aliases tell apart."""
_NOTICE_EVERY: Final = 1.0
"""Seconds between two notices of a pass: each costs as much as the target has keys."""
_NOT_FOUND: Final = "NotFoundException"
_DENIED: Final = "AccessDeniedException"

Notice = Callable[[Pass], object]
"""Takes in what a pass under way has found of single keys."""


class Sweeper:
    """Asks AWS about targets, with the fewest requests that leave no doubt about a pending key."""

    def __init__(
        self,
        *,
        calls: Calls,
        request_rate: float,
        tags: Sequence[str],
        describe_aws_managed: bool = False,
        many: int = MANY,
    ) -> None:
        """Read the tags named in `tags` (none: no request); deadlines follow from `request_rate`.

        AWS managed keys can't be scheduled for deletion; they are described where somebody wants to see them too.
        """
        self._calls = calls
        self._describes_per_second = kms.DESCRIBE_KEY.quota * request_rate
        self._tags = tags
        self._describe_aws_managed = describe_aws_managed
        self._many = many

    async def sweep(
        self,
        access: Access,
        kind: PassKind,
        known: Keys | None,
        unreadable: Mapping[str, Unreadable],
        suspects: Collection[str] = (),
        *,
        noticed: Notice = ignore,
    ) -> Pass:
        """Make a pass; `known` and `unreadable` are what earlier passes left, and without them every pass is full.

        `suspects` are keys that an event named a moment ago: they are described in any case, since an answer of KMS may
        be older than the event. `noticed` is told of deletions before the pass is over, which may take minutes.

        Raises:
            TargetError: the keys could not be listed, so nothing is known of any.
        """
        listed = await kms.list_keys(self._calls, access, deadline=self._deadline(0))
        sweep = self._sweep_of(access, known or Keys(), unreadable, listed, noticed)
        return await (sweep.full() if kind is PassKind.FULL or known is None else sweep.changes(suspects))

    async def look_at(self, access: Access, key_ids: Collection[str], known: Keys) -> Pass:
        """Describe the keys that events named, and no others; never raises TargetError."""
        return await self._sweep_of(access, known, {}, list(key_ids)).named(key_ids)

    async def changes_named(
        self,
        access: Access,
        suspects: Collection[str],
        known: Keys,
        unreadable: Mapping[str, Unreadable],
        *,
        noticed: Notice = ignore,
    ) -> Pass:
        """Make a changes pass where events tell of changes: keys are not listed; never raises TargetError."""
        sweep = self._sweep_of(access, known, unreadable, list(known.by_id), noticed)
        never_read = (
            key_id for key_id, why in unreadable.items() if why.reason != _DENIED and key_id not in known.by_id
        )
        result = await sweep.named([*sweep.to_be_watched(), *never_read, *suspects])
        return replace(result, kind=PassKind.CHANGES)

    def _sweep_of(
        self,
        access: Access,
        known: Keys,
        unreadable: Mapping[str, Unreadable],
        listed: Sequence[str],
        noticed: Notice = ignore,
    ) -> "_Sweep":
        return _Sweep(
            calls=self._calls,
            access=access,
            before=known,
            unreadable=unreadable,
            listed=dict.fromkeys(listed),
            tags=self._tags,
            describe_aws_managed=self._describe_aws_managed,
            many=self._many,
            deadline=self._deadline(len(listed)),
            noticed=noticed,
        )

    def _deadline(self, keys: int) -> float:
        """Return the loop time by which a pass over `keys` keys must be done: thrice what the budget makes it take."""
        seconds = max(_SHORTEST_DEADLINE, 3 * keys / self._describes_per_second)
        return asyncio.get_running_loop().time() + seconds


@dataclass(slots=True)
class _Sweep:
    """A pass under way.

    Attributes:
        before: what is known from earlier passes.
        listed: the ids that exist now, in the order of the list.
        errors: calls that cost only a part of the pass.
        news: what is to be noticed and was not yet.
        noticed_at: loop time of the last notice.
    """

    calls: Calls
    access: Access
    before: Keys
    unreadable: Mapping[str, Unreadable]
    listed: Mapping[str, None]
    tags: Sequence[str]
    describe_aws_managed: bool
    many: int
    deadline: float
    noticed: Notice
    errors: list[TargetError] = field(default_factory=list)
    news: dict[str, Key] = field(default_factory=dict)
    noticed_at: float = -inf

    async def full(self) -> Pass:
        """Describe every customer managed key, those first that matter most should the pass be cut short."""
        wanted = sorted(self.listed, key=self._rank)
        if len(wanted) < self.many:
            aliases = await self._all_aliases(self._half_time())
            spared = self._aws_managed(aliases)
            described = await self._describe([*self._vanished(), *(key for key in wanted if key not in spared)])
        else:
            async with asyncio.TaskGroup() as group:
                listing = group.create_task(self._all_aliases(self.deadline))
                describing = group.create_task(self._describe([*self._vanished(), *wanted]))
            aliases, described = listing.result(), describing.result()
            spared = self._aws_managed(aliases)
            for key_id in spared:
                described.answers.pop(key_id, None)
                described.failures.pop(key_id, None)
        return await self._result(PassKind.FULL, described, aliases or {}, None if aliases is None else spared)

    async def named(self, key_ids: Collection[str]) -> Pass:
        """Describe `key_ids`; one that was listed or read and of which KMS says that it does not exist is gone.

        Another one may be new; or an event named it here though it belongs to another account, and KMS says that there
        is none.
        """
        known = self.before.by_id
        wanted = dict.fromkeys(key_id for key_id in key_ids if key_id not in self.before.aws_managed)
        described = await self._describe(wanted)
        new = [key_id for key_id in described.answers if key_id not in known]
        found = await kms.aliases_of(self.calls, self.access, new, deadline=self.deadline)
        tags = await self._read_tags(PassKind.CHANGES, described.answers.values())
        missing = {key_id for key_id, error in described.failures.items() if _says_not_found(error)}
        failures = {key_id: error for key_id, error in described.failures.items() if key_id not in missing}
        return Pass(
            kind=PassKind.NAMED,
            read={
                key_id: _completed(key, found.answers, tags)
                for key_id, key in described.answers.items()
                # Else the next list finds it, with its aliases; but a pending key is told without them.
                if key_id in known or key_id in found.answers or key.pending
            },
            unreadable={key_id: error.reason for key_id, error in failures.items()},
            gone=frozenset(missing & (known.keys() | self.unreadable.keys())),
            errors=(*self.errors, *failures.values(), *found.failures.values()),
            ended_by=described.ended_by or found.ended_by,
        )

    async def changes(self, suspects: Collection[str]) -> Pass:
        """Describe new and pending keys, suspects, and keys that could not be read for a reason that may pass."""
        before = self.before
        new = [key_id for key_id in self.listed if self._is_new(key_id)]
        found = await kms.aliases_of(self.calls, self.access, new, deadline=self._half_time())
        self.errors += [error for error in (found.ended_by, *found.failures.values()) if error is not None]
        aws_managed = self._spared(found.answers)
        wanted = self.to_be_watched()
        wanted |= dict.fromkeys(key_id for key_id in suspects if key_id in before.by_id and key_id in self.listed)
        wanted |= dict.fromkeys(key_id for key_id in new if key_id not in aws_managed)
        described = await self._describe([*self._vanished(), *wanted])
        return await self._result(
            PassKind.CHANGES, described, found.answers, before.aws_managed | aws_managed if new else None
        )

    def to_be_watched(self) -> dict[str, None]:
        """Return the known keys that every pass describes: pending ones, and those that could not be read.

        A denial stands until someone edits a policy: full passes look after it.
        """
        known = self.before.by_id
        pending = dict.fromkeys(key_id for key_id, key in known.items() if key.pending and key_id in self.listed)
        return pending | dict.fromkeys(
            key_id
            for key_id, why in self.unreadable.items()
            if why.reason != _DENIED and key_id in known and key_id in self.listed
        )

    async def _all_aliases(self, deadline: float) -> kms.Aliases | None:
        """Return the aliases of every key that is listed; None where they can't be read."""
        try:
            found = await kms.list_aliases(self.calls, self.access, deadline=deadline)
        except TargetError as error:
            # Keys are described all the same; new AWS managed ones can't be told apart until they have been.
            self.errors.append(error)
            return None
        return dict.fromkeys(self.listed, ()) | found

    def _aws_managed(self, aliases: kms.Aliases | None) -> frozenset[str]:
        return self.before.aws_managed if aliases is None else self._spared(aliases)

    async def _describe(self, wanted: Iterable[str]) -> Outcomes[str, Key]:
        known = self.before.by_id
        described = await kms.describe_keys(
            self.calls, self.access, wanted, known, deadline=self.deadline, arrived=self._notice
        )
        self._tell_news()  # aliases and tags may take their time
        return described

    def _notice(self, answers: Mapping[str, Key]) -> None:
        """Tell at once which known keys are pending deletion, or no longer are: a pass under a quota takes minutes."""
        known = self.before.by_id
        for key_id, key in answers.items():
            before = known.get(key_id)
            if before is not None and before is not key and (before.pending or key.pending):
                self.news[key_id] = key
        if asyncio.get_running_loop().time() >= self.noticed_at + _NOTICE_EVERY:
            self._tell_news()

    def _tell_news(self) -> None:
        if self.news:
            self.noticed(Pass(PassKind.NAMED, read=self.news))
            self.news, self.noticed_at = {}, asyncio.get_running_loop().time()

    def _vanished(self) -> Collection[str]:
        """Return the known keys that are not listed.

        Absence from the list alone is no proof: a known key is asked for by its id before it is called gone.
        """
        return self.before.by_id.keys() - self.listed.keys()

    async def _result(
        self,
        kind: PassKind,
        described: Outcomes[str, Key],
        aliases: kms.Aliases,
        aws_managed: frozenset[str] | None,
    ) -> Pass:
        before = self.before.by_id
        tags = await self._read_tags(kind, described.answers.values())
        gone = {key_id for key_id in self._vanished() if _says_not_found(described.failures.get(key_id))}
        never_read = self.unreadable.keys() - before.keys() - self.listed.keys()
        failures = {key_id: error for key_id, error in described.failures.items() if key_id not in gone}
        return Pass(
            kind=kind,
            read={key_id: _completed(key, aliases, tags) for key_id, key in described.answers.items()},
            unreadable={key_id: error.reason for key_id, error in failures.items()},
            gone=frozenset(gone | never_read),
            aws_managed=aws_managed,
            errors=(*self.errors, *failures.values()),
            ended_by=described.ended_by,
        )

    async def _read_tags(self, kind: PassKind, keys: Iterable[Key]) -> tagging.Tags:
        """Return tags by ARN: in a full pass of every described key, in a changes pass of the new ones."""
        if not self.tags:
            return {}
        try:
            if kind is PassKind.FULL:
                found = await tagging.all_tags(self.calls, self.access, self.tags, deadline=self.deadline)
                return {key.arn: () for key in keys} | found
            new = [key.arn for key in keys if key.key_id not in self.before.by_id]
            return await tagging.tags_of(self.calls, self.access, new, self.tags, deadline=self.deadline)
        except TargetError as error:
            self.errors.append(error)  # the keys keep the tags they had: a label is no reason to lose a key
            return {}

    def _spared(self, aliases: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Return the keys that need not be described, since their aliases say that they are AWS managed."""
        if self.describe_aws_managed:
            return frozenset()
        return frozenset(
            key_id for key_id, names in aliases.items() if any(name.startswith(kms.AWS_MANAGED_ALIAS) for name in names)
        )

    def _half_time(self) -> float:
        """Return the deadline of what comes before the keys are described, and must leave time for that."""
        now = asyncio.get_running_loop().time()
        return now + (self.deadline - now) / 2

    def _is_new(self, key_id: str) -> bool:
        """Whether the key was never read, for want of an occasion or because of what may have passed."""
        why = self.unreadable.get(key_id)
        may_answer = why is None or why.reason != _DENIED
        return key_id not in self.before.by_id and key_id not in self.before.aws_managed and may_answer

    def _rank(self, key_id: str) -> int:
        if key_id in self.before.aws_managed:
            return 3
        key = self.before.by_id.get(key_id)
        if key is None:
            return 1
        return 0 if key.pending else 2


def _says_not_found(error: TargetError | None) -> bool:
    return error is not None and error.reason == _NOT_FOUND


def _completed(key: Key, aliases: kms.Aliases, tags: tagging.Tags) -> Key:
    """Add what this pass read of aliases and tags; without news it is the same object."""
    names, values = aliases.get(key.key_id, key.aliases), tags.get(key.arn, key.tags)
    if names == key.aliases and values == key.tags:
        return key
    return replace(key, aliases=names, tags=values)
