"""The two requests that save a key, and the look at a key before and after them. Nothing else here changes anything.

Only `exporter.remediation` imports this module. The service must not: it needs, and has, no permission to write.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exporter.aws.calls import Access, Calls, Operation
from exporter.aws.kms import DESCRIBE_KEY, read_key
from exporter.model import Key

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import MultiRegionConfigurationTypeDef

# Quotas: https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
CANCEL_KEY_DELETION: Final = Operation("kms", "CancelKeyDeletion", quota=5)
ENABLE_KEY: Final = Operation("kms", "EnableKey", quota=5)


@dataclass(frozen=True, slots=True)
class Described:
    """A key as DescribeKey tells it.

    Attributes:
        key: without aliases and tags, which DescribeKey does not tell.
        relatives: the ARNs of the other keys of a multi-Region key, the primary first; none for a single-Region key.
    """

    key: Key
    relatives: tuple[str, ...] = ()


async def describe(calls: Calls, access: Access, name: str, *, deadline: float) -> Described:
    """Describe the key that `name` means: an id, or an alias of the target that is not `alias/aws/...`.

    Describing a predefined alias that points nowhere yet would create its key
    (https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html).

    Raises:
        TargetError: it failed, after the retries that could have helped, or `deadline` (loop time) passed.
    """

    def request(kms: "KMSClient") -> Described:
        metadata = kms.describe_key(KeyId=name)["KeyMetadata"]
        return Described(read_key(metadata), _relatives(metadata["Arn"], metadata.get("MultiRegionConfiguration", {})))

    return await calls.one(access, DESCRIBE_KEY, request, deadline=deadline)


async def cancel_key_deletion(calls: Calls, access: Access, key_id: str, *, deadline: float) -> str:
    """Cancel a deletion; the key is left `Disabled` at best. Returns the id of the request, as CloudTrail has it.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html

    Raises:
        TargetError: it was refused, or nobody knows what became of it: only a look at the key tells.
    """

    def request(kms: "KMSClient") -> str:
        return _request_id(kms.cancel_key_deletion(KeyId=key_id))

    return await calls.one(access, CANCEL_KEY_DELETION, request, deadline=deadline)


async def enable_key(calls: Calls, access: Access, key_id: str, *, deadline: float) -> str:
    """Enable a key; harmless where it is enabled. Returns the id of the request.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKey.html

    Raises:
        TargetError: as with `cancel_key_deletion`.
    """

    def request(kms: "KMSClient") -> str:
        return _request_id(kms.enable_key(KeyId=key_id))

    return await calls.one(access, ENABLE_KEY, request, deadline=deadline)


def _relatives(arn: str, configuration: "MultiRegionConfigurationTypeDef") -> tuple[str, ...]:
    members = [configuration.get("PrimaryKey", {}), *configuration.get("ReplicaKeys", [])]
    arns = dict.fromkeys(member["Arn"] for member in members if member.get("Arn"))
    return tuple(each for each in arns if each != arn)


def _request_id(answer: Any) -> str:
    """Return the id; `""` where AWS told none, since an answer that is no refusal means that the change was made."""
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
