"""What the chart tells the exporter, the exporter takes; what the exporter has, the chart offers."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter.settings import Catalogue, Settings
from helm import build_schema
from tests.helm.charts import CHART, VALUES, container_of, of_kind, render_file
from tests.support.certificates import authority

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
ELSEWHERE = {
    "KMS_EXPORTER_AWS__ACCOUNTS": json.dumps(
        [{"role_arn": "arn:aws:iam::444455556666:role/KmsExporter", "external_id": "6f1c2a9e", "name": "payments"}]
    ),
    "KMS_EXPORTER_SHARD__INDEX": "2",
}
"""What the Secrets of the values files and the label of the last pod hold, by the variable that it gets into."""


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_exporter_takes_the_configuration(values: Path, tmp_path: Path) -> None:
    def mounted(text: str) -> str:
        return re.sub(r"/etc/kms-exporter(-web|-tls)?", str(tmp_path), text)

    resources = render_file(values)
    ca = authority()
    ca.write(tmp_path, "ca")
    ca.issue("kms-exporter").write(tmp_path, "tls")
    for resource in (*of_kind(resources, "ConfigMap"), *of_kind(resources, "Secret")):
        for name, text in (resource.get("data", {}) | resource.get("stringData", {})).items():
            (tmp_path / name).write_text(mounted(text))
    container = container_of(resources)
    command, *flags = container["args"]
    assert command in {"serve", "demo"}
    flags = [mounted(flag) for flag in flags]
    variables = {entry["name"]: entry.get("value") or ELSEWHERE[entry["name"]] for entry in container.get("env", [])}
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "config", "validate", *flags],
        env={"PATH": "/usr/bin:/bin", **variables},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_file_that_is_checked_is_the_one_that_is_mounted() -> None:
    for values in VALUES:
        container = container_of(render_file(values))
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", []) if mount["name"] == "config"]
        files = [flag for flag in container["args"] if flag.startswith("--config=")]
        assert [str(Path(flag.removeprefix("--config=")).parent) for flag in files] == mounts


def test_the_web_configuration_that_is_checked_is_the_one_that_is_mounted() -> None:
    for name in ("web-config.yaml", "web-config-from-secret.yaml"):
        container = container_of(render_file(VALUES[0].with_name(name)))
        mounts = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "web"]
        files = [flag for flag in container["args"] if flag.startswith("--web.config_file=")]
        assert [str(Path(flag.removeprefix("--web.config_file=")).parent) for flag in files] == mounts != []


def test_the_schema_offers_the_options_that_the_exporter_has() -> None:
    assert build_schema.build() == (CHART / "values.schema.json").read_text(), "run python -m helm.build_schema"


def test_one_values_file_names_every_option() -> None:
    values = yaml.safe_load((VALUES[0].with_name("every-option.yaml")).read_text())["config"]
    assert set(paths(values)) == set(Catalogue.of_settings().options)


def paths(section: dict[str, Any], above: str = "") -> list[str]:
    """Return the dotted paths of the options in a configuration."""
    found: list[str] = []
    for name, value in section.items():
        found += paths(value, f"{above}{name}.") if isinstance(value, dict) else [f"{above}{name}"]
    return found


def test_the_schema_takes_the_exporters_defaults() -> None:
    config = {"$ref": "#/properties/config", "$defs": SCHEMA["$defs"], "properties": SCHEMA["properties"]}
    jsonschema.validate(json.loads(Settings().model_dump_json()), config)
