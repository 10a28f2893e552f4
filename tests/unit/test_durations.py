"""Durations: `1h30m` and seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.settings import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("15m", 900),
        ("6h", 21_600),
        ("7d", 604_800),
        ("250ms", 0.25),
        ("1h30m", 5400),
        ("1d2h3m4s5ms", 93_784.005),
        ("1s1ms", 1.001),
        ("90m", 5400),
        ("007s", 7),
        (" 5m ", 300),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_a_duration_is_whole_numbers_with_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "s", "5 m", "1m1h", "1m1m", "1.5h", "-1s", "+1s", "1S", "1w", "1y", "5min", "inf", "٣s"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["60", "1.5", "000"])
def test_a_bare_number_is_told_to_lack_its_unit(text: str) -> None:
    with pytest.raises(ValueError, match="has no unit"):
        parse_duration(text)


def test_a_number_of_absurd_length_is_refused() -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration("9" * 400 + "d")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (60, "1m"),
        (90, "1m30s"),
        (86_400, "1d"),
        (604_800, "7d"),
        (0.25, "250ms"),
        (5400, "1h30m"),
        (59.9999, "1m"),
    ],
)
def test_seconds_are_written_with_the_largest_units_that_fit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_written_reads_back_as_the_same_seconds(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.text(alphabet="0123456789dhms .-e"))
def test_text_reads_as_a_duration_or_is_refused_as_one(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        assert str(error) in {"is no duration", "has no unit"}  # noqa: PT017 - either outcome is right
    else:
        assert seconds >= 0
