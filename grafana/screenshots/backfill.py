"""Prometheus' blocks from pages that the exporter served, each stamped with the moment it was served at."""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

BLOCK_SECONDS: Final = 18 * 3600
"""What goes into a block: two hours times a power of three, as promtool wants it. Few blocks are made sooner."""


class Page(NamedTuple):
    """What a scrape got.

    Attributes:
        at: when, in Unix seconds.
        text: the page in OpenMetrics 1.0.
        seconds: how long it took.
    """

    at: float
    text: str
    seconds: float


class Storage:
    """Storage directories for Prometheus that are filled with pages, in order of time.

    `promtool` reads its input once for each block that it makes, so it is given the pages of one block at a time.
    """

    def __init__(self, folders: Mapping[Path, Sequence[str]]) -> None:
        """Fill each folder as if every page had come from several targets.

        Args:
            folders: directory to what Prometheus adds to the series of each target, such as `instance="a:1",job="b"`.
        """
        self._folders = folders
        self._pages: list[Page] = []

    def add(self, page: Page) -> None:
        """Take a page in."""
        if self._pages and self._pages[-1].at // BLOCK_SECONDS != page.at // BLOCK_SECONDS:
            self._write()
        self._pages.append(page)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pages:
            self._write()

    def _write(self) -> None:
        for folder, targets in self._folders.items():
            with tempfile.NamedTemporaryFile("w", suffix=".om", encoding="utf-8") as text:
                text.writelines(_merged(self._pages, targets))
                text.flush()
                command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
                command += [f"--max-block-duration={BLOCK_SECONDS}s", text.name, str(folder)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - nothing from outside
        self._pages.clear()


def _merged(pages: Iterable[Page], targets: Sequence[str]) -> Iterator[str]:
    """Yield one OpenMetrics page with the samples of all pages: a family's samples stand together."""
    families: dict[str, list[str]] = {}
    for page in pages:
        samples: list[str] = []
        # Label values escape their line feeds, so a line feed always ends a line; other line breaks may occur in them.
        for line in page.text.split("\n"):
            if line.startswith("# TYPE "):
                samples = families.setdefault(line, [])
            elif line and not line.startswith("#"):
                samples += [f"{_labelled(line, labels)} {page.at:.3f}\n" for labels in targets]
        for name, value in (("up", 1), ("scrape_duration_seconds", page.seconds)):
            samples = families.setdefault(f"# TYPE {name} gauge", [])
            samples += [f"{name}{{{labels}}} {value} {page.at:.3f}\n" for labels in targets]
    for declaration, samples in families.items():
        yield f"{declaration}\n"
        yield from samples
    yield "# EOF\n"


def _labelled(sample: str, labels: str) -> str:
    name_end = next(index for index, char in enumerate(sample) if char in "{ ")
    if sample[name_end] == " ":
        return f"{sample[:name_end]}{{{labels}}}{sample[name_end:]}"
    return f"{sample[: name_end + 1]}{labels},{sample[name_end + 1 :]}"
