"""The states of a key as the dashboards show them."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.builder import panels
from grafana.builder.promql import in_state

STATES: Final = {
    "Enabled": (1, "green"),
    "Disabled": (2, "blue"),
    "PendingImport": (3, "super-light-blue"),
    "Unavailable": (4, "yellow"),
    "PendingReplicaDeletion": (5, "purple"),
    "PendingDeletion": (6, "orange"),
    "Creating": (8, "text"),
    "Updating": (9, "text"),
}
"""AWS's state to its number in queries, since panels colour numbers, and to its colour."""

DELETED: Final = (7, "red")
"""The number and colour of the exporter's tombstone."""

_NAMES: Final = {
    "PendingImport": "Pending import",
    "PendingReplicaDeletion": "Waiting for replicas",
    "PendingDeletion": "Pending deletion",
}


def numbered() -> str:
    """Select the keys in any known state, with the state's number for their value."""
    return " or ".join(f"{number} * {in_state(state)}" for state, (number, _) in STATES.items())


def names() -> dict[str, str]:
    """Return how people read the states whose AWS names run words together."""
    return dict(_NAMES)


def colors() -> dict[str, str]:
    """Return the colour of each state, by its AWS name."""
    return {state: color for state, (_, color) in STATES.items()}


def mapping(*, deleted: bool = False) -> model.ValueMap:
    """Show the numbers of all states as words, and the tombstone's number too with `deleted`."""
    shown = {str(number): (_NAMES.get(state, state), color) for state, (number, color) in STATES.items()}
    if deleted:
        shown[str(DELETED[0])] = ("Deleted", DELETED[1])
    return panels.value_map(shown)
