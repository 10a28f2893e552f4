"""What strangers send, or do not: each is answered in one line or closed, none reaches the application."""

import logging
from collections.abc import Iterator

import pytest

from exporter.web.connection import Connection
from tests.support.peers import Narrow, Patient, Peers, peers_of
from tests.support.waiting import until


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    with peers_of(Connection) as made:
        yield made


@pytest.mark.parametrize("path", [b"/metrics", b"/", b"/api/v1/keys?limit=1", b"/healthz"])
@pytest.mark.parametrize(
    "host", [b"exporter:10841", b"10.0.0.1", b"[::1]:10841", b"[fe80::1]", b"a-b_c.example.org:", b"", b"LOCALHOST"]
)
def test_requests_are_answered(peers: Peers, path: bytes, host: bytes) -> None:
    assert peers.another().status(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, host)) == 200


def test_an_old_client_names_no_host(peers: Peers) -> None:
    assert peers.another().status(b"GET /metrics HTTP/1.0\r\n\r\n") == 200


@pytest.mark.parametrize(
    "host",
    [b"[", b"[::1", b"a b", b"a/b", b"a@b", b"a:b", b"a?b", b"a#b", b"\xff", b"x:999999", b"<script>", b"a,b", b"a\\b"],
)
@pytest.mark.parametrize("path", [b"/metrics", b"/", b"/api/v1/keys"])
def test_a_host_that_is_none_is_refused(peers: Peers, path: bytes, host: bytes) -> None:
    assert peers.another().status(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, host)) == 400


def test_two_hosts_are_refused(peers: Peers) -> None:
    assert peers.another().status(b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400


@pytest.mark.parametrize(
    "target",
    [
        b"http://exporter/metrics",
        b"http://evil.example",
        b"http://",
        b"https://exporter/metrics",
        b"metrics",
        b"*",
        b"exporter:443",
        b"/\xff\xfe",
        b"/\x00",
        b"/ /metrics",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"OPTIONS", b"CONNECT"])
def test_a_target_that_is_no_path_is_refused(peers: Peers, method: bytes, target: bytes) -> None:
    assert peers.another().status(b"%b %b HTTP/1.1\r\nHost: x\r\n\r\n" % (method, target)) == 400


@pytest.mark.parametrize(
    "path",
    [
        b"//metrics",
        b"///",
        b"/metrics/",
        b"/metrics%00",
        b"/metrics%2f",
        b"/%2e%2e/metrics",
        b"/../metrics",
        b"/./metrics",
        b"/%2fmetrics",
        b"/healthz/../metrics",
        b"/metrics;x=1",
        b"/%ff%fe",
        b"/%",
        b"/%zz",
        b"/METRICS",
        b"//evil.example/metrics",
        b"/\\evil.example",
        b"/" + b"a/" * 20_000,
    ],
    ids=lambda path: path[:20].decode(),
)
def test_an_odd_path_does_not_exist(peers: Peers, path: bytes) -> None:
    assert peers.another().status(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path) == 404


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"BREW /pot HTCPCP/1.0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n broken\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x00" * 100,
    ],
    ids=["tls", "http2", "coffee", "folded", "no-colon", "nul", "negative", "smuggling", "nothing"],
)
def test_what_is_no_request_is_refused(peers: Peers, request_bytes: bytes) -> None:
    assert peers.another().status(request_bytes) == 400


def test_nothing_of_it_is_a_fault_of_the_programs(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    for request in (b"\xff\xff\r\n\r\n", b"GET /%ff HTTP/1.1\r\nHost: [\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n"):
        assert peers.another().status(request) == 400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


class TestLimits:
    """What is too much, or takes too long."""

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"GET /" + b"a" * 3_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /?" + b"a" * 3_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 3_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 3_000 + b"\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20 + b"\r\n",
        ],
        ids=["path", "query", "header", "headers", "how many headers"],
    )
    def test_a_request_with_too_much_before_its_end_is_refused(self, request_bytes: bytes) -> None:
        with peers_of(Patient) as peers:
            assert peers.another().status(request_bytes) == 400

    @pytest.mark.parametrize("beginning", [b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nCookie: "])
    def test_what_never_ends_is_refused_before_it_does(self, beginning: bytes) -> None:
        with peers_of(Patient) as peers:
            assert peers.another().status(beginning + b"a" * 3_000) == 400

    def test_the_second_request_of_a_connection_may_be_as_long_as_the_first(self) -> None:
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 1_500 + b"\r\n\r\n"
        with peers_of(Patient) as peers:
            peer = peers.another()
            assert [peer.status(request) for _ in range(4)] == [200] * 4

    @pytest.mark.parametrize("beginning", [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n"])
    def test_a_connection_that_does_not_finish_its_request_is_closed(self, beginning: bytes) -> None:
        with peers_of(Narrow) as peers:
            assert peers.another().status(beginning) == 0

    @pytest.mark.parametrize("beginning", [b"\r\n", b"GET / HTTP/1.1\r\n"])
    def test_nor_may_it_leave_a_further_one_unfinished(self, beginning: bytes) -> None:
        with peers_of(Narrow) as peers:
            peer = peers.another()
            assert peer.status(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200
            peer.send(beginning)
            until(lambda: peer.answer() == b"")

    def test_a_connection_that_waits_for_the_next_scrape_is_kept(self) -> None:
        with peers_of(Narrow) as peers:
            scraper = peers.another()
            assert scraper.status(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200
            assert peers.another().status(b"") == 0  # as long as a stranger is waited for
            assert scraper.status(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200

    def test_more_connections_than_there_may_be_are_closed(self) -> None:
        with peers_of(Patient) as peers:
            scraper, *others = [peers.another() for _ in range(3)]
            assert scraper.status(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200
            assert peers.another().status(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 0
            assert scraper.status(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200
            others[0].close()
            until(lambda: peers.another().status(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200)
