"""What `config show` prints, and what a reload can't change."""

from pathlib import Path

import pytest

from exporter.settings import Settings, changed_at_restart, load, show

VALID = Path(__file__).parent / "configurations" / "valid"


def test_each_value_is_shown_with_its_source() -> None:
    loaded = load(
        {"aws.regions": ["eu-west-1"], "refresh.interval": "90s"},
        {"KMS_EXPORTER_AWS__ACCOUNTS": '{"role_arn": "arn:aws:iam::012345678901:role/x", "name": "payments"}'},
    )

    assert show(loaded) == (
        """\
web:
  listen_address: 0.0.0.0:10841                        # default
  telemetry_path: /metrics                             # default
  config_file: ''                                      # default
  probe_address: ''                                    # default
  enable_reload: false                                 # default
  runbook_url: ''                                      # default
aws:
  regions:                                             # flag --aws.regions
  - eu-west-1
  accounts:                                            # environment variable KMS_EXPORTER_AWS__ACCOUNTS
  - role_arn: arn:aws:iam::012345678901:role/x
    external_id: ''
    name: payments
    regions: []
  home_account: true                                   # default
  organization:
    enabled: false                                     # default
    role_name: KmsExporter                             # default
    include: []                                        # default
    exclude: []                                        # default
  request_rate: 0.2                                    # default
  connect_timeout: 3s                                  # default
  read_timeout: 10s                                    # default
keys:
  export: customer                                     # default
  tags: []                                             # default
  last_usage: false                                    # default
refresh:
  interval: 1m30s                                      # flag --refresh.interval
  full_interval: 1h                                    # default
  fallback_interval: 5m                                # default
  concurrency: 16                                      # default
  keep_failed: 1d                                      # default
changes:
  cloudtrail: true                                     # default
  sqs_queue_url: ''                                    # default
  config_aggregator: ''                                # default
  config_interval: 15m                                 # default
deletions:
  acknowledgements: []                                 # default
  acknowledgement_tag: kms-exporter/deletion-approved  # default
  last_usage: true                                     # default
  grants: true                                         # default
  scheduled_by: true                                   # default
  keep_tombstones: 7d                                  # default
shard:
  index: 0                                             # default
  total: 1                                             # default
log:
  level: info                                          # default
  format: text                                         # default
"""
    )


@pytest.mark.parametrize("path", sorted(VALID.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_is_shown_is_a_configuration_with_the_same_values(path: Path, tmp_path: Path) -> None:
    loaded = load({"config": str(path)}, {})
    masks_gone = show(loaded).replace("'**********'", "42:payments/kms")
    again = tmp_path / "again.yaml"
    again.write_text(masks_gone, encoding="utf-8")

    assert load({"config": str(again)}, {}).settings == loaded.settings


def test_hostile_names_stay_inside_their_value(tmp_path: Path) -> None:
    name = "a: b # c\n'\"é\u2028"
    settings = Settings.model_validate(
        {"aws": {"accounts": [{"role_arn": "arn:aws:iam::111122223333:role/x", "name": name}]}}
    )
    loaded = load({"aws.accounts": [settings.aws.accounts[0].model_dump_json(exclude={"external_id"})]}, {})
    again = tmp_path / "again.yaml"
    again.write_text(show(loaded), encoding="utf-8")

    assert load({"config": str(again)}, {}).settings == settings


def test_an_address_waits_for_a_restart() -> None:
    new = Settings.model_validate({"web": {"listen_address": ":1", "telemetry_path": "/m"}, "log": {"level": "debug"}})

    assert changed_at_restart(Settings(), new) == ("web.listen_address", "web.telemetry_path")


def test_what_a_reload_can_change_waits_for_nothing() -> None:
    new = Settings.model_validate({"aws": {"regions": ["eu-west-1"]}, "refresh": {"interval": 5}})

    assert changed_at_restart(Settings(), new) == ()
