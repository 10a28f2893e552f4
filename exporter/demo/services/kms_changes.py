"""AWS Key Management Service: what changes keys (KMS API Reference, 2014-11-01)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from exporter.demo.errors import AwsError
from exporter.demo.lifecycle import DEFAULT_WINDOW, require_not_pending
from exporter.demo.services.base import Answer, Call, Operation
from exporter.demo.services.kms_keys import customer_key, find_own_key
from exporter.demo.services.kms_metadata import metadata
from exporter.demo.services.parameters import invalid, text
from exporter.demo.vault import AWS_ALIAS

_ALIAS_NAME: Final = re.compile(r"alias/[a-zA-Z0-9/_-]+")
_MOST_TAGS: Final = 50
_DEFAULT_USAGE: Final = {"HMAC": "GENERATE_VERIFY_MAC", "SYMMETRIC": "ENCRYPT_DECRYPT"}


def create_key(call: Call) -> Answer:
    """Create a key, without a custom key store."""
    params = call.params
    origin = params.get("Origin", "AWS_KMS")
    if origin not in {"AWS_KMS", "EXTERNAL"}:
        raise AwsError("CustomKeyStoreNotFoundException", "The emulator creates no keys in custom key stores.")
    spec = params.get("KeySpec", params.get("CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"))
    usage = params.get("KeyUsage", _DEFAULT_USAGE.get(spec.partition("_")[0]))
    if usage is None:
        raise invalid("You must specify a KeyUsage value for an asymmetric CMK.")
    key = call.vault.create_key(
        description=params.get("Description", ""),
        spec=spec,
        usage=usage,
        origin=origin,
        multi_region=params.get("MultiRegion", False),
        tags=_tags(params) or None,
        by=call.actor,
    )
    return {"KeyMetadata": metadata(key)}


def create_alias(call: Call) -> Answer:
    """Name a customer managed key."""
    name = text(call, "AliasName", longest=256)
    if name.startswith(AWS_ALIAS):
        raise AwsError("NotAuthorizedException", f"{AWS_ALIAS} is reserved for AWS managed keys")
    if not _ALIAS_NAME.fullmatch(name):
        raise AwsError("InvalidAliasNameException", f"{name} is not a valid alias name")
    key = customer_key(call, "TargetKeyId")
    require_not_pending(key)
    if name in call.vault.aliases:
        raise AwsError("AlreadyExistsException", f"An alias with the name {call.vault.arn_prefix}{name} already exists")
    call.vault.add_alias(name, key.key_id)
    return {}


def schedule_key_deletion(call: Call) -> Answer:
    """Schedule a key's deletion: 7 to 30 days, 30 by default."""
    customer_key(call)
    days = call.params.get("PendingWindowInDays", DEFAULT_WINDOW)
    key = call.vault.schedule_deletion(call.params["KeyId"], days, by=call.actor)
    answer: Answer = {"KeyId": key.arn, "KeyState": key.state, "PendingWindowInDays": key.window_days}
    if key.deletion_at is not None:
        answer["DeletionDate"] = key.deletion_at
    return answer


def cancel_key_deletion(call: Call) -> Answer:
    """Cancel a key's deletion; the key is left disabled."""
    key = find_own_key(call)
    call.vault.cancel_deletion(call.params["KeyId"], by=call.actor)
    return {"KeyId": key.arn}


def enable_key(call: Call) -> Answer:
    """Enable a key."""
    customer_key(call)
    call.vault.enable(call.params["KeyId"], by=call.actor)
    return {}


def disable_key(call: Call) -> Answer:
    """Disable a key."""
    customer_key(call)
    call.vault.disable(call.params["KeyId"], by=call.actor)
    return {}


def tag_resource(call: Call) -> Answer:
    """Add or change tags of a key that is not pending deletion."""
    key = customer_key(call)
    tags = _tags(call.params)
    if not tags:
        raise invalid(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must not be null"
        )
    if len((key.tags or {}) | tags) > _MOST_TAGS:
        raise AwsError("LimitExceededException", f"A key has at most {_MOST_TAGS} tags")
    call.vault.tag(call.params["KeyId"], tags, by=call.actor)
    return {}


def _tags(params: Mapping[str, Any]) -> dict[str, str]:
    pairs = [(tag["TagKey"], tag["TagValue"]) for tag in params.get("Tags", ())]
    tags = dict(pairs)
    if len(tags) < len(pairs):
        raise AwsError("TagException", "Duplicate tag keys")
    if any(name.lower().startswith("aws:") for name in tags):
        raise AwsError("TagException", "aws: prefixed tag key names are not allowed for external use.")
    return tags


OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateKey": create_key,
    "CreateAlias": create_alias,
    "ScheduleKeyDeletion": schedule_key_deletion,
    "CancelKeyDeletion": cancel_key_deletion,
    "EnableKey": enable_key,
    "DisableKey": disable_key,
    "TagResource": tag_resource,
}
