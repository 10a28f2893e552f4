"""Runs the real Alertmanager with the shipped configuration, its receivers turned to loopback."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.rules.paths import ALERTMANAGER
from tests.rules.servers import running
from tests.support.components import program
from tests.support.processes import free_port

Times = Mapping[str, str]
"""Each time that the shipped routes wait, and what a test waits in its place."""

_WAITS: Final = ("group_wait", "group_interval")


def turned_to_loopback(folder: Path, webhook_url: str, smtp_port: int, times: Times) -> Path:
    """Write the shipped configuration into `folder` with nothing changed but where it sends, and how long it waits.

    Args:
        folder: where the file and the secrets that it names go.
        webhook_url: takes the place of Slack and PagerDuty.
        smtp_port: takes the place of the mail server, without TLS and password.
        times: what takes the place of `group_wait` and `group_interval` of the shipped routes.
    """
    configuration = yaml.safe_load((ALERTMANAGER / "alertmanager.yml").read_text())
    secrets = {"slack-webhook-url": f"{webhook_url}/slack", "pagerduty-routing-key": "0" * 32, "smtp-password": "-"}
    for name, secret in secrets.items():
        (folder / name).write_text(secret)

    settings = configuration["global"]
    settings["pagerduty_url"] = f"{webhook_url}/pagerduty"
    settings["slack_api_url_file"] = str(folder / "slack-webhook-url")
    settings["smtp_smarthost"] = f"127.0.0.1:{smtp_port}"
    settings["smtp_require_tls"] = False
    for name in ("smtp_auth_username", "smtp_auth_password_file"):
        del settings[name]
    for receiver in configuration["receivers"]:
        for pagerduty in receiver.get("pagerduty_configs", ()):
            pagerduty["routing_key_file"] = str(folder / "pagerduty-routing-key")
    configuration["templates"] = [str(ALERTMANAGER / template) for template in configuration["templates"]]
    _shorten(configuration["route"], times)

    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(configuration))
    return file


def _shorten(route: dict[str, Any], times: Times) -> None:
    route.update({name: times[route[name]] for name in _WAITS if name in route})
    for child in route.get("routes", ()):
        _shorten(child, times)


@contextmanager
def alertmanager(configuration: Path) -> Iterator[str]:
    """Yield the URL of a running Alertmanager."""
    folder = configuration.parent
    address = f"127.0.0.1:{free_port()}"
    command = (
        program("prometheus-alertmanager"),
        f"--config.file={configuration}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",  # no cluster: nothing beyond loopback
    )
    url = f"http://{address}"
    with running(command, url, folder / "alertmanager.log"):
        yield url


def post_alerts(url: str, alerts: Sequence[Mapping[str, Any]]) -> None:
    """Hand alerts to an Alertmanager, as Prometheus does."""
    httpx.post(f"{url}/api/v2/alerts", json=list(alerts), timeout=5, trust_env=False).raise_for_status()


def silence(url: str, **labels: str) -> None:
    """Silence the alerts with these labels for an hour, as `amtool silence add` does."""
    now = dt.datetime.now(dt.UTC)
    matchers = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items()]
    wanted = {
        "matchers": matchers,
        "startsAt": now.isoformat(),
        "endsAt": (now + dt.timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "looked into",
    }
    httpx.post(f"{url}/api/v2/silences", json=wanted, timeout=5, trust_env=False).raise_for_status()
