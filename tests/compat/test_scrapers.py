"""Every scraper gets a format that it accepts, and the page parses as what it says it is."""

from collections.abc import Iterator
from typing import Final

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from exporter.web.app import create_app
from tests.compat.scrapers import OPENMETRICS, SCRAPERS, Scraper
from tests.support.serving import FakeExporter, served
from tests.support.snapshots import pending

KEYS: Final = {"a", "b"}


@pytest.fixture(scope="module")
def exporter() -> Iterator[str]:
    with served(create_app(FakeExporter(*map(pending, KEYS)))) as url:
        yield url


def scraped(url: str, scraper: Scraper) -> httpx.Response:
    return httpx.get(f"{url}/metrics", headers=scraper.headers, timeout=10, trust_env=False).raise_for_status()


every = pytest.mark.parametrize("scraper", SCRAPERS, ids=lambda scraper: scraper.name)


@every
def test_it_gets_the_format_that_it_likes_best(exporter: str, scraper: Scraper) -> None:
    assert scraped(exporter, scraper).headers["content-type"] == scraper.best


@every
def test_it_gets_a_page_that_parses(exporter: str, scraper: Scraper) -> None:
    page = scraped(exporter, scraper)
    families = (openmetrics if scraper.best == OPENMETRICS else plain_text)(page.text)
    (told,) = (family for family in families if family.name == "kms_key_pending_deletion")
    assert {sample.labels["key_id"] for sample in told.samples} == KEYS


@every
def test_it_is_compressed_where_that_is_wanted(exporter: str, scraper: Scraper) -> None:
    coding = scraped(exporter, scraper).headers.get("content-encoding", "identity")
    assert coding == scraper.headers["Accept-Encoding"].partition(",")[0]
