"""The rules and their unit tests, run by the real promtool."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.rules.paths import PROMETHEUS, PROMTOOL_TESTS, RULE_FILES, RULES
from tests.rules.rule_files import ALERTS, GROUPS, Rule, identity
from tests.support.components import program

LINKS: Final = ("https://runbooks.example.org/kms-exporter/", "https://grafana.example.org/d/")


THRIFTY: Final = {"GOMAXPROCS": "1", "GOGC": "400"}
"""Takes two thirds of the CPU time: otherwise promtool collects its garbage at every turn, on all cores."""


def _promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program("promtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=os.environ | THRIFTY)


@pytest.mark.parametrize("file", RULE_FILES, ids=lambda file: file.name)
def test_rule_file_is_valid_and_holds_nothing_twice(file: Path) -> None:
    result = _promtool("check", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "duplicate" not in result.stdout + result.stderr


@pytest.mark.parametrize("file", PROMTOOL_TESTS, ids=lambda file: file.stem)
def test_rules_do_what_their_unit_tests_say(file: Path) -> None:
    result = _promtool("test", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_is_shown_to_fire_with_its_whole_text() -> None:
    shown = {
        (test["alertname"], alert["exp_labels"]["severity"])
        for file in PROMTOOL_TESTS
        for case in yaml.safe_load(file.read_text())["tests"]
        for test in case.get("alert_rule_test", ())
        for alert in test["exp_alerts"]
    }
    assert {(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS} <= shown


@pytest.mark.parametrize("rule", ALERTS, ids=identity)
def test_alert_says_what_it_must(rule: Rule) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["labels"]["concern"] in {
        "deletion", "loss", "material", "availability", "coverage", "exporter",
    }  # fmt: skip
    assert rule["labels"]["nist_control"] == "SC-12"
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert rule["annotations"]["runbook_url"] == f"{LINKS[0]}{rule['alert']}.md"


@pytest.mark.parametrize("rule", [rule for rule in ALERTS if rule["labels"]["concern"] == "deletion"], ids=identity)
def test_alert_of_a_deletion_has_the_command_and_both_of_the_aws_cli(rule: Rule) -> None:
    description = rule["annotations"]["description"]
    assert "\nkms-exporter cancel-deletion " in description
    for command in ("cancel-key-deletion", "enable-key"):
        assert f"aws kms {command} --region " in description


@pytest.mark.parametrize("rule", ALERTS, ids=identity)
def test_links_begin_with_one_of_two_bases_so_that_they_can_be_replaced(rule: Rule) -> None:
    links = re.findall(r"https://\S+", " ".join(rule["annotations"].values()))
    assert links
    assert all(link.startswith(LINKS) for link in links)


def test_example_configuration_of_prometheus_is_valid_and_finds_the_rules(tmp_path: Path) -> None:
    configuration = (PROMETHEUS / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(configuration)
    (tmp_path / "rules").symlink_to(RULES)
    result = _promtool("check", "config", tmp_path / "prometheus.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(RULE_FILES)} rule files found" in result.stdout


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["name"])
def test_group_is_within_what_mimir_and_amazon_take_by_default(group: Rule) -> None:
    assert len(group["rules"]) <= 20
