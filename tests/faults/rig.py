"""The emulated AWS, the exporter as a process in front of it, and what is moved around the two."""

import json
import random
import resource
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.demo.faults import Faults
from exporter.demo.keys import Key
from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.vault import Vault
from exporter.model import Target
from tests.faults.look import Bounds, Clock, Life
from tests.faults.steering import NAME, REFRESH_VARIABLE, STEERING_VARIABLE, Steering
from tests.faults.truth import Chronicle, Fact, Troubles
from tests.support.processes import ExporterProcess
from tests.support.waiting import until

REGIONS = ("eu-west-1", "us-east-1")
ACCOUNTS = 3
READ_TIMEOUT = 1.0
"""Seconds that the exporter waits for an answer."""
GRACE = 10.0
"""Seconds in which a process that was told to end must have ended."""

_HERE = Path(__file__).parent
_FEWEST_PENDING, _MOST_KEYS = 2, 12
_CONFIG = """
web: {{enable_reload: true}}
aws:
  regions: [{regions}]
  organization: {{enabled: true}}
  request_rate: 1
  connect_timeout: {timeout}ms
  read_timeout: {timeout}ms
refresh: {{concurrency: {concurrency}}}
"""


@dataclass(slots=True)
class Tarpit:
    """A port on which a connection is never accepted: its queue is full, so that the kernel drops what comes."""

    sockets: list[socket.socket]

    @classmethod
    def on(cls, port: int) -> "Tarpit":
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        waiting = socket.socket()
        waiting.connect(("127.0.0.1", port))
        return cls([waiting, listener])

    def close(self) -> None:
        for each in self.sockets:
            each.close()


class Rig:
    """Everything that a campaign moves.

    Attributes:
        truth: what is true of each key.
        troubles: what stands in the way of reading it.
        life: of the process that was started last.
        ends: how each process ended that was ended.
        pressed: whether the process must do without memory, so that nothing can be asked of it but to come back.
        was_pressed: whether this process ever had to.
    """

    def __init__(self, folder: Path, bounds: Bounds, regions: Sequence[str] = REGIONS) -> None:
        """Start the emulator and the exporter; `folder` is for what they share."""
        self.bounds = bounds
        self.regions = regions
        self.world = uniform_world(6, regions, ACCOUNTS, pending=3)
        self.world.set_deletion_lag(float("inf"))  # keys go when the campaign says so
        self.emulator = EmulatorServer(self.world)
        self.truth, self.troubles, self.clock = Chronicle(), Troubles(), Clock()
        self.targets = [Target(account, region) for account in self.world.accounts for region in regions]
        for target in self.targets:
            for key in self.vault(target).keys.values():
                self.truth.write(target, key.key_id, _fact(key), 0.0, 0.0)
        self.steering = Steering.create(folder / "steering")
        self.config = folder / "kms.yaml"
        self.configure(16)
        self.ends: Counter[int] = Counter()
        self.dead_since = 0.0
        self.pressed = False
        self.tarpit: Tarpit | None = None
        self.emulator.start()
        self.port = int(self.emulator.url.rpartition(":")[2])
        refresh = {"interval": bounds.interval, "keep_failed": bounds.keep_failed} | dict.fromkeys(
            ("full_interval", "fallback_interval"), bounds.full_interval
        )
        root = _HERE.parent.parent
        self._env = environment(f"http://{NAME}:{self.port}") | {
            "PYTHONPATH": f"{_HERE / 'steered'}:{root}",
            STEERING_VARIABLE: str(folder / "steering"),
            REFRESH_VARIABLE: json.dumps(refresh),
        }
        self.start()

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    def vault(self, target: Target) -> Vault:
        return self.world.vault(target.account_id, target.region)

    def start(self) -> None:
        """Start the exporter."""
        self.life = Life(time.time())
        options = ["serve", "--config", str(self.config), "--web.listen_address", "127.0.0.1:0"]
        self.process = ExporterProcess(options, self._env)
        self.ready = self.was_pressed = False

    def end(self, how: int) -> None:
        """Tell the exporter to end; `look_after` sees to it that it does, and starts it again."""
        if not self.dead_since:
            self.process.process.send_signal(how)
            self.dead_since = time.time()

    def look_after(self) -> str:
        """Start the exporter again once it has ended as it was told to; return what is wrong with how it ended."""
        status = self.process.process.poll()
        if self.pressed and status is not None:
            self.dead_since = self.dead_since or time.time()
            status = 0
        if not self.dead_since:
            return "" if status is None else f"the process ended by itself, with status {status}"
        if status is None:
            return f"not ended within {GRACE} s" if time.time() - self.dead_since > GRACE else ""
        self.ends[status] += 1
        self.process.kill()
        self.dead_since = 0.0
        self.start()
        return "" if status in (0, -signal.SIGKILL) else f"ended with status {status}"

    def answers(self) -> bool:
        """Whether the process has come up and was not told to end."""
        return not self.dead_since and any("event=listening" in line for line in self.process.log)

    def hang_up(self) -> None:
        """Let the exporter read its configuration anew."""
        if self.answers():
            self.process.process.send_signal(signal.SIGHUP)

    def configure(self, concurrency: int) -> None:
        """Write a configuration."""
        regions = ", ".join(self.regions)
        self.config.write_text(
            _CONFIG.format(regions=regions, concurrency=concurrency, timeout=round(1000 * READ_TIMEOUT))
        )

    def stop_aws(self, *, tarpit: bool = False) -> None:
        """Let nobody listen where AWS is; or let connections hang."""
        self.emulator.stop()
        if tarpit:
            self.tarpit = Tarpit.on(self.port)

    def start_aws(self) -> None:
        """Let AWS listen again."""
        if self.tarpit:
            self.tarpit.close()
            self.tarpit = None
        until(self._started)

    def _started(self) -> bool:
        self.emulator.start()
        return True

    def press(self, spare: int) -> None:
        """Let the exporter have `spare` more bytes of address space than it has now, and no more."""
        pid = self.process.process.pid
        size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (size + spare, resource.RLIM_INFINITY))
        self.pressed = self.was_pressed = True

    def release(self) -> None:
        """Let it have as much as it likes."""
        if self.process.process.poll() is None:
            resource.prlimit(self.process.process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        self.pressed = False

    def jump(self, ahead: float) -> None:
        """Put the exporter's clock so far ahead of ours."""
        self.clock = self.clock.jump(time.time(), ahead)
        self.steering.ahead = ahead

    def stir(self, rng: random.Random) -> None:
        """Change a key somewhere."""
        target = rng.choice(self.targets)
        vault = self.vault(target)
        keys = sorted(vault.keys.values(), key=lambda key: key.key_id)
        pending, idle = [key for key in keys if key.pending], [key for key in keys if key.state == "Enabled"]
        saveable = pending if len(pending) > _FEWEST_PENDING else []
        choices = [(self._create, [None] if len(keys) < _MOST_KEYS else []), (self._schedule, idle)]
        choices += [(self._cancel, saveable), (self._delete, saveable), (self._enable, keys), (self._move, pending)]
        change, among = rng.choice([(change, among) for change, among in choices if among])
        since = time.time()
        key = change(vault, rng.choice(among), rng)
        if key is not None:
            there = key.key_id in vault.keys
            self.truth.write(target, key.key_id, _fact(key) if there else None, since, time.time())

    @staticmethod
    def _create(vault: Vault, _: Key | None, rng: random.Random) -> Key:
        return vault.create_key(alias=f"alias/made-{rng.getrandbits(48):x}", description='a "new\nkey" \\')

    @staticmethod
    def _schedule(vault: Vault, key: Key, rng: random.Random) -> Key:
        return vault.schedule_deletion(key.key_id, rng.randint(7, 30))

    @staticmethod
    def _cancel(vault: Vault, key: Key, _: random.Random) -> Key:
        return vault.cancel_deletion(key.key_id)

    @staticmethod
    def _delete(vault: Vault, key: Key, _: random.Random) -> Key:
        vault.delete(key.key_id)
        return key

    @staticmethod
    def _enable(vault: Vault, key: Key, _: random.Random) -> Key | None:
        """Change between Enabled and Disabled."""
        if key.state == "Disabled":
            return vault.enable(key.key_id)
        return vault.disable(key.key_id) if key.state == "Enabled" else None

    def _move(self, vault: Vault, key: Key, rng: random.Random) -> Key:
        """Schedule a deletion anew, for another day."""
        since = time.time()
        vault.cancel_deletion(key.key_id)
        self.truth.write(Target(vault.account_id, vault.region), key.key_id, _fact(key), since, time.time())
        vault.enable(key.key_id)
        return vault.schedule_deletion(key.key_id, rng.randint(7, 30))

    def close(self) -> None:
        """End both."""
        self.process.kill()
        if self.tarpit:
            self.tarpit.close()
        self.emulator.stop()


def _fact(key: Key) -> Fact:
    return Fact(key.state, key.deletion_at)
