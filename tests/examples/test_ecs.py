"""The ECS task definition: accepted by the API's own model, and as hardened as the image allows."""

import json
import re
from pathlib import Path

import botocore.session
import pytest
from botocore.validate import ParamValidator

from exporter.settings import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def definition():
    return json.loads((ROOT / "examples/ecs/task-definition.json").read_text())


@pytest.fixture(scope="module")
def container(definition):
    (only,) = definition["containerDefinitions"]
    return only


def test_ecs_accepts_it(definition):
    service = botocore.session.Session().get_service_model("ecs")
    shape = service.operation_model("RegisterTaskDefinition").input_shape
    assert ParamValidator().validate(definition, shape).generate_report() == ""


def test_it_writes_nothing_and_may_nothing(container):
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}


def test_user_and_health_check_are_those_of_the_image(container):
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert container["user"] == re.search(r"^USER (\S+)$", dockerfile, re.MULTILINE)[1]
    check = json.loads(re.search(r"^  CMD (\[.*\])$", dockerfile, re.MULTILINE)[1])
    assert container["healthCheck"]["command"] == ["CMD", *check]


def test_the_exporter_accepts_its_configuration(container):
    assert container["command"] == ["serve"]
    load({}, {variable["name"]: variable["value"] for variable in container["environment"]})
