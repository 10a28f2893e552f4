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
FEATURES, REMEDIATION, PARTITIONS = BUILD["FEATURES"], BUILD["REMEDIATION"], BUILD["PARTITIONS"]
FILES = BUILD["files"]()
NEEDS_NO_PERMISSION = {("sts", "GetCallerIdentity")}
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""
BATCHES = {"DeleteMessageBatch": "DeleteMessage"}
"""Calls that IAM knows by the action for a single thing
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html)."""
NEWER = {"kms:GetKeyLastUsage": ("Read", "arn:${Partition}:kms:${Region}:${Account}:key/${KeyId}")}
"""Access level and resource of actions that policy_sentry does not know yet
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html)."""


def policy(feature, partition):
    """Return the document of one of the service's features."""
    return BUILD["document"](FEATURES[feature], partition)


def called(changing=False):
    """Return every operation that the code declares: where keys may be changed, or everywhere else."""
    return {
        (value.service, value.name)
        for module in pkgutil.walk_packages(exporter.aws.__path__, "exporter.aws.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, Operation) and (module.name == "exporter.aws.changes") == changing
    }


def actions_of(permissions):
    """Return IAM action to the operation that it is granted for."""
    return {action: operation for permission in permissions for action, operation in permission.actions.items()}


def granted():
    """Return what the service is granted."""
    return actions_of(permission for feature in FEATURES.values() for permission in feature)


def facts_of(action):
    """Return access levels, and formats of resources that an action can be limited to."""
    if action in NEWER:
        level, resource = NEWER[action]
        return {level}, {resource}
    rows = get_action_data(*action.split(":"))[action.split(":")[0]]
    return {row["access_level"] for row in rows}, {row["resource_arn_format"] for row in rows} - {"*"}


def test_every_call_is_granted_and_every_grant_is_called():
    assert set(granted().values()) == called() - NEEDS_NO_PERMISSION


def test_people_are_granted_what_saves_a_key_and_nothing_else():
    assert set(actions_of(REMEDIATION).values()) == called(changing=True)


def test_every_call_is_an_operation_of_its_service():
    for service, name in called() | called(changing=True):
        client = boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
        assert name in client.meta.service_model.operation_names


@pytest.mark.parametrize("action", granted() | actions_of(REMEDIATION))
def test_an_action_is_named_as_its_operation_and_known_to_iam(action):
    service, name = action.split(":")
    operation = (granted() | actions_of(REMEDIATION))[action][1]
    assert name == BATCHES.get(operation, operation)
    assert bool(get_action_data(service, name)) == (action not in NEWER), "policy_sentry knows it by now"


@pytest.mark.parametrize("action", granted())
def test_an_action_of_the_service_changes_nothing(action):
    """Of messages in its own queue alone, those that were seen to go."""
    levels, _ = facts_of(action)
    assert levels <= {"Read", "List"} or action in {"sts:AssumeRole", "sqs:DeleteMessage"}


@pytest.mark.parametrize("action", granted() | actions_of(REMEDIATION))
def test_an_action_is_limited_to_resources_wherever_iam_can(action):
    _, limited = facts_of(action)
    everything = [permission for feature in (*FEATURES.values(), REMEDIATION) for permission in feature]
    for permission in everything:
        if action in permission.actions:
            assert (permission.resource != "*") == bool(limited)


def test_the_files_are_what_the_table_says():
    written = {file: json.loads(file.read_text()) for file in (IAM / "policies").glob("*/*.json")}
    written |= {file: json.loads(file.read_text()) for file in (IAM / "remediation").glob("*.json")}
    assert written == FILES, "run iam/build.py"


def test_no_file_for_the_service_may_change_a_key():
    writing = {action for action in actions_of(REMEDIATION) if facts_of(action)[0] - {"Read", "List"}}
    assert writing == {"kms:CancelKeyDeletion", "kms:EnableKey"}
    for file in (IAM / "policies").rglob("*.json"):
        assert not writing & {action for statement in statements(file) for action in statement["Action"]}


def statements(file):
    return json.loads(file.read_text())["Statement"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(IAM)))
def test_a_policy_names_resources_of_its_own_partition_only(file):
    partitions = {statement["Resource"].split(":")[1] for statement in statements(file) if statement["Resource"] != "*"}
    assert partitions <= set(PARTITIONS) & {file.parent.name, file.stem}


def test_the_hub_enters_the_role_that_the_exporter_looks_for():
    (statement,) = policy("hub", "aws")["Statement"]
    assert statement["Resource"] == f"arn:aws:iam::*:role/{Settings().aws.organization.role_name}"


def test_the_document_explains_every_action():
    text = (ROOT / "docs" / "iam.md").read_text()
    assert [action for action in granted() | actions_of(REMEDIATION) if f"`{action}`" not in text] == []
