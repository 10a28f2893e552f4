"""Patterns of acknowledgements and values of the approving tag: anybody who may tag a key writes the second."""

import re
from fnmatch import translate
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.acknowledgements import Acknowledgements, read_approval
from exporter.model import Evidence, Key
from exporter.settings import Settings
from tests.fuzz.corpus import VALID, each_kept, noting
from tests.fuzz.effort import tries
from tests.fuzz.told import everything_can_be_told, snapshot_of
from tests.support.snapshots import IRELAND, pending

PATTERNS: Final = st.text(st.sampled_from("ab/-*?[]!^\\.$(){}|+\n:é\ud800"), min_size=1, max_size=25)
NAMES: Final = st.text(st.sampled_from("ab/-[]!^\\.$\né"), max_size=12)


def matches(pattern: str, name: str) -> bool:
    """Say whether a pattern without sets is the whole name, in a table of its length by that of the name."""
    row = [True, *(False for _ in name)]
    for character in pattern:
        following = [row[0] and character == "*"]
        for index, given_character in enumerate(name):
            if character == "*":
                following.append(row[index + 1] or following[index])
            else:
                following.append(row[index] and character in {"?", given_character})
        row = following
    return row[-1]


def declared(pattern: str) -> Acknowledgements | None:
    """Return what a pattern declares; None where the configuration refuses it."""
    item = {"key": pattern, "reason": "retired", "all_keys": True}
    try:
        return Acknowledgements.of(Settings.model_validate({"deletions": {"acknowledgements": [item]}}))
    except ValidationError:
        return None


@each_kept("glob")
def test_patterns_that_are_kept(kept_input: Path) -> None:
    assert (declared(kept_input.read_text()) is not None) is kept_input.name.startswith(VALID)


@tries(300)
@given(pattern=PATTERNS, name=NAMES)
@pytest.mark.filterwarnings("error")
def test_a_pattern_matches_what_it_says(pattern: str, name: str) -> None:
    with noting("glob", pattern.encode("utf-8", "surrogatepass")):
        found = declared(pattern)
        if found is not None and "[" not in pattern:
            matched = found.of_key(IRELAND, Key("-", "-", "PendingDeletion", aliases=(name,)), None) is not None
            assert matched == (matches(pattern, name) or matches(pattern, "-"))


@tries(100)
@given(stars=st.integers(1, 200), wanted=st.text(st.sampled_from("ab?"), min_size=1, max_size=3))
def test_no_pattern_is_tried_again_and_again(stars: int, wanted: str) -> None:
    """Each star settles where it first fits, and is never asked again: the work is the pattern times the name at most.

    That is what the atomic group around it means; without them, 200 stars would not be done with in this century.
    """
    pattern = f"*{wanted}" * stars + "*c"
    assert translate(pattern).count("(?>") >= stars
    assert not re.compile(translate(pattern)).match("ab" * 1_000)
    assert declared(pattern) is not None


@each_kept("approval")
def test_values_that_are_kept(kept_input: Path) -> None:
    assert list(read_approval(kept_input.read_text(), source="tag x"))


@tries(40)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["until=", "ticket=", "by=", "no", "false", " ", "\ud800", "=", "until=9999-12-31"]),
            st.dates().map(str),
            st.text(max_size=8),
        ),
        max_size=8,
    ).map("".join)
)
def test_a_value_declares_what_can_be_told_or_nothing(value: str) -> None:
    with noting("approval", value.encode("utf-8", "surrogatepass")):
        for declared_by_tag in read_approval(value, source="tag x"):
            parts = (declared_by_tag.reason, declared_by_tag.ticket, declared_by_tag.approved_by)
            assert all(word in value for part in parts for word in part.split())
        everything_can_be_told(
            snapshot_of(
                pending("a"),
                evidence={"a": Evidence(approval=value, approval_tag=Settings().deletions.acknowledgement_tag)},
            )
        )
