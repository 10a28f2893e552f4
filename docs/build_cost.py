"""Writes the tables of docs/operating.md that say what watching costs, from what `kms-exporter estimate` says.

python docs/build_cost.py          write them
python docs/build_cost.py --check  only tell whether they are out of date, exit status 1 if so
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from exporter.estimate import DAYS_A_MONTH, OPERATIONS, Estimate, Mode, dollars, estimate
from exporter.fleet import Fleet, spread
from exporter.prices import AS_OF
from exporter.settings import Settings

PAGE: Final = Path(__file__).parent / "operating.md"
BEGIN: Final = "<!-- cost: written by docs/build_cost.py -->\n"
END: Final = "<!-- /cost -->\n"

SIZES: Final = (
    (100, 1, 1, 0),
    (1_000, 1, 1, 0),
    (1_000, 1, 1, 10),
    (10_000, 1, 1, 0),
    (100_000, 1, 1, 0),
    (3_400, 340, 20, 0),
    (10_200, 5_100, 300, 0),
    (510_000, 5_100, 300, 0),
)
"""Keys, targets, accounts, pending keys."""


DEFAULTS: Final = Settings()


def tables() -> str:
    """Return what stands between the marks."""
    return "\n".join(("", *_by_size(), "", *_by_operation(), "", _of_queue(), "", ""))


def _of_queue() -> str:
    queue = Settings.model_validate(
        {"changes": {"sqs_queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/kms"}}
    )
    without, having = (_estimate(1, 1, 1, 0, settings).costs[Mode.EVENTS] for settings in (Settings(), queue))
    return (
        f"`changes.sqs_queue_url` adds {having.total - without.total:,.0f} requests a day for each shard, "
        f"{_month(having.dollars - without.dollars)} USD a month."
    )


def _estimate(keys: int, targets: int, accounts: int, pending: int, settings: Settings = DEFAULTS) -> Estimate:
    return estimate(settings, Fleet.of(settings, spread(keys, targets, pending), accounts))


def _by_size() -> Iterator[str]:
    yield from _head(
        "keys",
        "pending",
        "targets",
        "accounts",
        "events readable: requests a day",
        "USD a month",
        "not readable: requests a day",
        "USD a month",
        "every key every minute: requests a day",
        "USD a month",
        "events readable, of that",
    )
    for keys, targets, accounts, pending in SIZES:
        found = _estimate(keys, targets, accounts, pending)
        costs = [text for cost in found.costs.values() for text in (f"{cost.total:,.0f}", _month(cost.dollars))]
        share = f"{found.of_naive:.1%}" if found.of_naive is not None else ""
        yield _row(f"{keys:,}", f"{pending:,}", f"{targets:,}", f"{accounts:,}", *costs, share)


def _by_operation() -> Iterator[str]:
    """Yield what 1,000 keys in one account and region take, and what each pending key adds."""
    calm, one_pending = _estimate(1_000, 1, 1, 0), _estimate(1_000, 1, 1, 1)
    yield f"The second row by operation, in requests a day (prices of {AS_OF}):"
    yield ""
    yield from _head(
        "operation", "events readable", "USD a month", "not readable", "every key every minute", "each pending key adds"
    )
    for operation in OPERATIONS:
        readable, *others = (calm.costs[mode].requests.get(operation, 0) for mode in Mode)
        more = one_pending.costs[Mode.EVENTS].requests.get(operation, 0) - readable
        if any((readable, *others, more)):
            counts = [f"{count:,.0f}" for count in (*others, more)]
            yield _row(f"`{operation.name}`", f"{readable:,.0f}", _month(dollars(operation, readable)), *counts)


def _month(a_day: float) -> str:
    return f"{a_day * DAYS_A_MONTH:,.2f}"


def _head(*names: str) -> Sequence[str]:
    return _row(*names), f"|{':---|' if names[0] == 'operation' else '---:|'}{'---:|' * (len(names) - 1)}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def written(page: str) -> str:
    """Return the page with its tables as they are now.

    Raises:
        ValueError: it has no place for them.
    """
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"no {BEGIN.strip()} ... {END.strip()} in the page")
    return f"{before}{BEGIN}{tables()}{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the tables, or check them; return the exit status."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = written(page)
    if fresh == page:
        return 0
    if arguments == ["--check"]:
        print("docs/operating.md is out of date: run python docs/build_cost.py")
        return 1
    PAGE.write_text(fresh, encoding="utf-8")
    print("docs/operating.md written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
