"""What those who scrape send, word for word, and what they can read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_PROTOBUF: Final = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
_TIMEOUT: Final = "X-Prometheus-Scrape-Timeout-Seconds"


@dataclass(frozen=True)
class Scraper:
    """A program that scrapes.

    Attributes:
        source: where its headers are written down, or how they were seen.
        best: the one of the exporter's formats that it likes best.
    """

    name: str
    source: str
    headers: Mapping[str, str]
    best: str


def _go(accept: str, timeout: str = "10") -> Mapping[str, str]:
    return {"Accept": accept, "Accept-Encoding": "gzip", _TIMEOUT: timeout}


def _three(escaping: str, *, first: str = "0.6") -> str:
    """Return what Prometheus 3 accepts, text and OpenMetrics alone."""
    weights = [f"0.{int(first[-1]) - place}" for place in range(5)]
    names = (
        f"application/openmetrics-text;version=1.0.0{escaping}",
        "application/openmetrics-text;version=0.0.1",
        f"text/plain;version=1.0.0{escaping}",
        "text/plain;version=0.0.4",
        "*/*",
    )
    return ",".join(f"{name};q={weight}" for name, weight in zip(names, weights, strict=True))


_UTF8: Final = ";escaping=allow-utf-8"
_PROMETHEUS: Final = "https://github.com/prometheus/prometheus/blob/main/scrape/scrape_test.go, TestAcceptHeader"

SCRAPERS: Final = (
    Scraper(
        "Prometheus 2.42",
        "Debian's 2.42.0, in front of a server that prints headers",
        _go(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "1",
        ),
        OPENMETRICS,
    ),
    Scraper(
        "Prometheus 2.42 with native histograms",
        "the same with --enable-feature=native-histograms",
        _go(
            f"{_PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,"
            "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "1",
        ),
        OPENMETRICS,
    ),
    Scraper(
        "Prometheus 2.53",
        "scrape/scrape.go of its tag, acceptHeader over DefaultScrapeProtocols of config/config.go",
        _go(
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ),
        OPENMETRICS,
    ),
    Scraper("Prometheus 3, UTF-8 names", _PROMETHEUS, _go(_three(_UTF8)), OPENMETRICS),
    Scraper("Prometheus 3, names with underscores", _PROMETHEUS, _go(_three(";escaping=underscores")), OPENMETRICS),
    Scraper(
        "Prometheus 3, protobuf first",
        _PROMETHEUS,
        _go(f"{_PROTOBUF};q=0.6,{_three(_UTF8, first='0.5')}"),
        OPENMETRICS,
    ),
    Scraper(
        "Prometheus 3, scrape_protocols: [PrometheusText1.0.0]",
        "acceptHeader of scrape/scrape.go, for one protocol",
        _go(f"text/plain;version=1.0.0{_UTF8};q=0.6,*/*;q=0.5"),
        TEXT,
    ),
    Scraper(
        "Prometheus 3, enable_compression: false",
        "acceptEncodingHeader of scrape/scrape.go",
        {**_go(_three(_UTF8)), "Accept-Encoding": "identity"},
        OPENMETRICS,
    ),
    Scraper(
        "Grafana Alloy and the OpenTelemetry Collector",
        "both scrape with the library of Prometheus 3 (prometheus.scrape; receiver/prometheusreceiver)",
        _go(_three(_UTF8)),
        OPENMETRICS,
    ),
    Scraper(
        "VictoriaMetrics and vmagent",
        "https://github.com/VictoriaMetrics/VictoriaMetrics/blob/master/lib/promscrape/client.go, and Debian's 1.79.5",
        _go("text/plain;version=0.0.4;q=1,*/*;q=0.1", "10.000"),
        TEXT,
    ),
    Scraper(
        "Datadog Agent",
        "https://github.com/DataDog/integrations-core, openmetrics/v2/scraper/base_scraper.py, send_request",
        {"Accept": "text/plain", "Accept-Encoding": "gzip, deflate"},
        TEXT,
    ),
    Scraper(
        "Datadog Agent with use_latest_spec",
        "the same",
        {
            "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1",
            "Accept-Encoding": "gzip, deflate",
        },
        OPENMETRICS,
    ),
    Scraper(
        "Telegraf",
        "https://github.com/influxdata/telegraf/blob/release-1.19/plugins/inputs/prometheus/prometheus.go",
        {"Accept": f"{_PROTOBUF};q=0.7,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", "Accept-Encoding": "gzip"},
        TEXT,
    ),
)
