"""AWS Key Management Service: key policies and rotation, as nobody has changed them (KMS API Reference, 2014-11-01).

Scanners ask for both of every key; the benchmarks run one.
"""

import json
from collections.abc import Mapping
from typing import Final

from exporter.demo.arns import arn
from exporter.demo.errors import AwsError
from exporter.demo.services.base import Answer, Call, Operation
from exporter.demo.services.kms_keys import find_own_key

_DEFAULT: Final = "default"


def get_key_policy(call: Call) -> Answer:
    """Tell the policy that KMS gives a key for which none was named: the account's IAM policies decide.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    key = find_own_key(call)
    if call.params.get("PolicyName", _DEFAULT) != _DEFAULT:
        raise AwsError("NotFoundException", "No such policy exists")
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": arn("iam", "", key.account_id, "root", of=key.region)},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}
    return {"Policy": json.dumps(policy, indent=2), "PolicyName": _DEFAULT}


def get_key_rotation_status(call: Call) -> Answer:
    """Tell that a key's material is not rotated: always so, and always the other way for an AWS managed key."""
    key = find_own_key(call)
    return {"KeyId": key.arn, "KeyRotationEnabled": key.manager == "AWS"}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "GetKeyPolicy": get_key_policy,
    "GetKeyRotationStatus": get_key_rotation_status,
}
