"""Events as EventBridge sends them, made by hand."""

import json
from typing import Any, Final

ACCOUNT: Final = "111122223333"
REGION: Final = "eu-west-1"
KEY_ID: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"


def key_arn(key_id: str = KEY_ID, *, account_id: str = ACCOUNT, region: str = REGION) -> str:
    """Return the ARN of a key."""
    return f"arn:aws:kms:{region}:{account_id}:key/{key_id}"


def api_call(
    name: str = "ScheduleKeyDeletion", *, arns: tuple[str, ...] | None = None, **record: Any
) -> dict[str, Any]:
    """Return the event of a request that somebody made; `record` are members of CloudTrail's record."""
    resources = (key_arn(),) if arns is None else arns
    return event(
        "AWS API Call via CloudTrail",
        {
            "eventVersion": "1.11",
            "eventSource": "kms.amazonaws.com",
            "eventName": name,
            "awsRegion": REGION,
            "requestParameters": None,
            "responseElements": None,
            "readOnly": False,
            "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn} for arn in resources],
            "eventType": "AwsApiCall",
            **record,
        },
    )


def event(kind: str, detail: Any, *, resources: Any = (), **envelope: Any) -> dict[str, Any]:
    """Return any event."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": kind,
        "source": "aws.kms",
        "account": ACCOUNT,
        "time": "2026-09-21T14:13:20Z",
        "region": REGION,
        "resources": list(resources) if isinstance(resources, tuple) else resources,
        "detail": detail,
        **envelope,
    }


def text(event: Any) -> str:
    """Return the body of the message that holds an event."""
    return json.dumps(event)
