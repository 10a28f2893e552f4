"""Makes the Grafana-managed copy of the alert rules, for teams that have Grafana and no Alertmanager.

    python grafana/rules/build_grafana_managed.py [--datasource-uid UID] [--folder NAME]

Writes two files into `grafana-managed/`, next to this one:

- `alert-rules.yaml`, to be put into Grafana's `provisioning/alerting/` folder (Grafana 11 or newer; `keepFiringFor` and
  `missing_series_evals_to_resolve` are ignored where they are not known yet). A rule becomes what Grafana's own import
  of Prometheus rules makes of it: an instant query, a node that is 1 for each series it returns, a threshold on that.
- `recording-rules.yaml`, the recording rules that the alerts stand on. These belong to the data source that the alerts
  query (Prometheus, Mimir, Amazon Managed Service for Prometheus).
"""

import argparse
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
SOURCES: Final = ("kms-keys.yaml", "kms-coverage.yaml", "kms-organization.yaml")

INTERVAL: Final = "1m"
"""How often Grafana evaluates; the durations in the rules are multiples of it."""

_HEADER: Final = f"# Made by grafana/rules/build_grafana_managed.py from {' and '.join(SOURCES)}: do not edit.\n"
_EXPRESSION_DATASOURCE: Final = "__expr__"
_TELLS_OF_ERRORS: Final = "KmsExporterAbsent"
"""The one alert that fires where its query fails too: else a wrong data source, or a dead one, would look calm."""

Rule = dict[str, Any]
Group = dict[str, Any]


class _PlainDumper(yaml.SafeDumper):
    """Writes what is shared in full, and text of several lines as a block."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the base class fixes the signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_PlainDumper.add_representer(str, _text)


def read_groups(folder: Path = HERE) -> list[Group]:
    """Return the rule groups of all source files."""
    return [group for name in SOURCES for group in yaml.safe_load((folder / name).read_text())["groups"]]


def recording_groups(groups: list[Group]) -> list[Group]:
    """Return the groups with their recording rules alone, without groups that have none."""
    kept = [{**group, "rules": [rule for rule in group["rules"] if "record" in rule]} for group in groups]
    return [group for group in kept if group["rules"]]


def _nodes(expression: str, datasource_uid: str) -> list[Rule]:
    """Return query, condition and threshold; in Prometheus every series that an expression returns is an alert."""
    math = "is_number($query) || is_nan($query) || is_inf($query)"
    return [
        {
            "refId": "query",
            "datasourceUid": datasource_uid,
            "relativeTimeRange": {"from": 600, "to": 0},
            "model": {"refId": "query", "expr": expression, "instant": True, "range": False},
        },
        {
            "refId": "found",
            "datasourceUid": _EXPRESSION_DATASOURCE,
            "model": {"refId": "found", "type": "math", "expression": math},
        },
        {
            "refId": "alert",
            "datasourceUid": _EXPRESSION_DATASOURCE,
            "model": {
                "refId": "alert",
                "type": "threshold",
                "expression": "found",
                "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
            },
        },
    ]


def _template(text: str) -> str:
    """Translate an annotation: Grafana's `$value` is a text about all nodes."""
    return re.sub(r"\$value\b", "$values.query.Value", text)


def _uid(title: str) -> str:
    """Return `kms-key-deleted` for `KmsKeyDeleted`; Grafana takes 40 characters at most."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", title).lower()).strip("-")


def grafana_rule(rule: Rule, title: str, datasource_uid: str) -> Rule:
    """Return one alert rule as Grafana's file provisioning takes it.

    A query that fails keeps the alert as it was, but for the alert that tells of it; one that returns nothing is the
    normal case.
    """
    made: Rule = {
        "uid": _uid(title),
        "title": title,
        "condition": "alert",
        "data": _nodes(rule["expr"], datasource_uid),
        "for": rule.get("for", "0s"),
        "noDataState": "OK",
        "execErrState": "Alerting" if rule["alert"] == _TELLS_OF_ERRORS else "KeepLast",
        "missing_series_evals_to_resolve": 1,
        "labels": rule["labels"],
        "annotations": {name: _template(text) for name, text in rule["annotations"].items()},
    }
    if "keep_firing_for" in rule:
        made["keepFiringFor"] = rule["keep_firing_for"]
    return made


def grafana_groups(groups: list[Group], datasource_uid: str, folder: str) -> Rule:
    """Return Grafana's provisioning document with the alerts of all groups.

    Titles are unique within a folder in Grafana: of two rules of one name, each is told apart by its severity.
    """
    count = Counter(rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule)

    def translated(rule: Rule) -> Rule:
        name = rule["alert"]
        title = name if count[name] == 1 else f"{name} ({rule['labels']['severity']})"
        return grafana_rule(rule, title, datasource_uid)

    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": group["name"],
                "folder": folder,
                "interval": INTERVAL,
                "rules": [translated(rule) for rule in group["rules"] if "alert" in rule],
            }
            for group in groups
        ],
    }


def _dump(document: Rule) -> str:
    return _HEADER + yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, width=10_000, allow_unicode=True)


def build(datasource_uid: str = "prometheus", folder: str = "KMS") -> dict[str, str]:
    """Return the content of the files by their names."""
    groups = read_groups()
    return {
        "alert-rules.yaml": _dump(grafana_groups(groups, datasource_uid, folder)),
        "recording-rules.yaml": _dump({"groups": recording_groups(groups)}),
    }


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Make the Grafana-managed copy of the alert rules.")
    parser.add_argument("--datasource-uid", default="prometheus", help="uid of the Prometheus data source in Grafana")
    parser.add_argument("--folder", default="KMS", help="Grafana folder that the rules are put into")
    arguments = parser.parse_args()
    for name, content in build(arguments.datasource_uid, arguments.folder).items():
        (HERE / "grafana-managed" / name).write_text(content)


if __name__ == "__main__":
    main()
