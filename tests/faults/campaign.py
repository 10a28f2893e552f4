"""A campaign of faults: what was drawn happens, keys change meanwhile, and every scrape is judged.

python -m tests.faults.campaign --seed 1 --minutes 10
"""

import argparse
import logging
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.faults.everywhere import Everywhere
from tests.faults.look import Bounds, Look
from tests.faults.oracle import judge
from tests.faults.page import ACCEPT, parse
from tests.faults.places import InOnePlace
from tests.faults.recoveries import Recoveries
from tests.faults.rig import Rig
from tests.faults.schedule import EVERYWHERE, Planned, Tempo, draw

if TYPE_CHECKING:
    from tests.faults.kinds import Injected

_EVERY = 0.25
"""Seconds between two scrapes."""
_STIR_EVERY = 1.0
_MOST_VIOLATIONS = 20
_UP_WITHIN = 30.0


@dataclass(slots=True)
class Report:
    """What came of a campaign."""

    seed: int
    seconds: float
    interval: float
    injected: Counter[str] = field(default_factory=Counter)
    scrapes: int = 0
    lives: int = 1
    changes: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    recoveries: Recoveries = field(default_factory=Recoveries)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.injected.items()))
        checks = ", ".join(f"{check} {count}" for check, count in self.checked.items())
        lines = [
            f"seed {self.seed}, {self.seconds:.0f} s, interval {self.interval:g} s, {self.lives} processes",
            f"changes of keys: {self.changes}",
            f"faults injected: {self.injected.total()} ({kinds})",
            f"scrapes checked: {self.scrapes} ({checks})",
            f"recoveries of a target: {self.recoveries}",
            f"violations: {len(self.violations)}",
        ]
        return "\n".join([*lines, *self.violations])


class Campaign:
    """One campaign; `run` it once."""

    def __init__(
        self, rig: Rig, schedule: list[Planned], seed: int, seconds: float, sabotage: Callable[[str], str] = str
    ) -> None:
        """Scrape what `rig` serves; `sabotage` is what becomes of a page on the way to the oracle."""
        self._rig = rig
        self._sabotage = sabotage
        self._to_come = list(schedule)
        self._in_force: list[Injected] = []
        self._everywhere, self._in_one_place = Everywhere(rig), InOnePlace(rig)
        self._rng = random.Random(seed)
        self._client = httpx.Client(timeout=10, trust_env=False, headers=ACCEPT)
        self._history: list[str] = []
        self.report = Report(seed, seconds, rig.bounds.interval)

    def run(self) -> Report:
        """Let everything happen."""
        self._began = time.time()
        stir_at = self._began
        with self._client:
            while (now := time.time()) < self._began + self.report.seconds and not self._hopeless():
                self._turn(now - self._began)
                if now >= stir_at:
                    self._rig.stir(self._rng)
                    self.report.changes += 1
                    stir_at = now + self._rng.expovariate(1 / _STIR_EVERY)
                if wrong := self._rig.look_after():
                    self._violation(wrong)
                    break
                self._scrape()
                time.sleep(max(0.0, now + _EVERY - time.time()))  # scrapes have an interval; nothing is waited for
            for injected in self._in_force:
                injected.end()
        self.report.lives = self._rig.ends.total() + 1
        return self.report

    def _hopeless(self) -> bool:
        return len(self.report.violations) >= _MOST_VIOLATIONS

    def _turn(self, at: float) -> None:
        """End what is over, and begin what is due."""
        for injected in [each for each in self._in_force if each.planned.end <= at]:
            injected.end()
            self._in_force.remove(injected)
            if injected.trouble is not None:
                self.report.recoveries.ended(injected.trouble)
        while self._to_come and self._to_come[0].start <= at:
            planned = self._to_come.pop(0)
            kinds = self._everywhere if planned.kind in EVERYWHERE else self._in_one_place
            self._in_force.append(kinds.begin(planned))
            self._history.append(str(planned))
            self.report.injected[planned.kind] += 1

    def _scrape(self) -> None:
        rig = self._rig
        if not rig.answers():
            if time.time() - max(rig.life.began, rig.dead_since) > _UP_WITHIN:
                self._violation("the process does not come up")
            return
        began = time.time()
        text = self._ask()
        if text is None:
            return
        self.report.scrapes += 1
        try:
            page = parse(self._sabotage(text))
        except ValueError as error:
            self._violation(f"the page is not valid: {error}")
            return
        look = Look(
            page, began, time.time(), rig.truth, rig.troubles, rig.bounds, rig.life, rig.clock, self.report.checked
        )
        self.report.recoveries.see(look)
        for violation in judge(look):
            self._violation(violation)

    def _ask(self) -> str | None:
        """Return the page; None where there is none to be judged."""
        rig = self._rig
        try:
            page, health, ready = (
                self._client.get(rig.process.url + path) for path in ("/metrics", "/healthz", "/readyz")
            )
        except httpx.TransportError as error:
            if not rig.pressed:
                self._violation(f"no answer: {error!r}")
            return None
        if health.status_code == 503 and rig.was_pressed:
            rig.end(signal.SIGKILL)  # as every supervisor does
            return None
        if (page.status_code, health.status_code) != (200, 200):
            if not rig.pressed:
                self._violation(f"status {page.status_code} of the page, {health.status_code} of /healthz")
            return None
        if rig.ready and ready.status_code != 200:
            self._violation("no longer ready")
        rig.ready = rig.ready or ready.status_code == 200
        return page.text

    def _violation(self, what: str) -> None:
        """Take note of what is wrong, with all that it takes to see it again."""
        at = time.time() - self._began
        in_force = ", ".join(str(injected.planned) for injected in self._in_force) or "nothing"
        self.report.violations.append(
            f"seed {self.report.seed} at {at:.1f} s: {what}\n  in force: {in_force}\n  before:   "
            + "\n            ".join(self._history[-6:])
        )


def bounds(interval: float, allowance: float) -> Bounds:
    """Return the bounds of a configuration with this interval."""
    return Bounds(
        interval=interval,
        full_interval=4 * interval,
        keep_failed=10 * interval,
        start=2 * interval + 2 * allowance,
        allowance=allowance,
    )


def run(
    seed: int,
    seconds: float,
    *,
    interval: float = 2.0,
    allowance: float = 4.0,
    only: str = "",
    sabotage: Callable[[str], str] = str,
) -> Report:
    """Run a campaign in a folder of its own."""
    limits = bounds(interval, allowance)
    tempo = Tempo(shortest=interval, longest=6 * interval, outlasting=1.5 * limits.kept, calm=3 * interval + 3)
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), limits)
        try:
            schedule = draw(random.Random(seed), seconds, rig.targets, tempo, only=only)
            campaign = Campaign(rig, schedule, seed, seconds, sabotage)
            report = campaign.run()
            if report.violations:
                report.violations.append("\n".join(rig.process.log[-30:]))
            return report
        finally:
            rig.close()


def main() -> int:
    """Run campaigns of one seed after the other; the exit status is 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first campaign")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each campaign")
    parser.add_argument("--campaigns", type=int, default=1, help="how many, each with the next seed")
    parser.add_argument("--interval", type=float, default=2.0, help="refresh.interval, in seconds")
    parser.add_argument("--allowance", type=float, default=4.0, help="seconds that a busy machine may take longer")
    parser.add_argument("--only", default="", help="kinds of faults, separated by commas; all by default")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # what it has started ends with it
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # requests that end with the emulator
    broken = 0
    for seed in range(options.seed, options.seed + options.campaigns):
        report = run(
            seed, options.minutes * 60, interval=options.interval, allowance=options.allowance, only=options.only
        )
        sys.stdout.write(f"{report}\n")
        sys.stdout.flush()
        broken += len(report.violations)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
