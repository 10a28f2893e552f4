"""The Terraform modules: they parse, take their policies from iam/policies, and trust the exporter alone."""

import re

import hcl2
import pytest

from tests.iam.test_policies import FEATURES, IAM

MODULES = sorted((IAM / "terraform").iterdir())
MEMBER = IAM / "terraform" / "member-role"
RESCUE = IAM / "terraform" / "remediation-role"
OF_FEATURES = [module for module in MODULES if not module.name.startswith("events-")]
OF_CHOICE = [module for module in OF_FEATURES if module != RESCUE]
POLICY_FILE = re.compile(r"file\(\"\$\{path\.module\}/(\S+?)/\$\{each\.value\}\.json\"\)")


def plain(value):
    """Return what the parser found without the quotes that it keeps."""
    if isinstance(value, dict):
        return {plain(name): plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.strip('"') if isinstance(value, str) else value


def blocks(module, kind):
    """Return the blocks of one kind by their labels."""
    with (module / "main.tf").open() as file:
        parsed = plain(hcl2.load(file))
    found = {}
    for block in parsed.get(kind, []):
        labels, body = [], block
        while kind in {"resource", "data", "variable", "output"} and len(labels) < (
            2 if kind in {"resource", "data"} else 1
        ):
            label = next(name for name in body if not name.startswith("__"))
            labels.append(label)
            body = body[label]
        found[".".join(labels)] = body
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_variable_is_described_and_used(module):
    text = (module / "main.tf").read_text()
    for name, variable in blocks(module, "variable").items():
        assert variable["description"]
        assert f"var.{name}" in text.replace(f'variable "{name}"', "")


@pytest.mark.parametrize("module", OF_FEATURES, ids=lambda path: path.name)
def test_its_policies_are_the_files_of_this_repository(module):
    (policy,) = POLICY_FILE.findall((module / "main.tf").read_text())
    assert {file.stem for file in (module / policy).glob("*.json")} == set(FEATURES)
    resource = blocks(module, "resource")["aws_iam_role_policy.feature"]
    assert "data.aws_partition.current.partition" in str(resource["policy"])
    assert not re.search(r"actions *= *\[(?!\"sts:AssumeRole\"\])", (module / "main.tf").read_text())


@pytest.mark.parametrize("module", OF_CHOICE, ids=lambda path: path.name)
def test_no_feature_is_offered_that_has_no_policy(module):
    text = (module / "main.tf").read_text()
    offered = re.search(r"setsubtract\(var\.features, \[(.*?)\]\)", text)
    assert set(re.findall(r"\w+", offered[1])) <= set(FEATURES)


@pytest.mark.parametrize("module", OF_CHOICE, ids=lambda path: path.name)
def test_without_a_choice_it_grants_what_the_exporter_asks_for_by_default(module):
    assert set(blocks(module, "variable")["features"]["default"]) == {"core", "deletions", "tags"}


@pytest.mark.parametrize(
    ("module", "trusted"), [(MEMBER, "var.exporter_role_arn"), (RESCUE, "var.trusted_arn")], ids=["member", "rescue"]
)
def test_a_role_trusts_one_principal_alone(module, trusted):
    trust = blocks(module, "data")["aws_iam_policy_document.trust"]
    (statement,) = trust["statement"]
    (principals,) = statement["principals"]
    assert (principals["type"], principals["identifiers"]) == ("AWS", [f"${{{trusted}}}"])
    assert statement["actions"] == ["sts:AssumeRole"]


def test_people_may_save_keys_through_a_role_of_their_own():
    text = (RESCUE / "main.tf").read_text()
    assert '"${path.module}/../../remediation/aws.json"' in text
    seeing = blocks(RESCUE, "resource")["aws_iam_role_policy.feature"]["for_each"]
    assert set(re.findall(r'"(\w+)"', seeing)) == {"core", "deletions", "tags"}, "who can't see it can't save it"
    assert blocks(RESCUE, "variable")["role_name"]["default"] != blocks(MEMBER, "variable")["role_name"]["default"]
    assert len(re.findall(r"^resource \"aws_iam_role_policy\"", text, re.MULTILINE)) == 2


def test_the_external_id_is_asked_for_when_there_is_one():
    (statement,) = blocks(MEMBER, "data")["aws_iam_policy_document.trust"]["statement"]
    assert "sts:ExternalId" in str(statement["dynamic"])
    assert blocks(MEMBER, "variable")["external_id"]["sensitive"] is True
