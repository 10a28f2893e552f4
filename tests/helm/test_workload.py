"""The pods: what they may do, how they are told of their configuration, when they are replaced."""

from pathlib import Path

import pytest
import yaml

from tests.helm.charts import VALUES, Resource, container_of, of_kind, only, pod_of, render, render_file

EVERY_USE = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


@EVERY_USE
def test_the_pod_is_within_the_restricted_pod_security_standard(values: Path) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    resources = render_file(values)
    pod, container = pod_of(resources), container_of(resources)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {kind for volume in pod.get("volumes", []) for kind in volume} <= {"name", "configMap", "secret"}


@EVERY_USE
def test_the_root_file_system_is_read_only_and_nothing_is_writable(values: Path) -> None:
    container = container_of(render_file(values))
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert all(mount["readOnly"] for mount in container.get("volumeMounts", []))


@EVERY_USE
def test_the_pod_gets_no_token_and_no_variables_of_services(values: Path) -> None:
    pod = pod_of(render_file(values))
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


@EVERY_USE
def test_every_probe_and_service_port_leads_to_a_port_that_is_listened_on(values: Path) -> None:
    resources = render_file(values)
    for service in of_kind(resources, "Service"):
        assert [of_service["targetPort"] for of_service in service["spec"]["ports"]] == ["http"]
    ports = [port["name"] for port in container_of(resources)["ports"]]
    assert ports in (["http"], ["http", "probes"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container_of(resources).get(probe, {}).get("httpGet", {"port": ports[-1]})["port"] == ports[-1]


def test_probes_need_no_certificate_and_no_password() -> None:
    container = container_of(render_file(VALUES[0].with_name("web-config.yaml")))
    assert "--web.probe_address=:10842" in container["args"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": 10841, "probes": 10842}


def test_probes_follow_the_address_of_the_configuration() -> None:
    container = container_of(render_file(VALUES[0].with_name("web-config-from-secret.yaml")))
    assert not [flag for flag in container["args"] if flag.startswith("--web.probe_address")]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": 10841, "probes": 9001}


def test_the_web_configuration_is_in_a_secret_and_nowhere_else() -> None:
    resources = render_file(VALUES[0].with_name("web-config.yaml"))
    secret = only(resources, "Secret")
    assert "basic_auth_users" in secret["stringData"]["web.yml"]
    assert [resource["kind"] for resource in resources if "basic_auth_users" in str(resource)] == ["Secret"]
    volumes = {volume["name"]: volume for volume in pod_of(resources)["volumes"]}
    assert volumes["web"]["secret"]["secretName"] == secret["metadata"]["name"]
    assert volumes["tls"]["secret"]["secretName"] == "kms-exporter-tls"
    mounts = {mount["name"]: mount for mount in container_of(resources)["volumeMounts"]}
    assert not [name for name, mount in mounts.items() if "subPath" in mount]  # which would never change


def test_only_readiness_depends_on_aws() -> None:
    container = container_of(render_file())
    paths = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_the_port_and_the_path_follow_the_configuration() -> None:
    resources = render_file(VALUES[0].with_name("every-option.yaml"))
    assert container_of(resources)["ports"][0]["containerPort"] == 9000
    (endpoint,) = only(resources, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["path"] == "/kms/metrics"


def test_another_configuration_replaces_the_pods(tmp_path: Path) -> None:
    def checksum(interval: str) -> str:
        resources = render({"config": {"refresh": {"interval": interval}}}, tmp_path)
        annotations = only(resources, "Deployment")["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/config"])

    assert checksum("30s") == checksum("30s") != checksum("31s")


def test_the_new_pod_is_ready_before_the_old_one_ends() -> None:
    strategy = only(render_file(), "Deployment")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_the_role_is_an_annotation_of_the_service_account_that_the_pod_runs_as() -> None:
    resources = render_file(VALUES[0].with_name("irsa.yaml"))
    account = only(resources, "ServiceAccount")["metadata"]
    assert account["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/kms-exporter"}
    assert pod_of(resources)["serviceAccountName"] == account["name"]


def test_a_service_account_of_somebody_else_is_used_and_not_made() -> None:
    resources = render_file(VALUES[0].with_name("pod-identity.yaml"))
    assert of_kind(resources, "ServiceAccount") == []
    assert pod_of(resources)["serviceAccountName"] == "kms-watch"


def test_a_digest_counts_instead_of_the_tag() -> None:
    image = container_of(render_file(VALUES[0].with_name("extras.yaml")))["image"]
    assert image.startswith("registry.example.com/kms-exporter@sha256:")


def test_extra_objects_go_through_the_template_engine() -> None:
    resources = render_file(VALUES[0].with_name("config-from-secret.yaml"))
    assert only(resources, "Secret")["metadata"]["labels"] == {"app.kubernetes.io/instance": "kms"}
    assert only(resources, "ConfigMap")["data"] == {"chart": "kms-exporter"}


def test_what_may_be_empty_leaves_nothing_behind() -> None:
    resources = render_file()
    assert sorted(resource["kind"] for resource in resources) == [
        "ConfigMap",
        "Deployment",
        "Service",
        "ServiceAccount",
    ]
    assert "env" not in container_of(resources)


def test_dns_aws_and_scrapes_pass_the_network_policy(tmp_path: Path) -> None:
    policy = only(render({"networkPolicy": {"enabled": True}}, tmp_path), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    out = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert out == {53, 443, 80}
    agent = next(rule for rule in policy["egress"] if rule["ports"][0]["port"] == 80)
    assert [peer["ipBlock"]["cidr"] for peer in agent["to"]] == ["169.254.170.23/32", "fd00:ec2::23/128"]


MONITORS = pytest.mark.parametrize(
    ("kind", "endpoints"), [("serviceMonitor", "endpoints"), ("podMonitor", "podMetricsEndpoints")]
)


@MONITORS
def test_a_scrape_keeps_the_exporters_labels_unless_told_otherwise(kind: str, endpoints: str, tmp_path: Path) -> None:
    def honours(values: dict[str, object]) -> bool:
        (endpoint,) = monitor_of(kind, values, tmp_path)["spec"][endpoints]
        return bool(endpoint["honorLabels"])

    assert honours({}) is True
    assert honours({"honorLabels": False}) is False


@MONITORS
def test_a_scrape_is_timed_relabelled_and_limited_as_asked(kind: str, endpoints: str, tmp_path: Path) -> None:
    timing = {"interval": "30s", "scrapeTimeout": "10s"}
    relabelings = [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]
    drops = [{"sourceLabels": ["__name__"], "regex": "python_gc_.*", "action": "drop"}]
    limits = {
        "sampleLimit": 200_000, "targetLimit": 4, "labelLimit": 40, "labelNameLengthLimit": 64,
        "labelValueLengthLimit": 2048, "keepDroppedTargets": 10, "bodySizeLimit": "64MB",
    }  # fmt: skip
    values = {**timing, "relabelings": relabelings, "metricRelabelings": drops, "limits": limits}
    spec = monitor_of(kind, values | {"jobLabel": "app.kubernetes.io/name"}, tmp_path)["spec"]
    (endpoint,) = spec.pop(endpoints)
    assert endpoint == {
        **timing, "port": "http", "path": "/metrics", "honorLabels": True,
        "relabelings": relabelings, "metricRelabelings": drops,
    }  # fmt: skip
    assert spec.pop("selector")["matchLabels"]["app.kubernetes.io/instance"] == "kms"
    assert spec == {"namespaceSelector": {"matchNames": ["watch"]}, "jobLabel": "app.kubernetes.io/name", **limits}


@MONITORS
def test_a_monitor_is_where_and_what_prometheus_selects_by(kind: str, endpoints: str, tmp_path: Path) -> None:
    values = {"namespace": "monitoring", "labels": {"release": "kube-prometheus-stack"}, "annotations": {"a": "b"}}
    monitor = monitor_of(kind, values, tmp_path)
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert monitor["metadata"]["annotations"] == {"a": "b"}
    assert monitor["spec"][endpoints]


def monitor_of(kind: str, values: dict[str, object], folder: Path) -> Resource:
    """Return the ServiceMonitor or PodMonitor that values give."""
    return only(render({kind: {"enabled": True, **values}}, folder), kind[0].upper() + kind[1:])


@pytest.mark.parametrize("use", ["grafana-sidecar", "grafana-operator"])
def test_dashboards_arrive_as_they_are(use: str) -> None:
    values = VALUES[0].with_name(f"{use}.yaml")
    shipped = {path.name: yaml.safe_load(path.read_text()) for path in dashboards()}
    made = {}
    for resource in render_file(values):
        if resource["kind"] == "GrafanaDashboard":
            dashboard = yaml.safe_load(resource["spec"]["json"])
            made[f"{dashboard['uid']}.json"] = dashboard
        elif "dashboard" in resource["metadata"]["name"]:
            made |= {name: yaml.safe_load(text) for name, text in resource["data"].items()}
    assert made == shipped


def dashboards() -> list[Path]:
    """Return the files of the dashboards."""
    return sorted((VALUES[0].parents[3] / "grafana" / "dashboards").glob("*.json"))


def test_the_sidecar_finds_the_dashboards_and_their_folder() -> None:
    resources = of_kind(render_file(VALUES[0].with_name("grafana-sidecar.yaml")), "ConfigMap")
    found = [resource["metadata"] for resource in resources if resource["metadata"]["namespace"] == "grafana"]
    assert len(found) == len(dashboards())
    for metadata in found:
        assert metadata["labels"]["grafana_dashboard"] == "yes"
        assert metadata["annotations"] == {"grafana_folder": "Security"}
