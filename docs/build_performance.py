"""Writes what docs/performance.md quotes of benchmarks/results.json: tables, pictures, effects.

python -m docs.build_performance          write it
python -m docs.build_performance --check  only tell whether it is out of date, exit status 1 if so
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import keys, neighbours, organization
from benchmarks.report import BENCHMARKS, summary
from benchmarks.results import COMMITTED, Result, load

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "performance.md"
MARKED: Final = re.compile(r"(<!-- (\w+): written by docs/build_performance.py -->\n).*?(<!-- /\2 -->\n)", re.DOTALL)
NOT_YET: Final = "Not measured yet: `make bench`."

Results = Mapping[str, Result]


def how(_: Results) -> Iterator[str]:
    """Yield the table of the commands."""
    yield "| command | what it measures | minutes |"
    yield "|---|---|---:|"
    for each in BENCHMARKS:
        source = (ROOT / "benchmarks" / f"{each.module}.py").read_text(encoding="utf-8")
        (first, *_) = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
        yield f"| `python -m benchmarks.{each.module}` | {first.rstrip('.')} | {each.minutes:g} |"


def claims(results: Results) -> Iterator[str]:
    """Yield every claim."""
    yield from summary(results)


def by_keys(results: Results) -> Iterator[str]:
    """Yield the scaling over keys."""
    yield from _table(results, "keys", keys.HEADINGS, lambda row: keys.Row(**row).line())
    yield from _picture(results, "keys", "scaling-keys.png", "Memory, first full pass and scrapes by number of keys")


def by_targets(results: Results) -> Iterator[str]:
    """Yield the scaling over targets."""
    headings = organization.HEADINGS
    yield from _table(results, "targets", headings, lambda row: organization.Row(**row).line())
    yield from _picture(
        results, "targets", "scaling-targets.png", "Memory, CPU and time until ready by number of targets"
    )


def others(results: Results) -> Iterator[str]:
    """Yield what other programs take."""
    if result := results.get("neighbours"):
        rows = [neighbours.Row(**{**row, "spent": neighbours.Spent(**row["spent"])}) for row in result.rows]
        for size in dict.fromkeys((row.regions, row.keys) for row in rows):
            of_size = [row for row in rows if (row.regions, row.keys) == size]
            yield f"{size[0]} x {size[1]:,} keys:"
            yield ""
            yield f"| {' | '.join(neighbours.HEADINGS)} |"
            yield f"|---|{'---:|' * (len(neighbours.HEADINGS) - 1)}"
            yield from (neighbours.line(row.way, row.spent, of_size[0].spent) for row in of_size)
            yield ""
    yield from _picture(results, "neighbours", "neighbours.png", "Time, CPU and memory of each way")


def serving(results: Results) -> Iterator[str]:
    """Yield what a scrape costs, each way."""

    def line(row: Mapping[str, Any]) -> str:
        times = " | ".join(f"{row[name] * 1000:.2f} ms" for name in ("cpu", "p50", "p99"))
        return f"| {row['keys']:,} | {row['coding']} | {WAYS[row['way']]} | {row['size']:.2f} MB | {times} |"

    yield from _table(results, "serving", ("keys", "coding", "way", "size", "CPU", "p50", "p99"), line)


WAYS: Final = {
    "ours": "kms-exporter",
    "plain": "`prometheus_client.make_asgi_app`, a custom collector",
    "bare": "a bare application that sends the same bytes",
}


def pacing(results: Results) -> Iterator[str]:
    """Yield what one call costs."""
    if result := results.get("pacing"):
        yield from (f"- {claim.claim}: {claim.figure}" for claim in result.claims)
    else:
        yield NOT_YET


def _table(
    results: Results, name: str, headings: tuple[str, ...], line: Callable[[Mapping[str, Any]], str]
) -> Iterator[str]:
    if result := results.get(name):
        yield f"| {' | '.join(headings)} |"
        yield f"|{'---:|' * len(headings)}"
        yield from (line(row) for row in result.rows)
        yield ""
        yield f"`{result.command}`, {result.measured}, {result.machine}."
    else:
        yield NOT_YET


def _picture(results: Results, name: str, file: str, title: str) -> Iterator[str]:
    if name in results:
        yield ""
        yield f"![{title}](images/{file})"


BLOCKS: Final[Mapping[str, Callable[[Results], Iterator[str]]]] = {
    "how": how,
    "claims": claims,
    "keys": by_keys,
    "targets": by_targets,
    "neighbours": others,
    "serving": serving,
    "pacing": pacing,
}


def written(page: str, results: Results) -> str:
    """Return the page with what it quotes as it is now.

    Raises:
        ValueError: it has no place for something.
    """
    if missing := BLOCKS.keys() - {name for _, name, _ in MARKED.findall(page)}:
        raise ValueError(f"no place in the page for {', '.join(sorted(missing))}")

    def block(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(BLOCKS[name](results))).strip()
        return f"{begin}\n{text}\n\n{end}"

    return MARKED.sub(block, page)


def main(arguments: list[str]) -> int:
    """Write the page, or check it; return the exit status."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = written(page, load(COMMITTED))
    if fresh == page:
        return 0
    if arguments == ["--check"]:
        print("docs/performance.md is out of date: run python -m docs.build_performance")
        return 1
    PAGE.write_text(fresh, encoding="utf-8")
    print("docs/performance.md written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
