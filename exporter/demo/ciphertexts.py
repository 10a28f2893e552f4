"""Ciphertexts that look like KMS's and protect nothing: opaque, bound to a key and to an encryption context."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

_HEADER: Final = bytes.fromhex("0102020078")
"""What symmetric ciphertexts of KMS begin with, `AQICAHh` in Base64."""

_NONCE: Final = 16
_TAG: Final = 32


class BadCiphertextError(ValueError):
    """What is no ciphertext, was changed, or belongs to another encryption context."""


class Sealed(NamedTuple):
    """What a ciphertext holds."""

    key_id: str
    plaintext: bytes


def seal(sealed: Sealed, context: Mapping[str, str], nonce: bytes) -> bytes:
    """Return a ciphertext; `nonce` of 16 bytes makes it differ from others of the same plaintext."""
    key_id = sealed.key_id.encode()
    hidden = _hide(len(key_id).to_bytes(1) + key_id + sealed.plaintext, nonce)
    return _HEADER + nonce + _tag(nonce, hidden, context) + hidden


def unseal(ciphertext: bytes, context: Mapping[str, str]) -> Sealed:
    """Return what a ciphertext holds.

    Raises:
        BadCiphertextError: see there.
    """
    nonce, rest = ciphertext[len(_HEADER) : len(_HEADER) + _NONCE], ciphertext[len(_HEADER) + _NONCE :]
    tag, hidden = rest[:_TAG], rest[_TAG:]
    if not ciphertext.startswith(_HEADER) or not hidden or not hmac.compare_digest(tag, _tag(nonce, hidden, context)):
        raise BadCiphertextError
    content = _hide(hidden, nonce)
    key_id, plaintext = content[1 : 1 + content[0]], content[1 + content[0] :]
    return Sealed(key_id.decode(), plaintext)


def _hide(content: bytes, nonce: bytes) -> bytes:
    mask = hashlib.shake_256(nonce).digest(len(content))
    return bytes(one ^ other for one, other in zip(content, mask, strict=True))


def _tag(nonce: bytes, hidden: bytes, context: Mapping[str, str]) -> bytes:
    return hmac.digest(nonce, hidden + json.dumps(context, sort_keys=True).encode(), "sha256")
