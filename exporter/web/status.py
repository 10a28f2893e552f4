"""The page at `/`: what is about to be destroyed, and what could not be checked."""

import heapq
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from math import inf
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.exposition.families import SECONDS_PER_DAY, days_left
from exporter.model import Key, Snapshot, TargetState
from exporter.web.times import age, rfc3339

MAX_ROWS: Final = 500
"""Rows of a table, at most; the page says how many there are in all."""

_SOON_DAYS: Final = 2
_NEAR_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A key on its way to deletion, in words."""

    key: Key
    state: TargetState
    now: float

    @property
    def deletion_at(self) -> float | None:
        """When AWS may delete the key; None while that clock has not started."""
        return self.key.deletion.at if self.key.deletion else None

    @property
    def date(self) -> str:
        """When AWS may delete the key, or what has to happen before that is known."""
        window = self.key.deletion.window if self.key.deletion else None
        if window is not None:
            return f"{window / SECONDS_PER_DAY:g} days after its last replica"
        return rfc3339(self.deletion_at) or "unknown"

    @property
    def left(self) -> str:
        """How long that is."""
        if self.deletion_at is None:
            return "not started"
        days = days_left(self.deletion_at, self.now)
        if days < 0:
            return "due now"
        return f"{days:.1f} days" if days >= 1 else age(self.deletion_at - self.now)

    @property
    def urgency(self) -> str:
        """The style class."""
        days = inf if self.deletion_at is None else days_left(self.deletion_at, self.now)
        return "soon" if days < _SOON_DAYS else "near" if days < _NEAR_DAYS else "calm"


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target, in words."""

    state: TargetState
    now: float

    @property
    def trouble(self) -> int:
        """How much of the target could not be checked: 2 a pass, 1 some keys, 0 nothing."""
        return 2 if self.state.up is False else int(bool(self.state.unreadable))

    @property
    def status(self) -> str:
        """How the last pass went."""
        match self.state.up:
            case True:
                return "could not check every key" if self.state.unreadable else "checked"
            case False:
                return "could not check"
            case None:
                return "not checked yet"

    @property
    def urgency(self) -> str:
        """The style class."""
        return ("good" if self.state.up else "calm", "near", "soon")[self.trouble]

    @property
    def checked(self) -> str:
        """When the last pass succeeded."""
        return "never" if self.state.last_success is None else f"{age(self.now - self.state.last_success)} ago"

    @property
    def keys(self) -> str:
        """How many keys are known."""
        return "unknown" if self.state.keys is None else str(len(self.state.keys.by_id))

    @property
    def reasons(self) -> str:
        """Why keys could not be described."""
        return ", ".join(sorted({unreadable.reason for unreadable in self.state.unreadable.values()}))


class StatusPage:
    """Renders the page; everything it needs is in the page itself."""

    def __init__(self, *, telemetry_path: str) -> None:
        """Load the template and its style from the package."""
        environment = Environment(
            loader=PackageLoader("exporter.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = environment.get_template("status.html")
        self._telemetry_path = telemetry_path
        self._style = resources.files("exporter.web").joinpath("templates/status.css").read_text("utf-8")

    @property
    def headers(self) -> Mapping[str, str]:
        """What the browser may do with the page: show it with its own style, and nothing else."""
        style = b64encode(sha256(self._style.encode()).digest()).decode()
        return {
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def render(self, snapshot: Snapshot, *, now: float) -> bytes:
        """Return the page for `snapshot` at `now` (Unix seconds).

        It looks at every key, so with 100,000 of them it belongs in a worker thread.
        """
        pending = [
            PendingRow(key, state, now)
            for state in snapshot.targets
            if state.keys is not None
            for key in state.keys.by_id.values()
            if key.pending
        ]
        targets = [TargetRow(state, now) for state in snapshot.targets]
        page = self._template.render(
            style=Markup(self._style),  # noqa: S704 - the package's own file
            telemetry_path=self._telemetry_path,
            snapshot=snapshot,
            taken=age(now - snapshot.taken_at),
            read=any(state.keys is not None for state in snapshot.targets),
            known=sum(len(state.keys.by_id) for state in snapshot.targets if state.keys is not None),
            pending=heapq.nsmallest(MAX_ROWS, pending, key=_by_date),
            pending_total=len(pending),
            targets=heapq.nsmallest(MAX_ROWS, targets, key=lambda row: -row.trouble),
            targets_total=len(targets),
            unchecked=sum(not row.state.up or row.trouble > 0 for row in targets)
            + len(snapshot.account_errors)
            + (snapshot.organization is False),
        )
        # What AWS answered may hold lone surrogates, which have no bytes.
        return page.encode("utf-8", "replace")


def _by_date(row: PendingRow) -> tuple[float, str]:
    return (inf if row.deletion_at is None else row.deletion_at, row.key.key_id)
