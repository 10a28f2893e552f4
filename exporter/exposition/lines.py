"""From the declared families and their subjects to lines."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from exporter.exposition.families import Family
from exporter.exposition.text import head, label_pairs, number

S = TypeVar("S")

Clocked = tuple[str, float]
"""What stands before the value of a sample, and what the family's clock makes the value from."""


class Lines:
    """Collects the samples of subjects, family by family."""

    def __init__(self) -> None:
        self._static: defaultdict[str, list[str]] = defaultdict(list)
        self._clocked: defaultdict[str, list[Clocked]] = defaultdict(list)

    def add(self, families: Iterable[Family[S]], subject: S, given: str = "", tags: str = "") -> None:
        """Add what `families` tell of a subject.

        Args:
            families: those that `subject` can answer.
            subject: what is told of.
            given: the labels that name the subject, rendered: once for all its families.
            tags: the labels of its tags, rendered.
        """
        for family in families:
            for values, value in family.samples(subject):
                start = head(family.name, f"{given}{label_pairs(family.own, values)}{tags if family.tags else ''}")
                if family.clock is None:
                    self._static[family.name].append(f"{start}{number(value)}\n")
                else:
                    self._clocked[family.name].append((start, value))

    def static(self) -> dict[str, bytes]:
        """Return the finished lines by family name; a family without samples is left out."""
        return {name: "".join(lines).encode() for name, lines in self._static.items()}

    def clocked(self) -> dict[str, tuple[Clocked, ...]]:
        """Return the samples that depend on the clock by family name."""
        return {name: tuple(samples) for name, samples in self._clocked.items()}
