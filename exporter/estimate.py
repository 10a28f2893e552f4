"""How many requests watching takes, and what they cost: arithmetic on the settings and the number of keys.

It follows the code that sends them (`exporter.refresh`, `exporter.schedule`, `exporter.aws`) in its steady state: the
first passes after a start, retries, and what single changes of keys cause are left out. `tests/aws/test_cost.py` holds
it to the requests that are counted in a run.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor, inf
from typing import TYPE_CHECKING, Final

from exporter.aws import config, discovery, kms, queue, tagging
from exporter.aws.calls import Operation
from exporter.aws.cloudtrail import LOOKUP_EVENTS, OVERLAP
from exporter.aws.cloudtrail import PAGE as EVENTS_A_PAGE
from exporter.aws.dossier import HOUR
from exporter.aws.grants import LIST_GRANTS
from exporter.aws.history import LOOK_EVERY
from exporter.aws.identities import ASSUME_ROLE, RENEW_BEFORE
from exporter.aws.sweep import MANY
from exporter.aws.trail import OTHERS_EVERY
from exporter.aws.usage import GET_KEY_LAST_USAGE
from exporter.fleet import Fleet, Holding
from exporter.prices import PRICES
from exporter.queue_reader import MEASURE_EVERY
from exporter.refresh import DISCOVER_EVERY
from exporter.schedule import SHORTEST_REST

if TYPE_CHECKING:
    from exporter.settings import Settings

_Numbers = dict[Operation, float]

DAY: Final = 86400.0
DAYS_A_MONTH: Final = 30

ACCOUNTS_A_PAGE: Final = 20
"""https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html"""
SESSION: Final = 3600.0
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html: unless asked for another."""

OPERATIONS: Final = (
    kms.DESCRIBE_KEY,
    kms.LIST_KEYS,
    kms.LIST_ALIASES,
    LIST_GRANTS,
    GET_KEY_LAST_USAGE,
    LOOKUP_EVENTS,
    tagging.GET_RESOURCES,
    ASSUME_ROLE,
    discovery.GET_CALLER_IDENTITY,
    discovery.DESCRIBE_REGIONS,
    discovery.LIST_ACCOUNTS,
    config.SELECT,
    queue.RECEIVE_MESSAGE,
    queue.GET_QUEUE_ATTRIBUTES,
)
"""Everything that the service asks AWS for, in the order in which it is told."""


class Mode(StrEnum):
    """How changes of keys are learned."""

    EVENTS = "events_readable"
    NO_EVENTS = "events_unreadable"
    NAIVE = "naive"
    """Every key is described in every interval, and nothing else is asked: what this exporter never does."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one mode takes, all targets together.

    Attributes:
        requests: a day, by operation; those that are not asked for are absent.
        rates: requests a second, averaged, where most are wanted: in one account and region. A budget may not allow so
            many.
        full_pass: seconds that one lasts in the target with the most keys.
        full_every: seconds from one full pass over that target to the next.
    """

    requests: Mapping[Operation, float]
    rates: Mapping[Operation, float]
    full_pass: float
    full_every: float

    @property
    def total(self) -> float:
        """Requests a day."""
        return sum(self.requests.values())

    @property
    def dollars(self) -> float:
        """US dollars a day."""
        return sum(dollars(operation, requests) for operation, requests in self.requests.items())


def dollars(operation: Operation, requests: float) -> float:
    """Return what so many requests cost."""
    return requests * PRICES[operation.service].dollars


@dataclass(frozen=True, slots=True)
class Estimate:
    """The modes side by side."""

    fleet: Fleet
    costs: Mapping[Mode, Cost]

    @property
    def of_naive(self) -> float | None:
        """Requests with readable events, as a share of the naive ones; None where there are no keys."""
        return self.costs[Mode.EVENTS].total / self.costs[Mode.NAIVE].total if self.fleet.keys else None


def estimate(settings: "Settings", fleet: Fleet) -> Estimate:
    """Return what it takes to watch a fleet with these settings, all shards together."""
    return Estimate(fleet, {mode: _cost(settings, fleet, mode) for mode in Mode})


def _cost(settings: "Settings", fleet: Fleet, mode: Mode) -> Cost:
    around = {} if mode is Mode.NAIVE else _around(settings, fleet)
    requests: _Numbers = defaultdict(float)
    rates: _Numbers = defaultdict(float)
    for operation, (times, places) in around.items():
        requests[operation] += times
        rates[operation] = times / places / DAY
    targets = [_Target(settings, holding, mode) for holding in fleet.holdings]
    for target in targets:
        for operation, times in target.a_day().items():
            # What does not fit into a budget is not sent, but later or less often.
            most = inf if mode is Mode.NAIVE else DAY * operation.quota * settings.aws.request_rate
            requests[operation] += target.holding.targets * min(times, most)
            rates[operation] = max(rates[operation], times / DAY)
    slowest = max(targets, key=lambda target: target.full_pass)
    return Cost(requests, rates, slowest.full_pass, slowest.cycle)


def _around(settings: "Settings", fleet: Fleet) -> dict[Operation, tuple[float, int]]:
    """Return what is asked beside the targets: requests a day, and by how many accounts they are shared.

    Each shard looks for all accounts and regions, since it can't know which are its own before.
    """
    shards, looks, changes = settings.shard.total, DAY / DISCOVER_EVERY, settings.changes
    pages = ceil(fleet.accounts / ACCOUNTS_A_PAGE)
    asked = {
        ASSUME_ROLE: (fleet.roles * DAY / (SESSION - RENEW_BEFORE), 1),
        discovery.GET_CALLER_IDENTITY: (looks if settings.aws.home_account else 0, 1),
        discovery.DESCRIBE_REGIONS: (fleet.discovered * DAY / discovery.REGIONS_HOLD, max(1, fleet.discovered)),
        discovery.LIST_ACCOUNTS: (pages * looks if fleet.organization else 0, 1),
        config.SELECT: (DAY / changes.config_interval if changes.config_aggregator else 0, 1),
        queue.RECEIVE_MESSAGE: (DAY / queue.POLL if changes.sqs_queue_url else 0, 1),
        queue.GET_QUEUE_ATTRIBUTES: (DAY / MEASURE_EVERY if changes.sqs_queue_url else 0, 1),
    }
    return {operation: (shards * times, places) for operation, (times, places) in asked.items() if times}


class _Target:
    """One target: its passes, in cycles of a full one and the changes passes up to the next, and its inquiries.

    Attributes:
        full_pass: seconds that a full pass lasts.
        cycle: seconds from one full pass to the next.
    """

    def __init__(self, settings: "Settings", holding: Holding, mode: Mode) -> None:
        self.holding = holding
        self._settings = settings
        self._mode = mode
        self._many = mode is not Mode.NAIVE and holding.keys + holding.aws_managed >= MANY
        describes_all = self._many or settings.keys.export == "all"
        self._described = holding.keys + (holding.aws_managed if describes_all else 0)
        self._key_pages = _pages(holding.keys + holding.aws_managed, kms.KEYS_A_PAGE)
        self._alias_pages = 0 if mode is Mode.NAIVE else _pages(holding.aliases, kms.ALIASES_A_PAGE)
        full_interval = {
            Mode.EVENTS: settings.refresh.full_interval,
            Mode.NO_EVENTS: settings.refresh.fallback_interval,
            Mode.NAIVE: settings.refresh.interval,
        }[mode]
        self.full_pass = self._seconds(self._described, self._alias_pages)
        self._spacing = self._apart(self._seconds(holding.pending, 0))
        first = self._apart(self.full_pass)
        self._changes = max(0, ceil((full_interval - first) / self._spacing))
        self.cycle = first + self._changes * self._spacing

    def a_day(self) -> Mapping[Operation, float]:
        """Return how many requests are wanted a day."""
        asked = self._of_passes()
        if self._mode is not Mode.NAIVE:
            asked |= self._of_inquiries() | {LOOKUP_EVENTS: self._lookups()}
        return {operation: times for operation, times in asked.items() if times}

    def _of_passes(self) -> _Numbers:
        cycles = DAY / self.cycle
        tagged = _pages(self._described, tagging.PAGE) if self._settings.keys.tags and self._alias_pages else 0
        return {
            kms.DESCRIBE_KEY: cycles * (self._described + self._changes * self.holding.pending),
            kms.LIST_KEYS: cycles * self._lists() * self._key_pages,
            kms.LIST_ALIASES: cycles * self._alias_pages,
            tagging.GET_RESOURCES: cycles * tagged,
        }

    def _lists(self) -> int:
        """Return in how many passes of a cycle keys are listed: only now and then where CloudTrail names new ones."""
        if self._mode is Mode.EVENTS and self._settings.changes.cloudtrail:
            return ceil(self.cycle / self._next_at(self._settings.refresh.fallback_interval))
        return 1 + self._changes

    def _of_inquiries(self) -> _Numbers:
        """Return what is asked about pending keys, and about the use of the others.

        The tags of a key are read once, when it is scheduled: that is no steady cost.
        """
        pending, deletions = self.holding.pending, self._settings.deletions
        hourly = DAY / self._next_after(HOUR)
        others = self.holding.keys - pending if self._settings.keys.last_usage else 0
        return {
            LIST_GRANTS: pending * hourly if deletions.grants else 0,
            GET_KEY_LAST_USAGE: (pending * hourly if deletions.last_usage else 0) + others,
        }

    def _lookups(self) -> float:
        """Return the lookups of events: of changes, and of denied uses of each pending key.

        Where events can't be read, each question is tried again every hour. A pending key's own history has the
        requests of this exporter in it, so a look at it has pages.
        """
        if not self._settings.changes.cloudtrail:
            return 0
        if self._mode is Mode.NO_EVENTS:
            questions = 3 if self.holding.pending else 1
            return questions * DAY / self._next_after(HOUR)
        passes = (1 + self._changes) * DAY / self.cycle
        others = DAY / self._next_at(OTHERS_EVERY)
        looks = DAY / self._next_after(LOOK_EVERY)
        own_events = (OVERLAP + self._next_after(LOOK_EVERY)) / self._spacing
        return passes + others + self.holding.pending * looks * _pages(own_events, EVENTS_A_PAGE)

    def _seconds(self, described: int, alias_pages: int) -> float:
        """Return how long a pass takes within the budget of each operation."""
        asked = ((kms.LIST_KEYS, self._key_pages), (kms.LIST_ALIASES, alias_pages), (kms.DESCRIBE_KEY, described))
        lists, aliases, describes = (
            times / (operation.quota * self._settings.aws.request_rate) for operation, times in asked
        )
        return lists + (max(aliases, describes) if self._many else aliases + describes)

    def _apart(self, seconds: float) -> float:
        """Return the time from the start of a pass that lasts so long to the next, as `Schedule.done` has it."""
        interval = self._settings.refresh.interval
        if self._mode is Mode.NAIVE:
            return interval  # whether or not it is possible
        return max(interval, seconds + SHORTEST_REST * interval)

    def _next_at(self, seconds: float) -> float:
        """Return when what is due so long after it began is done again: in the pass that begins then or next."""
        return ceil(seconds / self._spacing) * self._spacing

    def _next_after(self, seconds: float) -> float:
        """Return when what is due so long after it ended is done again: in the first pass then."""
        return (floor(seconds / self._spacing) + 1) * self._spacing


def _pages(items: float, size: int) -> int:
    """Return the pages of a list: an empty one has a page too."""
    return max(1, ceil(items / size))
