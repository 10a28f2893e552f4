"""Writes the parts of the chart's values.schema.json that others declare; the rest of that file is written by hand.

    python -m helm.build_schema

- `config` from the options of the exporter (exporter/settings/model.py),
- `prometheusRule.alerts` from the alerts (grafana/rules/*.yaml) and from `THRESHOLDS`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from exporter.settings.kinds import choices_of, item_of, kind_of, model_of
from exporter.settings.model import Settings

ROOT: Final = Path(__file__).parents[1]
RULES: Final = ROOT / "grafana" / "rules"
SCHEMA: Final = ROOT / "helm" / "kms-exporter" / "values.schema.json"

THRESHOLDS: Final[Mapping[str, str]] = {
    "KmsAwsThrottling": "percent of the requests of an operation",
    "KmsKeyDeletionImminent": "days left",
    "KmsKeyDeletionSoon": "days left",
    "KmsKeyMaterialExpiring": "days left",
    "KmsKeyMaterialExpiringSoon": "days left",
    "KmsKeyPendingDeletionDeniedUse": "denied uses",
    "KmsKeyPendingDeletionInUse": "days without use before it was scheduled",
    "KmsKeysUnreadable": "keys of an account and region",
    "KmsMassDeletionInAccount": "keys scheduled within an hour",
    "KmsMassDeletionOverall": "keys scheduled within an hour",
    "KmsQueueNotDrained": "messages that wait",
    "KmsTargetStale": "refresh intervals",
}
"""The alerts whose threshold can be chosen, and its unit."""

COMPARED: Final = re.compile(r"(<=|>=|<|>) ([0-9.]+)(?=\)| \*|$)", re.MULTILINE)
"""A comparison with a number, as the chart's `kms-exporter.withThreshold` finds it."""

Schema = dict[str, Any]

_NOTATIONS: Final = {
    "duration": "^(0|([0-9]+(d|h|m|s|ms))+)$",
    "date": "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
}
"""How kinds of values that YAML has no type for are written."""


def alerts() -> Iterator[tuple[str, Schema]]:
    """Yield each alert rule with the name that the chart knows it by.

    That is the alert's own; a second rule of the same alert also bears its severity.
    """
    for file in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            known: set[str] = set()
            for rule in group["rules"]:
                if "alert" in rule:
                    name = rule["alert"]
                    yield (f"{name}-{rule['labels']['severity']}" if name in known else name), rule
                    known.add(name)


def thresholds_in(expression: str) -> set[float]:
    """Return the numbers that an alert's expression compares with."""
    return {float(found[2]) for found in COMPARED.finditer(expression)}


def of_alerts() -> Schema:
    """Return the schema of `prometheusRule.alerts`."""
    members = {name: _of_alert(name, rule) for name, rule in sorted(alerts(), key=lambda named: named[0])}
    return _object(members, "Changes to single alerts.")


def _of_alert(name: str, rule: Schema) -> Schema:
    if name not in THRESHOLDS:
        return {"$ref": "#/$defs/alert"}
    return {"$ref": "#/$defs/alertWithThreshold", "description": f"Threshold: {threshold_of(name, rule)}."}


def threshold_of(name: str, rule: Schema) -> str:
    """Return the number that an alert compares with and its unit, `""` where it can't be chosen."""
    if name not in THRESHOLDS:
        return ""
    return f"{' and '.join(f'{number:g}' for number in thresholds_in(rule['expr']))} {THRESHOLDS[name]}"


def of_model(model: type[BaseModel]) -> Schema:
    """Return the schema of a section of the configuration, or of an object in a list."""
    members = {name: _of_field(field) for name, field in model.model_fields.items()}
    schema = _object(members, " ".join((model.__doc__ or "").split("\n\n")[0].split()))
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return schema | ({"required": required} if required else {})


def _of_field(field: FieldInfo) -> Schema:
    model = model_of(field)
    if model is not None:
        return of_model(model)
    description = {"description": field.description} if field.description else {}
    return _of_value(field) | description


def _of_value(field: FieldInfo) -> Schema:
    item = item_of(field)
    if item is not None:
        return {"type": "array", "items": _of_field(item)}
    choices = choices_of(field)
    if choices:
        return {"enum": list(choices)}
    pattern = _NOTATIONS.get(kind_of(field).name)
    if pattern:
        return {"type": "string", "pattern": pattern}
    if field.annotation is bool:
        return {"type": "boolean"}
    if field.annotation in (int, float):
        return {"type": "integer" if field.annotation is int else "number", **_bounds(field)}
    return {"type": "string", **_constraints(field)}


def _constraints(field: FieldInfo) -> Schema:
    """Return what pydantic's `StringConstraints` say of a text."""
    names = {"pattern": "pattern", "min_length": "minLength", "max_length": "maxLength"}
    return {
        name: limit
        for mark in field.metadata
        for attribute, name in names.items()
        if (limit := getattr(mark, attribute, None)) is not None
    }


def _bounds(field: FieldInfo) -> Schema:
    bounds: Schema = {}
    for mark in field.metadata:
        if isinstance(mark, Ge):
            bounds["minimum"] = mark.ge
        elif isinstance(mark, Gt):
            bounds["exclusiveMinimum"] = mark.gt
        elif isinstance(mark, Le):
            bounds["maximum"] = mark.le
    return bounds


def _object(properties: Schema, description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
    }


def build() -> str:
    """Return the schema file with its generated parts made anew."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["config"] = of_model(Settings)
    schema["properties"]["prometheusRule"]["properties"]["alerts"] = of_alerts()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(build(), encoding="utf-8")
