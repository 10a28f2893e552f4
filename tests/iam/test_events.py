"""What brings events from EventBridge into the exporter's queue: the same events everywhere, and nobody else's."""

import json

import pytest

from exporter.aws.eventbridge import CHANGING
from exporter.aws.queue import COMES_BACK_AFTER, POLL
from tests.iam.test_cloudformation import load, resolved
from tests.iam.test_policies import BUILD, IAM
from tests.iam.test_terraform import blocks

PATTERN = json.loads((IAM / "events" / "pattern.json").read_text())
HUB, RULE = (IAM / "terraform" / name for name in ("events-hub", "events-rule"))


def statement(document):
    """Return the one statement of a policy."""
    (found,) = document["Statement"]
    return found


def test_the_pattern_is_what_the_table_says():
    assert BUILD["EVENT_PATTERN"] == PATTERN, "run iam/build.py"


def test_it_takes_the_events_that_make_the_exporter_look_and_no_others():
    by_cloudtrail, by_kms = PATTERN["$or"]
    assert {*by_cloudtrail["detail"]["eventName"], *by_kms["detail-type"]} == CHANGING
    assert PATTERN["source"] == ["aws.kms"]


@pytest.mark.parametrize("template", ["events-queue.yaml", "events-rule.yaml"])
def test_the_templates_have_it(template):
    rule = resolved(template, "Rule", "aws")
    assert (rule["EventPattern"], rule["State"]) == (PATTERN, "ENABLED")


@pytest.mark.parametrize("module", [HUB, RULE], ids=lambda path: path.name)
def test_the_modules_read_it(module):
    rule = blocks(module, "resource")["aws_cloudwatch_event_rule.this"]
    assert "../../events/pattern.json" in str(rule["event_pattern"])


class TestTheQueue:
    def test_only_its_rule_may_send_to_it(self):
        allowed = statement(load("events-queue.yaml")["Resources"]["QueuePolicy"]["Properties"]["PolicyDocument"])
        assert (allowed["Principal"], allowed["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
        assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "Rule.Arn"}}}

    def test_it_is_encrypted_without_a_key_that_somebody_could_schedule_for_deletion(self):
        for name in ("Queue", "DeadLetters"):
            queue = resolved("events-queue.yaml", name, "aws")
            assert queue["SqsManagedSseEnabled"] is True
            assert "KmsMasterKeyId" not in queue

    def test_it_fits_how_the_exporter_reads_it(self):
        queue = resolved("events-queue.yaml", "Queue", "aws")
        assert (queue["VisibilityTimeout"], queue["ReceiveMessageWaitTimeSeconds"]) == (COMES_BACK_AFTER, POLL)
        assert load("events-queue.yaml")["Resources"]["Queue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"] >= 5

    def test_the_policy_of_the_exporter_covers_its_name(self):
        named = load("events-queue.yaml")["Parameters"]["QueueName"]["Default"]
        assert named == blocks(HUB, "variable")["queue_name"]["default"] == BUILD["QUEUES"].removesuffix("*")

    def test_template_and_module_make_the_same(self):
        queue, module = (resolved("events-queue.yaml", "Queue", "aws"), blocks(HUB, "resource")["aws_sqs_queue.this"])
        same = {
            "MessageRetentionPeriod": "message_retention_seconds",
            "ReceiveMessageWaitTimeSeconds": "receive_wait_time_seconds",
            "VisibilityTimeout": "visibility_timeout_seconds",
            "SqsManagedSseEnabled": "sqs_managed_sse_enabled",
        }
        assert {name: module[attribute] for name, attribute in same.items()} == {name: queue[name] for name in same}
        limit = load("events-queue.yaml")["Resources"]["Queue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
        assert str(limit) in str(module["redrive_policy"])


class TestTheBus:
    def test_only_the_organization_may_send_to_it(self):
        bus = resolved("events-bus.yaml", "EventBus", "aws", OrganizationId="o-exampleorgid")
        allowed = statement(bus["Policy"])
        assert allowed["Action"] == "events:PutEvents"
        assert allowed["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}

    def test_so_says_the_module(self):
        (allowed,) = blocks(HUB, "data")["aws_iam_policy_document.bus"]["statement"]
        (condition,) = allowed["condition"]
        assert (condition["variable"], condition["values"]) == ("aws:PrincipalOrgID", ["${var.organization_id}"])

    def test_a_rule_sends_to_it_and_may_do_nothing_else(self):
        arn = "arn:aws:events:eu-west-1:111122223333:event-bus/kms-exporter"
        sender = resolved("events-rule.yaml", "Sender", "aws", EventBusArn=arn)
        (granted,) = sender["Policies"]
        allowed = statement(granted["PolicyDocument"])
        assert (allowed["Action"], allowed["Resource"]) == ("events:PutEvents", arn)
        assert statement(sender["AssumeRolePolicyDocument"])["Principal"] == {"Service": "events.amazonaws.com"}
        assert "RoleName" not in sender, "there is one in each region"
