"""Answers that strangers leave untaken, or ask for too many of."""

import re

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.peers import Narrow, Patient, peers_of
from tests.support.waiting import until

MUCH = 32 << 20
"""More than the kernel takes for who does not read."""


async def in_parts(scope: Scope, _: Receive, send: Send) -> None:
    """Answer with `MUCH`, as a page is sent."""
    del scope
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % MUCH)]})
    for _part in range(32):
        await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
    await send({"type": "http.response.body"})


async def in_one_part(scope: Scope, _: Receive, send: Send) -> None:
    """Answer with `MUCH`, which is out of the application's hands at once."""
    del scope
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % MUCH)]})
    await send({"type": "http.response.body", "body": bytes(MUCH)})


@pytest.mark.parametrize("app", [in_parts, in_one_part])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
class TestSlowReaders:
    """An answer has its time; no connection is held beyond it."""

    def test_who_reads_nothing_is_cut_off(self, app: ASGIApp, version: bytes) -> None:
        with peers_of(Narrow, app) as peers:
            for peer in [peers.another() for _ in range(Narrow.max_connections)]:
                peer.send(b"GET / HTTP/%b\r\nHost: x\r\n\r\n" % version)
            until(lambda: peers.another().status(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == 200)

    def test_who_reads_too_slowly_is_cut_off(self, app: ASGIApp, version: bytes) -> None:
        with peers_of(Narrow, app) as peers:
            peer = peers.another()
            peer.send(b"GET / HTTP/%b\r\nHost: x\r\n\r\n" % version)
            assert len(peer.rest(size=1 << 18, pause=0.02)) < MUCH

    def test_who_reads_in_time_gets_everything(self, app: ASGIApp, version: bytes) -> None:
        with peers_of(Patient, app) as peers:
            peer = peers.another()
            peer.send(b"GET / HTTP/%b\r\nHost: x\r\nConnection: close\r\n\r\n" % version)
            assert len(peer.rest()) > MUCH


class TestPipelining:
    """Requests that are sent before those before them are answered."""

    def test_they_are_answered_in_their_order(self) -> None:
        with peers_of(Patient) as peers:
            peer = peers.another()
            peer.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /no HTTP/1.1\r\nHost: x\r\n\r\n")
            peer.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert re.findall(rb"HTTP/1.1 (\d+)", peer.rest()) == [b"200", b"404", b"200"]

    def test_those_that_are_too_many_are_not_and_end_the_connection(self) -> None:
        with peers_of(Patient) as peers:
            peer = peers.another()
            peer.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000)
            assert peer.rest().count(b"HTTP/1.1 200 OK") == 1 + Patient.max_pipelined

    @pytest.mark.parametrize(
        "second",
        [
            b"no HTTP\r\n\r\n",
            b"GET * HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 3_000,
            b"\x16\x03\x01",
        ],
    )
    def test_a_mistake_leaves_the_answer_before_it_whole_and_is_the_end(self, second: bytes) -> None:
        with peers_of(Patient, in_parts) as peers:
            peer = peers.another()
            peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + second)
            head, _, body = peer.rest().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert body == bytes(MUCH)

    def test_a_body_or_trailers_that_nobody_asked_for_do_not_spoil_it_either(self) -> None:
        with peers_of(Patient, in_parts) as peers:
            peer = peers.another()
            trailers = b"A: b\r\n" * 3_000
            peer.send(b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + trailers)
            assert peer.rest().endswith(bytes(MUCH))
