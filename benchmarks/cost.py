"""What watching costs in requests: counted over simulated days, beside the estimate, and beside describing every key.

python -m benchmarks.cost [--keys 1000] [--hours 24]

The real refresh loop runs against the emulator with the default settings, on a clock that skips the time in which
nothing happens (`benchmarks/simulated.py`): requests are really sent and counted, none is made up.
"""

import argparse
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.results import Claim, conclude
from benchmarks.simulated import EPOCH, Simulation
from exporter.aws.calls import Operation
from exporter.aws.kms import DESCRIBE_KEY
from exporter.demo.scenario import uniform_world
from exporter.demo.world import World
from exporter.estimate import DAY, OPERATIONS, Mode, estimate
from exporter.fleet import Fleet, spread
from exporter.model import PassKind, TransitionKind
from exporter.settings import Settings

HOUR = 3600.0
AIM = 0.02
"""The largest share of describing every key in every interval, where events are readable and no key is pending."""
INTERVAL = Settings().refresh.interval
NAIVELY = {
    "refresh": {"fallback_interval": INTERVAL},
    "changes": {"cloudtrail": False},
}
"""The settings that come nearest to describing every key in every interval."""
DEFAULTS: dict[str, Any] = {}


def uniform(keys: int, pending: int = 0) -> Callable[[Callable[[], float]], World]:
    """Return what builds one account and region."""
    return lambda now: uniform_world(keys, pending=pending, now=now)


def without_events(world: Callable[[Callable[[], float]], World]) -> Callable[[Callable[[], float]], World]:
    """Deny LookupEvents in a world."""

    def denied(now: Callable[[], float]) -> World:
        built = world(now)
        built.home.denied |= {(region, "LookupEvents") for region in built.home.regions}
        return built

    return denied


def watched(world: Callable[[Callable[[], float]], World], until: float, **settings: Any) -> Simulation:
    """Watch a world for so many simulated seconds."""
    simulation = Simulation(world, Settings.model_validate(settings))
    simulation.run(until)
    return simulation


def second_full_pass(simulation: Simulation) -> float:
    """Return when the second full pass began: from then on they come at their interval."""
    fulls = [ended for ended in simulation.record.passes if ended.mode == PassKind.FULL]
    return fulls[1].at - fulls[1].seconds


def steady(simulation: Simulation, seconds: float) -> Counter[str]:
    """Return the requests of so many seconds, which begin with a full pass."""
    since = second_full_pass(simulation) - 1.0
    return simulation.record.counted(since, since + seconds)


def show(title: str, counted: Counter[str], seconds: float, estimated: dict[Operation, float], naive: float) -> float:
    """Print what was counted in `seconds` as requests a day, beside the estimate; return its share of `naive`."""
    print(f"{title}\n  {'':22}{'counted':>12}{'a day':>14}{'estimate':>14}")
    for operation in OPERATIONS:
        if (count := counted[operation.name]) or operation in estimated:
            a_day = count * DAY / seconds
            print(f"  {operation.name:22}{count:>12,}{a_day:>14,.0f}{estimated.get(operation, 0):>14,.0f}")
    total = counted.total() * DAY / seconds
    print(f"  {'all':22}{counted.total():>12,}{total:>14,.0f}{sum(estimated.values()):>14,.0f}")
    print(f"  of describing every key in every interval: {total / naive:.2%} (aim without pending keys: {AIM:.0%})\n")
    return total / naive


def estimated(mode: Mode, keys: int, pending: int = 0) -> dict[Operation, float]:
    """Return the estimate of a day for one account and region."""
    settings = Settings()
    fleet = Fleet.of(settings, spread(keys, 1, pending), 1)
    return dict(estimate(settings, fleet).costs[mode].requests)


def costs(keys: int, hours: float) -> Claim:
    """Print what each way of watching costs; return what is claimed of it."""
    naive = keys * DAY / INTERVAL
    print(f"{keys:,} keys in one account and region, default settings (interval {INTERVAL:.0f} s)\n")

    seconds = 10 * INTERVAL
    counted = steady(watched(uniform(keys), seconds + 2 * INTERVAL, **NAIVELY), seconds)
    describes = counted["DescribeKey"] * DAY / seconds
    print("Describing every key in every interval")
    print(f"  {keys:,} keys x {DAY / INTERVAL:,.0f} intervals = {naive:,.0f} DescribeKey a day")
    print(f"  counted in 10 intervals: {counted['DescribeKey']:,}, which is {describes:,.0f} a day\n")

    seconds = hours * HOUR
    simulation = watched(uniform(keys), seconds + HOUR + 2 * INTERVAL)
    share = show(
        f"Events readable, {hours:g} simulated hours",
        steady(simulation, seconds),
        seconds,
        estimated(Mode.EVENTS, keys),
        naive,
    )
    first_day = simulation.record.counted(0, seconds)
    print(f"  with the start, whose second full pass comes early: {first_day.total() / naive * DAY / seconds:.2%}\n")

    seconds, pending = 6 * HOUR, max(1, keys // 100)
    counted = steady(watched(uniform(keys, pending), seconds + HOUR + 2 * INTERVAL), seconds)
    title = f"Events readable, {pending} of the keys pending deletion, 6 simulated hours"
    show(title, counted, seconds, estimated(Mode.EVENTS, keys, pending), naive)

    seconds = HOUR
    counted = steady(watched(without_events(uniform(keys)), seconds + HOUR / 2), seconds)
    show("Events not readable, a simulated hour", counted, seconds, estimated(Mode.NO_EVENTS, keys), naive)
    return Claim.at_most(f"{keys:,} keys: requests against describing all in every interval", share, AIM, "{:.2%}")


def detection(count: int = 40) -> None:
    """Print how long deletions stay unseen that are scheduled at moments which no pass is near to on purpose."""
    print(f"How long {count} deletions stay unseen, one every 67 s; events are shown at once")
    for name, settings in (("events readable", DEFAULTS), ("naive", NAIVELY)):
        waits = waits_for_deletions(count, **settings)
        print(f"  {name:16} median {statistics.median(waits):5.1f} s, longest {max(waits):5.1f} s")
    print("  (CloudTrail shows an event some 5 minutes late; a queue brings it within seconds)\n")


def waits_for_deletions(count: int, **settings: Any) -> list[float]:
    """Return how many seconds each deletion stays unseen."""
    scheduled = {f"{number:04d}": EPOCH + 600 + 67 * number for number in range(count)}

    def world(now: Callable[[], float]) -> World:
        built = uniform_world(2 * count, now=now)
        vault = built.vault(built.home.account_id, "eu-west-1")
        for key_id, (name, at) in zip(list(vault.keys), list(scheduled.items()), strict=False):
            del scheduled[name]
            scheduled[key_id] = at
            built.agenda.plan(at, lambda key_id=key_id: vault.schedule_deletion(key_id, 30))
        return built

    simulation = watched(world, 600 + 67 * count + 3 * INTERVAL, **settings)
    seen = {
        change.key.key_id: change.at
        for change in simulation.inventory.snapshot.transitions
        if change.kind is TransitionKind.SCHEDULED
    }
    return [seen[key_id] - at for key_id, at in scheduled.items()]


def evenness(keys: int, latency: float = 0.015) -> None:
    """Print how the requests of a full pass are spread over it."""
    settings = Settings()
    simulation = Simulation(uniform(keys), settings, latency)
    simulation.run(INTERVAL)
    sent = described_at(simulation)
    lasts, rate = sent[-1] - sent[0], settings.aws.request_rate * DESCRIBE_KEY.quota
    gaps = sorted(after - before for before, after in pairwise(sent))
    print(f"A full pass over {keys:,} keys, AWS answering in {latency * 1000:.0f} ms; {rate:g} a second are allowed")
    print(f"  lasts                     {lasts:6.2f} s, {len(sent) / lasts:.0f} a second on average")
    for seconds in (1.0, 0.1):
        slices = per_slice(sent, seconds)[:-1]  # the last is not a whole one
        print(
            f"  in {seconds:3g} s                  {min(slices):6} to {max(slices)}, median "
            f"{statistics.median(slices):g}; allowed {rate * seconds:g}"
        )
    print(
        f"  between two requests      {statistics.median(gaps) * 1000:6.1f} ms median, {gaps[-1] * 1000:.0f} ms longest"
    )


def described_at(simulation: Simulation) -> Sequence[float]:
    """Return when the keys of the first full pass were described."""
    (first, *_) = (ended for ended in simulation.record.passes if ended.mode == PassKind.FULL)
    requests = simulation.record.requests
    return sorted(sent.at for sent in requests if sent.operation == "DescribeKey" and sent.at <= first.at)


def per_slice(moments: Iterable[float], seconds: float) -> list[int]:
    """Return how many of the moments, which are sorted, lie in each slice of time from the first on."""
    first, *_ = moments = list(moments)
    counts = Counter(int((moment - first) / seconds) for moment in moments)
    return [counts[number] for number in range(max(counts) + 1)]


def main() -> None:
    """Count, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--hours", type=float, default=24)
    options = parser.parse_args()
    claim = costs(options.keys, options.hours)
    detection()
    evenness(max(4000, options.keys))
    conclude("cost", [], [claim])


if __name__ == "__main__":
    main()
