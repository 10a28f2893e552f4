"""Label values and numbers, as both formats write them."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.text import escaped, head, header, label_pairs, number

NOT_TEXT = st.characters(categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\n\t")
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\n\t"))


def page(value: str) -> str:
    line = f"{head('kms_key_info', label_pairs(('description',), (value,)))}1\n"
    return header("kms_key_info", "Attributes.", "gauge", openmetrics=True) + line


def parsed_label(parse, text: str) -> str:
    (family,) = parse(text)
    (sample,) = family.samples
    return sample.labels["description"]


@given(TEXT)
@example('"} 1\nkms_key_info{description="forged')
@example("\\")
@example("\\n")
@example('ends with a quote"')
@example("# EOF")
@example("{}=,")
@example("naïve ☃ \U0001f511")
def test_text_comes_back_as_it_was(value: str) -> None:
    text = page(value)
    assert parsed_label(parse_text, text) == value
    assert parsed_label(parse_openmetrics, text + "# EOF\n") == value


@given(TEXT, NOT_TEXT, TEXT)
@example("cut", "\ud800", "off")
@example("red", "\x1b", "[31m")
@example("first", "\r", "second")
@example("first", "\u2028", "second")
def test_what_is_not_text_is_replaced(before: str, char: str, after: str) -> None:
    assert escaped(before + char + after) == escaped(before) + "\ufffd" + escaped(after)


@given(st.text(st.characters()))
def test_no_value_breaks_its_line(value: str) -> None:
    text = page(value)
    assert text.encode().decode() == text
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "1"),
        (0, "0"),
        (0.0, "0"),
        (1_764_000_000.0, "1764000000"),
        (1_764_000_000.25, "1764000000.25"),
        (2592000.0, "2592000"),
        (-0.5, "-0.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e300, "1e+300"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_whole_numbers_are_plain_digits(value: float, expected: str) -> None:
    assert number(value) == expected


@given(st.floats(allow_nan=False))
def test_numbers_lose_nothing(value: float) -> None:
    assert float(number(value)) == value


def test_only_openmetrics_names_a_counter_without_total() -> None:
    assert header("requests_total", "Requests.", "counter", openmetrics=False) == (
        "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
    )
    assert header("requests_total", "Requests.", "counter", openmetrics=True) == (
        "# HELP requests Requests.\n# TYPE requests counter\n"
    )
