"""What can't work is refused at install, by a message that tells what to change."""

from pathlib import Path
from typing import Any

import pytest

from tests.helm.charts import HelmError, render

ROLE = "arn:aws:iam::111122223333:role/KmsExporter"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/kms-events"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        # Unknown names.
        ({"replicas": 2}, "additional properties 'replicas' not allowed"),
        ({"image": {"name": "x"}}, "at '/image': additional properties 'name' not allowed"),
        ({"config": {"aws": {"region": "eu-west-1"}}}, "at '/config/aws': additional properties 'region' not allowed"),
        ({"serviceMonitor": {"timeout": "5s"}}, "at '/serviceMonitor': additional properties 'timeout' not allowed"),
        (
            {"prometheusRule": {"alerts": {"KmsKeyDeletionSon": {}}}},
            "at '/prometheusRule/alerts': additional properties 'KmsKeyDeletionSon' not allowed",
        ),
        (
            {"prometheusRule": {"alerts": {"KmsKeyDeleted": {"threshold": 1}}}},
            "at '/prometheusRule/alerts/KmsKeyDeleted': additional properties 'threshold' not allowed",
        ),
        # Wrong types.
        ({"replicaCount": "2"}, "at '/replicaCount': got string, want integer"),
        ({"demo": "yes"}, "at '/demo': got string, want boolean"),
        ({"config": {"refresh": {"interval": 60}}}, "at '/config/refresh/interval': got number, want string"),
        ({"config": {"refresh": {"interval": "60"}}}, "at '/config/refresh/interval': '60' does not match pattern"),
        ({"config": {"aws": {"regions": "eu-west-1"}}}, "at '/config/aws/regions': got string, want array"),
        (
            {"config": {"aws": {"organization": {"include": [111122223333]}}}},
            "at '/config/aws/organization/include/0': got number, want string",
        ),
        ({"config": {"aws": {"request_rate": 2}}}, "at '/config/aws/request_rate': maximum: got 2, want 1"),
        ({"config": {"keys": {"export": "some"}}}, "at '/config/keys/export': value must be one of 'customer'"),
        ({"config": {"aws": {"accounts": [{"name": "x"}]}}}, "'/config/aws/accounts/0': missing property 'role_arn'"),
        ({"podLabels": {"cost": 4711}}, "at '/podLabels/cost': got number, want string"),
        ({"extraArgs": ["log.level=debug"]}, "at '/extraArgs/0': 'log.level=debug' does not match pattern"),
        ({"serviceMonitor": {"interval": 30}}, "at '/serviceMonitor/interval': got number, want string"),
        ({"prometheusRule": {"runbookBaseUrl": "wiki"}}, "at '/prometheusRule/runbookBaseUrl': 'wiki' does not match"),
        ({"prometheusRule": {"alerts": {"KmsKeyDeleted": {"runbookUrl": "x"}}}}, "KmsKeyDeleted/runbookUrl': 'x' does"),
        ({"dashboards": {"operator": {"resyncPeriod": "1d"}}}, "at '/dashboards/operator/resyncPeriod': '1d' does not"),
        ({"config": {"deletions": {"acknowledgements": [{"key": "alias/x"}]}}}, "missing property 'reason'"),
        (
            {"config": {"deletions": {"acknowledgements": [{"key": "alias/x", "reason": "old", "until": "soon"}]}}},
            "at '/config/deletions/acknowledgements/0/until': 'soon' does not match pattern",
        ),
        # Combinations.
        (
            {"config": {"web": {"listen_address": "127.0.0.1:10841"}}},
            "config.web.listen_address is 127.0.0.1:10841, where neither the probes nor Prometheus reach it",
        ),
        ({"config": {"web": {"listen_address": ":0"}}}, "config.web.listen_address is :0, a port that nobody knows"),
        (
            {"config": {"aws": {"accounts": [{"role_arn": ROLE, "external_id": "s3cret"}]}}},
            f"the external id for {ROLE} would end up in a ConfigMap; put the list of accounts into a Secret",
        ),
        (
            {"accountsSecret": {"name": "x"}, "config": {"aws": {"accounts": [{"role_arn": ROLE}]}}},
            "accountsSecret and config.aws.accounts are both given",
        ),
        ({"configSecret": {"name": "x"}, "config": {"log": {"level": "info"}}}, "configSecret and config are both"),
        ({"demo": True, "config": {"log": {"level": "debug"}}}, "demo has a configuration of its own"),
        ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "every series would be scraped twice"),
        ({"podDisruptionBudget": {"enabled": True, "minAvailable": 1}}, "nodes could never be drained"),
        ({"podDisruptionBudget": {"enabled": True, "minAvailable": "100%"}}, "nodes could never be drained"),
        (
            {"replicaCount": 2, "podDisruptionBudget": {"enabled": True, "maxUnavailable": 0}},
            "podDisruptionBudget allows no pod of 2 to be away",
        ),
        (
            {"replicaCount": 2, "podDisruptionBudget": {"enabled": True, "minAvailable": "51%"}},
            "podDisruptionBudget allows no pod of 2 to be away",
        ),
        ({"strategy": {"type": "Recreate"}}, "set strategy.rollingUpdate to null"),
        ({"strategy": {"rollingUpdate": {"maxSurge": "0%"}}}, "allows neither one pod more nor one less"),
        ({"config": {"aws": {"home_account": False}}}, "no other account is named, so nothing would be watched"),
        (
            {"config": {"aws": {"organization": {"include": ["111122223333"], "exclude": ["111122223333"]}}}},
            "111122223333 is both in include and in exclude",
        ),
        (
            {"config": {"refresh": {"interval": "1h", "fallback_interval": "59m59s"}}},
            "config.refresh.fallback_interval is 59m59s, shorter than refresh.interval, which is 1h",
        ),
        (
            {"config": {"refresh": {"full_interval": "30s"}}},
            "config.refresh.full_interval is 30s, shorter than refresh.interval, which is 1m",
        ),
        ({"config": {"shard": {"index": 1}}}, "config.shard.index is 1, no shard of 1"),
        ({"config": {"shard": {"index": 3, "total": 3}}}, "config.shard.index is 3, no shard of 3"),
        ({"sharding": {"shards": 0}}, "at '/sharding/shards': minimum: got 0, want 1"),
        ({"sharding": {"shards": 1001}}, "at '/sharding/shards': maximum: got 1,001, want 1,000"),
        (
            {"sharding": {"shards": 3}, "replicaCount": 2},
            "sharding.shards is 3 and replicaCount is 2; shards share the work and replicas repeat it",
        ),
        (
            {"sharding": {"shards": 3}, "config": {"shard": {"index": 1, "total": 3}}},
            "sharding.shards is 3 and config.shard is given; each pod is told its own shard",
        ),
        ({"sharding": {"shards": 3}, "demo": True}, "demo is on, which emulates an organization inside each pod"),
        (
            {"sharding": {"shards": 3}, "config": {"changes": {"sqs_queue_url": QUEUE}}},
            f"config.changes.sqs_queue_url is {QUEUE} for each of 3 shards",
        ),
        (
            {"sharding": {"shards": 3}, "extraArgs": ["--shard.index=1"]},
            "extraArgs has --shard.index=1, which would make every pod the same shard",
        ),
        (
            {"sharding": {"shards": 3}, "extraEnv": [{"name": "KMS_EXPORTER_SHARD__TOTAL", "value": "1"}]},
            "extraEnv has KMS_EXPORTER_SHARD__TOTAL, which would make every pod the same shard",
        ),
        (
            {"sharding": {"shards": 3}, "fullnameOverride": "x" * 53},
            "has 53 characters, and the pods of a StatefulSet take 52; set fullnameOverride",
        ),
        (
            {"sharding": {"shards": 3}, "podDisruptionBudget": {"enabled": True, "minAvailable": 3}},
            "podDisruptionBudget allows no pod of 3 to be away, so nodes could never be drained; raise sharding.shards",
        ),
        ({"config": {"refresh": {"interval": "6m"}}}, "config.refresh.fallback_interval is 5m, shorter than"),
        (
            {"config": {"refresh": {"keep_failed": "59999ms"}}},
            "config.refresh.keep_failed is 59999ms, shorter than refresh.interval, which is 1m",
        ),
        (
            {"podMonitor": {"enabled": True, "interval": "1m", "scrapeTimeout": "1m1s"}},
            "podMonitor.scrapeTimeout is 1m1s, longer than its interval of 1m",
        ),
        (
            {"prometheusRule": {"enabled": True, "interval": "10m"}},
            "prometheusRule.interval is 10m, longer than a minute, and the rules remember by reading what they",
        ),
        ({"prometheusRule": {"enabled": True, "interval": "1m1ms"}}, "prometheusRule.interval is 1m1ms, longer than"),
        (
            {"serviceAccount": {"create": False, "annotations": {"eks.amazonaws.com/role-arn": ROLE}}},
            "serviceAccount.create is false, so its annotations and labels would be nowhere",
        ),
        ({"networkPolicy": {"enabled": True, "awsCidrs": []}}, "networkPolicy lets nothing out to AWS"),
        ({"webConfig": {"content": {"tls_config": {}}}}, "/webConfig/content': additional properties 'tls_config' not"),
        (
            {"webConfig": {"existingSecret": "x", "content": {"rate_limit": {"interval": "1s", "burst": 1}}}},
            "webConfig.existingSecret and webConfig.content are both given",
        ),
        ({"webConfig": {"tlsSecret": "x"}}, "webConfig.tlsSecret is given without a web configuration that uses it"),
        (
            {"webConfig": {"existingSecret": "x"}, "config": {"web": {"config_file": "/web.yml"}}},
            "webConfig and config.web.config_file are both given",
        ),
        ({"webConfig": {"existingSecret": "x", "probePort": 10841}}, "probes can't have port 10841"),
        (
            {"serviceMonitor": {"enabled": True, "tlsConfig": {"insecureSkipVerify": True}}},
            "serviceMonitor.scheme must be https, since tlsConfig is given",
        ),
        (
            {"podMonitor": {"enabled": True}, "webConfig": {"content": {"tls_server_config": {"cert_file": "x"}}}},
            "podMonitor.scheme must be https, since webConfig.content has TLS",
        ),
        (
            {"serviceMonitor": {"enabled": True}, "webConfig": {"content": {"basic_auth_users": {"a": "b"}}}},
            "serviceMonitor.basicAuth is empty, and webConfig.content lets nobody in without a password",
        ),
        ({"extraArgs": ["--web.listen_address=:9100"]}, "extraArgs has --web.listen_address=:9100, of which ports"),
        (
            {"extraEnv": [{"name": "KMS_EXPORTER_WEB__TELEMETRY_PATH", "value": "/x"}]},
            "extraEnv has KMS_EXPORTER_WEB__TELEMETRY_PATH, of which ports",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(HelmError) as refused:
        render(values, tmp_path)
    assert message in str(refused.value)


def test_all_impossible_combinations_are_told_at_once(tmp_path: Path) -> None:
    values = {
        "demo": True,
        "config": {"web": {"listen_address": ":0"}},
        "serviceMonitor": {"enabled": True},
        "podMonitor": {"enabled": True},
    }
    with pytest.raises(HelmError) as refused:
        render(values, tmp_path)
    assert all(word in str(refused.value) for word in ("nobody knows", "of its own", "scraped twice"))


def test_shards_are_refused_where_a_pod_is_not_told_its_index(tmp_path: Path) -> None:
    with pytest.raises(HelmError) as refused:
        render({"sharding": {"shards": 3}}, tmp_path, kubernetes="1.27")
    assert "takes Kubernetes 1.28 or newer, where a pod is told its index; this is v1.27.0" in str(refused.value)


def test_no_refusal_shows_an_external_id(tmp_path: Path) -> None:
    account = {"role_arn": ROLE, "external_id": "s3cret-value"}
    with pytest.raises(HelmError) as refused:
        render({"config": {"aws": {"accounts": [account]}}}, tmp_path)
    assert "s3cret-value" not in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"config": {"aws": {"home_account": False}}, "accountsSecret": {"name": "accounts"}},
        {"config": {"aws": {"home_account": False, "organization": {"enabled": True}}}},
        {"config": {"refresh": {"interval": "1h", "fallback_interval": "60m", "keep_failed": "3600s"}}},
        {"serviceMonitor": {"enabled": True, "interval": "1m", "scrapeTimeout": "60s"}},
        {"prometheusRule": {"enabled": True, "interval": "1m"}},
        {"prometheusRule": {"enabled": True, "interval": "30s"}},
        {"replicaCount": 2, "podDisruptionBudget": {"enabled": True, "minAvailable": "50%"}},
        {"networkPolicy": {"enabled": True, "awsCidrs": []}, "demo": True},
        {"sharding": {"shards": 3}, "podDisruptionBudget": {"enabled": True, "minAvailable": 2}},
        {"sharding": {"shards": 3}, "config": {"changes": {"sqs_queue_url": f"{QUEUE}-{{shard}}"}}},
        {"sharding": {"shards": 1}, "replicaCount": 2},
    ],
)
def test_what_works_together_is_no_mistake(values: dict[str, Any], tmp_path: Path) -> None:
    assert render(values, tmp_path)


@pytest.mark.parametrize("values", [{"enabled": True}, {"global": {"anything": [1]}}])
def test_what_a_parent_chart_adds_is_no_mistake(values: dict[str, Any], tmp_path: Path) -> None:
    assert render(values, tmp_path)
