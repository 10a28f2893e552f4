"""Pages of a sorted list, and the opaque markers between them."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple


class BadMarkerError(ValueError):
    """A marker that no page ended with."""


class Page(NamedTuple):
    """Some items of a list.

    Attributes:
        marker: where the next page starts, None after the last one.
    """

    items: Sequence[str]
    marker: str | None


def page(items: Sequence[str], limit: int, marker: str | None, *, empty_first: bool = False) -> Page:
    """Return the items that follow `marker`, at most `limit`.

    A marker names the last item before it, not a position, so that a list which changes between two pages neither skips
    nor repeats what stays in it.

    Args:
        items: sorted, without duplicates.
        limit: the largest page.
        marker: from the page before, None or empty for the first.
        empty_first: serve an empty page with a marker before every page, as services may.

    Raises:
        BadMarkerError: the marker is from nowhere.
    """
    after, announced = _decode(marker)
    if empty_first and not announced:
        return Page((), _encode(after, announced=True))
    start = bisect_right(items, after) if after else 0
    chunk = items[start : start + limit]
    more = start + limit < len(items)
    return Page(chunk, _encode(chunk[-1], announced=False) if more else None)


def _encode(after: str, *, announced: bool) -> str:
    return base64.urlsafe_b64encode(f"{int(announced)}:{after}".encode()).decode()


def _decode(marker: str | None) -> tuple[str, bool]:
    if not marker:
        return "", False
    try:
        announced, colon, after = base64.urlsafe_b64decode(marker.encode()).decode().partition(":")
    except (binascii.Error, UnicodeError) as error:
        raise BadMarkerError(marker) from error
    if not colon or announced not in {"0", "1"}:
        raise BadMarkerError(marker)
    return after, announced == "1"
