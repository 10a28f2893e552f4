"""Which deletions are declared intended: by the configuration, or by a tag that was set before they were scheduled.

A declaration calms, it never hides: keys stay in every list, and only how loudly they are told of changes.
"""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from math import inf
from typing import TYPE_CHECKING, Final, Self

from exporter.model import HOME, Evidence, Key, Keys, Snapshot, Target

if TYPE_CHECKING:
    from exporter.settings import Settings

_NO: Final = frozenset({"", "0", "false", "no", "none", "n"})
"""Values of the tag that approve nothing."""
_PART: Final = re.compile(r"\b(until|ticket|by)=(\S+)")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A deletion declared intended.

    Attributes:
        reason: why.
        approved_by: who says so, `""` when nobody is named.
        ticket: where it was decided, `""` without one.
        until: when it stops to count, Unix seconds; infinity without an end.
        source: where it was declared: `configuration`, or `tag NAME`.
    """

    reason: str
    approved_by: str = ""
    ticket: str = ""
    until: float = inf
    source: str = "configuration"

    def holds(self, now: float) -> bool:
        """Whether it counts at `now`: one that has expired counts as none."""
        return now < self.until


@dataclass(frozen=True, slots=True)
class Rule:
    """An acknowledgement of the configuration with what it is about.

    Attributes:
        key: the pattern as it was written.
        account_id: `""` for any.
        region: `""` for any.
    """

    key: str
    account_id: str
    region: str
    pattern: re.Pattern[str]
    acknowledgement: Acknowledgement

    def covers(self, target: Target) -> bool:
        """Whether it may be about keys of `target`."""
        return self.account_id in {"", target.account_id} and self.region in {"", target.region}

    def matches(self, key: Key) -> bool:
        """Whether the pattern is the key's ARN, its id or one of its aliases."""
        return any(self.pattern.match(name) for name in (key.arn, key.key_id, *key.aliases))

    def __str__(self) -> str:
        where = [part for part in (self.account_id, self.region) if part]
        return f"{self.key} ({', '.join(where)})" if where else self.key


class Acknowledgements:
    """Everything that declares deletions intended."""

    def __init__(self, rules: Sequence[Rule] = (), tag: str = "", *, sharded: bool = False) -> None:
        """Let `rules` of the configuration and the tag named `tag` (`""`: none) declare.

        Who is `sharded` knows some of the targets, and the keys that a rule is about may be in others.
        """
        self._rules = tuple(rules)
        self._tag = tag
        self._sharded = sharded

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """Read them off the configuration."""
        return cls(
            [
                Rule(
                    key=declared.key,
                    account_id=declared.account,
                    region=declared.region,
                    pattern=re.compile(translate(declared.key)),
                    acknowledgement=Acknowledgement(
                        reason=declared.reason,
                        approved_by=declared.approved_by,
                        ticket=declared.ticket,
                        until=_end_of(declared.until),
                    ),
                )
                for declared in settings.deletions.acknowledgements
            ],
            settings.deletions.acknowledgement_tag,
            sharded=settings.shard.total > 1,
        )

    def of_key(self, target: Target, key: Key, evidence: Evidence | None) -> Acknowledgement | None:
        """Return the declaration about a key that holds longest, which may have expired; None without one."""
        found = [rule.acknowledgement for rule in self._rules if rule.covers(target) and rule.matches(key)]
        if evidence is not None and evidence.approval is not None and evidence.approval_tag == self._tag != "":
            found += read_approval(evidence.approval, source=f"tag {self._tag}")
        return max(found, key=lambda declared: declared.until, default=None)

    def unmatched(self, snapshot: Snapshot) -> tuple[Rule, ...]:
        """Return the rules that are about no key that is known: typing errors, or keys that are gone.

        A rule is only told of when every target that it covers was read, and no account that it covers is missing
        because it could not be entered or listed: what was not read may hold its key. A shard can't tell.
        """
        if self._sharded:
            return ()
        return tuple(rule for rule in self._rules if not _may_match(rule, snapshot))


def read_approval(value: str, *, source: str) -> Iterable[Acknowledgement]:
    """Read the value of the acknowledgement tag: a reason, in which `until=`, `ticket=` and `by=` are understood.

    `until` is the last day (UTC) on which it counts. Where it is no day, nothing is declared: who wrote it wanted an
    end, and an end that nobody can read must not mean "never". Neither do `false`, `no` and an empty value approve,
    whoever says so and under whatever ticket.
    """
    parts = dict(_PART.findall(value))
    reason = " ".join(_PART.sub("", value).split())
    if reason.lower() in _NO and (reason or not parts):
        return ()
    until = inf
    if "until" in parts:
        try:
            until = _end_of(dt.date.fromisoformat(parts["until"]))
        except ValueError:
            return ()
    return (
        Acknowledgement(
            reason=reason, approved_by=parts.get("by", ""), ticket=parts.get("ticket", ""), until=until, source=source
        ),
    )


def _end_of(day: dt.date) -> float:
    """Return the end of a day in UTC, in Unix seconds; infinity for the last day that there is."""
    if day == dt.date.max:
        return inf
    following = day + dt.timedelta(days=1)
    return dt.datetime.combine(following, dt.time.min, dt.UTC).timestamp()


def _may_match(rule: Rule, snapshot: Snapshot) -> bool:
    covered = [state for state in snapshot.targets if rule.covers(state.target)]
    unread = any(state.keys is None or not state.keys.complete or state.unreadable for state in covered)
    known = any(_matches_any(rule, state.keys) for state in covered if state.keys is not None)
    return unread or known or not snapshot.targets or _may_lack_targets(rule, snapshot)


def _may_lack_targets(rule: Rule, snapshot: Snapshot) -> bool:
    """Whether targets that a rule covers may be unknown, since an account, or the organization, could not be asked."""
    failed = snapshot.account_errors.keys()
    concerned = failed & {rule.account_id, HOME} if rule.account_id else failed
    return bool(concerned) or snapshot.organization is False


def _matches_any(rule: Rule, keys: Keys) -> bool:
    return rule.key in keys.by_id or any(rule.matches(key) for key in keys.by_id.values())
