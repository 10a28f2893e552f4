"""Every documented use of the chart gives resources that clusters take."""

import copy
import functools
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.helm.charts import CHART, VALUES, Resource, helm, of_kind, render, render_file, versions_for, workload_of
from tests.support.components import cannot_run

OPERATOR = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
EVERY_USE = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def closed(schema: Any) -> Any:
    """Return a JSON schema whose objects take no unknown members, and whose patterns are Python's rather than Go's."""
    if isinstance(schema, str):
        return schema.replace("^(?i)", "(?i)^")
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return parts | ({"additionalProperties": False} if "properties" in schema else {})


@functools.cache
def operator_schemas() -> dict[str, Any]:
    """Return the schemas of the Prometheus operator's resources."""
    try:
        from cloudcoil.models.prometheus_operator import v1  # noqa: PLC0415 - a second to import, and may be missing
    except ImportError:
        return cannot_run("cloudcoil-models-prometheus-operator is not installed")
    return {kind: closed(getattr(v1, kind).model_json_schema(by_alias=True)) for kind in OPERATOR}


@EVERY_USE
def test_lint_has_nothing_to_say(values: Path) -> None:
    output = helm("lint", "--strict", CHART, "--values", values)
    assert "0 chart(s) failed" in output
    assert "[WARNING]" not in output


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL))
def test_every_example_of_the_readme_can_be_installed(block: str, tmp_path: Path) -> None:
    assert workload_of(render(yaml.safe_load(block), tmp_path))


@pytest.mark.parametrize(
    ("values", "version"),
    [
        pytest.param(values, version, id=f"{values.stem}-{version}")
        for values in VALUES
        for version in versions_for(values)
    ],
)
def test_kubernetes_takes_the_resources(values: Path, version: str) -> None:
    try:
        import kubernetes_validate  # noqa: PLC0415 - may be missing on a laptop
    except ImportError:
        cannot_run("kubernetes-validate is not installed")
    for resource in render_file(values, kubernetes=version):
        if "." not in resource["apiVersion"].partition("/")[0] or resource["apiVersion"].startswith(
            "networking.k8s.io"
        ):
            kubernetes_validate.validate(resource, version, strict=True)


@EVERY_USE
def test_the_prometheus_operator_takes_the_resources(values: Path) -> None:
    for resource in render_file(values):
        if resource["kind"] in OPERATOR:
            jsonschema.validate(resource, operator_schemas()[resource["kind"]])


@pytest.mark.parametrize("kind", OPERATOR)
def test_the_operators_schemas_refuse_what_is_unknown(kind: str) -> None:
    uses = (render_file(values) for values in VALUES)
    resource = copy.deepcopy(next(found for use in uses for found in of_kind(use, kind)))
    resource["spec"]["unknown"] = 1
    with pytest.raises(jsonschema.ValidationError, match="unknown"):
        jsonschema.validate(resource, operator_schemas()[kind])


def test_the_grafana_operators_resources_have_the_fields_of_its_documentation() -> None:
    resources = of_kind(render_file(VALUES[0].with_name("grafana-operator.yaml")), "GrafanaDashboard")
    assert len(resources) == len(list((CHART / "dashboards").glob("*.json")))
    for resource in resources:
        assert resource["apiVersion"] == "grafana.integreatly.org/v1beta1"
        assert set(resource["spec"]) == {
            "instanceSelector", "allowCrossNamespaceImport", "folder", "resyncPeriod", "json",
        }  # fmt: skip


@EVERY_USE
def test_no_resource_is_there_twice(values: Path) -> None:
    def identity(resource: Resource) -> tuple[str, ...]:
        return resource["kind"], resource["metadata"].get("namespace", ""), resource["metadata"]["name"]

    known = [identity(resource) for resource in render_file(values)]
    assert sorted(set(known)) == sorted(known)


@EVERY_USE
def test_what_selects_pods_selects_the_exporters_and_tells_no_version(values: Path) -> None:
    resources = render_file(values)
    labels = workload_of(resources)["spec"]["template"]["metadata"]["labels"]
    for resource in resources:
        for selector in selectors_of(resource):
            assert selector.items() <= labels.items()
            assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def selectors_of(resource: Resource) -> list[dict[str, str]]:
    """Return what a resource selects this chart's pods, or its Service, by."""
    spec = resource.get("spec", {})
    if resource["kind"] == "Service":
        return [spec["selector"]]
    if resource["kind"] == "NetworkPolicy":
        return [spec["podSelector"]["matchLabels"]]
    return [spec["selector"]["matchLabels"]] if "selector" in spec else []


def test_each_part_of_the_values_is_used_by_a_values_file() -> None:
    used = {key for values in VALUES for key in yaml.safe_load(values.read_text())}
    tuned_by_few = {
        "nameOverride", "revisionHistoryLimit", "progressDeadlineSeconds", "terminationGracePeriodSeconds",
        "podSecurityContext", "securityContext", "livenessProbe", "readinessProbe",
    }  # fmt: skip
    assert set(yaml.safe_load((CHART / "values.yaml").read_text())) - used == tuned_by_few
