"""The dashboards as they are shipped, and the questions that they ask of Prometheus."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx

FOLDER: Final = Path(__file__).parents[2] / "grafana" / "dashboards"
UIDS: Final = ("kms-deletions", "kms-fleet", "kms-exporter")

WEEK: Final = 7 * 86400
STEP: Final = 3600


@cache
def board(uid: str) -> Any:
    """Return a dashboard."""
    return json.loads((FOLDER / f"{uid}.json").read_text(encoding="utf-8"))


def panels(uid: str) -> list[Any]:
    """Return the panels of a dashboard that show something."""
    return [panel for panel in board(uid)["panels"] if panel["type"] != "row"]


def panel(uid: str, title: str) -> Any:
    (found,) = (panel for panel in panels(uid) if panel["title"] == title)
    return found


@dataclass(frozen=True)
class Question:
    """A query of a panel or an annotation."""

    uid: str
    title: str
    ref: str
    expr: str
    legend: str
    over_time: bool

    def __str__(self) -> str:
        return f"{self.uid}: {self.title} {self.ref}"


def questions(*uids: str) -> Iterator[Question]:
    """Yield what the panels and annotations of dashboards ask; of all without `uids`."""
    for uid in uids or UIDS:
        for one in panels(uid):
            for target in one["targets"]:
                yield Question(
                    uid,
                    one["title"],
                    target["refId"],
                    target["expr"],
                    target["legendFormat"].replace("__auto", ""),
                    bool(target.get("range")),
                )
        for mark in board(uid)["annotations"]["list"]:
            yield Question(uid, mark["name"], "mark", mark["expr"], mark["textFormat"] + mark["tagKeys"], True)


def filled(expr: str, **chosen: str) -> str:
    """Replace the variables as Grafana would, for a range of a week in steps of an hour."""
    values = {
        "__interval_ms": f"{STEP}000",
        "__interval": f"{STEP}s",
        "__rate_interval": "4m",
        "__range": f"{WEEK}s",
        "account": ".*",
        "region": ".*",
        "alias": ".*",
        **chosen,
    }
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${name}", values[name])
    return expr


@dataclass(frozen=True)
class Prometheus:
    """A server with a recorded week, asked about its end."""

    url: str
    end: float

    def now(self, expr: str, at: float | None = None) -> list[Any]:
        """Return the series of an instant query at the end of the week."""
        return self._ask("query", {"query": expr, "time": at or self.end})

    def over_time(self, expr: str) -> list[Any]:
        """Return the series of a range query over the week."""
        return self._ask("query_range", {"query": expr, "start": self.end - WEEK, "end": self.end, "step": STEP})

    def answer(self, question: Question, **chosen: str) -> list[Any]:
        """Return the series that a question finds, over the week or at its end."""
        expr = filled(question.expr, **chosen)
        return self.over_time(expr) if question.over_time else self.now(expr)

    def number(self, uid: str, title: str, **chosen: str) -> float:
        """Return what a panel of one number shows."""
        (target,) = panel(uid, title)["targets"]
        (series,) = self.now(filled(target["expr"], **chosen))
        return float(series["value"][1])

    def rows(self, uid: str, title: str, ref: str, **chosen: str) -> list[Mapping[str, str]]:
        """Return the labels of the rows that one query gives a table."""
        (target,) = (target for target in panel(uid, title)["targets"] if target["refId"] == ref)
        return [series["metric"] for series in self.now(filled(target["expr"], **chosen))]

    def _ask(self, path: str, parameters: dict[str, Any]) -> list[Any]:
        answer = httpx.post(f"{self.url}/api/v1/{path}", data=parameters, timeout=60, trust_env=False).json()
        assert answer["status"] == "success", answer
        found: list[Any] = answer["data"]["result"]
        return found
