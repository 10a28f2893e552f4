"""Grants on keys: to whom their use was handed, most often AWS services that keep something encrypted under them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from exporter.aws.calls import Access, Calls, Operation, Outcomes
from exporter.aws.reading import text
from exporter.model import Grants

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import GrantListEntryTypeDef, ListGrantsRequestTypeDef

LIST_GRANTS: Final = Operation("kms", "ListGrants", quota=100)
"""https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html"""

_PAGE: Final = 100

_Place = tuple[str, str]
"""A key id, and the marker of a page; `""` for the first."""


async def grants_of(calls: Calls, access: Access, key_ids: Iterable[str], *, deadline: float) -> Outcomes[str, Grants]:
    """Ask for the grants on each of the keys; a key whose pages could not all be read has no answer."""
    outcomes: Outcomes[str, Grants] = Outcomes()
    found: dict[str, list[str]] = {}
    places: list[_Place] = [(key_id, "") for key_id in key_ids]
    while places and outcomes.ended_by is None:
        pages = await calls.each(access, LIST_GRANTS, places, _one_page, deadline=deadline)
        outcomes.ended_by = pages.ended_by
        outcomes.failures |= {key_id: error for (key_id, _), error in pages.failures.items()}
        places = []
        for (key_id, _), (grantees, marker) in pages.answers.items():
            found.setdefault(key_id, []).extend(grantees)
            if marker is None:
                outcomes.answers[key_id] = _told(found.pop(key_id))
            else:
                places.append((key_id, marker))
    return outcomes


def _one_page(kms: "KMSClient", place: _Place) -> tuple[list[str], str | None]:
    """Read a page: the grantee of each grant, and where the next page begins."""
    key_id, marker = place
    request: ListGrantsRequestTypeDef = {"KeyId": key_id, "Limit": _PAGE}
    if marker:
        request["Marker"] = marker
    answer = kms.list_grants(**request)
    grantees = [_grantee(grant) for grant in answer["Grants"]]
    if not answer.get("Truncated"):
        return grantees, None
    following = answer["NextMarker"]
    if following in {"", marker}:
        raise ValueError(f"{following!r} does not lead to another page")
    return grantees, following


def _grantee(grant: "GrantListEntryTypeDef") -> str:
    """Return who was granted; `""` where the answer does not tell.

    A service may stand in either member: https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantListEntry.html
    """
    return text(grant.get("GranteeServicePrincipal") or grant.get("GranteePrincipal") or "")


def _told(grantees: list[str]) -> Grants:
    # A service principal, such as rds.eu-west-1.amazonaws.com, is the only one that is no ARN.
    names = sorted({name for name in grantees if name}, key=lambda name: (name.startswith("arn:"), name))
    return Grants(len(grantees), tuple(names))
