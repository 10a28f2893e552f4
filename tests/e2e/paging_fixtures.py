"""The whole chain on loopback: emulated AWS, two exporters, Prometheus with the shipped rules, Alertmanager with the
shipped configuration, and where its pages arrive."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.demo.server import EmulatorServer, environment
from exporter.demo.vault import Vault
from exporter.demo.world import World
from tests.rules.alertmanagers import alertmanager, turned_to_loopback
from tests.rules.paths import PROMETHEUS, RULE_FILES
from tests.rules.servers import running
from tests.rules.sinks import Inbox, Post, mailbox, webhooks
from tests.support.components import program
from tests.support.processes import ExporterProcess, Prometheus, free_port
from tests.support.waiting import until

REGION: Final = "eu-west-1"
ACCOUNTS: Final = {
    "payments": "200000000001",
    "orders": "200000000002",
    "archive": "200000000003",
    "estate": "200000000004",
}
REPLICAS: Final = (0, 1)
INTERVALS: Final = "exporter 5 s (its least; default 60), scrape and rules 1 s (30), Alertmanager waits 6 s (60)"
"""What the tests shorten, and what the shipped files say."""
TIMES: Final = {"10s": "1s", "1m": "6s", "5m": "6s", "1h": "6s"}
"""The waits of Alertmanager's routes: a tenth, as of the exporter's interval, and none longer than that of a key."""


@dataclass(frozen=True)
class Chain:
    """Everything that runs.

    Attributes:
        posts: what PagerDuty and Slack would get.
        mails: what the mail server would get.
    """

    emulator: EmulatorServer
    exporters: "Exporters"
    prometheus: Prometheus
    posts: Inbox[Post]
    mails: Inbox[EmailMessage]

    def vault(self, account: str) -> Vault:
        """Return the keys of one of `ACCOUNTS`."""
        return self.emulator.world.vault(ACCOUNTS[account], REGION)

    def page(self, account: str, containing: str, within: float, *, action: str = "trigger", after: int = 0) -> Post:
        """Wait for an event to PagerDuty about one of `ACCOUNTS`; of those after the first `after` posts."""

        def wanted(post: Post) -> bool:
            return _of(post, ACCOUNTS[account], action) and containing in str(post.body)

        return self.posts.first(wanted, f"a page ({action}) about {account} with {containing!r}", within, after=after)

    def pages(self, account: str, action: str = "trigger") -> list[dict[str, Any]]:
        """Return the events to PagerDuty about one of `ACCOUNTS` so far."""
        return [post.body for post in self.posts.all() if _of(post, ACCOUNTS[account], action)]

    def firing(self, account: str) -> set[str]:
        """Return the names of the account's alerts that fire in Prometheus."""
        alerts = self.prometheus.query(f'ALERTS{{alertstate="firing", account_id="{ACCOUNTS[account]}"}}')
        return {dict(labels)["alertname"] for labels in alerts}


def _of(post: Post, account_id: str, action: str) -> bool:
    return post.path == "/pagerduty" and post.body["event_action"] == action and account_id in str(post.body)


class Exporters:
    """Two replicas that watch the same accounts, each on a port that outlives its process."""

    def __init__(self, emulator: EmulatorServer, config: Path) -> None:
        self._env = environment(emulator.url)
        self._config = config
        self.addresses = tuple(f"127.0.0.1:{free_port()}" for _ in REPLICAS)
        self.running: dict[int, ExporterProcess] = {}

    def launch(self, replica: int) -> None:
        """Start one; it may not have read anything yet."""
        arguments = ["serve", "--config", str(self._config), "--web.listen_address", self.addresses[replica]]
        self.running[replica] = ExporterProcess(arguments, self._env)

    def start(self, *replicas: int) -> None:
        """Start both, or those given; they are ready then."""
        for replica in replicas or REPLICAS:
            self.launch(replica)
        for process in self.running.values():
            process.ready()

    def kill(self, *replicas: int) -> None:
        """End both, or those given, as a crash does."""
        for replica in replicas or tuple(self.running):
            self.running.pop(replica).kill()

    def end(self, replica: int) -> None:
        """Let one end as an orchestrator does."""
        process = self.running.pop(replica)
        try:
            process.end()
        finally:
            process.kill()


@contextmanager
def chain(folder: Path, replicas: tuple[int, ...] = REPLICAS) -> Iterator[Chain]:
    """Run everything; every target has been read and scraped, of each replica, when the block begins."""
    for needed in ("prometheus", "prometheus-alertmanager"):
        program(needed)
    with ExitStack() as stack:
        emulator = stack.enter_context(EmulatorServer(_world()))
        posts_url, posts = stack.enter_context(webhooks())
        smtp_port, mails = stack.enter_context(mailbox())
        alertmanager_url = stack.enter_context(alertmanager(turned_to_loopback(folder, posts_url, smtp_port, TIMES)))
        exporters = Exporters(emulator, _exporter_config(folder))
        stack.callback(exporters.kill)
        exporters.start(*replicas)
        prometheus = stack.enter_context(_prometheus(folder, exporters.addresses, alertmanager_url))
        until(lambda: len(prometheus.query("kms_exporter_target_up == 1")) == len(replicas) * len(ACCOUNTS), within=30)
        yield Chain(emulator, exporters, prometheus, posts, mails)


def _world() -> World:
    world = World(home_regions=[REGION])
    for name, account_id in ACCOUNTS.items():
        world.add_account(account_id, name, [REGION])
        world.add_role(account_id, "KmsExporter")
    return world


def _exporter_config(folder: Path) -> Path:
    file = folder / "kms-exporter.yaml"
    accounts = [
        {"role_arn": f"arn:aws:iam::{account_id}:role/KmsExporter", "name": name}
        for name, account_id in ACCOUNTS.items()
    ]
    file.write_text(
        yaml.safe_dump(
            {
                "aws": {"home_account": False, "regions": [REGION], "accounts": accounts, "connect_timeout": "1s"},
                "keys": {"tags": ["owner"]},
                "refresh": {"interval": "5s", "fallback_interval": "5s"},
            }
        )
    )
    return file


@contextmanager
def _prometheus(folder: Path, targets: tuple[str, ...], alertmanager_url: str) -> Iterator[Prometheus]:
    """Run Prometheus with its shipped example; addresses, intervals and the rules' `for` are the tests' own."""
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    (scrape,) = configuration["scrape_configs"]
    scrape["scrape_timeout"] = "1s"
    scrape["static_configs"] = [{"targets": list(targets)}]
    (alertmanagers,) = configuration["alerting"]["alertmanagers"]
    alertmanagers["static_configs"] = [{"targets": [alertmanager_url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    _shorten_rules(folder / "rules")

    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    ]
    with running(command, f"http://{address}", folder / "prometheus.log"):
        yield Prometheus(f"http://{address}")


def _shorten_rules(folder: Path) -> None:
    """Copy the shipped rule files; the one thing changed is `for`, whose minutes become seconds."""
    folder.mkdir()
    for file in RULE_FILES:
        shortened, count = re.subn(r"^( +for: \d+)m$", r"\1s", file.read_text(), flags=re.MULTILINE)
        assert count
        (folder / file.name).write_text(shortened)
