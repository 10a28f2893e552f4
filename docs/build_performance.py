"""Writes what docs/performance.md and docs/operating.md quote of benchmarks/results.json: tables, pictures, effects.

python -m docs.build_performance          write them
python -m docs.build_performance --check  only tell which are out of date, exit status 1 if any is
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import keys, neighbours, organization, sizing
from benchmarks.report import BENCHMARKS, summary
from benchmarks.results import COMMITTED, Result, load

ROOT: Final = Path(__file__).parents[1]
PERFORMANCE: Final = ROOT / "docs" / "performance.md"
OPERATING: Final = ROOT / "docs" / "operating.md"
MARKED: Final = re.compile(r"(<!-- (\w+): written by docs/build_performance.py -->\n).*?(<!-- /\2 -->\n)", re.DOTALL)
NOT_YET: Final = "Not measured yet: `make bench`."

Results = Mapping[str, Result]
Block = Callable[[Results], Iterator[str]]


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


def sizes(results: Results) -> Iterator[str]:
    """Yield how much it needs."""
    yield from _table(results, "sizing", sizing.HEADINGS, lambda row: sizing.Row(**row).line())


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


PAGES: Final[Mapping[Path, Mapping[str, Block]]] = {
    PERFORMANCE: {
        "how": how,
        "claims": claims,
        "keys": by_keys,
        "targets": by_targets,
        "neighbours": others,
        "serving": serving,
        "pacing": pacing,
    },
    OPERATING: {"sizing": sizes},
}
"""What each page quotes, by the names of the places."""


def written(page: str, blocks: Mapping[str, Block], results: Results) -> str:
    """Return a page with what it quotes as it is now.

    Raises:
        ValueError: it has no place for something.
    """
    if missing := blocks.keys() - {name for _, name, _ in MARKED.findall(page)}:
        raise ValueError(f"no place in the page for {', '.join(sorted(missing))}")

    def block(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(blocks[name](results))).strip()
        return f"{begin}\n{text}\n\n{end}"

    return MARKED.sub(block, page)


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; return the exit status."""
    check = arguments == ["--check"]
    results = load(COMMITTED)
    stale = 0
    for path, blocks in PAGES.items():
        page = path.read_text(encoding="utf-8")
        fresh = written(page, blocks, results)
        if fresh == page:
            continue
        stale += 1
        if not check:
            path.write_text(fresh, encoding="utf-8")
        told = "is out of date: run python -m docs.build_performance" if check else "written"
        print(f"docs/{path.name} {told}")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
