"""Text from AWS as it may be shown: what would change how the text around it is read becomes visible instead."""

import re
from typing import Final

from markupsafe import Markup, escape

_DECEPTIVE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, line breaks among them: no text here has lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # change the direction of what follows
    "\u200b\u2028\u2029\u2060\ufeff"  # breaks and blanks that nobody sees
    "\ud800-\udfff]"  # half a character, which has no bytes
)

_JOINTS: Final = re.compile(r"(?<=[/_])(?=\w)|(?<=:)(?=[^\W\d])")


def visible(value: object) -> str:
    """Return a value as the page prints it: text in which such characters are written out as their escapes."""
    if isinstance(value, Markup):
        return value
    return _DECEPTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", str(value))


def breakable(text: str) -> Markup:
    """Return text that a line may break within where names of AWS have their joints: `role/<wbr>session`."""
    return Markup("<wbr>").join(escape(visible(part)) for part in _JOINTS.split(text))
