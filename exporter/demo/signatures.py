"""Whether a request is signed by whom it claims (IAM User Guide, "Create a signed AWS API request": SigV4).

Checked so that a client which mixes up credentials (one client signs for many accounts) is refused, as AWS would.
"""

import hashlib
import hmac
from urllib.parse import quote

Headers = list[tuple[bytes, bytes]]
_ALGORITHM = b"AWS4-HMAC-SHA256 "


class Signatures:
    """Checks signatures; remembers the signing keys that it derived, one per secret, day, region and service."""

    def __init__(self) -> None:
        self._signing_keys: dict[tuple[str, str], bytes] = {}

    def valid(self, secret: str, method: str, path: str, headers: Headers, body: bytes) -> bool:
        """Return whether the `Authorization` header's signature was made with `secret`.

        The age of the signature is not checked: the world's clock need not be the client's. AWS API requests have no
        query string here (POST only), so it is taken as empty.
        """
        sent = dict(headers)
        fields = dict(
            part.strip().partition(b"=")[::2]
            for part in sent.get(b"authorization", b"").removeprefix(_ALGORITHM).split(b",")
        )
        signed = fields.get(b"SignedHeaders", b"")
        scope = fields.get(b"Credential", b"").partition(b"/")[2]
        canonical = b"\n".join(
            (
                method.encode(),
                quote(path, safe="/-_.~").encode(),
                b"",
                *(b"%s:%s" % (name, b" ".join(sent.get(name, b"").split())) for name in signed.split(b";")),
                b"",
                signed,
                hashlib.sha256(body).hexdigest().encode(),
            )
        )
        digest = hashlib.sha256(canonical).hexdigest().encode()
        to_sign = b"\n".join((b"AWS4-HMAC-SHA256", sent.get(b"x-amz-date", b""), scope, digest))
        expected = hmac.digest(self._signing_key(secret, scope.decode("latin-1")), to_sign, "sha256").hex()
        return hmac.compare_digest(expected.encode(), fields.get(b"Signature", b""))

    def _signing_key(self, secret: str, scope: str) -> bytes:
        key = self._signing_keys.get((secret, scope))
        if key is None:
            key = f"AWS4{secret}".encode()
            for part in scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._signing_keys[secret, scope] = key
        return key
