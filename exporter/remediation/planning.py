"""Looks at the keys that somebody named, and decides what each of them needs. Nothing is changed here."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from exporter.acknowledgements import Acknowledgements
from exporter.aws import changes, kms
from exporter.aws.calls import Access, Calls
from exporter.aws.changes import Described
from exporter.aws.investigation import Investigator
from exporter.errors import ConfigError, TargetError
from exporter.facts import Facts, facts_of
from exporter.findings.report import Report
from exporter.model import Evidence, Key, Keys, Source, Target, TargetState, frozen
from exporter.oneshot import Scope
from exporter.remediation.doors import Doors
from exporter.remediation.names import ACCEPTED, KeyName
from exporter.remediation.plan import Plan, Relative, Step, decide, in_order
from exporter.remediation.record import Unfinished
from exporter.settings.problems import line, quote

T = TypeVar("T")

_CALL_TIME: Final = 60.0
_EVIDENCE_TIME: Final = 12.0
"""How long, in seconds, a person waits to be told who scheduled a deletion and who would miss the key."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A name with the key that it means."""

    access: Access
    described: Described


class Planner:
    """Makes plans; belongs to one event loop."""

    def __init__(
        self,
        *,
        calls: Calls,
        investigator: Investigator,
        doors: Doors,
        acknowledgements: Acknowledgements,
        unfinished: Mapping[str, Unfinished],
        enable: bool,
        now: Callable[[], float],
    ) -> None:
        """Plan for whoever enters by `doors`.

        Args:
            calls: sends the requests.
            investigator: finds out what is behind a deletion.
            doors: the ways into accounts.
            acknowledgements: the deletions that are declared intended.
            unfinished: what earlier runs on the same record left to do, by ARN.
            enable: whether saved keys are to be enabled.
            now: Unix seconds.
        """
        self._calls = calls
        self._investigator = investigator
        self._doors = doors
        self._acknowledgements = acknowledgements
        self._unfinished = unfinished
        self._enable = enable
        self._now = now

    async def of_names(self, names: Sequence[KeyName], region: str) -> Plan:
        """Plan for keys that were named; ids and aliases are of `region`, `""` where none is known.

        Raises:
            ConfigError: a line for each name that means no key that can be looked at.
        """
        accesses = _all_or_problems([self._place(name, region) for name in names])
        looks = [self._find(name, access) for name, access in zip(names, accesses, strict=True)]
        found = _all_or_problems(await asyncio.gather(*looks))
        facts = await self._facts(found)
        relatives = await asyncio.gather(*(self._relatives(each) for each in found))
        return Plan(
            in_order(
                self.step(each.access, about, family)
                for each, about, family in zip(found, facts, relatives, strict=True)
            )
        )

    async def of_report(self, report: Report, scope: Scope) -> Plan:
        """Plan for every pending key of a look at everything that nobody declared intended, or that is used."""
        steps: list[Step] = []
        closed: list[str] = []
        for facts in (finding.facts for finding in report.findings if not finding.facts.calm):
            access = self._doors.access(facts.target, facts.account_name)
            if access is None:
                closed.append(f"{facts.key.arn}: no role of its account is known")
            else:
                steps.append(self.step(access, facts))
        pending = {finding.facts.key.arn for finding in report.findings}
        rest = await self.of_unfinished(
            each
            for each in self._unfinished.values()
            if each.arn not in pending and scope.covers(Target(each.account_id, each.region))
        )
        gaps = (f"{gap.subject}: {gap.reason}" for gap in report.gaps)
        return Plan(in_order((*steps, *rest.steps)), (*gaps, *closed, *rest.unchecked))

    async def of_unfinished(self, wanted: Iterable[Unfinished]) -> Plan:
        """Plan for keys that earlier runs cancelled and did not enable, where that is still so."""
        looks = await asyncio.gather(*(self._look_again(each) for each in wanted))
        steps = [look for look in looks if isinstance(look, Step) and look.action.enables]
        return Plan(in_order(steps), tuple(look for look in looks if isinstance(look, str)))

    def step(self, access: Access, facts: Facts, relatives: tuple[Relative, ...] = ()) -> Step:
        """Decide about one key."""
        action = decide(facts.key, enable=self._enable, ours=facts.key.arn in self._unfinished)
        return Step(access, self._doors.through(access.target.account_id), facts, action, relatives)

    def _place(self, name: KeyName, region: str) -> Access | str:
        """Return access to where a key is, or the problem."""
        caller = self._doors.caller
        if name.partition not in {"", caller.partition}:
            return _problem(name, f"is not in the partition of these credentials, {caller.partition}")
        target = Target(name.account_id or caller.account_id, name.region or region)
        if not target.region:
            return _problem(name, "names no region, nor does the AWS configuration", "a key ARN, or --region with it")
        access = self._doors.access(target)
        if access is None:
            reason = f"is in another account than these credentials, {caller.account_id}"
            return _problem(name, reason, "a key of that account, or --role-name with a role of the key's account")
        return access

    async def _find(self, name: KeyName, access: Access) -> _Found | str:
        try:
            described = await changes.describe(self._calls, access, name.name, deadline=_deadline())
        except TargetError as error:
            return _problem(name, f"can't be described: {error}", "a key that these credentials may describe")
        if described.key.key_manager != "CUSTOMER":
            return _problem(name, "is an AWS managed key, which nobody can schedule for deletion")
        return _Found(access, described)

    async def _facts(self, found: Sequence[_Found]) -> list[Facts]:
        """Return what is known of each key, in their order."""
        by_target: dict[Target, list[_Found]] = defaultdict(list)
        for each in found:
            by_target[each.access.target].append(each)
        states = await asyncio.gather(*(self._state(group) for group in by_target.values()))
        at_target = {state.target: state for state in states}
        return [self._facts_of(at_target[each.access.target], each.described.key.key_id) for each in found]

    def _facts_of(self, state: TargetState, key_id: str) -> Facts:
        keys = state.keys or Keys()
        return facts_of(state, keys.by_id[key_id], self._acknowledgements, self._now())

    async def _state(self, group: Sequence[_Found]) -> TargetState:
        """Return a target as if its only keys were these, with what could be found out about them in time."""
        access, keys = group[0].access, {each.described.key.key_id: each.described.key for each in group}
        aliases = await kms.aliases_of(self._calls, access, keys, deadline=_deadline())
        keys = {key_id: replace(key, aliases=aliases.answers.get(key_id, ())) for key_id, key in keys.items()}
        state = TargetState(access.target, keys=Keys(by_id=frozen(keys)))
        if not any(key.pending for key in keys.values()):
            return state
        evidence, sources = await self._evidence(access, state)
        return replace(state, keys=Keys(by_id=frozen(keys), evidence=frozen(evidence)), sources=frozen(sources))

    async def _evidence(self, access: Access, state: TargetState) -> tuple[dict[str, Evidence], dict[Source, str]]:
        evidence: dict[str, Evidence] = {}
        sources: dict[Source, str] = {}
        try:
            async with asyncio.timeout(_EVIDENCE_TIME):
                async for learned in self._investigator.investigate(access, state):
                    evidence |= {key.key_id: about for key, about in learned.evidence}
                    sources |= learned.sources
        except TimeoutError:  # what is missing is told as unknown
            pass
        return evidence, sources

    async def _relatives(self, found: _Found) -> tuple[Relative, ...]:
        return tuple(await asyncio.gather(*(self._relative(found.access, arn) for arn in found.described.relatives)))

    async def _relative(self, access: Access, arn: str) -> Relative:
        """Look at another key of a multi-Region key, which is of the same account."""
        region, key_id = arn.split(":")[3], arn.rpartition("/")[2]
        there = replace(access, target=Target(access.target.account_id, region))
        try:
            described = await changes.describe(self._calls, there, key_id, deadline=_deadline())
        except TargetError as error:
            return Relative(arn, error=str(error))
        return Relative(arn, described.key)

    async def _look_again(self, unfinished: Unfinished) -> Step | str:
        target = Target(unfinished.account_id, unfinished.region)
        access = self._doors.access(target)
        if access is None:
            return f"{unfinished.arn}: cancelled by an earlier run; no role of its account is known now"
        try:
            described = await changes.describe(self._calls, access, unfinished.key_id, deadline=_deadline())
        except TargetError as error:
            return f"{unfinished.arn}: cancelled by an earlier run; {error}"
        return self.step(access, _plain_facts(access, described.key, self._now()))


def _plain_facts(access: Access, key: Key, now: float) -> Facts:
    return Facts(target=access.target, key=key, now=now, account_name=access.account_name)


def _all_or_problems(answers: Sequence[T | str]) -> list[T]:
    problems = [answer for answer in answers if isinstance(answer, str)]
    if problems:
        raise ConfigError("\n".join(problems))
    return [answer for answer in answers if not isinstance(answer, str)]


def _problem(name: KeyName, reason: str, accepted: str = ACCEPTED) -> str:
    return line("KEY", quote(name.text), "command line", reason, accepted)


def _deadline() -> float:
    return asyncio.get_running_loop().time() + _CALL_TIME
