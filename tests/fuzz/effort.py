"""How much is tried: little and always the same; with `--hypothesis-profile=soak` much, and never the same."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, settings

SOAK: Final = "soak"
_LONGER: Final = 100
"""How many times as much a soak tries."""

settings.register_profile(SOAK, max_examples=10_000, print_blob=True)


def soaking() -> bool:
    """Whether this is a long run."""
    return settings.get_current_profile_name() == SOAK


def tries(examples: int) -> Callable[[Any], Any]:
    """Try so many inputs, in a soak a hundred times as many. Nothing depends on how fast this machine is."""
    return settings(
        max_examples=examples * _LONGER if soaking() else examples,
        derandomize=not soaking(),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
