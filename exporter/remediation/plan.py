"""What will be done to each key, and what is known of it: decided, and shown, before the first change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.aws.calls import Access
from exporter.facts import Facts
from exporter.model import Key


class Action(StrEnum):
    """What is to be done to a key."""

    SAVE = "cancel_and_enable"
    CANCEL = "cancel"
    """It is left disabled, as was asked for."""
    ENABLE = "enable"
    """An earlier run on the same record cancelled its deletion and came no further."""
    NOTHING = "nothing"

    @property
    def cancels(self) -> bool:
        """Whether CancelKeyDeletion is sent."""
        return self in {Action.SAVE, Action.CANCEL}

    @property
    def enables(self) -> bool:
        """Whether EnableKey is sent."""
        return self in {Action.SAVE, Action.ENABLE}


@dataclass(frozen=True, slots=True)
class Relative:
    """Another key of the same multi-Region key: each has a deletion, and a rescue, of its own.

    Attributes:
        key: None where it could not be described.
        error: why.
    """

    arn: str
    key: Key | None = None
    error: str = ""

    @property
    def needs_a_look(self) -> bool:
        """Whether it is pending too, or may be for all that is known."""
        return self.key is None or self.key.pending


@dataclass(frozen=True, slots=True)
class Step:
    """One key of the plan.

    Attributes:
        access: where the key is, and the identity that changes it.
        through: the ARN of the role of that identity, `""` for the caller's own credentials.
    """

    access: Access
    through: str
    facts: Facts
    action: Action
    relatives: tuple[Relative, ...] = ()

    @property
    def arn(self) -> str:
        """The key."""
        return self.facts.key.arn


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be done.

    Attributes:
        unchecked: a line for each account, region or key that could not be looked at: what is pending there is not in
            this plan.
    """

    steps: tuple[Step, ...]
    unchecked: tuple[str, ...] = ()

    @property
    def to_change(self) -> Sequence[Step]:
        """The steps that change a key."""
        return [step for step in self.steps if step.action is not Action.NOTHING]

    @property
    def others_pending(self) -> Sequence[tuple[Step, Relative]]:
        """Keys of the same multi-Region keys that are, or may be, pending and that no step saves."""
        saved = {step.arn for step in self.to_change}
        found = {
            relative.arn: (step, relative)
            for step in self.steps
            for relative in step.relatives
            if relative.needs_a_look and relative.arn not in saved
        }
        return list(found.values())


def decide(key: Key, *, enable: bool, ours: bool) -> Action:
    """Say what a key as it is now needs.

    Args:
        key: the key.
        enable: whether saved keys are to be enabled.
        ours: whether the record shows that an earlier run cancelled the deletion and did not enable the key. A key that
            somebody else disabled is none of our business.
    """
    if key.pending:
        return Action.SAVE if enable else Action.CANCEL
    # Not only `Disabled`: material may have been imported, or a custom key store connected, since.
    return Action.ENABLE if enable and ours and key.state != "Enabled" else Action.NOTHING


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps, those first whose keys AWS deletes first, each key once."""
    by_arn = {step.arn: step for step in steps}
    return tuple(sorted(by_arn.values(), key=_urgency))


def _urgency(step: Step) -> tuple[bool, float, str]:
    at = step.facts.deletion_at
    return at is None, at or 0.0, step.arn
