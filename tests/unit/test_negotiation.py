"""Which format and coding a scrape gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.negotiation import Format, accepts_gzip, choose_format

TEXT, OPENMETRICS, OLD_OPENMETRICS = Format.TEXT, Format.OPENMETRICS_1_0_0, Format.OPENMETRICS_0_0_1

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_WITH_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," + PROMETHEUS_3
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(PROMETHEUS_2, OPENMETRICS, id="Prometheus 2"),
        pytest.param(PROMETHEUS_3, OPENMETRICS, id="Prometheus 3"),
        pytest.param(PROMETHEUS_3_WITH_PROTOBUF, OPENMETRICS, id="Prometheus 3 that would rather have protobuf"),
        pytest.param(BROWSER, TEXT, id="browser"),
        pytest.param("*/*", TEXT, id="curl"),
        pytest.param("", TEXT, id="nothing asked"),
        pytest.param("application/json", TEXT, id="nothing that there is"),
        pytest.param("text/plain;version=0.0.4", TEXT, id="text"),
        pytest.param("text/plain;version=1.0.0;escaping=allow-utf-8", TEXT, id="text 1.0.0, whose names are ours"),
        pytest.param("text/*", TEXT, id="any text"),
        pytest.param("application/*", OPENMETRICS, id="any application"),
        pytest.param("application/openmetrics-text", OPENMETRICS, id="OpenMetrics of any version"),
        pytest.param("application/openmetrics-text;version=0.0.1", OLD_OPENMETRICS, id="OpenMetrics 0.0.1"),
        pytest.param("application/openmetrics-text;version=9.0.0, text/plain;q=0.1", TEXT, id="a version to come"),
        pytest.param('Application/OpenMetrics-Text; Version="1.0.0"; Q=0.5', OPENMETRICS, id="case, blanks, quotes"),
        pytest.param("text/plain, application/openmetrics-text", TEXT, id="text named first"),
        pytest.param("application/openmetrics-text, text/plain", OPENMETRICS, id="OpenMetrics named first"),
        pytest.param("application/openmetrics-text;q=0.3, text/plain;q=0.7", TEXT, id="text liked more"),
        pytest.param("text/plain;q=0, */*", OPENMETRICS, id="anything but text"),
        pytest.param("*/*, application/openmetrics-text;q=0.1", TEXT, id="the specific item counts, not the wildcard"),
        pytest.param("application/openmetrics-text;q=0, */*;q=0", TEXT, id="everything refused"),
        pytest.param("image/png, text/plain;q=0", TEXT, id="nothing acceptable"),
        pytest.param("application/openmetrics-text;q=nan, text/plain;q=0.1", TEXT, id="a weight that is none"),
        pytest.param("application/openmetrics-text;q=2, text/plain;q=0.1", TEXT, id="a weight above 1"),
    ],
)
def test_format_follows_accept(accept: str, expected: Format) -> None:
    assert choose_format(accept) is expected


def test_content_types_are_those_that_prometheus_knows() -> None:
    assert [form.value for form in Format] == [
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "application/openmetrics-text; version=0.0.1; charset=utf-8",
    ]


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
        ("gzip; q=0.001", True),
        ("deflate, br", False),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("identity;q=0, gzip", True),
        ("identity;q=0, *", True),
        ("identity;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("gzip;q=x", False),
    ],
)
def test_gzip_follows_accept_encoding(accept_encoding: str, expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected


weights = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
media_types = {TEXT: "text/plain;version=0.0.4", OPENMETRICS: "application/openmetrics-text;version=1.0.0"}


@given(st.text())
def test_any_header_gets_an_answer(header: str) -> None:
    assert choose_format(header) in Format
    assert accepts_gzip(header) in (True, False)


@given(text=weights, openmetrics=weights, text_first=st.booleans())
def test_the_format_that_is_liked_more_wins(text: float, openmetrics: float, text_first: bool) -> None:
    items = [f"{media_types[TEXT]};q={text}", f"{media_types[OPENMETRICS]};q={openmetrics}"]
    chosen = choose_format(",".join(items if text_first else reversed(items)))
    if text == openmetrics:
        assert chosen is (TEXT if text_first or text == 0 else OPENMETRICS)
    else:
        assert chosen is (TEXT if text > openmetrics else OPENMETRICS)


@given(gzip=weights, identity=weights)
def test_gzip_unless_identity_is_liked_more(gzip: float, identity: float) -> None:
    assert accepts_gzip(f"gzip;q={gzip}, identity;q={identity}") == (0 < gzip >= identity)


@given(st.sampled_from([PROMETHEUS_2, PROMETHEUS_3, BROWSER]), st.sampled_from([" ", "\t", ""]))
def test_blanks_around_items_and_parameters_mean_nothing(header: str, blank: str) -> None:
    spaced = header.replace(",", f"{blank},{blank}").replace(";", f"{blank};{blank}")
    assert choose_format(spaced) is choose_format(header)
