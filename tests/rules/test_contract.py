"""The rules stand on metrics and labels that the exporter declares, and on nothing else."""

from typing import Final

import promql_parser as promql
import pytest
import yaml

from tests.rules.declared import SCRAPE_LABELS, declared_metrics, tagged_metrics
from tests.rules.paths import PROMTOOL_TESTS
from tests.rules.promql_labels import LabelReader, Labels, UnknownLabelError, UnknownMetricError, metrics_of
from tests.rules.rule_files import ALERTS, RECORDING, Rule, identity, labels_used

IDENTIFYING: Final = frozenset({"account_id", "region", "key_id", "service", "operation", "source"})
"""The labels that may tell one alert from another; any other would make a second alert of the same thing."""

DECLARED: Final = declared_metrics()
TAGGED: Final = tagged_metrics()


def _metric_labels(recorded: dict[str, Labels]) -> LabelReader:
    def labels(metric: str) -> Labels:
        if metric in recorded:
            return recorded[metric]
        if metric in DECLARED:
            return DECLARED[metric] | SCRAPE_LABELS
        raise UnknownMetricError(f"nobody declares {metric}")

    return LabelReader(labels, lambda metric, label: metric in TAGGED and label.startswith("tag_"))


def _recorded_labels() -> dict[str, Labels]:
    """Return the labels of each recorded series; a rule may read itself, or what is recorded after it."""
    recorded: dict[str, Labels] = {
        rule["record"]: frozenset(_named_labels(rule["expr"])) - SCRAPE_LABELS for rule in RECORDING
    }
    for rule in RECORDING * 2:
        recorded[rule["record"]] = _metric_labels(recorded).of(rule["expr"])
    return recorded


def _named_labels(expression: str) -> set[str]:
    """Return every label that an expression's joins and aggregations name: what it may have, until it is read."""
    found: set[str] = set()

    def walk(node: object) -> None:
        modifier = getattr(node, "modifier", None)
        found.update(getattr(modifier, "labels", None) or ())
        found.update(getattr(modifier, "group_labels", None) or ())
        for attribute in ("lhs", "rhs", "expr"):
            if child := getattr(node, attribute, None):
                walk(child)

    walk(promql.parse(expression))
    return found


RECORDED: Final = _recorded_labels()
READER: Final = _metric_labels(RECORDED)


@pytest.mark.parametrize("rule", [*RECORDING, *ALERTS], ids=identity)
def test_expression_names_only_declared_metrics_and_labels(rule: Rule) -> None:
    READER.of(rule["expr"])


@pytest.mark.parametrize("rule", ALERTS, ids=identity)
def test_annotations_read_only_labels_that_the_expression_has(rule: Rule) -> None:
    available = READER.of(rule["expr"])
    for annotation, template in rule["annotations"].items():
        assert set(labels_used(template)) - _optional(rule) <= available, annotation


def _optional(rule: Rule) -> frozenset[str]:
    """Return the labels that a text shared by several alerts asks for and that this alert removes in any case."""
    return frozenset(name for name, value in rule["labels"].items() if value == "")


@pytest.mark.parametrize("rule", ALERTS, ids=identity)
def test_alert_is_told_apart_by_nothing_but_where_it_is_and_what_was_asked(rule: Rule) -> None:
    removed = {name for name, value in rule["labels"].items() if value == ""}
    assert READER.of(rule["expr"]) - removed <= IDENTIFYING


@pytest.mark.parametrize("rule", RECORDING, ids=identity)
def test_recorded_series_does_not_depend_on_what_scraped_it(rule: Rule) -> None:
    assert not READER.of(rule["expr"]) & SCRAPE_LABELS


def test_every_recorded_series_is_used() -> None:
    used = frozenset().union(*(metrics_of(rule["expr"]) for rule in ALERTS))
    by_recordings = frozenset().union(*(metrics_of(rule["expr"]) - {rule["record"]} for rule in RECORDING))
    assert {rule["record"] for rule in RECORDING} <= used | by_recordings


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("kms_key_pending_deltion == 1", UnknownMetricError),
        ('kms_key_state{status="Enabled"}', UnknownLabelError),
        ("max by (acount_id) (kms_key_pending_deletion)", UnknownLabelError),
        ("max without (job) (kms_key_pending_deletion)", UnknownLabelError),
        ("kms_key_pending_deletion unless on (keyid) kms_key_state", UnknownLabelError),
        ("kms_key_pending_deletion * on (key_id) group_left (alais) kms_key_info", UnknownLabelError),
        ("kms_key_pending_deletion and ignoring (alias) kms_key_info", UnknownLabelError),
        ("last_over_time(kms_exporter_target_up[5m]) * on (key_id) kms_key_state", UnknownLabelError),
        ("max by (tag_owner) (kms_key_state)", UnknownLabelError),
    ],
)
def test_what_the_contract_refuses(expression: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        READER.of(expression)


def _input_series() -> list[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for file in PROMTOOL_TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            found.update((file.name, series["series"]) for series in test["input_series"])
    return sorted(found)


@pytest.mark.parametrize(("file", "series"), _input_series())
def test_promtool_tests_feed_series_as_the_exporter_writes_them(file: str, series: str) -> None:
    selector = promql.parse(series)
    assert isinstance(selector, promql.VectorSelector)
    assert selector.name
    labels = {matcher.name for matcher in selector.matchers.matchers}
    if selector.name in RECORDED:
        assert labels <= RECORDED[selector.name]
        return
    assert selector.name in DECLARED, f"{file}: nobody declares {selector.name}"
    tags = {label for label in labels if selector.name in TAGGED and label.startswith("tag_")}
    assert labels - tags == DECLARED[selector.name] | SCRAPE_LABELS
