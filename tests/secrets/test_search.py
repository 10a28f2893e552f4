"""The search finds what is there, else finding nothing would say nothing."""

import base64
import gzip
import json
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest

from tests.secrets.canaries import Canaries

VALUE = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY&EXAMPLE\"KEY'"


@pytest.fixture
def canaries() -> Canaries:
    canaries = Canaries()
    canaries.plant("key", VALUE)
    return canaries


@pytest.mark.parametrize(
    "told",
    [
        str,
        repr,
        json.dumps,
        quote,
        lambda value: urlencode({"Secret": value}),
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(f"u:{value}".encode()).decode(),
        lambda value: base64.urlsafe_b64encode(f"user:{value}:".encode()).decode(),
        lambda value: value.encode().hex(),
        lambda value: value[:20],
        lambda value: value[-20:],
        lambda value: f"{value[:24]}\n{value[24:]}",
    ],
)
def test_a_value_is_found_however_it_is_written(canaries: Canaries, told: Callable[[str], str]) -> None:
    assert canaries.found_in({"log": f"before {told(VALUE)} after"}) == ["key in log"]


def test_what_is_not_there_is_not_found(canaries: Canaries) -> None:
    assert canaries.found_in({"log": f"{VALUE[:15]} {VALUE[-15:]} wJalr", "page": ""}) == []


def test_a_value_too_short_to_be_told_from_chance_is_refused(canaries: Canaries) -> None:
    with pytest.raises(AssertionError):
        canaries.plant("short", "secret")


def test_compressed_outputs_must_be_unpacked_first(canaries: Canaries) -> None:
    packed = gzip.compress(VALUE.encode())
    assert canaries.found_in({"packed": packed.decode("latin-1")}) == []
    assert canaries.found_in({"unpacked": gzip.decompress(packed).decode()}) == ["key in unpacked"]


def test_every_line_of_a_private_key_counts(canaries: Canaries) -> None:
    canaries.plant_lines("pem", f"-----BEGIN PRIVATE KEY-----\n{'a' * 64}\n{'b' * 20}\n-----END PRIVATE KEY-----\n")
    assert canaries.found_in({"log": "a" * 70}) == ["pem, line 1 in log"]
    assert canaries.found_in({"log": "-----BEGIN PRIVATE KEY-----"}) == []
