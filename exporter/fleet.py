"""What there is to watch, as numbers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from exporter.settings import Settings

REGIONS_FROM_THE_START: Final = 17
"""Regions that an account has without enabling any
(https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html)."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Targets that hold as much as each other; the numbers are those of one target.

    Attributes:
        targets: how many there are.
        keys: customer managed ones.
        pending: of these, how many are pending deletion.
        aws_managed: keys that are listed with them.
        aliases: of all of them.
    """

    targets: int
    keys: int
    pending: int = 0
    aws_managed: int = 0
    aliases: int = 0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that is watched.

    Attributes:
        accounts: how many.
        roles: in how many of them a role is assumed.
        discovered: in how many of them the regions are asked for.
        organization: whether the organization is asked for its accounts.
    """

    holdings: tuple[Holding, ...]
    accounts: int
    roles: int
    discovered: int
    organization: bool

    @classmethod
    def of(cls, settings: "Settings", holdings: tuple[Holding, ...], accounts: int) -> Self:
        """Find the ways into so many accounts in the settings; those that these do not name are an organization's."""
        aws = settings.aws
        home = int(aws.home_account)
        with_regions = accounts if aws.regions else sum(bool(account.regions) for account in aws.accounts)
        return cls(
            holdings=holdings,
            accounts=accounts,
            roles=accounts - min(home, accounts),
            discovered=max(0, accounts - with_regions),
            organization=aws.organization.enabled or accounts > home + len(aws.accounts),
        )

    @property
    def targets(self) -> int:
        """How many targets there are."""
        return sum(holding.targets for holding in self.holdings)

    @property
    def keys(self) -> int:
        """How many customer managed keys."""
        return sum(holding.targets * holding.keys for holding in self.holdings)

    @property
    def pending(self) -> int:
        """How many of these are pending deletion."""
        return sum(holding.targets * holding.pending for holding in self.holdings)


def spread(keys: int, targets: int, pending: int = 0) -> tuple[Holding, ...]:
    """Spread keys, each with one alias, evenly over targets; AWS managed keys are taken for none."""
    counts = Counter(keys // targets + (number < keys % targets) for number in range(targets))
    return with_pending((Holding(number, each, aliases=each) for each, number in counts.items()), pending)


def with_pending(holdings: Iterable[Holding], pending: int) -> tuple[Holding, ...]:
    """Let so many of the keys be pending deletion, spread as evenly as the targets have keys; largest targets first."""
    single = sorted(
        (replace(each, targets=1) for each in holdings for _ in range(each.targets)), key=lambda each: each.keys
    )
    alike: Counter[Holding] = Counter()
    for number, each in enumerate(single):
        share = min(each.keys, ceil(pending / (len(single) - number)))
        pending -= share
        alike[replace(each, pending=share)] += 1
    groups = (replace(each, targets=number) for each, number in alike.items())
    return tuple(sorted(groups, key=lambda each: (-each.keys, -each.pending)))
