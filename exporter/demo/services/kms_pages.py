"""Pages of KMS's lists."""

from collections.abc import Sequence
from typing import Any

from exporter.demo.errors import AwsError
from exporter.demo.paging import BadMarkerError, page
from exporter.demo.services.base import Call
from exporter.demo.services.parameters import count


def kms_page(call: Call, items: Sequence[str], *, largest: int, default: int) -> tuple[Sequence[str], dict[str, Any]]:
    """Return a page of a sorted list, and the members that say whether more follow.

    Raises:
        AwsError: `InvalidMarkerException`, `ValidationException`.
    """
    limit = count(call, "Limit", largest=largest, default=default)
    empty_first = call.operation in call.world.rules.empty_pages
    try:
        chunk, marker = page(items, limit, call.params.get("Marker"), empty_first=empty_first)
    except BadMarkerError:
        raise AwsError("InvalidMarkerException", "The marker is not valid.") from None
    return chunk, {"Truncated": False} if marker is None else {"Truncated": True, "NextMarker": marker}
