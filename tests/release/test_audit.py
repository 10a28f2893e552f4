"""An audit never says clean when it knows nothing: run against a vulnerability database on loopback."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.audit import CLEAN, UNKNOWN, VULNERABLE
from scripts.locked import ROOT, locked
from tests.support.processes import free_port

ADVISORY = {
    "id": "PYSEC-2099-1",
    "summary": "An example",
    "aliases": [],
    "affected": [
        {
            "package": {"name": "urllib3", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Database(ThreadingHTTPServer):
    """OSV's `query`, with one advisory or none."""

    def __init__(self, vulnerable: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.vulnerable = vulnerable

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class Answering(BaseHTTPRequestHandler):
    server: Database

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        found = asked["package"]["name"] == self.server.vulnerable
        body = json.dumps({"vulns": [ADVISORY]} if found else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with Database(getattr(request, "param", "")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def audit(url: str, cache: Path) -> subprocess.CompletedProcess[str]:
    options = ("--vulnerability-service", "osv", "--osv-url", url, "--cache-dir", str(cache))
    return subprocess.run(
        [sys.executable, "-m", "scripts.audit", *options],
        cwd=ROOT,
        env={"PATH": "", "NO_PROXY": "127.0.0.1", "HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_it_is_clean_when_every_package_was_looked_up(database: Database, tmp_path: Path) -> None:
    ended = audit(database.url, tmp_path)
    assert (ended.returncode, ended.stderr) == (CLEAN, "")
    assert ended.stdout == f"{len(list(locked()))} packages, no known vulnerability\n"


@pytest.mark.parametrize("database", ["urllib3"], indirect=True)
def test_a_vulnerable_package_is_named_with_what_mends_it(database: Database, tmp_path: Path) -> None:
    ended = audit(database.url, tmp_path)
    assert ended.returncode == VULNERABLE
    assert ended.stdout == "urllib3: PYSEC-2099-1, fixed in 99.0\n"


def test_without_a_database_nothing_is_known_and_one_line_says_so(tmp_path: Path) -> None:
    ended = audit(f"http://127.0.0.1:{free_port()}/v1/query", tmp_path)
    count = len(list(locked()))
    assert (ended.returncode, ended.stderr) == (UNKNOWN, "")
    assert ended.stdout == f"not audited: no vulnerability database told of {count} of {count} packages\n"
