"""Which format and coding a scrape gets, from its `Accept` and `Accept-Encoding` headers (RFC 9110, section 12.5).

A header that asks for nothing this exporter has is answered all the same, with plain text: a scrape that shows the keys
in another format helps more than a 406.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple


class Format(Enum):
    """A format of the page; the value is its `Content-Type`. Earlier ones are preferred where the client does not care.

    The exporter's names are plain ASCII words, so every `escaping` that Prometheus 3 may ask for gives the same page.
    """

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS_1_0_0 = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    OPENMETRICS_0_0_1 = "application/openmetrics-text; version=0.0.1; charset=utf-8"

    @property
    def openmetrics(self) -> bool:
        """Whether counters are named, and the page ends, as OpenMetrics wants it."""
        return self is not Format.TEXT


class _Range(NamedTuple):
    """One item of an `Accept` or `Accept-Encoding` header."""

    value: str
    version: str
    quality: float


class _Match(NamedTuple):
    """How an item of `Accept` speaks of a format; the greatest is the most specific, of equals the earliest."""

    specificity: int
    earliness: int
    quality: float


# What each format answers to. Text 1.0.0 differs from 0.0.4 only in names that are no plain words.
_OFFERS: Final = {
    Format.TEXT: ("text/plain", ("0.0.4", "1.0.0")),
    Format.OPENMETRICS_1_0_0: ("application/openmetrics-text", ("1.0.0",)),
    Format.OPENMETRICS_0_0_1: ("application/openmetrics-text", ("0.0.1",)),
}
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def choose_format(accept: str) -> Format:
    """Return the format that the client likes best, of equals the one that it names first.

    A format is judged by the most specific item that covers it, so `text/plain;q=0, */*` asks for OpenMetrics.
    """
    ranges = list(_ranges(accept))
    matches = {form: max(_matches(form, ranges), default=_Match(0, 0, 0.0)) for form in Format}
    best = max(Format, key=lambda form: (matches[form].quality, matches[form].earliness))
    return best if matches[best].quality > 0 else Format.TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the client likes gzip at least as much as no coding at all."""
    qualities = {item.value: item.quality for item in _ranges(accept_encoding)}
    rest = qualities.get("*", 0.0)
    gzip = qualities.get("gzip", qualities.get("x-gzip", rest))
    return gzip > 0 and gzip >= qualities.get("identity", rest)


def _ranges(header: str) -> Iterator[_Range]:
    for item in header.lower().split(","):
        value, *parameters = (part.strip() for part in item.split(";"))
        given = dict(_parameter(parameter) for parameter in parameters)
        quality = given.get("q", "1")
        # A weight that is none can only be a mistake; the item is then as good as not there.
        if value and _QUALITY.fullmatch(quality):
            yield _Range(value, given.get("version", ""), float(quality))


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip().strip('"')


def _matches(form: Format, ranges: list[_Range]) -> Iterator[_Match]:
    media_type, versions = _OFFERS[form]
    wildcards = (f"{media_type.partition('/')[0]}/*", "*/*")
    for position, item in enumerate(ranges):
        if item.value == media_type and item.version in versions:
            yield _Match(3, -position, item.quality)
        elif item.value == media_type and not item.version:
            yield _Match(2, -position, item.quality)
        elif item.value in wildcards:
            yield _Match(1 - wildcards.index(item.value), -position, item.quality)
