"""How many keys there are, counted by listing them: two requests a target, where a pass would describe every key."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exporter.aws import kms
from exporter.aws.calls import Access
from exporter.aws.connection import Connection
from exporter.aws.discovery import Watch
from exporter.errors import TargetError
from exporter.fleet import Holding

if TYPE_CHECKING:
    from exporter.settings import Settings

_LIST_TIME: Final = 600.0
_TARGETS_FOR_EACH_REQUEST: Final = 4


@dataclass(frozen=True, slots=True)
class Census:
    """What was counted.

    Attributes:
        holdings: how many keys there are where. Lists do not tell which are pending, so none is put down as that.
        accounts: how many have a target.
        gaps: what could not be counted, and why.
    """

    holdings: tuple[Holding, ...]
    accounts: int
    gaps: tuple[str, ...]


async def count_keys(connection: Connection, settings: "Settings") -> Census:
    """Find accounts and regions as the service does, and list keys and aliases of each; never raises TargetError."""
    watch = Watch()
    async for watch in connection.discovery.look():  # noqa: B007 - the last one is wanted
        pass
    gaps = [f"account {account}: {error}" for account, error in watch.account_errors.items() if error]
    gaps += [f"organization: {watch.organization_error}"] if watch.organization_error else []
    places = asyncio.Semaphore(settings.refresh.concurrency * _TARGETS_FOR_EACH_REQUEST)

    async def one(access: Access) -> Holding | TargetError:
        async with places:
            return await _count(connection, access)

    counts = await asyncio.gather(*(one(access) for access in watch.accesses.values()))
    gaps += [str(count) for count in counts if isinstance(count, TargetError)]
    holdings = tuple(count for count in counts if isinstance(count, Holding))
    return Census(holdings, len({target.account_id for target in watch.accesses}), tuple(gaps))


async def _count(connection: Connection, access: Access) -> Holding | TargetError:
    deadline = asyncio.get_running_loop().time() + _LIST_TIME
    try:
        listed = await kms.list_keys(connection.calls, access, deadline=deadline)
        aliases = await kms.list_aliases(connection.calls, access, deadline=deadline)
    except TargetError as error:
        return error
    aws_managed = sum(
        any(name.startswith(kms.AWS_MANAGED_ALIAS) for name in aliases.get(key_id, ())) for key_id in listed
    )
    return Holding(1, len(listed) - aws_managed, 0, aws_managed, sum(map(len, aliases.values())))
