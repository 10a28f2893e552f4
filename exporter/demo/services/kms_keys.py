"""Which key a request names, and whether its policy lets the caller in."""

from exporter.demo.errors import AwsError
from exporter.demo.keys import Key
from exporter.demo.services.base import Call
from exporter.demo.services.parameters import text
from exporter.demo.vault import AWS_ALIAS, Vault

_ARN_FIELDS = 6


def find_key(call: Call) -> Key:
    """Return the key that `KeyId` names by id, key ARN, alias name or alias ARN.

    Raises:
        AwsError: `NotFoundException`; `AccessDeniedException` for another account's key or where the policy denies.
    """
    name = text(call, "KeyId", longest=2048)
    resource = _resource(call, name)
    if resource.startswith("alias/"):
        return permitted(call, _aliased(call.vault, resource))
    return permitted(call, _by_id(call.vault, resource, name))


def find_own_key(call: Call, parameter: str = "KeyId") -> Key:
    """Return the key that a parameter names by id or key ARN: operations that take no alias.

    Raises:
        AwsError: as `find_key`.
    """
    name = text(call, parameter, longest=2048)
    return permitted(call, _by_id(call.vault, _resource(call, name), name))


def customer_key(call: Call, parameter: str = "KeyId") -> Key:
    """Return a key as `find_own_key`, refusing AWS managed keys, whose policies let nobody change them.

    Raises:
        AwsError: as `find_key`.
    """
    key = find_own_key(call, parameter)
    if key.manager == "AWS":
        raise denied(call, key.arn)
    return key


def permitted(call: Call, key: Key) -> Key:
    """Return the key.

    Raises:
        AwsError: `AccessDeniedException` where its policy denies the operation.
    """
    if call.operation in key.denied:
        raise denied(call, key.arn)
    return key


def denied(call: Call, resource: str) -> AwsError:
    """Return KMS's refusal for want of permission."""
    return AwsError(
        "AccessDeniedException",
        f"User: {call.principal.arn} is not authorized to perform: kms:{call.operation} on resource: {resource} "
        "with an explicit deny in a resource-based policy",
    )


def _resource(call: Call, name: str) -> str:
    """Strip an ARN down to `alias/...` or a key id, after checking that it is of this place."""
    if not name.startswith("arn:"):
        return name
    fields = name.split(":", _ARN_FIELDS - 1)
    if len(fields) < _ARN_FIELDS or fields[2] != "kms":
        raise AwsError("InvalidArnException", f"Invalid arn {name}")
    region, account_id, resource = fields[3:]
    if region != call.region:
        raise AwsError("NotFoundException", f"Invalid arn {region}")
    if account_id != call.account_id:
        raise denied(call, name)
    return resource.removeprefix("key/")


def _aliased(vault: Vault, name: str) -> Key:
    if name.startswith(AWS_ALIAS):
        key = vault.predefined_key(name)
    else:
        alias = vault.aliases.get(name)
        key = vault.key(alias.target) if alias is not None and alias.target is not None else None
    if key is None:
        raise AwsError("NotFoundException", f"Alias {vault.arn_prefix}{name} is not found.")
    return key


def _by_id(vault: Vault, key_id: str, name: str) -> Key:
    if "/" in key_id:
        raise AwsError("NotFoundException", f"Invalid keyId '{name}'")
    return vault.key(key_id)
