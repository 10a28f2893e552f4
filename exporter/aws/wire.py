"""The HTTP beneath botocore: signed requests over connections that are kept. It takes a third off the CPU of a call.

botocore asks `before-send` handlers for an answer before it sends a request itself (botocore/endpoint.py,
`Endpoint._do_get_response`). Everything else of a call, from its endpoint and signature to reading the answer, stays
botocore's, and so do the exceptions. Where a proxy is configured, botocore sends.
"""

import os
import select
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httptools
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

_AT_ONCE: Final = 1 << 16
_LARGEST: Final = 32 << 20
"""Bytes of an answer. The largest of those that are asked for are 50 events of CloudTrail, of 256 KiB each at most."""
_PATIENCE: Final = 4
"""Read time-outs that a whole answer may take: bytes that trickle in must not hold a thread for ever."""
_FIRST_FINAL: Final = 200
_PORTS: Final = {"http": 80, "https": 443}

_Origin = tuple[str, str]
"""Scheme and authority of a URL."""


class _Answer:
    """Takes an answer apart, as callbacks of `httptools.HttpResponseParser`.

    There is one to a request, without an interim one before it. Were what follows read as if it were the answer to the
    next request on the connection, one key's state would be taken for another's.
    """

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self.has_length = False
        self.closes = False
        self.surplus = False
        self.began = False
        self.complete = False

    def on_message_begin(self) -> None:
        self.surplus = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self.has_length = True
            case b"connection":
                self.closes = b"close" in value.lower()

    def on_headers_complete(self) -> None:
        self.began = True

    def on_body(self, part: bytes) -> None:
        self.body.append(part)

    def on_message_complete(self) -> None:
        self.complete = True

    def stream(self) -> Iterator[bytes]:
        """Return the body in parts, as `AWSResponse` reads it."""
        return iter(self.body)


class Wire:
    """Sends requests; any number of threads may do so at once.

    A connection is checked before it is used again, since whoever is asked may have closed it. Nothing is sent twice:
    what could have been received may have been carried out.
    """

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        """Wait so many seconds for a connection, and for each part of an answer."""
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._ca_bundle: str | None = None
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[_Origin, list[socket.socket]] = {}
        self._proxied: dict[_Origin, bool] = {}
        self._closed = False

    def verify_with(self, ca_bundle: str | None) -> None:
        """Verify certificates with a PEM file; without one with what `REQUESTS_CA_BUNDLE` names, or botocore's own."""
        self._ca_bundle = ca_bundle

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        """Return the answer, read to its end; None where botocore is to send the request itself.

        Raises:
            HTTPClientError: there is none; the kinds of it are those that botocore raises.
            ValueError: what is to be sent is no HTTP, or the answer ends in its middle.
        """
        url, body = str(request.url), request.body
        parts = urlsplit(url)
        origin = parts.scheme, parts.netloc
        if request.stream_output or not isinstance(body, bytes | bytearray | None) or self._is_proxied(origin, url):
            return None
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        message = _head(str(request.method), target, host_of(parts), dict(request.headers)) + bytes(body or b"")
        connection = self._kept(origin) or self._connect(url, parts.scheme, parts.hostname or "", parts.port)
        try:
            answer, status, reusable = self._exchange(connection, message)
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        except (OSError, EOFError) as error:
            connection.close()
            raise ConnectionClosedError(error=error, request=request, endpoint_url=url) from error
        except (httptools.HttpParserError, OverflowError) as error:
            connection.close()
            raise HTTPClientError(error=error) from error
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._keep(origin, connection)
        else:
            connection.close()
        return AWSResponse(url, status, answer.headers, answer)  # type: ignore[arg-type]  # a dict is made of them, so pairs will do

    def close(self) -> None:
        """Close the connections that are kept, and the others once their answer has come."""
        self._closed = True
        for connections in list(self._idle.values()):
            while connections:
                connections.pop().close()

    def _exchange(self, connection: socket.socket, message: bytes) -> tuple[_Answer, int, bool]:
        """Send and receive; return the answer, its status and whether the connection can be used again.

        Raises:
            TimeoutError: not everything came in time.
            EOFError: the connection was closed before it began.
            ValueError: the connection was closed in its middle.
            OSError: it broke.
            httptools.HttpParserError: what came is no HTTP.
            OverflowError: it is too long.
        """
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        connection.settimeout(self._read_timeout)
        give_up_at = time.monotonic() + _PATIENCE * self._read_timeout
        connection.sendall(message)
        size = 0
        while not answer.complete:
            part = connection.recv(_AT_ONCE)
            size += len(part)
            if not part:
                if answer.began and not answer.has_length:
                    return answer, parser.get_status_code(), False  # its end is the end of the connection
                if answer.began:
                    raise ValueError("the connection was closed in the middle of the answer")
                raise EOFError("the connection was closed before the answer")
            if size > _LARGEST:
                raise OverflowError(f"an answer of more than {_LARGEST} bytes")
            if time.monotonic() > give_up_at:
                raise TimeoutError("the answer takes too long")
            parser.feed_data(part)
            if answer.surplus:
                raise httptools.HttpParserError("more than one answer")
        if (status := parser.get_status_code()) < _FIRST_FINAL:
            raise httptools.HttpParserError(f"an answer that is none: {status}")
        return answer, status, parser.get_http_version() == "1.1" and not answer.closes

    def _kept(self, origin: _Origin) -> socket.socket | None:
        """Return a connection that has been used before, and that is still open."""
        connections = self._idle.get(origin)
        while connections:
            try:
                connection = connections.pop()
            except IndexError:  # another thread was faster
                break
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(0):  # nothing is to be read but that it was closed
                return connection
            connection.close()
        return None

    def _keep(self, origin: _Origin, connection: socket.socket) -> None:
        self._idle.setdefault(origin, []).append(connection)
        if self._closed:  # meanwhile
            self.close()

    def _connect(self, url: str, scheme: str, host: str, port: int | None) -> socket.socket:
        try:
            connection = socket.create_connection((host, port or _PORTS[scheme]), self._connect_timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=url, error=error) from error
        except (OSError, UnicodeError) as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection if scheme == "http" else self._context().wrap_socket(connection, server_hostname=host)
        except TimeoutError as error:
            connection.close()
            raise ConnectTimeoutError(endpoint_url=url, error=error) from error
        except OSError as error:  # as every error of TLS, and of reading the bundle
            connection.close()
            raise SSLError(endpoint_url=url, error=error) from error

    def _context(self) -> ssl.SSLContext:
        """Return what all connections have in common: reading the bundle takes longer than a handshake."""
        if self._tls is None:
            bundle = self._ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(verify=True)
            context = ssl.create_default_context(cafile=bundle)
            context.set_alpn_protocols(["http/1.1"])
            self._tls = context
        return self._tls

    def _is_proxied(self, origin: _Origin, url: str) -> bool:
        found = self._proxied.get(origin)
        if found is None:
            found = self._proxied[origin] = origin[0] in get_environ_proxies(url)
        return found


def host_of(url: SplitResult) -> str:
    """Return the `Host` that botocore has signed: in lower case, without the port that goes without saying."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    return host if url.port in {None, _PORTS.get(url.scheme)} else f"{host}:{url.port}"


def _head(method: str, target: str, host: str, headers: Mapping[str, str | bytes]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    for name, value in headers.items():
        lines.append(f"{name}: {value.decode('latin-1') if isinstance(value, bytes) else value}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a header of a request has more than one line")
    return f"{head}\r\n\r\n".encode("latin-1")
