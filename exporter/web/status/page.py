"""The page at `/`: what is about to be destroyed and why, and what could not be checked."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.acknowledgements import Acknowledgements, Rule
from exporter.facts import Facts, pending_facts
from exporter.model import ConfigView, Snapshot
from exporter.times import age, minute
from exporter.web.status.changes import latest_changes
from exporter.web.status.pending import PendingRow
from exporter.web.status.query import PageQuery
from exporter.web.status.selection import Page, select
from exporter.web.status.targets import Trouble, select_targets, trouble
from exporter.web.status.visible import breakable, visible

REFRESH_SECONDS: Final = 30
"""How often the page refreshes itself."""

_MAX_CHOICES: Final = 100
_MAX_EXPIRED: Final = 20
_MAX_UNWATCHED: Final = 100


@dataclass(frozen=True, slots=True)
class Summary:
    """All pending keys in numbers, whatever the filters.

    Attributes:
        accounts: id and text of each account that has pending keys.
        regions: the same of each region.
        expired: pending keys whose acknowledgement has expired.
    """

    pending: int
    needed: int
    unacknowledged: int
    accounts: Sequence[tuple[str, str]]
    regions: Sequence[tuple[str, str]]
    expired: Sequence[Facts]


class StatusPage:
    """Renders the page; everything it needs is in the page itself."""

    def __init__(self, *, telemetry_path: str, runbook_url: str = "") -> None:
        """Load template, style and script from the package; the links are shown as given, `""` for none."""
        environment = Environment(
            loader=PackageLoader("exporter.web"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=visible,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["breakable"] = breakable
        environment.filters["ago"] = lambda moment, now: age(now - moment)
        style, script = _file("status.css"), _file("status.js")
        self._render = partial(
            environment.get_template("status.html").render,
            style=Markup(style),  # noqa: S704 - the package's own file
            script=Markup(script),  # noqa: S704 - the package's own file
            version=_hash(style + script),
            telemetry_path=telemetry_path,
            runbook_url=runbook_url,
            refresh_seconds=REFRESH_SECONDS,
        )
        # `connect-src` lets the script fetch the page itself anew; `data:` is the icon, which is none.
        self.headers: Mapping[str, str] = {
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_hash(style)}'; "
            f"script-src 'sha256-{_hash(script)}'; connect-src 'self'; img-src data:; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def render(
        self,
        snapshot: Snapshot,
        query: PageQuery,
        *,
        acknowledgements: Acknowledgements,
        unmatched: Iterable[Rule] = (),
        now: float,
    ) -> bytes:
        """Return the page.

        It looks at every key, so with 100,000 of them it belongs in a worker thread.

        Args:
            snapshot: what is known.
            query: what is wanted of it.
            acknowledgements: the deletions that are declared intended.
            unmatched: those of them that are about no key.
            now: Unix seconds.
        """
        pending = list(pending_facts(snapshot, acknowledgements, now))
        selected = select(pending, query)
        page = self._render(
            query=query,
            now=now,
            snapshot=snapshot,
            taken=minute(snapshot.taken_at),
            taken_ago=age(now - snapshot.taken_at),
            read=any(state.keys is not None for state in snapshot.targets),
            known=sum(len(state.keys.by_id) for state in snapshot.targets if state.keys is not None),
            summary=_summary(pending),
            max_choices=_MAX_CHOICES,
            max_expired=_MAX_EXPIRED,
            max_unwatched=_MAX_UNWATCHED,
            pending=Page([PendingRow(facts) for facts in selected.rows], selected.number, selected.total),
            targets=select_targets(snapshot.targets, query, now),
            unchecked=_unchecked(snapshot),
            unmatched=list(unmatched),
            changes=latest_changes(snapshot, query, now),
        )
        # What AWS answered may hold lone surrogates, which have no bytes.
        return page.encode("utf-8", "replace")


def _summary(pending: Sequence[Facts]) -> Summary:
    accounts = ((facts.target.account_id, facts.account_name) for facts in pending)
    return Summary(
        pending=len(pending),
        needed=sum(facts.needed for facts in pending),
        unacknowledged=sum(not facts.acknowledged for facts in pending),
        accounts=sorted({(account, f"{name} {account}".strip()) for account, name in accounts}),
        regions=sorted({(facts.target.region, facts.target.region) for facts in pending}),
        expired=[facts for facts in pending if facts.acknowledgement and not facts.acknowledged],
    )


def _unchecked(snapshot: Snapshot) -> int:
    """Return how many targets and accounts could not be checked in full, or are known to hold keys and not watched."""
    config = snapshot.config or ConfigView()
    return (
        sum(trouble(state) >= Trouble.UNTRIED for state in snapshot.targets)
        + len(snapshot.account_errors)
        + (snapshot.organization is False)
        + bool(config.error)
        + len({key.target for key in config.unwatched or ()})
    )


def _file(name: str) -> str:
    return resources.files("exporter.web").joinpath("templates", name).read_text("utf-8")


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
