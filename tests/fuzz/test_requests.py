"""What strangers may send: headers of a scrape, credentials, query strings. Each request gets an answer that is one."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from exporter.exposition.negotiation import Format, accepts_gzip, choose_format
from exporter.web.api.paging import parse_query
from exporter.web.app import create_app
from exporter.web.parameters import ParameterError
from exporter.web.security.passwords import Passwords
from exporter.web.status.query import PageQuery
from tests.fuzz.corpus import each_kept, noting, valid
from tests.fuzz.effort import tries
from tests.fuzz.told import asked
from tests.support.serving import FakeExporter
from tests.support.snapshots import pending

APP: Final = create_app(FakeExporter(pending("a", aliases=("alias/crm",)), pending("b")))
TYPES: Final = ("text/plain", "text/*", "*/*", "application/openmetrics-text", "application/*", "image/png", "", "*")
PARAMETERS: Final = (
    "q=0", "q=1", "q=0.5", "q=1.0000", "q=-1", "q=nan", "q=1e9", "q=", "Q=0.3", "q=0;q=1",
    "version=1.0.0", "version=0.0.4", 'version="0.0.1"', "version=", "charset=utf-8", "escaping=allow-utf-8", "=", ";",
)  # fmt: skip
accept = st.lists(
    st.tuples(st.sampled_from(TYPES), st.lists(st.sampled_from(PARAMETERS), max_size=3)).map(
        lambda item: ";".join([item[0], *item[1]])
    ),
    max_size=6,
).map(",".join)
codings = st.lists(
    st.tuples(
        st.sampled_from(["gzip", "x-gzip", "identity", "*", "br", "GZIP", "", "deflate"]), st.sampled_from(PARAMETERS)
    ).map(";".join),
    max_size=5,
).map(",".join)


def pieces(seeds: list[bytes], marks: bytes) -> st.SearchStrategy[bytes]:
    """Return the pieces of what is valid in any order, with some of anything between them."""
    known = [bytes([mark]) for mark in marks]
    for seed in seeds:
        known += seed.replace(b"&", b"=").split(b"=")
    return st.lists(st.one_of(st.sampled_from(known), st.binary(max_size=6)), max_size=12).map(b"".join)


def scraped(accepted: bytes, encodings: bytes) -> None:
    with noting("accept", accepted):
        status, headers, body = asked(APP, "/metrics", {"accept": accepted, "accept-encoding": encodings})
        assert status == 200
        assert int(headers[b"content-length"]) == len(body)
        form = Format(headers[b"content-type"].decode())
        if headers.get(b"content-encoding") == b"gzip":
            assert b"gzip" in encodings.lower() or b"*" in encodings
            body = gzip.decompress(body)
        families = (openmetrics if form.openmetrics else plain_text)(body.decode())
        assert {"kms_key_pending_deletion"} <= {family.name for family in families}


@each_kept("accept")
def test_headers_that_are_kept(kept_input: Path) -> None:
    scraped(kept_input.read_bytes(), b"gzip")


@each_kept("accept_encoding")
def test_codings_that_are_kept(kept_input: Path) -> None:
    scraped(b"*/*", kept_input.read_bytes())


@tries(60)
@given(accepted=st.one_of(accept.map(str.encode), st.binary(max_size=80)), encodings=codings.map(str.encode))
def test_a_scrape_gets_a_page_whatever_it_accepts(accepted: bytes, encodings: bytes) -> None:
    scraped(accepted, encodings)


@tries(300)
@given(accept)
def test_what_is_refused_is_not_sent_where_something_else_is_liked(header: str) -> None:
    chosen = choose_format(header)
    media_type = chosen.value.partition(";")[0]
    refused = {f"{media_type};q=0", *(f"{media_type};{version};q=0" for version in PARAMETERS)}
    items = header.split(",")
    others = [item for item in items if item and not item.endswith("q=0")]
    if items and all(item in refused for item in items):
        assert chosen is Format.TEXT, "nothing that is liked is left"
    assert others or chosen is Format.TEXT


@tries(300)
@given(codings)
def test_gzip_is_sent_only_to_whom_it_means_something(header: str) -> None:
    if accepts_gzip(header):
        assert "gzip" in header.lower() or "*" in header


def queried(query: bytes) -> None:
    text = query.decode("latin-1")
    with noting("query", query):
        for parse in (parse_query, PageQuery.parse):
            try:
                parse(text)
            except ParameterError:
                continue
        for path in ("/", "/api/v1/keys"):
            status, headers, body = asked(APP, path, {"host": b"localhost"}, query)
            assert status in (200, 400)
            if status == 400:
                assert headers[b"content-type"].startswith(b"text/plain")
                assert len(body.decode().splitlines()) == 1
            elif path != "/":
                assert "keys" in json.loads(body)


@each_kept("query")
def test_queries_that_are_kept(kept_input: Path) -> None:
    queried(kept_input.read_bytes())


@tries(80)
@given(pieces(valid("query"), b"=&%+;#/"))
def test_a_query_is_answered_or_refused_in_one_line(query: bytes) -> None:
    queried(query)


async def _equal(password: bytes, hashed: bytes) -> bool:
    return password == hashed


def admitted(header: bytes) -> bool:
    with noting("authorization", header):
        found: Any = asyncio.run(Passwords({"prometheus": "s3cret"}, _equal).admit(header.decode("latin-1")))
        assert isinstance(found, bool)
        return found


@each_kept("authorization")
def test_credentials_that_are_kept(kept_input: Path) -> None:
    assert admitted(kept_input.read_bytes())


@tries(200)
@given(pieces(valid("authorization"), b" =:,"))
def test_credentials_let_in_or_not(header: bytes) -> None:
    if admitted(header):
        assert b"cHJvbWV0aGV1czpzM2NyZXQ=" in header
