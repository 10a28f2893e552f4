"""AWS Key Management Service: what reads (KMS API Reference, 2014-11-01)."""

from typing import Any, Final

from exporter.demo.keys import Alias
from exporter.demo.services import kms_changes, kms_grants, kms_upkeep, kms_use
from exporter.demo.services.base import Answer, Call, Code, Service, json_codes
from exporter.demo.services.kms_keys import find_key, find_own_key
from exporter.demo.services.kms_metadata import metadata
from exporter.demo.services.kms_pages import kms_page


def list_keys(call: Call) -> Answer:
    """List the key ids of the account and region, up to 1000 a page."""
    owners = call.params.get("ResourceOwners", ["SELF"])
    vault = call.vault
    ids, rest = kms_page(call, vault.key_ids() if "SELF" in owners else (), largest=1000, default=100)
    return {"Keys": [{"KeyId": key_id, "KeyArn": f"{vault.arn_prefix}key/{key_id}"} for key_id in ids], **rest}


def list_aliases(call: Call) -> Answer:
    """List aliases, up to 100 a page (the API Reference's bound; the API model allows 1000)."""
    vault = call.vault
    names = vault.alias_names()
    if "KeyId" in call.params:
        key = find_own_key(call)
        names = [name for name in names if vault.aliases[name].target == key.key_id]
    chunk, rest = kms_page(call, names, largest=100, default=50)
    return {"Aliases": [_alias(vault.arn_prefix, vault.aliases[name]) for name in chunk], **rest}


def describe_key(call: Call) -> Answer:
    """Tell what is known of a key, named by id, ARN, alias or alias ARN."""
    return {"KeyMetadata": metadata(find_key(call))}


def list_resource_tags(call: Call) -> Answer:
    """List a key's tags, up to 50 a page."""
    tags = find_own_key(call).tags or {}
    names, rest = kms_page(call, sorted(tags), largest=50, default=50)
    return {"Tags": [{"TagKey": name, "TagValue": tags[name]} for name in names], **rest}


def _alias(arn_prefix: str, alias: Alias) -> dict[str, Any]:
    answer: dict[str, Any] = {"AliasName": alias.name, "AliasArn": f"{arn_prefix}{alias.name}"}
    if alias.target is not None:
        answer["TargetKeyId"] = alias.target
        answer["CreationDate"] = alias.created_at
        answer["LastUpdatedDate"] = alias.updated_at
    return answer


SERVICE: Final = Service(
    name="kms",
    regional=True,
    codes=json_codes(throttled=Code("ThrottlingException"), internal=Code("KMSInternalException", 500)),
    operations={
        "ListKeys": list_keys,
        "ListAliases": list_aliases,
        "DescribeKey": describe_key,
        "ListResourceTags": list_resource_tags,
        **kms_changes.OPERATIONS,
        **kms_grants.OPERATIONS,
        **kms_upkeep.OPERATIONS,
        **kms_use.OPERATIONS,
    },
)
