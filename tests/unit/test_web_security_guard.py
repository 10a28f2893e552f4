"""What stands before the application: passwords, the rate limit, response headers."""

import asyncio
import base64
from pathlib import Path

import bcrypt
import httpx
import pytest

from exporter.log import start_logging
from exporter.web.app import create_app
from exporter.web.security.bucket import Bucket
from exporter.web.security.following import Security
from exporter.web.security.guard import Guard
from tests.support.serving import FakeExporter

USERS = f"basic_auth_users: {{alice: {bcrypt.hashpw(b'wonderland', bcrypt.gensalt(4)).decode()}}}\n"
PATHS = ("/", "/metrics", "/api/v1/keys", "/api/v1/openapi.json", "/healthz", "/readyz", "/-/reload", "/nothing")
ALICE = {"Authorization": f"Basic {base64.b64encode(b'alice:wonderland').decode()}"}


def guarded(folder: Path, text: str) -> Guard:
    file = folder / "web.yml"
    file.write_text(text)
    return Guard(create_app(FakeExporter()), Security(str(file), start_logging(level="error", form="text")))


def get(app: Guard, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_nothing_is_reached_without_a_password(tmp_path: Path, path: str, method: str) -> None:
    response = get(guarded(tmp_path, USERS), path, method=method)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert response.text in ("Unauthorized\n", "")


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/keys", "/healthz"])
def test_everything_is_reached_with_one(tmp_path: Path, path: str) -> None:
    assert get(guarded(tmp_path, USERS), path, ALICE).status_code == 200


def test_without_users_everybody_is_let_in(tmp_path: Path) -> None:
    assert get(guarded(tmp_path, "{}"), "/metrics").status_code == 200


@pytest.mark.parametrize("headers", [None, ALICE])
def test_headers_are_added_to_every_response(tmp_path: Path, headers: dict[str, str] | None) -> None:
    declared = "http_server_config: {headers: {Strict-Transport-Security: max-age=60, X-Frame-Options: sameorigin}}\n"
    response = get(guarded(tmp_path, declared + USERS), "/metrics", headers)

    assert response.headers["strict-transport-security"] == "max-age=60"
    assert response.headers.get_list("x-frame-options") == ["sameorigin"]


def test_the_pages_own_content_security_policy_stays_beside_another(tmp_path: Path) -> None:
    app = guarded(tmp_path, "http_server_config: {headers: {Content-Security-Policy: frame-src example.org}}\n")

    assert get(app, "/metrics").headers.get_list("content-security-policy") == ["frame-src example.org"]
    own, added = get(app, "/").headers.get_list("content-security-policy")
    assert "default-src 'none'" in own
    assert added == "frame-src example.org"


def test_a_header_that_is_a_pages_own_is_replaced(tmp_path: Path) -> None:
    app = guarded(tmp_path, "http_server_config: {headers: {X-Content-Type-Options: nosniff}}\n")

    assert get(app, "/").headers.get_list("x-content-type-options") == ["nosniff"]


def test_more_requests_than_are_allowed_are_turned_away(tmp_path: Path) -> None:
    app = guarded(tmp_path, "rate_limit: {interval: 1h, burst: 2}\n")

    assert [get(app, "/metrics").status_code for _ in range(3)] == [200, 200, 429]


def test_guessing_is_limited_too(tmp_path: Path) -> None:
    app = guarded(tmp_path, USERS + "rate_limit: {interval: 1h, burst: 2}\n")

    assert [get(app, "/metrics").status_code for _ in range(3)] == [401, 401, 429]


class TestBucket:
    """The rate limit itself."""

    def test_it_fills_with_time_up_to_its_size(self) -> None:
        now = 0.0
        bucket = Bucket(interval=10, burst=2, monotonic=lambda: now)
        assert [bucket.take() for _ in range(3)] == [True, True, False]
        now = 10.0
        assert [bucket.take() for _ in range(2)] == [True, False]
        now = 1000.0
        assert [bucket.take() for _ in range(3)] == [True, True, False]
