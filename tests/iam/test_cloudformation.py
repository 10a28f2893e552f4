"""The CloudFormation templates: valid, and granting exactly what the policies grant."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exporter.settings import Settings
from tests.iam.test_policies import BUILD, FEATURES, IAM, PARTITIONS, REMEDIATION, policy

TEMPLATES = sorted((IAM / "cloudformation").glob("*.yaml"))


class Resolver:
    """Resolves the functions that the templates use, for one set of parameters."""

    def __init__(self, template, partition, **parameters):
        self.values = {"AWS::Partition": partition, "AWS::NoValue": None}
        self.values |= {name: facts.get("Default", "") for name, facts in template["Parameters"].items()} | parameters
        self.conditions = {name: self.resolve(value) for name, value in template.get("Conditions", {}).items()}

    def resolve(self, value):
        if isinstance(value, list):
            return [resolved for item in value if (resolved := self.resolve(item)) is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if function := getattr(self, name.removeprefix("Fn::").lower() + "_", None):
                return function(argument)
        resolved = {name: self.resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not None}

    def ref_(self, name):
        return self.values[name]

    def sub_(self, text):
        for name, value in self.values.items():
            text = text.replace(f"${{{name}}}", value or "")
        return text

    def if_(self, argument):
        condition, yes, no = argument
        return self.resolve(yes if self.conditions[condition] else no)

    def not_(self, argument):
        return not self.resolve(argument[0])

    def equals_(self, argument):
        one, other = (self.resolve(item) for item in argument)
        return one == other


class Loader(yaml.SafeLoader):
    """Reads the short forms of functions as the long ones."""


def function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        value = loader.construct_sequence(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", function)


def load(name):
    return yaml.load((IAM / "cloudformation" / name).read_text(), Loader)  # a SafeLoader


def resolved(name, resource, partition, **parameters):
    template = load(name)
    return Resolver(template, partition, **parameters).resolve(template["Resources"][resource]["Properties"])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_has_no_lint(template):
    linter = Path(sys.executable).with_name("cfn-lint")
    linted = subprocess.run([linter, template], capture_output=True, text=True, check=False, timeout=120)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize(
    ("without", "features"),
    [
        ((), ["core", "deletions", "tags"]),
        (("ReadTags",), ["core", "deletions"]),
        (("ReadDeletions",), ["core", "tags"]),
        (("ReadDeletions", "ReadTags"), ["core"]),
    ],
)
def test_the_member_role_may_what_the_policies_say(partition, without, features):
    role = resolved("member-role.yaml", "Role", partition, **dict.fromkeys(without, "false"))
    assert {item["PolicyName"]: item["PolicyDocument"] for item in role["Policies"]} == {
        feature: policy(feature, partition) for feature in features
    }


@pytest.mark.parametrize("external_id", ["", "s3cret"])
def test_the_member_role_trusts_the_exporter_alone(external_id):
    arn = "arn:aws:iam::111122223333:role/exporter"
    role = resolved("member-role.yaml", "Role", "aws", ExporterRoleArn=arn, ExternalId=external_id)
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": arn}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement.get("Condition") == ({"StringEquals": {"sts:ExternalId": external_id}} if external_id else None)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_the_hub_with_everything_may_what_all_the_policies_say(partition):
    queues = f"arn:{partition}:sqs:*:*:kms-exporter-events*"
    granted = resolved("hub-policy.yaml", "Policy", partition, ListAccounts="true", AskConfig="true", QueueArn=queues)
    assert granted["PolicyDocument"]["Statement"] == [
        statement for feature in FEATURES for statement in policy(feature, partition)["Statement"]
    ]


def test_the_hub_that_watches_its_own_account_may_enter_no_other():
    granted = resolved("hub-policy.yaml", "Policy", "aws", MemberRoleName="", ReadDeletions="false", ReadTags="false")
    assert granted["PolicyDocument"] == policy("core", "aws")


@pytest.mark.parametrize("partition", PARTITIONS)
def test_people_may_save_keys_through_a_role_of_their_own(partition):
    arn = "arn:aws:iam::111122223333:role/Oncall"
    role = resolved("remediation-role.yaml", "Role", partition, TrustedArn=arn)
    assert {granted["PolicyName"]: granted["PolicyDocument"] for granted in role["Policies"]} == {
        feature: policy(feature, partition) for feature in ("core", "deletions", "tags")
    } | {"remediation": BUILD["document"](REMEDIATION, partition)}, "who can't see a pending key can't save it"
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert (trust["Principal"], trust["Action"]) == ({"AWS": arn}, "sts:AssumeRole")
    assert role["RoleName"] != Settings().aws.organization.role_name, "the service must not get in by mistake"
