"""Every query means something, and finds something in the demo's week."""

import re
from dataclasses import dataclass

import promql_parser as promql
import pytest

from tests.dashboards.boards import Prometheus, Question, board, filled, questions
from tests.rules.declared import SCRAPE_LABELS, declared_metrics
from tests.rules.promql_labels import LabelReader, Labels, UnknownLabelError, UnknownMetricError

every_question = pytest.mark.parametrize("question", tuple(questions()), ids=str)

OF_PROMETHEUS = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}


@dataclass(frozen=True)
class PanelLabels(LabelReader):
    """Also knows what `label_replace` makes."""

    def _call(self, node: promql.Call) -> Labels:
        if node.func.name != "label_replace":
            return super()._call(node)
        series, made, _, source, _ = node.args
        labels = self._of(series)
        self._require([source.val], labels, str(node))
        return labels | {made.val}


def labels_of_metric(name: str) -> Labels:
    if name in OF_PROMETHEUS:
        return SCRAPE_LABELS
    declared = declared_metrics()
    sample = re.sub(r"_(bucket|sum|count)$", "", name)
    for candidate in (name, sample, re.sub(r"_total$", "", name)):
        if candidate in declared:
            return declared[candidate] | SCRAPE_LABELS | ({"le"} if name.endswith("_bucket") else set())
    if name.startswith(("process_", "python_")):
        return SCRAPE_LABELS
    raise UnknownMetricError(name)


READER = PanelLabels(labels_of_metric)


@every_question
def test_query_uses_declared_metrics_and_labels_only(question: Question) -> None:
    told = READER.of(filled(question.expr))
    assert set(re.findall(r"\{\{(\w+)\}\}", question.legend)) <= told


@pytest.mark.parametrize(
    ("expr", "error"),
    [
        ("kms_key_pending_deletoin", UnknownMetricError),
        ("max by (acount_id) (kms_key_state)", UnknownLabelError),
        ('label_replace(kms_key_state, "name", "$1", "alais", "(.*)")', UnknownLabelError),
    ],
)
def test_misspelling_is_found(expr: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        READER.of(expr)


def test_variables_use_declared_metrics_and_labels_only() -> None:
    for uid in ("kms-deletions", "kms-exporter"):
        for variable in board(uid)["templating"]["list"]:
            if variable["type"] != "query":
                continue
            if listed := re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]):
                assert listed[2] in READER.of(filled(listed[1]))
            else:
                READER.of(variable["query"].removeprefix("query_result(").removesuffix(")"))


@pytest.mark.parametrize("export", ["customer", "pending"])
@every_question
def test_query_finds_something(question: Question, export: str, weeks: dict[str, Prometheus]) -> None:
    found = weeks[export].answer(question)
    assert found
    values = [series["value"][1] if "value" in series else series["values"][-1][1] for series in found]
    assert set(values) != {"NaN"}


@pytest.mark.parametrize("question", tuple(questions("kms-deletions", "kms-fleet")), ids=str)
def test_second_replica_changes_nothing_that_is_known_of_keys(question: Question, weeks: dict[str, Prometheus]) -> None:
    assert weeks["doubled"].answer(question) == weeks["customer"].answer(question)


@every_question
def test_without_exporter_nothing_looks_calm(question: Question, week: Prometheus) -> None:
    before_anything_ran = week.end - 30 * 86400
    assert week.now(filled(question.expr), at=before_anything_ran) == []
