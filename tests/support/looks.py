"""What a look at AWS may have found, made by hand."""

from collections.abc import Iterable, Mapping
from typing import Any

from exporter.aws.caller import Caller
from exporter.aws.calls import Access
from exporter.model import Deletion, Evidence, Key, Keys, Snapshot, Source, Target, TargetState, Unreadable, frozen
from exporter.oneshot import Look, Scope
from tests.support.snapshots import DAY, NOW

HERE = Target("111122223333", "eu-west-1")
THERE = Target("222233334444", "us-east-1")
CALLER = Caller("111122223333", "arn:aws:sts::111122223333:assumed-role/Auditor/alice", "AROAEXAMPLE:alice")


def a_key(key_id: str = "abc", *, left: float | None = 20 * DAY, target: Target = HERE, **facts: Any) -> Key:
    """Return a key that is pending deletion, `left` seconds from now; None for one that is not."""
    pending = {} if left is None else {"deletion": Deletion(at=NOW + left)}
    return Key(
        key_id,
        f"arn:aws:kms:{target.region}:{target.account_id}:key/{key_id}",
        facts.pop("state", "Enabled" if left is None else "PendingDeletion"),
        **{**pending, **facts},
    )


def a_state(
    *keys: Key,
    target: Target = HERE,
    evidence: Mapping[str, Evidence] | None = None,
    unreadable: Mapping[str, str] | None = None,
    sources: Mapping[Source, str] | None = None,
    **facts: Any,
) -> TargetState:
    """Return a target that was read."""
    known = Keys(by_id=frozen({key.key_id: key for key in keys}), evidence=frozen(evidence))
    reasons = {key_id: Unreadable(reason, NOW) for key_id, reason in (unreadable or {}).items()}
    return TargetState(
        target,
        **{
            "keys": known,
            "up": True,
            "last_success": NOW - 1,
            "unreadable": frozen(reasons),
            "sources": frozen(sources),
            **facts,
        },
    )


def a_look(
    *states: TargetState,
    account_errors: Mapping[str, str] | None = None,
    organization_error: str = "",
    caller: Caller | None = CALLER,
    caller_error: str = "",
    scope: Scope | None = None,
) -> Look:
    """Return a look that found targets in these states, entered with the caller's own credentials."""
    return Look(
        scope=scope or Scope(),
        caller=caller,
        caller_error=caller_error,
        snapshot=Snapshot(taken_at=NOW, targets=states, account_errors=frozen(account_errors)),
        organization_error=organization_error,
        accesses={state.target: Access(state.target, _NOBODY) for state in states},
        roles=_roles(states),
        started=NOW - 10,
        ended=NOW,
    )


def _roles(states: Iterable[TargetState]) -> Mapping[str, str]:
    return {state.target.account_id: "" for state in states}


class Nobody:
    """An identity that is never asked for credentials."""

    async def credentials(self) -> Any:
        raise NotImplementedError

    def refused(self, credentials: Any) -> None:
        raise NotImplementedError


_NOBODY = Nobody()
