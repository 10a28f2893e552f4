"""Whatever goes wrong, the service tells no credential: not in a log line, a page, a metric, an error, a traceback."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.secrets.canaries import Canaries
from tests.secrets.hostile import TROUBLES, HostileAws
from tests.support.certificates import address, authority
from tests.support.processes import ExporterProcess, exporter_process
from tests.support.waiting import until

PASSWORD = "correct-horse-battery-staple"
GUESS = "tr0ub4dor-and-three-more"
PATHS = (
    "/",
    "/?state=pending",
    "/?sort=nonsense",
    "/metrics",
    "/metrics?name[]=kms_key_pending_deletion",
    "/api/v1/keys",
    "/api/v1/keys?limit=nonsense",
    "/api/v1/openapi.json",
    "/healthz",
    "/readyz",
    "/nowhere",
)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def web_file(canaries: Canaries, tmp_path: Path) -> Path:
    """Return a web configuration with TLS and a user, all of whose secrets are canaries."""
    ca = authority().write(tmp_path, "ca")
    server = ca.issue("localhost", address("127.0.0.1")).write(tmp_path, "server")
    canaries.plant_lines("TLS key", server.key_pem)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    canaries.plant("password", PASSWORD)
    canaries.plant("guessed password", GUESS)
    canaries.plant("password hash", hashed)
    file = tmp_path / "web.yml"
    file.write_text(
        f"tls_server_config: {{cert_file: server.crt, key_file: server.key}}\nbasic_auth_users: {{scraper: {hashed}}}\n"
    )
    return file


@pytest.fixture(params=["text", "json"])
def exporter(request, canaries: Canaries, web_file: Path) -> Iterator[tuple[ExporterProcess, HostileAws]]:
    aws = HostileAws(canaries)
    form = f"--log.format={request.param}"
    with aws.serving() as emulator:
        quick = ("--refresh.interval=5s", "--refresh.fallback_interval=5s", "--web.enable_reload=true")
        options = ("--web.config_file", str(web_file), form, *quick)
        with exporter_process("serve", *options, env=aws.variables(emulator)) as process:
            yield process, aws


class Visitor:
    """Asks for everything, with and without the password, and keeps every answer with its headers."""

    def __init__(self, process: ExporterProcess, folder: Path) -> None:
        self._process = process
        self._tls = ssl.create_default_context(cafile=folder / "ca.crt")
        self.answers: dict[str, str] = {}

    def get(self, path: str, password: str = PASSWORD, method: str = "GET", **headers: str) -> httpx.Response:
        answer = httpx.request(
            method,
            self._url() + path,
            auth=("scraper", password),
            headers=headers,
            verify=self._tls,
            timeout=10,
            trust_env=False,
        )
        self.answers[f"{method} {path} {sorted(headers.items())} {answer.status_code}"] = (
            f"{answer.headers}{answer.text}"
        )
        return answer

    def look_at_everything(self) -> None:
        for path in PATHS:
            self.get(path)
            self.get(path, GUESS)
        self.get("/metrics", Accept=OPENMETRICS)
        self.get("/metrics", method="DELETE")

    def _url(self) -> str:
        (address,) = re.findall(r"127\.0\.0\.1:\d+", until(self._listening, within=30))
        return f"https://{address}"

    def _listening(self) -> str:
        if self._process.process.poll() is not None:
            raise RuntimeError("\n".join(self._process.log))
        return next((line for line in self._process.log if "listening" in line), "")


def told(process: ExporterProcess, visitor: Visitor) -> dict[str, str]:
    """Return everything that left the process."""
    return {"stderr": "\n".join(process.log), "stdout": "\n".join(process.output), **visitor.answers}


def is_logged(process: ExporterProcess, account: str) -> bool:
    """Whether the log tells of an account's trouble; it names every account when that is found."""
    return any("failed" in line and account in line for line in process.log)


def test_no_output_tells_a_credential(exporter, canaries: Canaries, web_file: Path) -> None:
    process, _ = exporter
    visitor = Visitor(process, web_file.parent)
    until(lambda: visitor.get("/readyz").status_code == 200, within=60)
    until(lambda: all(is_logged(process, account) for account in TROUBLES), within=60)
    web_file.write_text(web_file.read_text().replace("cert_file", "certificate"))
    until(lambda: visitor.get("/healthz") and any("web_config_failed" in line for line in process.log), within=60)
    visitor.look_at_everything()
    visitor.get("/-/reload", method="POST")
    assert process.end() == 0
    process.kill()

    assert canaries.found_in(told(process, visitor)) == []


def test_every_trouble_is_told_all_the_same(exporter, web_file: Path) -> None:
    process, _ = exporter
    visitor = Visitor(process, web_file.parent)

    def down() -> set[str]:
        page = visitor.get("/metrics").text
        return set(re.findall(r'^kms_exporter_target_up\{account_id="(\d+)",region="[^"]+"\} 0$', page, re.MULTILINE))

    until(lambda: down() == set(TROUBLES), within=60)
    until(lambda: all(is_logged(process, account) for account in TROUBLES), within=60)
