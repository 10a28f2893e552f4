"""AWS Key Management Service: uses of keys, and what is known of them (KMS API Reference, 2014-11-01)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from exporter.demo.ciphertexts import BadCiphertextError, Sealed, seal, unseal
from exporter.demo.errors import AwsError
from exporter.demo.keys import Key
from exporter.demo.services.base import Answer, Call, Operation
from exporter.demo.services.kms_keys import find_key, find_own_key, permitted
from exporter.demo.services.parameters import count, invalid

_MOST_PLAINTEXT: Final = 4096
_MOST_DATA_KEY: Final = 1024
_DATA_KEYS: Final = {"AES_128": 16, "AES_256": 32}
_SYMMETRIC: Final = "SYMMETRIC_DEFAULT"


def get_key_last_usage(call: Call) -> Answer:
    """Tell when a key was last used with success, as far as KMS was tracking uses by then."""
    key = find_own_key(call)
    tracked_since = max(call.world.rules.tracking_start, key.created_at)
    answer: Answer = {
        "KeyId": key.key_id,
        "KeyLastUsage": {},
        "TrackingStartDate": tracked_since,
        "KeyCreationDate": key.created_at,
    }
    last = key.last_use
    if last is not None and last.at >= tracked_since:
        answer["KeyLastUsage"] = {
            "Operation": last.operation,
            "Timestamp": last.at,
            "CloudTrailEventId": last.event_id,
            "KmsRequestId": last.request_id,
        }
    return answer


def encrypt(call: Call) -> Answer:
    """Encrypt up to 4096 bytes."""
    plaintext = _blob(call, "Plaintext", longest=_MOST_PLAINTEXT)
    key = _use(call, find_key(call))
    return {"KeyId": key.arn, "CiphertextBlob": _sealed(call, key, plaintext), "EncryptionAlgorithm": _algorithm(call)}


def decrypt(call: Call) -> Answer:
    """Decrypt what `Encrypt` or `GenerateDataKey` made; the ciphertext names the key."""
    sealed = _unsealed(call)
    key = permitted(call, call.vault.key(sealed.key_id))
    if "KeyId" in call.params and find_key(call) is not key:
        raise AwsError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    _use(call, key)
    plaintext = base64.b64encode(sealed.plaintext).decode()
    return {"KeyId": key.arn, "Plaintext": plaintext, "EncryptionAlgorithm": _algorithm(call)}


def generate_data_key(call: Call) -> Answer:
    """Make a data key, in the clear and encrypted."""
    if ("KeySpec" in call.params) == ("NumberOfBytes" in call.params):
        raise invalid("Please specify either number of bytes or key spec.")
    size = _DATA_KEYS.get(call.params.get("KeySpec", ""))
    if size is None:
        size = count(call, "NumberOfBytes", largest=_MOST_DATA_KEY, default=0)
    key = _use(call, find_key(call))
    data_key = call.world.rules.random.randbytes(size)
    return {
        "KeyId": key.arn,
        "Plaintext": base64.b64encode(data_key).decode(),
        "CiphertextBlob": _sealed(call, key, data_key),
    }


def _use(call: Call, key: Key) -> Key:
    """Use a key, which CloudTrail tells of.

    Raises:
        AwsError: it is of another usage, or its state does not allow it.
    """
    if key.usage != "ENCRYPT_DECRYPT":
        raise AwsError("InvalidKeyUsageException", f"{key.arn} key usage is {key.usage} which is not valid here.")
    request: dict[str, Any] = {"encryptionAlgorithm": _algorithm(call)}
    if "KeyId" in call.params:
        request["keyId"] = call.params["KeyId"]
    if _context(call):
        request["encryptionContext"] = dict(_context(call))
    return call.vault.perform(key.key_id, call.operation, by=call.actor, **request)


def _sealed(call: Call, key: Key, plaintext: bytes) -> str:
    nonce = call.world.rules.random.randbytes(16)
    return base64.b64encode(seal(Sealed(key.key_id, plaintext), _context(call), nonce)).decode()


def _unsealed(call: Call) -> Sealed:
    try:
        return unseal(_blob(call, "CiphertextBlob", longest=6144), _context(call))
    except BadCiphertextError:
        raise AwsError("InvalidCiphertextException", "The ciphertext is not valid.") from None


def _algorithm(call: Call) -> str:
    algorithm: str = call.params.get("EncryptionAlgorithm", _SYMMETRIC)
    return algorithm


def _context(call: Call) -> Mapping[str, str]:
    context: Mapping[str, str] = call.params.get("EncryptionContext") or {}
    return context


def _blob(call: Call, name: str, *, longest: int) -> bytes:
    try:
        value = base64.b64decode(call.params.get(name) or "", validate=True)
    except (TypeError, binascii.Error) as error:
        raise AwsError("SerializationException", str(error)) from error
    if not 1 <= len(value) <= longest:
        raise invalid(f"1 validation error detected: '{name}' must have length between 1 and {longest}")
    return value


OPERATIONS: Final[Mapping[str, Operation]] = {
    "GetKeyLastUsage": get_key_last_usage,
    "Encrypt": encrypt,
    "Decrypt": decrypt,
    "GenerateDataKey": generate_data_key,
}
