"""JSON that is nearly what it should be: valid documents in which something is missing, of another type, or absurd."""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hypothesis import strategies as st

Path = tuple[str | int, ...]

_RAW: Final = {
    "\x01deep": "[" * 5_000 + "]" * 5_000,
    "\x01deep objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "\x01beyond floats": "1" + "0" * 400,
    "\x01beyond digits": "1" + "0" * 5_000,
    "\x01infinite": "1e999",
}
"""What no Python value stands for, by the text that holds its place."""

MOMENTS: Final = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999Z",
    "2026-09-21T14:13:20Z",
    "2026-09-21",
    "20260921T141320Z",
    "24:00",
    "2026-W39-1",
    "nan",
)
TEXTS: Final = (
    "",
    " ",
    "\x00",
    "\n",
    "\ud800",
    "\u2028",
    '"',
    "\\",
    "a" * 3_000,
    "/",
    "*",
    "arn:aws:kms:eu-west-1:111122223333:key/",
    "alias/aws/rds",
    *MOMENTS,
)

odd_values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2**31, 2**63, -(2**70), 1e308, -1e11, 253402300800, 0.5]),
    st.sampled_from([float("nan"), float("inf"), -float("inf")]),
    st.sampled_from(sorted(_RAW)),
    st.sampled_from(TEXTS),
    st.sampled_from([[], {}, [[]], [{}], {"": ""}, [None]]),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
)


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Return a document with up to four changes, as text in UTF-8."""
    document = json.loads(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        document = _changed(draw, document)
    return encoded(document)


def encoded(document: Any) -> bytes:
    """Write JSON, with everything in it that JSON can hold and Python can't."""
    text = json.dumps(document)
    for place, raw in _RAW.items():
        text = text.replace(json.dumps(place), raw)
    return text.encode("utf-8", "surrogatepass")


def anything(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return what is nearly right, what is JSON at least, and what is not even that."""
    return st.one_of(mutated(seeds), mutated(seeds), mutated(seeds), odd_values.map(encoded), st.binary(max_size=200))


def paths(document: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the place of everything inside a document."""
    members: Any = ()
    if isinstance(document, dict | list):
        members = document.items() if isinstance(document, dict) else enumerate(document)
    for step, value in members:
        yield (*at, step)
        yield from paths(value, (*at, step))


def strings(document: Any) -> Iterator[str]:
    """Yield every text that stands in a document, names of members too."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from strings(value)
    elif isinstance(document, list):
        for value in document:
            yield from strings(value)


def _changed(draw: st.DrawFn, document: Any) -> Any:
    places = list(paths(document))
    if not places:
        return draw(odd_values)
    *above, last = draw(st.sampled_from(places))
    document = copy.deepcopy(document)
    holder = document
    for step in above:
        holder = holder[step]
    match draw(st.sampled_from(["replace", "replace", "replace", "drop", "repeat", "wrap", "rename"])):
        case "drop":
            del holder[last]
        case "repeat" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        case "wrap":
            holder[last] = draw(st.sampled_from([[holder[last]], {"a": holder[last]}, json.dumps(holder[last])]))
        case "rename" if isinstance(holder, dict):
            holder[draw(st.sampled_from([*TEXTS, "Message", "Type"]))] = holder.pop(last)
        case _:
            holder[last] = draw(odd_values)
    return document
