"""Writes the policies that the exporter and its users need. Run it after a change here.

- iam/policies/PARTITION/FEATURE.json: what the service may do, by feature. All of it is reading, but that it deletes
  messages of its own queue once it has seen to them.
- iam/remediation/PARTITION.json: what a person may do who saves keys with `kms-exporter cancel-deletion`. It lies
  apart, so that nobody attaches it to the service by attaching a folder.
- iam/events/pattern.json: what EventBridge rules send to the queue.

A permission names the call that needs it; tests/iam compares these tables with the operations that the code declares.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")
ROLE: Final = "KmsExporter"
"""The role in each watched account; the default of `aws.organization.role_name`."""
QUEUES: Final = "kms-exporter-events*"
"""The queues that iam/cloudformation/events-queue.yaml and iam/terraform/events-hub make: one for each shard."""
KEYS: Final = "arn:{partition}:kms:*:*:key/*"


@dataclass(frozen=True, slots=True)
class Permission:
    """Calls that are allowed on the same resources.

    Attributes:
        sid: what the statement is called.
        actions: IAM action to the operation that needs it, as boto3's service and the API's name.
        resource: an ARN with `{partition}`, or `*` where IAM knows no narrower one for these actions.
    """

    sid: str
    actions: dict[str, tuple[str, str]]
    resource: str = "*"


FEATURES: Final = {
    # In every watched account. sts:GetCallerIdentity is called too; it needs no permission and can't be denied one.
    "core": (
        Permission(
            "ListKeysAndRegions",
            {
                "ec2:DescribeRegions": ("ec2", "DescribeRegions"),
                "kms:ListAliases": ("kms", "ListAliases"),
                "kms:ListKeys": ("kms", "ListKeys"),
            },
        ),
        Permission("DescribeKeys", {"kms:DescribeKey": ("kms", "DescribeKey")}, KEYS),
    ),
    # In every watched account, for what explains a pending deletion. Without an action its facts are told as unknown.
    "deletions": (
        # changes.cloudtrail: who scheduled it and when, denied uses, which keys changed.
        Permission("ReadEvents", {"cloudtrail:LookupEvents": ("cloudtrail", "LookupEvents")}),
        # deletions.last_usage, deletions.grants, keys.last_usage.
        Permission(
            "ReadUsesAndGrants",
            {"kms:GetKeyLastUsage": ("kms", "GetKeyLastUsage"), "kms:ListGrants": ("kms", "ListGrants")},
            KEYS,
        ),
    ),
    # In every watched account, for deletions.acknowledgement_tag, and where keys.tags names any.
    "tags": (Permission("ReadTags", {"tag:GetResources": ("resourcegroupstaggingapi", "GetResources")}),),
    # In the management account or that of a delegated administrator, where aws.organization.enabled.
    "organization": (Permission("ListAccounts", {"organizations:ListAccounts": ("organizations", "ListAccounts")}),),
    # For the exporter's own role, where changes.config_aggregator names an aggregator of its account.
    "config": (
        Permission(
            "AskConfig",
            {"config:SelectAggregateResourceConfig": ("config", "SelectAggregateResourceConfig")},
            "arn:{partition}:config:*:*:config-aggregator/*",
        ),
    ),
    # For the exporter's own role, where changes.sqs_queue_url names a queue. What is deleted is an event that was seen
    # to, in a queue that is there for the exporter alone.
    "queue": (
        Permission(
            "ReadQueue",
            {
                "sqs:DeleteMessage": ("sqs", "DeleteMessageBatch"),
                "sqs:GetQueueAttributes": ("sqs", "GetQueueAttributes"),
                "sqs:ReceiveMessage": ("sqs", "ReceiveMessage"),
            },
            f"arn:{{partition}}:sqs:*:*:{QUEUES}",
        ),
    ),
    # For the exporter's own role, where it watches other accounts.
    "hub": (
        Permission(
            "EnterMemberAccounts",
            {"sts:AssumeRole": ("sts", "AssumeRole")},
            f"arn:{{partition}}:iam::*:role/{ROLE}",
        ),
    ),
}


REMEDIATION: Final = (
    Permission("SeeKeys", {"kms:DescribeKey": ("kms", "DescribeKey")}, KEYS),
    Permission(
        "SaveKeys",
        {"kms:CancelKeyDeletion": ("kms", "CancelKeyDeletion"), "kms:EnableKey": ("kms", "EnableKey")},
        KEYS,
    ),
)
"""For people, never for the service."""


EVENT_PATTERN: Final[dict[str, Any]] = {
    "source": ["aws.kms"],
    "$or": [
        {
            "detail": {
                "eventName": [
                    "CancelKeyDeletion",
                    "CreateKey",
                    "DeleteExpiredKeyMaterial",
                    "DeleteImportedKeyMaterial",
                    "DeleteKey",
                    "DisableKey",
                    "EnableKey",
                    "ImportKeyMaterial",
                    "ReplicateKey",
                    "ScheduleKeyDeletion",
                    "UpdatePrimaryRegion",
                ]
            }
        },
        {"detail-type": ["KMS CMK Deletion", "KMS Imported Key Material Expiration"]},
    ],
}
"""Which events EventBridge rules send: those after which `exporter.aws.eventbridge` looks at a key."""


def document(permissions: tuple[Permission, ...], partition: str) -> dict[str, Any]:
    """Return the IAM policy document that grants permissions."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": permission.sid,
                "Effect": "Allow",
                "Action": sorted(permission.actions),
                "Resource": permission.resource.format(partition=partition),
            }
            for permission in permissions
        ],
    }


def files() -> dict[Path, dict[str, Any]]:
    """Return every policy document by the file that it belongs in."""
    policies = {
        HERE / "policies" / partition / f"{feature}.json": document(permissions, partition)
        for partition in PARTITIONS
        for feature, permissions in FEATURES.items()
    }
    return policies | {
        HERE / "remediation" / f"{partition}.json": document(REMEDIATION, partition) for partition in PARTITIONS
    }


def main() -> None:
    """Write every file."""
    for file, content in (files() | {HERE / "events" / "pattern.json": EVENT_PATTERN}).items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
