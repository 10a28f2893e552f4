"""The image, built once."""

from dataclasses import dataclass

import pytest

from tests.image.engine import Engine

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Built:
    """An image and what it was made from."""

    id: str
    base: str
    arguments: dict[str, str]


@pytest.fixture(scope="session")
def engine():
    engine = Engine()
    yield engine
    engine.podman("image", "prune", "--force")  # what earlier builds left without a name


@pytest.fixture(scope="session")
def built(engine):
    base = engine.base()
    arguments = {"BASE": base, "VERSION": "9.8.7", "REVISION": REVISION, "CREATED": "2023-11-14T22:13:20Z"}
    return Built(engine.build("localhost/kms-exporter:test", **arguments), base, arguments)
