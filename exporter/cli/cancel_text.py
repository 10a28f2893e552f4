"""What `cancel-deletion` says about a plan and its results."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from exporter.cli.cancel_facts import Line, Tone, moment, relative_key, scheduled, title
from exporter.remediation.journal import Journal
from exporter.remediation.plan import Action, Plan
from exporter.remediation.results import Outcome, Result

_ENDED: Final = {
    Outcome.SAVED: "saved: its deletion is cancelled and it is enabled",
    Outcome.LEFT_DISABLED: "its deletion is cancelled; left disabled, as --no-enable says",
    Outcome.UNCHANGED: "nothing to cancel",
    Outcome.NOT_ENABLED: "CANCELLED BUT NOT ENABLED: it serves nobody",
    Outcome.NEEDS_MATERIAL: "CANCELLED BUT NOT USABLE: it needs its key material imported again",
    Outcome.UNAVAILABLE: "CANCELLED BUT NOT USABLE: its custom key store is not connected",
    Outcome.STILL_PENDING: "NOT SAVED: it is still pending deletion",
    Outcome.GONE: "LOST: AWS has deleted it",
    Outcome.UNKNOWN: "NOT VERIFIED: nobody answers how it stands",
    Outcome.INTERRUPTED: "INTERRUPTED: how it stands was not verified",
    Outcome.NOT_REACHED: "NOT SAVED: stopped before its turn",
}


def intention(plan: Plan) -> str:
    """Say what will be done, in one sentence for somebody who is about to agree."""
    counts = Counter(step.action for step in plan.to_change)
    parts = [
        f"{verb} {_keys(counts[action])}"
        for action, verb in (
            (Action.SAVE, "cancel the deletion of, and enable,"),
            (Action.CANCEL, "cancel the deletion of, and leave disabled,"),
            (Action.ENABLE, "enable"),
        )
        if counts[action]
    ]
    return " and ".join(parts)


def phrase(plan: Plan) -> str:
    """Return what has to be typed to agree to a plan for everything."""
    count = sum(step.action.cancels for step in plan.to_change)
    if not count:
        return f"enable {_keys(len(plan.to_change))}"
    return f"cancel {count} {'deletion' if count == 1 else 'deletions'}"


def of_gaps(plan: Plan) -> Iterator[Line]:
    """Say what could not be looked at."""
    if plan.unchecked:
        count = len(plan.unchecked)
        what = "1 place could not be checked: a key" if count == 1 else f"{count} places could not be checked: a key"
        yield Line(f"{what} that is pending there is not in this list", Tone.BAD)
        for gap in plan.unchecked:
            yield Line(f"  {gap}", Tone.BAD)


def of_result(result: Result) -> Iterator[Line]:
    """Say what became of a key."""
    tone = Tone.GOOD if result.outcome.good else Tone.BAD
    facts = result.step.facts
    yield Line(f"{title(result.step)}  {_ENDED[result.outcome]}", tone)
    if result.detail:
        yield Line(f"  {result.detail}", tone)
    yield Line(f"  {facts.key.arn}")
    before, after = facts.key.state, result.after.state if result.after else "not known"
    yield Line(f"  {before} -> {after}", Tone.QUIET)
    if facts.evidence.scheduling:
        yield Line(f"  scheduled {scheduled(facts)}", Tone.QUIET)
    for change in result.changes:
        request = f"request {change.request_id}" if change.request_id else "its answer was lost"
        yield Line(f"  {change.operation} at {moment(change.at)}, {request}", Tone.QUIET)
    for command in _next_commands(result):
        yield Line(f"  next: {command}", Tone.STRONG)


def summary(plan: Plan, results: Sequence[Result], *, brief: bool = False) -> Iterator[Line]:
    """Tell each key's result, those that need somebody last, then the sum; `brief` about keys that need nobody."""
    for result in sorted(results, key=lambda result: not result.outcome.good):
        if brief and result.outcome.good:
            yield Line(f"{title(result.step)}  {_ENDED[result.outcome]}  ({result.step.arn})", Tone.GOOD)
        else:
            yield from of_result(result)
    for step, relative in plan.others_pending:
        yield Line(f"of the same multi-Region key as {title(step)}: {relative_key(relative)}", Tone.BAD)
        yield Line("  it needs a rescue of its own", Tone.BAD)
        yield Line(f"  next: kms-exporter cancel-deletion {relative.arn} --reason 'WHY'", Tone.STRONG)
    yield from of_gaps(plan)
    yield from _sum(results)


def _sum(results: Sequence[Result]) -> Iterator[Line]:
    good = [result for result in results if result.outcome.good]
    if len(good) == len(results):
        yield Line(f"{_keys(len(results))}: all as it was asked for", Tone.GOOD)
        return
    yield Line(f"{_keys(len(results))}: {len(good)} as it was asked for, {len(results) - len(good)} NOT", Tone.BAD)
    counts = Counter(result.outcome for result in results if not result.outcome.good)
    for outcome in Outcome:
        if counts[outcome]:
            yield Line(f"  {counts[outcome]}: {_ENDED[outcome]}", Tone.BAD)


def heading(journal: Journal) -> Iterator[Line]:
    """Say whose summary it is."""
    yield Line(f"cancel-deletion, {moment(journal.now())}, run {journal.run}")
    yield Line(f"by {journal.caller}")
    yield Line(f"reason: {journal.reason}")
    if journal.ticket:
        yield Line(f"ticket: {journal.ticket}")
    yield Line("")


def _keys(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"


def _next_commands(result: Result) -> Iterator[str]:
    """Yield the commands that bring a key further."""
    step, region = result.step, result.step.facts.target.region
    key = f"--region {region} --key-id {step.arn}"
    match result.outcome:
        case Outcome.NOT_ENABLED | Outcome.LEFT_DISABLED:
            yield f"aws kms enable-key {key}"
        case Outcome.NEEDS_MATERIAL:
            how = "--wrapping-algorithm RSAES_OAEP_SHA_256 --wrapping-key-spec RSA_4096"
            yield f"aws kms get-parameters-for-import {key} {how}"
        case Outcome.STILL_PENDING | Outcome.INTERRUPTED | Outcome.NOT_REACHED:
            yield f"kms-exporter cancel-deletion {step.arn} --reason 'WHY'"
        case Outcome.UNKNOWN:
            yield f"aws kms describe-key {key}"
