"""Draws what goes wrong when: the same seed draws the same schedule."""

import random
from dataclasses import dataclass

from exporter.model import Target

EVERYWHERE = (
    "endpoint_dead",
    "connect_hang",
    "dns_failure",
    "sts_down",
    "sts_hang",
    "sessions_expired",
    "sessions_revoked",
    "role_denied",
    "account_leaves",
    "clock_jump",
    "reload_good",
    "reload_bad",
    "reload_storm",
    "reload_while_dead",
    "terminate",
    "kill",
    "restart_while_dead",
    "everything_500",
    "memory_pressure",
)
"""What concerns all targets or the process itself: one at a time."""
IN_ONE_PLACE = (
    "hang",
    "hang_after_headers",
    "trickle",
    "latency",
    "truncate",
    "garble",
    "close",
    "internal_error",
    "throttle",
    "quota",
    "deny",
    "deny_one_key",
    "wrong_types",
    "missing_members",
    "unknown_enums",
    "empty_list",
    "region_disabled",
    "cloudtrail_down",
    "cloudtrail_hang",
    "cloudtrail_throttled",
    "cloudtrail_trickle",
)
"""What concerns the keys of one target, one account or one region: several at a time."""
KINDS = EVERYWHERE + IN_ONE_PLACE


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault.

    Attributes:
        start: seconds after the begin of the campaign.
        end: the same.
        target: where, of the faults in one place.
        wide: whether it concerns the target's region in every account.
        share: of the requests concerned, between 0 and 1.
        dice: a number between 0 and 1, of whatever else there is to choose.
    """

    start: float
    end: float
    kind: str
    target: Target
    wide: bool
    share: float
    dice: float

    def __str__(self) -> str:
        place = f"{'*' if self.wide else self.target.account_id}/{self.target.region}"
        return f"{self.start:7.1f}-{self.end:7.1f} {self.kind} {place} share {self.share:.1f} dice {self.dice:.2f}"


@dataclass(frozen=True, slots=True)
class Tempo:
    """How fast things follow on each other, in seconds.

    Attributes:
        shortest: a fault.
        longest: a fault, but for one in eight, which outlasts `keep_failed`.
        outlasting: such a fault.
        calm: at least, between two faults of a lane.
    """

    shortest: float
    longest: float
    outlasting: float
    calm: float


def draw(
    rng: random.Random, seconds: float, targets: list[Target], tempo: Tempo, *, lanes: int = 2, only: str = ""
) -> list[Planned]:
    """Draw a schedule that ends within `seconds`: a lane of faults everywhere, and `lanes` of faults in one place.

    Kinds, or those that `only` names, are drawn from a shuffled deck, so that each has its turn before any has another.
    """
    schedule: list[Planned] = []
    for possible in (EVERYWHERE, *(IN_ONE_PLACE[lane::lanes] for lane in range(lanes))):
        kinds = [kind for kind in possible if not only or kind in only.split(",")]
        if not kinds:
            continue
        deck: list[str] = []
        at = tempo.calm + rng.uniform(0, tempo.calm)
        while True:
            deck = deck or rng.sample(kinds, len(kinds))
            kind = deck.pop()
            lasts = rng.uniform(tempo.shortest, tempo.longest)
            if rng.random() < 1 / 8:
                lasts = tempo.outlasting
            if at + lasts > seconds - tempo.calm:
                break
            schedule.append(
                Planned(
                    at,
                    at + lasts,
                    kind,
                    rng.choice(targets),
                    rng.random() < 1 / 3,
                    rng.choice([0.3, 1.0]),
                    rng.random(),
                )
            )
            at += lasts + tempo.calm + rng.expovariate(1 / tempo.calm)
    return sorted(schedule, key=lambda planned: planned.start)
