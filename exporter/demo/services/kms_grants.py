"""AWS Key Management Service: grants (KMS API Reference, 2014-11-01)."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from exporter.demo.arns import arn
from exporter.demo.errors import AwsError
from exporter.demo.keys import Grant, Key
from exporter.demo.services.base import Answer, Call, Operation
from exporter.demo.services.kms_keys import customer_key, find_own_key
from exporter.demo.services.kms_pages import kms_page
from exporter.demo.services.parameters import invalid, text

_OPERATIONS: Final = frozenset(
    {
        "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo",
        "Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate",
        "Decapsulate",
    }
)  # fmt: skip


def list_grants(call: Call) -> Answer:
    """List a key's grants in any state of the key, up to 100 a page; the order is of the grant ids."""
    key = find_own_key(call)
    wanted = {grant.grant_id: grant for grant in key.grants if _passes(call.params, grant)}
    if "GrantId" in call.params and not wanted:
        raise AwsError("InvalidGrantIdException", f"Grant ID {call.params['GrantId']} is not valid")
    ids, rest = kms_page(call, sorted(wanted), largest=100, default=50)
    return {"Grants": [_grant(key, wanted[each]) for each in ids], **rest}


def create_grant(call: Call) -> Answer:
    """Grant operations on an enabled key."""
    key = customer_key(call)
    operations = call.params.get("Operations")
    if not operations:
        raise invalid("1 validation error detected: Value null at 'operations' failed to satisfy constraint")
    if unknown := sorted(set(operations) - _OPERATIONS):
        raise invalid(f"1 validation error detected: {unknown} at 'operations' failed to satisfy constraint")
    as_service = "GranteeServicePrincipal" in call.params
    grant = call.vault.grant(
        call.params["KeyId"],
        text(call, "GranteeServicePrincipal" if as_service else "GranteePrincipal", longest=256),
        operations,
        as_service=as_service,
        name=call.params.get("Name", ""),
        retiring=call.params.get("RetiringPrincipal"),
        constraints=call.params.get("Constraints"),
        by=call.actor,
    )
    token = base64.b64encode(f"{key.arn}/{grant.grant_id}".encode()).decode()
    return {"GrantId": grant.grant_id, "GrantToken": token}


def revoke_grant(call: Call) -> Answer:
    """Take a grant back, in any state of the key."""
    customer_key(call)
    call.vault.revoke_grant(call.params["KeyId"], text(call, "GrantId", longest=128), by=call.actor)
    return {}


def _passes(params: Mapping[str, Any], grant: Grant) -> bool:
    principal = params.get("GranteeServicePrincipal" if grant.as_service else "GranteePrincipal")
    others = params.get("GranteePrincipal" if grant.as_service else "GranteeServicePrincipal")
    return params.get("GrantId") in {None, grant.grant_id} and principal in {None, grant.grantee} and others is None


def _grant(key: Key, grant: Grant) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "KeyId": key.arn,
        "GrantId": grant.grant_id,
        "CreationDate": grant.created_at,
        "GranteeServicePrincipal" if grant.as_service else "GranteePrincipal": grant.grantee,
        "IssuingAccount": arn("iam", "", key.account_id, "root", of=key.region),
        "Operations": list(grant.operations),
    }
    if grant.name:
        answer["Name"] = grant.name
    if grant.retiring is not None:
        answer["RetiringPrincipal"] = grant.retiring
    if grant.constraints is not None:
        answer["Constraints"] = grant.constraints
    return answer


OPERATIONS: Final[Mapping[str, Operation]] = {
    "ListGrants": list_grants,
    "CreateGrant": create_grant,
    "RevokeGrant": revoke_grant,
}
