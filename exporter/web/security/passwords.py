"""Basic authentication: bcrypt, asked once for each user that is let in."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import bcrypt
from starlette.concurrency import run_in_threadpool

Verify = Callable[[bytes, bytes], Awaitable[bool]]
"""Tells whether a password, first, has a bcrypt hash, second."""

_LONGEST: Final = 72
"""Bytes of a password that bcrypt looks at. What is longer was cut when it was hashed, so it is cut here."""


async def verify_beside(password: bytes, hashed: bytes) -> bool:
    """Verify in a worker thread: it takes the tenth of a second that bcrypt is there to take, and lets others run."""
    return await run_in_threadpool(bcrypt.checkpw, password[:_LONGEST], hashed)


class Passwords:
    """The users and the hashes of their passwords.

    A password that was right is remembered as a keyed hash, so that a scrape costs no bcrypt; there is room for one of
    each user. A wrong password is remembered nowhere, and costs a bcrypt each time, as does a user that does not exist.
    """

    def __init__(self, hashes: Mapping[str, str], verify: Verify = verify_beside) -> None:
        """Take the bcrypt hash of each user's password.

        Args:
            hashes: by user name; at least one.
            verify: what compares a password with a hash.
        """
        self._hashes = {user.encode(): hashed.encode() for user, hashed in hashes.items()}
        self._verify = verify
        # The dearest hash: what is asked for nobody shall cost no less than what is asked for anybody.
        self._decoy = max(self._hashes.values(), key=lambda hashed: hashed[4:6])
        self._key = secrets.token_bytes()
        self._known: dict[bytes, bytes] = {}
        self._one_at_a_time = asyncio.Lock()

    async def admit(self, authorization: str) -> bool:
        """Tell whether the value of an Authorization header, `""` without one, names a user and its password."""
        given = _credentials(authorization)
        if given is None:
            return False
        user, password = given
        digest = self._digest(user, password)
        if self._is_known(user, digest):
            return True
        async with self._one_at_a_time:  # as exporter-toolkit does, so that guessing takes one core at the most
            if self._is_known(user, digest):
                return True
            right = await self._verify(password, self._hashes.get(user, self._decoy)) and user in self._hashes
        if right:
            self._known[user] = digest
        return right

    def _is_known(self, user: bytes, digest: bytes) -> bool:
        return hmac.compare_digest(self._known.get(user, b""), digest)

    def _digest(self, user: bytes, password: bytes) -> bytes:
        return hmac.digest(self._key, len(user).to_bytes(4) + user + password, hashlib.sha256)


def _credentials(authorization: str) -> tuple[bytes, bytes] | None:
    """Read the header as RFC 7617 writes it."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
