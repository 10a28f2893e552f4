"""Where things are."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "grafana" / "rules"
RULE_FILES: Final = tuple(RULES / f"kms-{name}.yaml" for name in ("keys", "coverage", "organization"))
PROMTOOL_TESTS: Final = tuple(sorted((RULES / "tests").glob("*.yaml")))
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
ALERTMANAGER: Final = ROOT / "examples" / "alertmanager"
PROMETHEUS: Final = ROOT / "examples" / "prometheus"
