"""Writes iam/policies/PARTITION/FEATURE.json: what the exporter may do, by feature. Run it after a change here.

A permission names the call that needs it; tests/iam compares this table with the operations that the code declares.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

POLICIES: Final = Path(__file__).parent / "policies"
PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")
ROLE: Final = "KmsExporter"
"""The role in each watched account; the default of `aws.organization.role_name`."""


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
        Permission("DescribeKeys", {"kms:DescribeKey": ("kms", "DescribeKey")}, "arn:{partition}:kms:*:*:key/*"),
    ),
    # In every watched account, where keys.tags names any.
    "tags": (Permission("ReadTags", {"tag:GetResources": ("resourcegroupstaggingapi", "GetResources")}),),
    # In the management account or that of a delegated administrator, where aws.organization.enabled.
    "organization": (Permission("ListAccounts", {"organizations:ListAccounts": ("organizations", "ListAccounts")}),),
    # For the exporter's own role, where it watches other accounts.
    "hub": (
        Permission(
            "EnterMemberAccounts",
            {"sts:AssumeRole": ("sts", "AssumeRole")},
            f"arn:{{partition}}:iam::*:role/{ROLE}",
        ),
    ),
}


def policy(feature: str, partition: str) -> dict[str, Any]:
    """Return the IAM policy document of one feature."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": permission.sid,
                "Effect": "Allow",
                "Action": sorted(permission.actions),
                "Resource": permission.resource.format(partition=partition),
            }
            for permission in FEATURES[feature]
        ],
    }


def main() -> None:
    """Write every file."""
    for partition in PARTITIONS:
        for feature in FEATURES:
            file = POLICIES / partition / f"{feature}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(policy(feature, partition), indent=2) + "\n")


if __name__ == "__main__":
    main()
