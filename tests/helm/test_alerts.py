"""The PrometheusRule holds the rules of grafana/rules, changed as the values say and in nothing else."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.build_schema import COMPARED, RULES, THRESHOLDS, alerts, thresholds_in
from tests.helm.charts import VALUES, only, render, render_file
from tests.support.components import program

FIXED = {
    "KmsAcknowledgementUnmatched": "counts entries that match no key: one is wrong",
    "KmsQueueDown": "its ten minutes follow from how a queue is polled",
    "KmsRulesBroken": "counts keys that raise no alert: one is wrong",
    "KmsShardMissing": "counts shards: one is a part of the keys",
    "KmsTargetBlind": "its hour is in its expression four times",
}
"""Alerts that compare with a number which can't be chosen, and why."""

SHIPPED = dict(alerts())
GROUPS = [group for file in sorted(RULES.glob("*.yaml")) for group in yaml.safe_load(file.read_text())["groups"]]
LINKS = ("runbook_url", "dashboard_url")


def groups_of(settings: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Return the rule groups that settings of `prometheusRule` give."""
    resources = render({"prometheusRule": {"enabled": True, **settings}}, folder)
    groups: list[dict[str, Any]] = only(resources, "PrometheusRule")["spec"]["groups"]
    return groups


def rules_of(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the alert rules that settings of `prometheusRule` give, by the names that the chart knows them by."""
    found: dict[str, Any] = {}
    for group in groups_of(settings, folder):
        for rule in group["rules"]:
            if name := rule.get("alert"):
                found[f"{name}-{rule['labels']['severity']}" if name in found else name] = rule
    return found


def without_links(rule: dict[str, Any]) -> dict[str, Any]:
    if "annotations" not in rule:
        return rule
    return rule | {"annotations": {name: text for name, text in rule["annotations"].items() if name not in LINKS}}


def test_without_changes_the_rules_are_those_of_grafana_rules(tmp_path: Path) -> None:
    expected = [group | {"rules": [without_links(rule) for rule in group["rules"]]} for group in GROUPS]
    assert groups_of({}, tmp_path) == expected


def test_with_the_places_of_the_links_the_rules_are_the_same_to_the_last_letter(tmp_path: Path) -> None:
    places = {
        "runbookBaseUrl": "https://runbooks.example.org/kms-exporter/",
        "dashboardBaseUrl": "https://grafana.example.org",
    }
    assert groups_of(places, tmp_path) == GROUPS


def test_links_lead_to_the_places_that_are_given(tmp_path: Path) -> None:
    rules = rules_of({"runbookBaseUrl": "https://wiki.test/kms", "dashboardBaseUrl": "https://g.test/"}, tmp_path)
    for rule in rules.values():
        assert rule["annotations"]["runbook_url"] == f"https://wiki.test/kms/{rule['alert']}.md"
        assert rule["annotations"]["dashboard_url"].startswith("https://g.test/d/kms-")


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_promtool_takes_the_rules(values: Path, tmp_path: Path) -> None:
    for resource in render_file(values):
        if resource["kind"] == "PrometheusRule":
            file = tmp_path / "rules.yaml"
            file.write_text(yaml.safe_dump(resource["spec"]))
            subprocess.run([program("promtool"), "check", "rules", file], check=True, capture_output=True)


def test_promtool_takes_the_rules_with_every_threshold_changed(tmp_path: Path) -> None:
    changes = {name: {"threshold": 12.5} for name in THRESHOLDS}
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups_of({"alerts": changes}, tmp_path)}))
    subprocess.run([program("promtool"), "check", "rules", file], check=True, capture_output=True)


def test_a_threshold_takes_the_place_of_the_shipped_one_wherever_that_stands(tmp_path: Path) -> None:
    rules = rules_of({"alerts": {name: {"threshold": 12.5} for name in THRESHOLDS}}, tmp_path)
    for name in THRESHOLDS:
        assert rules[name]["expr"] == COMPARED.sub(r"\1 12.5", SHIPPED[name]["expr"])
        assert thresholds_in(rules[name]["expr"]) == {12.5}


def test_a_use_revokes_acknowledgements_within_the_days_in_which_it_pages(tmp_path: Path) -> None:
    compared = "kms_key:days_unused_when_scheduled:known < "
    in_use = {"alerts": {"KmsKeyPendingDeletionInUse": {"threshold": 30}}}
    shipped, changed = (
        {rule.get("record") or f"{rule['alert']}-{rule['labels']['severity']}": rule["expr"] for rule in rules}
        for rules in (
            [rule for group in GROUPS for rule in group["rules"]],
            [rule for group in groups_of(in_use, tmp_path) for rule in group["rules"]],
        )
    )
    assert {name for name in shipped if changed[name] != shipped[name]} == {
        "kms_key:deletion_calm_timestamp_seconds:known",
        "KmsKeyPendingDeletionInUse-critical",
    }
    assert changed == {name: expr.replace(f"{compared}7\n", f"{compared}30\n") for name, expr in shipped.items()}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_threshold_of_a_shipped_alert_can_be_chosen_or_is_fixed_for_a_reason(name: str) -> None:
    compared = thresholds_in(SHIPPED[name]["expr"])
    if name in THRESHOLDS:
        assert len(compared) == 1, "one alert, one threshold"
    else:
        assert bool(compared) == (name in FIXED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_alert_can_be_taken_out_alone(name: str, tmp_path: Path) -> None:
    kept = rules_of({"alerts": {name: {"enabled": False}}}, tmp_path)
    assert len(kept) == len(SHIPPED) - 1
    assert name not in kept or f"{name}-info" in SHIPPED


def test_every_alert_can_be_timed_ranked_and_labelled(tmp_path: Path) -> None:
    change = {
        "for": "7m",
        "keepFiringFor": "8m",
        "severity": "page",
        "labels": {"team": "storage"},
        "annotations": {"priority": "P1"},
        "runbookUrl": "https://wiki.test/one",
    }
    settings = {"alerts": dict.fromkeys(SHIPPED, change), "alertLabels": {"team": "all", "from": "chart"}}
    groups = groups_of(settings, tmp_path)
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len(rules) == len(SHIPPED)
    for rule in rules:
        assert (rule["for"], rule["keep_firing_for"]) == ("7m", "8m")
        assert (rule["labels"]["severity"], rule["labels"]["team"], rule["labels"]["from"]) == (
            "page",
            "storage",
            "chart",
        )
        assert rule["annotations"]["priority"] == "P1"
        assert rule["annotations"]["runbook_url"] == "https://wiki.test/one"


def test_a_change_to_one_of_two_rules_of_an_alert_leaves_the_other(tmp_path: Path) -> None:
    rules = rules_of({"alerts": {"KmsKeyDeletionScheduled-info": {"severity": "none"}}}, tmp_path)
    assert rules["KmsKeyDeletionScheduled"]["labels"]["severity"] == "warning"
    assert rules["KmsKeyDeletionScheduled-none"]["labels"]["severity"] == "none"


def test_groups_of_ones_own_come_after_the_shipped(tmp_path: Path) -> None:
    mine = {"name": "mine", "rules": [{"alert": "Mine", "expr": "vector(1)", "annotations": {"a": "{{ $value }}"}}]}
    assert groups_of({"extraGroups": [mine]}, tmp_path)[-1] == mine
