"""Several shards are the pods of a StatefulSet, each of which knows by its label which it is."""

from pathlib import Path
from typing import Any

from tests.helm.charts import CHART, VALUES, Resource, container_of, of_kind, only, render, render_file, workload_of

SHARDED = VALUES[0].with_name("sharded.yaml")


def variables(resources: list[Resource]) -> dict[str, Any]:
    """Return the variables of the exporter by their names."""
    return {
        entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container_of(resources).get("env", [])
    }


def named(resources: list[Resource], name: str) -> Resource:
    """Return the Service of a name."""
    (found,) = (service for service in of_kind(resources, "Service") if service["metadata"]["name"] == name)
    return found


def test_one_shard_is_a_deployment_as_before(tmp_path: Path) -> None:
    resources = render({"sharding": {"shards": 1}}, tmp_path)
    assert resources == render_file()
    assert workload_of(resources)["kind"] == "Deployment"


def test_each_pod_is_told_its_index_by_its_label_and_how_many_there_are() -> None:
    # https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-index-label
    told = variables(render_file(SHARDED))
    assert told == {
        "KMS_EXPORTER_SHARD__INDEX": {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}},
        "KMS_EXPORTER_SHARD__TOTAL": "3",
    }
    assert workload_of(render_file(SHARDED))["spec"]["replicas"] == 3


def test_without_shards_nothing_is_told(tmp_path: Path) -> None:
    assert variables(render({}, tmp_path)) == {}


def test_no_shard_waits_for_another() -> None:
    assert only(render_file(SHARDED), "StatefulSet")["spec"]["podManagementPolicy"] == "Parallel"


def test_the_pods_are_those_of_the_deployment_but_for_the_shard(tmp_path: Path) -> None:
    values = {"config": {"keys": {"tags": ["team"]}}, "podLabels": {"example.com/a": "b"}}
    one, many = (
        workload_of(render({**values, "sharding": {"shards": shards}}, tmp_path))["spec"]["template"]
        for shards in (1, 3)
    )
    (container,) = many["spec"]["containers"]
    del container["env"]
    assert many == one


def test_the_headless_service_gives_names_to_shards_that_are_not_ready_too() -> None:
    resources = render_file(SHARDED)
    service = named(resources, workload_of(resources)["spec"]["serviceName"])["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True
    (port,) = service["ports"]
    assert port["port"] == container_of(resources)["ports"][0]["containerPort"]


def test_every_shard_is_scraped_once() -> None:
    # Both Services lead to every pod, so the monitor must select one of them.
    resources = render_file(SHARDED)
    selector = only(resources, "ServiceMonitor")["spec"]["selector"]
    selected = [service for service in of_kind(resources, "Service") if selects(selector, service)]
    assert [service["metadata"]["name"] for service in selected] == ["kms-kms-exporter"]


def selects(selector: dict[str, Any], resource: Resource) -> bool:
    """Whether a label selector selects a resource."""
    labels = resource["metadata"]["labels"]
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "NotIn"
        if labels.get(expression["key"]) in expression["values"]:
            return False
    return bool(selector["matchLabels"].items() <= labels.items())


def test_one_shard_at_a_time_may_be_away() -> None:
    assert only(render_file(SHARDED), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_shards_are_spread_over_nodes_and_zones() -> None:
    resources = render_file(SHARDED)
    spread = workload_of(resources)["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [constraint["topologyKey"] for constraint in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]


def test_a_service_that_was_there_before_the_shards_stays_as_it_was(tmp_path: Path) -> None:
    # The cluster IP of a Service cannot be taken away: an upgrade that made it headless would be refused.
    before, after = (named(render({"sharding": {"shards": shards}}, tmp_path), "kms-kms-exporter") for shards in (1, 3))
    assert after == before


def test_the_way_from_a_deployment_to_shards_is_documented() -> None:
    text = (CHART / "README.md").read_text()
    upgrade = text.partition("### From a Deployment to shards")[2].partition("\n## ")[0]
    assert "StatefulSet" in upgrade
    assert "helm upgrade" in upgrade
