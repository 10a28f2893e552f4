"""The policies allow what the code calls, and nothing that it doesn't."""

import importlib
import json
import pkgutil
import runpy
from pathlib import Path

import boto3
import pytest
from policy_sentry.querying.actions import get_action_data

import exporter.aws
from exporter.aws.calls import Operation
from exporter.settings import Settings

ROOT = Path(__file__).parents[2]
IAM = ROOT / "iam"
BUILD = runpy.run_path(str(IAM / "build.py"))
FEATURES, PARTITIONS, policy = BUILD["FEATURES"], BUILD["PARTITIONS"], BUILD["policy"]
FILES = sorted((IAM / "policies").glob("*/*.json"))
NEEDS_NO_PERMISSION = {("sts", "GetCallerIdentity")}
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""


def called():
    """Return every operation that the code declares."""
    return {
        (value.service, value.name)
        for module in pkgutil.walk_packages(exporter.aws.__path__, "exporter.aws.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, Operation)
    }


def granted():
    """Return IAM action to the operation that it is granted for."""
    return {
        action: operation
        for feature in FEATURES.values()
        for permission in feature
        for action, operation in permission.actions.items()
    }


def statements(file):
    return json.loads(file.read_text())["Statement"]


def test_every_call_is_granted_and_every_grant_is_called():
    assert set(granted().values()) == called() - NEEDS_NO_PERMISSION


def test_every_call_is_an_operation_of_its_service():
    for service, name in called():
        client = boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
        assert name in client.meta.service_model.operation_names


@pytest.mark.parametrize("action", granted())
def test_an_action_is_named_as_its_operation_and_known_to_iam(action):
    service, name = action.split(":")
    assert name == granted()[action][1]
    assert get_action_data(service, name), action


@pytest.mark.parametrize("action", granted())
def test_an_action_changes_nothing(action):
    service, name = action.split(":")
    levels = {row["access_level"] for row in get_action_data(service, name)[service]}
    assert levels <= {"Read", "List"} or action == "sts:AssumeRole"


@pytest.mark.parametrize("action", granted())
def test_an_action_is_limited_to_resources_wherever_iam_can(action):
    service, name = action.split(":")
    limited = {row["resource_arn_format"] for row in get_action_data(service, name)[service]} - {"*"}
    (resource,) = (
        permission.resource for feature in FEATURES.values() for permission in feature if action in permission.actions
    )
    assert (resource != "*") == bool(limited)


def test_the_files_are_what_the_table_says():
    written = {(file.parent.name, file.stem): json.loads(file.read_text()) for file in FILES}
    assert written == {
        (partition, feature): policy(feature, partition) for partition in PARTITIONS for feature in FEATURES
    }, "run iam/build.py"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_policy_names_resources_of_its_own_partition_only(file):
    partitions = {statement["Resource"].split(":")[1] for statement in statements(file) if statement["Resource"] != "*"}
    assert partitions <= {file.parent.name}


def test_the_hub_enters_the_role_that_the_exporter_looks_for():
    (statement,) = policy("hub", "aws")["Statement"]
    assert statement["Resource"] == f"arn:aws:iam::*:role/{Settings().aws.organization.role_name}"


def test_the_document_explains_every_action():
    text = (ROOT / "docs" / "iam.md").read_text()
    assert [action for action in granted() if f"`{action}`" not in text] == []
