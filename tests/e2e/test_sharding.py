"""Three real processes share one organization: no target twice, none left out, and a missing shard is told."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import DEFAULT_HOME, World
from exporter.model import Target
from exporter.sharding import Shard
from tests.rules.paths import RULES
from tests.rules.servers import running
from tests.support.components import program
from tests.support.processes import ExporterProcess, Prometheus, free_port
from tests.support.waiting import until

SHARDS: Final = 3
REGIONS: Final = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2")
ACCOUNTS: Final = 5
KEYS: Final = 3
OF_TARGETS: Final = frozenset({"kms", "cloudtrail", "tagging"})
"""The services that are asked in each account and region for what is there."""

RULE_FILE: Final = RULES / "kms-organization.yaml"
ALERT: Final = 'ALERTS{alertname="KmsShardMissing", alertstate="firing"}'

Place = tuple[str, str]


@dataclass
class Shards:
    """The processes, each on a port that outlives it.

    Attributes:
        processes: by index, those that run.
        asked: the targets that were asked for anything once the shards up to an index were ready, by that index.
    """

    emulator: EmulatorServer
    config: Path
    addresses: tuple[str, ...]
    processes: dict[int, ExporterProcess] = field(default_factory=dict)
    asked: dict[int, set[Place]] = field(default_factory=dict)

    def start(self, index: int) -> None:
        """Start a shard, and wait until it has read all that is its own."""
        arguments = ["serve", "--config", str(self.config), "--web.listen_address", self.addresses[index]]
        env = environment(self.emulator.url)
        env |= {"KMS_EXPORTER_SHARD__INDEX": str(index), "KMS_EXPORTER_SHARD__TOTAL": str(SHARDS)}
        self.processes[index] = ExporterProcess(arguments, env)
        self.processes[index].ready()

    def kill(self, index: int) -> None:
        """End a shard as a crash does."""
        self.processes.pop(index).kill()

    def page(self, index: int) -> str:
        """Return what a scrape of a shard gets."""
        return self.processes[index].metrics()


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    """Three shards that were started one after the other, so that the counts tell what each of them asks."""
    config = tmp_path_factory.mktemp("shards") / "kms.yaml"
    config.write_text(
        "aws: {organization: {enabled: true}}\n"
        "refresh: {interval: 5s, fallback_interval: 10s}\n"
        f"changes: {{sqs_queue_url: 'https://sqs.{REGIONS[0]}.amazonaws.com/{DEFAULT_HOME}/kms-events-{{shard}}'}}\n"
    )
    world = uniform_world(KEYS, REGIONS, ACCOUNTS, pending=1)
    for index in range(SHARDS):
        world.bridge.add_rule(world.add_queue(f"kms-events-{index}", REGIONS[0]))
    with EmulatorServer(world) as emulator, ExitStack() as stack:
        shards = Shards(emulator, config, tuple(f"127.0.0.1:{free_port()}" for _ in range(SHARDS)))
        stack.callback(lambda: [shards.kill(index) for index in list(shards.processes)])
        for index in range(SHARDS):
            shards.start(index)
            shards.asked[index] = asked(emulator.world)
        yield shards


def asked(world: World) -> set[Place]:
    """Return the accounts and regions that were asked about their keys so far."""
    kinds = world.counts.requests.copy()
    return {(kind.account_id, kind.region) for kind in kinds if kind.service in OF_TARGETS}


def places(page: str, metric: str) -> set[Place]:
    """Return where the series of a metric are."""
    return set(re.findall(rf'^{metric}\{{account_id="(\d+)",region="([^"]+)"', page, re.MULTILINE))


def keys(page: str) -> set[str]:
    return set(re.findall(r'^kms_key_pending_deletion\{.*key_id="([^"]+)"', page, re.MULTILINE))


def everywhere(world: World) -> set[Place]:
    return {(account_id, region) for account_id in world.accounts for region in REGIONS}


def test_every_target_is_watched_by_exactly_one_shard(shards: Shards) -> None:
    watched = [places(shards.page(index), "kms_exporter_target_up") for index in range(SHARDS)]
    assert set.union(*watched) == everywhere(shards.emulator.world)
    assert sum(map(len, watched)) == ACCOUNTS * len(REGIONS)
    assert all(watched)


def test_every_key_is_told_by_exactly_one_shard(shards: Shards) -> None:
    told = [keys(shards.page(index)) for index in range(SHARDS)]
    every = list(shards.emulator.world.keys())
    truth = {key.key_id for key in every if key.manager == "CUSTOMER"}
    assert set.union(*told) == truth
    assert sum(map(len, told)) == len(truth) == ACCOUNTS * len(REGIONS) * KEYS


@pytest.mark.parametrize("index", range(SHARDS))
def test_a_shard_asks_only_in_what_it_owns(shards: Shards, index: int) -> None:
    before = shards.asked.get(index - 1, set())
    assert shards.asked[index] - before == places(shards.page(index), "kms_exporter_target_up")
    owned = {
        place for place in everywhere(shards.emulator.world) if Shard(index, SHARDS).owns(Target(place[0], place[1]))
    }
    assert shards.asked[index] - before == owned


@pytest.mark.parametrize("index", range(SHARDS))
def test_a_shard_says_which_it_is(shards: Shards, index: int) -> None:
    page = shards.page(index)
    assert re.findall(r"^kms_exporter_shard_info\{(.*)\} 1", page, re.MULTILINE) == [
        f'index="{index}",total="{SHARDS}"'
    ]
    assert re.findall(r"^kms_exporter_shards (\d+)", page, re.MULTILINE) == [str(SHARDS)]


def test_each_shard_takes_out_of_its_own_queue_what_is_its_own(shards: Shards) -> None:
    world = shards.emulator.world
    watched = [places(shards.page(index), "kms_exporter_target_up") for index in range(SHARDS)]
    for account_id, region in everywhere(world):
        vault = world.vault(account_id, region)
        vault.schedule_deletion(next(key.key_id for key in vault.keys.values() if not key.pending))

    def done() -> list[dict[str, int]]:
        return [outcomes(shards.page(index)) for index in range(SHARDS)]

    everything = ACCOUNTS * len(REGIONS)
    until(lambda: all(sum(each.values()) >= everything for each in done()))
    assert done() == [
        {"handled": len(own), "ignored": everything - len(own), "failed": 0, "poison": 0} for own in watched
    ]


def outcomes(page: str) -> dict[str, int]:
    """Return what became of the messages of a shard's queue."""
    found = re.findall(r'^kms_exporter_queue_received_messages_total\{outcome="(\w+)"\} (\d+)', page, re.MULTILINE)
    return {outcome: int(count) for outcome, count in found}


@contextmanager
def prometheus(folder: Path, targets: tuple[str, ...]) -> Iterator[Prometheus]:
    """Run Prometheus with the shipped rules, whose minutes are seconds."""
    rules, count = re.subn(r"^( +for: \d+)m$", r"\1s", RULE_FILE.read_text(), flags=re.MULTILINE)
    assert count
    (folder / RULE_FILE.name).write_text(rules)
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{RULE_FILE.name}]\n"
        "scrape_configs:\n"
        f"- {{job_name: kms-exporter, honor_labels: true, static_configs: [{{targets: {list(targets)}}}]}}\n"
    )
    address = f"127.0.0.1:{free_port()}"
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    with running(command, f"http://{address}", folder / "prometheus.log"):
        yield Prometheus(f"http://{address}")


def test_a_shard_that_is_killed_is_told_with_what_it_watched_until_it_is_back(shards: Shards, tmp_path: Path) -> None:
    lost = places(shards.page(1), "kms_exporter_target_up")
    with prometheus(tmp_path, shards.addresses) as server:
        everything = ACCOUNTS * len(REGIONS)
        until(lambda: server.query("count(count by (account_id, region) (kms_exporter_target_up))") == {(): everything})
        assert server.query(ALERT) == {}

        shards.kill(1)
        (labels,) = until(lambda: server.query(ALERT), within=40)
        assert dict(labels)["severity"] == "critical"
        unwatched = server.query(
            "count by (account_id, region) (last_over_time(kms_exporter_target_up[5m]))"
            " unless count by (account_id, region) (kms_exporter_target_up)"
        )
        assert {(dict(labels)["account_id"], dict(labels)["region"]) for labels in unwatched} == lost

        shards.start(1)
        until(lambda: not server.query(ALERT), within=20)
        assert places(shards.page(1), "kms_exporter_target_up") == lost
