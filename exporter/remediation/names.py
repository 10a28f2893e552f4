"""What people call a key on a command line: an ARN, an id or an alias."""

import re
from dataclasses import dataclass
from typing import Final

# https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html and the formats of ids and aliases in the
# KMS Developer Guide, "Key identifiers (KeyId)".
_ID: Final = r"(?:mrk-[0-9a-f]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
_ALIAS: Final = r"alias/[a-zA-Z0-9/_-]{1,250}"
_NAME: Final = re.compile(rf"{_ID}|{_ALIAS}")
_ARN: Final = re.compile(
    rf"arn:(?P<partition>aws[a-z-]*):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{{12}}):"
    rf"(?:key/(?P<id>{_ID})|(?P<alias>{_ALIAS}))"
)
_AWS_ALIAS: Final = "alias/aws/"

ACCEPTED: Final = "a key ARN, a key id or alias/NAME"


@dataclass(frozen=True, slots=True)
class KeyName:
    """A name, taken apart.

    Attributes:
        text: as it was given.
        name: the id or alias, without what an ARN says around it.
        partition: `""` unless it is an ARN; so are region and account.
    """

    text: str
    name: str
    partition: str = ""
    region: str = ""
    account_id: str = ""


def read_name(text: str) -> KeyName:
    """Take a name apart.

    Raises:
        ValueError: it can't name a key whose deletion could be cancelled; the text continues a sentence that began
            with the name.
    """
    arn = _ARN.fullmatch(text)
    if arn is None and not _NAME.fullmatch(text):
        raise ValueError("names no key")
    name = (arn["id"] or arn["alias"]) if arn else text
    if name.startswith(_AWS_ALIAS):
        # Not even asked for: describing such an alias may create its key.
        raise ValueError("is an AWS managed key, which nobody can schedule for deletion")
    if arn is None:
        return KeyName(text, name)
    return KeyName(text, name, arn["partition"], arn["region"], arn["account"])
