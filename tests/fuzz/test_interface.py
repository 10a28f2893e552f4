"""The JSON interface held to its own document by requests that schemathesis makes up, over real HTTP."""

from collections.abc import Iterator
from typing import Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.web.api import openapi
from tests.fuzz.effort import soaking
from tests.support.processes import ExporterProcess, exporter_process

EXAMPLES: Final = 2_000 if soaking() else 25
OPERATIONS: Final = {"/api/v1/keys", openapi.PATH}


@pytest.fixture(scope="module")
def demo() -> Iterator[ExporterProcess]:
    with exporter_process("demo", env={}) as process:
        process.ready()
        yield process


@pytest.fixture(scope="module")
def described(demo: ExporterProcess) -> object:
    """The document as the running exporter serves it."""
    return schemathesis.openapi.from_url(f"{demo.url}{openapi.PATH}")


@pytest.mark.parametrize(
    ("path", "mode"), [("/api/v1/keys", "positive"), ("/api/v1/keys", "negative"), (openapi.PATH, "positive")]
)
def test_answers_are_as_described(described: object, path: str, mode: str) -> None:
    """Requests that the document allows, and requests that it forbids."""
    operation = described[path]["GET"]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not soaking(),
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def ask(case: object) -> None:
        case.call_and_validate(timeout=10)

    ask()


@settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=not soaking())
@given(method=st.sampled_from(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]))
def test_no_other_method_does_anything(demo: ExporterProcess, method: str) -> None:
    for path in OPERATIONS:
        answer = httpx.request(method, demo.url + path, timeout=10, trust_env=False)
        assert answer.status_code == 405
        assert answer.headers["allow"]
