"""Takes secrets out of texts that are to be told: a refusal may repeat the request that it is about."""

import html
import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "[hidden]"

_SHORTEST: Final = 4
"""Characters of a secret that is hidden: an external id may have two, which would be found in any text."""
_SIGNATURE: Final = re.compile(r"(?<=Signature=)[0-9a-f]{64}")
"""AWS takes a signed request again for some minutes
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html)."""


def hide(text: str, secrets: Iterable[str | None]) -> str:
    """Return `text` without `secrets`, as they are or as a URL, JSON, XML or HTML would write them."""
    if not text:
        return text
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST:
            for form in _forms(secret):
                text = text.replace(form, HIDDEN)
    return _SIGNATURE.sub(HIDDEN, text)


def _forms(secret: str) -> list[str]:
    """Return the ways in which a secret may be written, the longest first."""
    in_json = json.dumps(secret)[1:-1]
    forms = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        in_json,
        in_json.replace("/", r"\/"),
        html.escape(secret),
    }
    return sorted(forms, key=len, reverse=True)
