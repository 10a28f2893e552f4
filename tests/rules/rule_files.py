"""The shipped rules, read once for all tests."""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tests.rules.paths import RULE_FILES

Rule = dict[str, Any]

GROUPS: Final[list[Rule]] = [group for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"]]
RECORDING: Final[list[Rule]] = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS: Final[list[Rule]] = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
ALERT_NAMES: Final = sorted({rule["alert"] for rule in ALERTS})


def identity(rule: Rule) -> str:
    """Return a name for a test of one rule."""
    return rule.get("record") or f"{rule['alert']}-{rule['labels']['severity']}"


def labels_used(template: str) -> Iterator[str]:
    """Yield the labels that an annotation's template reads."""
    for found in re.finditer(r"\$labels\.([a-zA-Z_]\w*)", template):
        yield found[1]
