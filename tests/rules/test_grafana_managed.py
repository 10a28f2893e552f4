"""The copy of the alerts for Grafana's own alerting is made from the one source and says the same."""

import importlib.util
import re
import sys
from types import ModuleType
from typing import Any, Final

import pytest
import yaml

from tests.rules.paths import RULES
from tests.rules.rule_files import ALERTS, RECORDING

MADE: Final = RULES / "grafana-managed"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_grafana_managed", RULES / "build_grafana_managed.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((MADE / "alert-rules.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_files_are_what_the_builder_makes_of_the_rules(builder: ModuleType) -> None:
    made = builder.build()
    assert sorted(made) == sorted(file.name for file in MADE.iterdir())
    for name, content in made.items():
        assert (MADE / name).read_text() == content, "run python grafana/rules/build_grafana_managed.py"


def test_every_alert_is_there_with_its_expression_labels_and_times() -> None:
    said = [
        (rule["data"][0]["model"]["expr"], rule["labels"], rule["for"], rule.get("keepFiringFor")) for rule in _rules()
    ]
    assert said == [
        (rule["expr"], rule["labels"], rule.get("for", "0s"), rule.get("keep_firing_for")) for rule in ALERTS
    ]


def test_recording_rules_are_those_of_the_source() -> None:
    document = yaml.safe_load((MADE / "recording-rules.yaml").read_text())
    assert [rule for group in document["groups"] for rule in group["rules"]] == RECORDING


def test_titles_and_uids_are_unique_and_acceptable_to_grafana() -> None:
    titles, uids = [rule["title"] for rule in _rules()], [rule["uid"] for rule in _rules()]
    assert len(set(titles)) == len(titles)
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid) for uid in uids)


def test_annotations_read_the_value_where_grafana_has_it() -> None:
    text = " ".join(text for rule in _rules() for text in rule["annotations"].values())
    assert "$values.query.Value" in text
    assert not re.search(r"\$value\b", text)


def test_annotations_hold_nothing_that_provisioning_would_take_for_an_environment_variable() -> None:
    assert "${" not in (MADE / "alert-rules.yaml").read_text()


def test_an_evaluation_that_fails_changes_no_alert_but_raises_the_one_that_tells_of_it() -> None:
    assert {rule["noDataState"] for rule in _rules()} == {"OK"}
    errors = {rule["title"]: rule["execErrState"] for rule in _rules()}
    assert errors.pop("KmsExporterAbsent") == "Alerting"
    assert set(errors.values()) == {"KeepLast"}


def test_datasource_and_folder_can_be_chosen(builder: ModuleType) -> None:
    document = yaml.safe_load(builder.build(datasource_uid="amp", folder="Security")["alert-rules.yaml"])
    assert {group["folder"] for group in document["groups"]} == {"Security"}
    queries = [rule["data"][0] for group in document["groups"] for rule in group["rules"]]
    assert {query["datasourceUid"] for query in queries} == {"amp"}
