"""What notifications are sent to in the tests: a receiver of webhooks and a mail server, both on loopback."""

import contextlib
import email
import email.policy
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Post:
    """One webhook call: its path, its JSON body and when it arrived (Unix seconds)."""

    path: str
    body: dict[str, Any]
    at: float = field(default_factory=time.time)


class Inbox(Generic[T]):
    """What has arrived, in order; readers wait for what they want."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._arrival = threading.Condition()

    def put(self, item: T) -> None:
        with self._arrival:
            self._items.append(item)
            self._arrival.notify_all()

    def all(self) -> list[T]:
        with self._arrival:
            return list(self._items)

    def first(self, wanted: Callable[[T], bool], what: str, within: float, *, after: int = 0) -> T:
        """Return the first wanted item, of those after the first `after`, waiting up to `within` seconds for it."""

        def found() -> T | None:
            return next((item for item in self._items[after:] if wanted(item)), None)

        with self._arrival:
            self._arrival.wait_for(lambda: found() is not None, timeout=within)
            item = found()
            assert item is not None, f"{what}: not within {within:.0f} s; arrived: {self._items[after:]}"
            return item


@contextmanager
def webhooks() -> Iterator[tuple[str, Inbox[Post]]]:
    """Yield the URL of a receiver and what it receives; it accepts everything, as PagerDuty (202) and Slack do."""
    inbox: Inbox[Post] = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.put(Post(self.path, json.loads(body)))
            self.send_response(202 if self.path.startswith("/pagerduty") else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # an Alertmanager that is ended does not wait for its answer
                self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with _serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", inbox


@contextmanager
def mailbox() -> Iterator[tuple[int, Inbox[EmailMessage]]]:
    """Yield the port of a mail server (plain SMTP, RFC 5321 as far as a client needs it) and what it is sent."""
    inbox: Inbox[EmailMessage] = Inbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 loopback")
            for line in self.rfile:
                verb = line.split(maxsplit=1)[0].upper() if line.strip() else b""
                if verb == b"DATA":
                    self._say("354 go on")
                    inbox.put(self._message())
                    self._say("250 kept")
                elif verb == b"QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 loopback")

        def _message(self) -> EmailMessage:
            lines = []
            for line in self.rfile:
                if line == b".\r\n":
                    break
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            return message

        def _say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    with _serving(server):
        yield server.server_address[1], inbox


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
