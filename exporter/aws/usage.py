"""When keys were last used, and what it proves that no use is on record."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from exporter.aws.calls import Access, Calls, Operation, Outcomes
from exporter.aws.reading import seconds, text
from exporter.model import Usage, UsageCase

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import GetKeyLastUsageResponseTypeDef

GET_KEY_LAST_USAGE: Final = Operation("kms", "GetKeyLastUsage", quota=5)
"""https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html"""


async def last_usage_of(
    calls: Calls, access: Access, key_ids: Iterable[str], *, deadline: float
) -> Outcomes[str, Usage]:
    """Ask when each of the keys was last used."""

    def request(kms: "KMSClient", key_id: str) -> Usage:
        return read_usage(kms.get_key_last_usage(KeyId=key_id))

    return await calls.each(access, GET_KEY_LAST_USAGE, key_ids, request, deadline=deadline)


def read_usage(answer: "GetKeyLastUsageResponseTypeDef") -> Usage:
    """Make a `Usage` of an answer of GetKeyLastUsage.

    AWS keeps the last successful cryptographic operation since `TrackingStartDate`. An empty `KeyLastUsage` proves that
    the key was never used only if the key is no older than the record
    (https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html). One that is missing proves nothing:
    it raises KeyError, as for every member that the API model promises.
    """
    use, tracked_since, created_at = answer["KeyLastUsage"], answer["TrackingStartDate"], answer["KeyCreationDate"]
    if use:
        return Usage(
            UsageCase.USED,
            seconds(tracked_since),
            last_used_at=seconds(use["Timestamp"]),
            operation=text(use.get("Operation", "")),
            event_id=text(use.get("CloudTrailEventId", "")),
        )
    case = UsageCase.NEVER if created_at >= tracked_since else UsageCase.UNKNOWN
    return Usage(case, seconds(tracked_since))
