"""What each path answers."""

import asyncio
import gzip

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.acknowledgements import Acknowledgements
from exporter.model import Deletion, Key, Snapshot, Target, TargetState
from exporter.web.app import create_app, create_probes
from exporter.web.metrics import INLINE_SAMPLES, INLINE_TARGETS
from tests.support.declaring import rule
from tests.support.serving import FakeExporter
from tests.support.snapshots import DAY, NOW


class Client:
    """Sends one request at a time to an ASGI application, without a network."""

    def __init__(self, app) -> None:
        self._transport = httpx.ASGITransport(app)

    def request(self, method: str, path: str, headers=None) -> httpx.Response:
        return self.raw(method, path, headers)[0]

    def raw(self, method: str, path: str, headers=None) -> tuple[httpx.Response, bytes]:
        """Return the body too as it was before it was decompressed."""

        async def send() -> tuple[httpx.Response, bytes]:
            client = httpx.AsyncClient(transport=self._transport, base_url="http://exporter")
            client.headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
            async with client, client.stream(method, path, headers=headers) as response:
                body = b"".join([part async for part in response.aiter_raw()])
                return httpx.Response(response.status_code, headers=response.headers, content=body), body

        return asyncio.run(send())

    def get(self, path: str, headers=None) -> httpx.Response:
        return self.request("GET", path, headers)

    def head(self, path: str) -> httpx.Response:
        return self.request("HEAD", path)

    def post(self, path: str) -> httpx.Response:
        return self.request("POST", path)


def pending(number: int) -> Key:
    return Key(f"{number:05}", f"arn:{number}", "PendingDeletion", deletion=Deletion(at=NOW + number * DAY))


@pytest.fixture
def exporter() -> FakeExporter:
    return FakeExporter(pending(7))


@pytest.fixture
def client(exporter: FakeExporter) -> Client:
    return Client(create_app(exporter))


class TestMetrics:
    def test_text_is_the_default(self, client: Client) -> None:
        response = client.get("/metrics")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "kms_key_state" in {family.name for family in parse_text(response.text)}

    def test_openmetrics_on_request(self, client: Client) -> None:
        response = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})
        assert response.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert {"kms_key_state", "kms_exporter_aws_requests"} <= {
            family.name for family in parse_openmetrics(response.text)
        }

    def test_several_accept_lines_count_as_one(self, client: Client) -> None:
        lines = [("Accept", "text/plain;q=0.1"), ("Accept", "application/openmetrics-text;q=0.9")]
        assert client.get("/metrics", headers=lines).headers["content-type"].startswith("application/openmetrics-text")

    def test_gzip_on_request(self, client: Client) -> None:
        plain = client.get("/metrics")
        zipped = client.get("/metrics", headers={"Accept-Encoding": "gzip"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert int(zipped.headers["content-length"]) < len(plain.content)
        keys = [line for line in plain.text.splitlines() if "kms_key" in line]
        assert [line for line in zipped.text.splitlines() if "kms_key" in line] == keys

    def test_gzip_that_is_refused_is_not_sent(self, client: Client) -> None:
        assert "content-encoding" not in client.get("/metrics", headers={"Accept-Encoding": "gzip;q=0, *"}).headers

    @pytest.mark.parametrize("coding", ["identity", "gzip"])
    def test_the_length_is_declared(self, client: Client, coding: str) -> None:
        response, raw = client.raw("GET", "/metrics", {"Accept-Encoding": coding})
        assert int(response.headers["content-length"]) == len(raw)
        assert b"# HELP kms_key_info" in (gzip.decompress(raw) if coding == "gzip" else raw)

    def test_caches_are_told_what_the_answer_depends_on(self, client: Client) -> None:
        assert client.get("/metrics").headers["vary"] == "accept, accept-encoding"

    def test_head_has_the_headers_of_get_and_no_body(self, client: Client) -> None:
        got, head = client.get("/metrics"), client.head("/metrics")
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-type"] == got.headers["content-type"]
        assert int(head.headers["content-length"]) > 0

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
    def test_other_methods_are_refused(self, client: Client, method: str) -> None:
        response = client.request(method, "/metrics")
        assert response.status_code == 405
        assert response.headers["allow"] == "GET, HEAD"

    def test_days_left_are_those_of_the_scrape(self, client: Client, exporter: FakeExporter) -> None:
        series = 'kms_key_deletion_days_left{account_id="111122223333",region="eu-west-1",key_id="00007"}'
        assert f"{series} 7.000000\n" in client.get("/metrics").text
        exporter.time += 6.5 * DAY
        assert f"{series} 0.500000\n" in client.get("/metrics").text

    def test_more_pending_keys_than_are_rendered_on_the_loop(self) -> None:
        exporter = FakeExporter(*[pending(number) for number in range(INLINE_SAMPLES + 1)])
        response = Client(create_app(exporter)).get("/metrics")
        told = [line for line in response.text.splitlines() if line.startswith("kms_key_deletion_days_left{")]
        assert len(told) == INLINE_SAMPLES + 1

    def test_more_targets_than_are_rendered_on_the_loop(self) -> None:
        exporter = FakeExporter()
        targets = [Target("111122223333", f"region-{number}") for number in range(INLINE_TARGETS + 1)]
        states = tuple(TargetState(target, up=True) for target in targets)
        exporter.snapshot = Snapshot(NOW, exporter.snapshot.keys_version, states)
        response = Client(create_app(exporter)).get("/metrics")
        told = [line for line in response.text.splitlines() if line.startswith("kms_exporter_target_up{")]
        assert len(told) == INLINE_TARGETS + 1

    def test_another_path_may_be_chosen(self, exporter: FakeExporter) -> None:
        client = Client(create_app(exporter, telemetry_path="/kms/metrics"))
        assert "kms_key_state" in client.get("/kms/metrics").text
        assert client.get("/metrics").status_code == 404
        assert 'href="/kms/metrics"' in client.get("/").text


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/api", "/api/v1/keys/", "/-/"])
def test_other_paths_do_not_exist(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404


class TestHealth:
    def test_alive(self, client: Client, exporter: FakeExporter) -> None:
        response = client.get("/healthz")
        assert (response.status_code, response.text) == (200, "alive\n")
        exporter.is_alive = False
        response = client.get("/healthz")
        assert (response.status_code, response.text) == (503, "not alive\n")

    def test_ready(self, client: Client, exporter: FakeExporter) -> None:
        response = client.get("/readyz")
        assert (response.status_code, response.text) == (200, "ready\n")
        exporter.is_ready = False
        response = client.get("/readyz")
        assert (response.status_code, response.text) == (503, "not ready\n")

    @pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/keys", "/-/reload", "/healthz/"])
    def test_the_listener_for_probes_answers_nothing_else(self, exporter: FakeExporter, path: str) -> None:
        client = Client(create_probes(exporter))
        assert [client.get(probe).status_code for probe in ("/healthz", "/readyz", path)] == [200, 200, 404]

    def test_health_does_not_wait_for_readiness(self, client: Client, exporter: FakeExporter) -> None:
        exporter.is_ready = False
        assert client.get("/healthz").status_code == 200

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_probes_may_ask_for_the_head_alone(self, client: Client, path: str) -> None:
        response = client.head(path)
        assert (response.status_code, response.content) == (200, b"")


class TestReload:
    @pytest.fixture
    def client(self, exporter: FakeExporter) -> Client:
        return Client(create_app(exporter, enable_reload=True))

    def test_it_is_off_unless_it_is_enabled(self, exporter: FakeExporter) -> None:
        response = Client(create_app(exporter)).post("/-/reload")
        assert (response.status_code, exporter.reloads) == (403, 0)
        assert "web.enable_reload" in response.text

    def test_a_reload_is_done_and_said(self, client: Client, exporter: FakeExporter) -> None:
        response = client.post("/-/reload")
        assert (response.status_code, response.text) == (200, "reloaded\n")
        assert exporter.reloads == 1

    def test_a_refused_configuration_is_told_in_one_line(self, client: Client, exporter: FakeExporter) -> None:
        exporter.refusal = "keys.export=some\nkeys.tags=\udcff"
        response = client.post("/-/reload")
        assert response.status_code == 500
        assert response.text == "keys.export=some / keys.tags=?\n"

    def test_only_post_reloads(self, client: Client, exporter: FakeExporter) -> None:
        response = client.get("/-/reload")
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"
        assert exporter.reloads == 0


class TestKeys:
    def test_keys_as_json(self, client: Client) -> None:
        response = client.get("/api/v1/keys?limit=1")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert [key["key_id"] for key in response.json()["keys"]] == ["00007"]
        assert response.json()["keys"][0]["days_left"] == 7

    def test_a_bad_parameter_is_refused_in_one_line(self, client: Client) -> None:
        response = client.get("/api/v1/keys?limit=none")
        assert response.status_code == 400
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert response.text == "limit='none' is no whole number from 1 to 1000\n"

    def test_they_are_described(self, client: Client) -> None:
        response = client.get("/api/v1/openapi.json")
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
        assert set(response.json()["paths"]) == {"/api/v1/keys", "/api/v1/openapi.json"}

    def test_acknowledgements_in_force_are_told(self, client: Client, exporter: FakeExporter) -> None:
        exporter.acknowledgements = Acknowledgements([rule("00007"), rule("alias/typo")])
        told = client.get("/api/v1/keys").json()
        assert told["keys"][0]["acknowledged"] is True
        assert [unmatched["key"] for unmatched in told["acknowledgements_unmatched"]] == ["alias/typo"]


class TestStatusPage:
    def test_it_is_html_that_may_load_nothing(self, client: Client) -> None:
        response = client.get("/")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["content-security-policy"].startswith("default-src 'none';")
        assert "00007" in response.text

    def test_a_bad_parameter_is_refused_in_one_line(self, client: Client) -> None:
        response = client.get("/?page=%0A1")
        assert response.status_code == 200
        response = client.get("/?sort=%0Aup")
        assert response.status_code == 400
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert len(response.text.splitlines()) == 1

    def test_its_links_and_acknowledgements_are_those_of_the_configuration(self, exporter: FakeExporter) -> None:
        exporter.acknowledgements = Acknowledgements([rule("alias/typo-*")])
        text = Client(create_app(exporter, runbook_url="https://wiki.example.org/kms")).get("/").text
        assert 'href="https://wiki.example.org/kms"' in text
        assert "alias/typo-*" in text
