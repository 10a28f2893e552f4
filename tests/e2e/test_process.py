"""The process as a supervisor and an operator meet it: signals, reloads, mistakes, an AWS that goes away."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from tests.support.processes import ExporterProcess, exporter_process
from tests.support.waiting import until

REGIONS = ("eu-west-1", "us-east-1")
CONFIG = """
web: {{enable_reload: true}}
aws: {{regions: [{regions}], connect_timeout: 1s, read_timeout: 1s}}
refresh: {{interval: 5s, fallback_interval: 5s}}
"""
ORIGINAL = CONFIG.format(regions="eu-west-1, us-east-1")


@pytest.fixture
def emulator():
    with EmulatorServer(uniform_world(20, REGIONS, pending=2)) as running:
        yield running


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "kms.yaml"
    file.write_text(ORIGINAL)
    return file


@pytest.fixture
def exporter(emulator, config):
    with exporter_process("serve", "--config", str(config), env=environment(emulator.url)) as process:
        process.ready()
        yield process


def value(page: str, series: str) -> float:
    """Return the value of the one series whose name and labels start with `series`."""
    (found,) = re.findall(rf"^{re.escape(series)}\S* (\S+)$", page, re.MULTILINE)
    return float(found)


def pending(page: str) -> set[str]:
    return set(re.findall(r'^kms_key_pending_deletion\{.*key_id="([^"]+)"\} 1$', page, re.MULTILINE))


def test_sigterm_ends_it_with_status_0_also_in_the_middle_of_a_sweep(emulator, exporter):
    hang = emulator.faults.hang(operation="DescribeKey")
    until(lambda: hang.hits)
    started = time.monotonic()
    assert exporter.end(signal.SIGTERM) == 0
    assert time.monotonic() - started < 5
    assert exporter.events("stopped")


def test_ctrl_c_ends_it_with_status_0(exporter):
    assert exporter.end(signal.SIGINT) == 0


def test_keys_stay_while_aws_is_away_and_it_recovers(emulator, exporter):
    truth = {key.key_id for key in emulator.world.pending()}
    assert pending(exporter.metrics()) == truth
    emulator.stop()
    up = 'kms_exporter_target_up{account_id="111122223333",region="eu-west-1"'
    until(lambda: value(exporter.metrics(), up) == 0)
    page = exporter.metrics()
    assert pending(page) == truth
    assert 'operation="ListKeys",reason="connection"' in page
    assert exporter.get("/readyz").status_code == 200
    assert exporter.get("/healthz").status_code == 200
    emulator.start()
    until(lambda: value(exporter.metrics(), up) == 1)
    until(lambda: exporter.events("target_recovered"))


def test_a_black_holed_region_costs_the_other_nothing(emulator, exporter):
    emulator.faults.hang(region="us-east-1")
    here, there = (f'kms_exporter_target_up{{account_id="111122223333",region="{region}"' for region in REGIONS)
    until(lambda: value(exporter.metrics(), there) == 0)
    vault = emulator.world.vault("111122223333", "eu-west-1")
    scheduled = next(key for key in vault.keys.values() if not key.pending and key.manager == "CUSTOMER")
    vault.schedule_deletion(scheduled.key_id)
    until(lambda: scheduled.key_id in pending(exporter.metrics()))
    assert value(exporter.metrics(), here) == 1


@pytest.mark.parametrize("how", ["post", "hangup"])
def test_a_reload_puts_a_good_file_in_force(exporter, config, how):
    config.write_text(CONFIG.format(regions="eu-west-1"))
    reload(exporter, how)
    until(lambda: 'region="us-east-1"' not in exporter.metrics())
    page = exporter.metrics()
    assert value(page, "kms_exporter_config_last_reload_successful") == 1
    assert len(pending(page)) == 2


def test_what_waits_for_a_restart_is_told_at_each_reload_until_it_is_as_it_was(exporter, config):
    changed = ORIGINAL.replace("web: {", "web: {telemetry_path: /elsewhere, ")
    for text, told in ((changed, 1), (changed, 2), (ORIGINAL, 2)):
        config.write_text(text)
        reload(exporter, "post")
        until(lambda told=told: len(exporter.events("reload_needs_restart")) == told)
    assert all("option=web.telemetry_path" in line for line in exporter.events("reload_needs_restart"))


def test_a_reload_changes_the_form_of_the_log(exporter, config):
    config.write_text(f"{ORIGINAL}log: {{format: json}}\n")
    reload(exporter, "post")
    until(lambda: any('"event": "reloaded"' in line for line in exporter.log))


def test_a_bad_file_leaves_the_old_one_in_force(exporter, config):
    config.write_text("refresh: {interval: often}\n")
    answer = httpx.post(f"{exporter.url}/-/reload", timeout=10, trust_env=False)
    assert answer.status_code == 500
    assert re.search(r"refresh\.interval: .*often.*accepted", answer.text)
    page = exporter.metrics()
    assert value(page, "kms_exporter_config_last_reload_successful") == 0
    assert len(pending(page)) == 4
    config.write_text(ORIGINAL)
    reload(exporter, "post")
    assert value(exporter.metrics(), "kms_exporter_config_last_reload_successful") == 1


def test_a_reload_while_aws_is_away_loses_nothing(emulator, exporter, config):
    truth = {key.key_id for key in emulator.world.pending()}
    emulator.stop()
    config.write_text(ORIGINAL.replace("fallback_interval: 5s", "fallback_interval: 6s"))
    reload(exporter, "post")
    until(lambda: exporter.events("reloaded"))
    until(lambda: exporter.events("account_failed"))
    assert pending(exporter.metrics()) == truth


def reload(exporter: ExporterProcess, how: str) -> None:
    if how == "post":
        assert httpx.post(f"{exporter.url}/-/reload", timeout=10, trust_env=False).status_code == 200
    else:
        exporter.process.send_signal(signal.SIGHUP)


def test_without_credentials_it_runs_and_says_so():
    env = environment("http://127.0.0.1:9") | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    with exporter_process("serve", env=env) as process:
        until(lambda: 'kms_exporter_account_up{account_id="home"} 0' in process.metrics(), within=30)
        assert process.get("/healthz").status_code == 200
        assert process.get("/readyz").status_code == 503
        assert any("Unable to locate credentials" in line for line in process.events("account_failed"))


def test_the_demo_takes_nothing_of_the_users_aws_configuration():
    theirs = {"AWS_PROFILE": "production", "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9", "AWS_REGION": "us-gov-west-1"}
    with exporter_process("demo", env=theirs) as process:
        process.ready()
        assert pending(process.metrics())


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        env={"PATH": "", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_a_mistake_is_one_line_and_status_2_and_starts_nothing():
    ended = run("serve", KMS_EXPORTER_AWS__REQUEST_RATE="7")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith('kms-exporter: aws.request_rate: "7" (environment variable KMS_EXPORTER_AWS__REQUEST_RATE)')
    assert line.endswith("accepted: a number, more than 0 and at most 1")


def test_a_taken_port_is_one_line_and_status_2():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("serve", "--web.listen_address", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "web.listen_address" in line
    assert "in use" in line


def test_no_command_is_status_2():
    assert run().returncode == 2


def test_config_validate_says_ok(config):
    ended = run("config", "validate", "--config", str(config))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("OK")


def test_config_show_names_each_source(config):
    ended = run("config", "show", "--config", str(config), "--log.level", "debug", KMS_EXPORTER_LOG__FORMAT="json")
    assert re.search(r"level: debug +# flag --log\.level", ended.stdout)
    assert re.search(r"format: json +# environment variable KMS_EXPORTER_LOG__FORMAT", ended.stdout)
    assert re.search(r"interval: 5s +# .*kms\.yaml", ended.stdout)
    assert re.search(r"keep_failed: 1d +# default", ended.stdout)


def test_config_show_into_a_closed_pipe_is_quiet():
    shown = subprocess.run(
        f"{sys.executable} -m exporter config show | true", shell=True, capture_output=True, text=True, check=False
    )
    assert shown.stderr == ""


def test_a_reader_that_goes_away_is_no_failure_of_an_estimate():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "exporter", "estimate", "--keys", "5"]
    try:
        ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=30)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_version():
    assert re.fullmatch(r"kms-exporter \d+\.\d+\.\d+\n", run("--version").stdout)


def test_help_names_every_section():
    text = run("serve", "--help").stdout
    assert all(f"\n{section}:\n" in text for section in ("web", "aws", "keys", "refresh", "deletions", "log"))
