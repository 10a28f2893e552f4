"""Whose credentials the process was given."""

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exporter.aws.calls import Access, Calls
from exporter.aws.discovery import GET_CALLER_IDENTITY

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

_CALL_TIME: Final = 60.0
_LONGEST_SESSION_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """

    account_id: str
    arn: str
    user_id: str

    @property
    def partition(self) -> str:
        """The partition of every account that these credentials may enter."""
        return self.arn.split(":")[1]

    @property
    def session_name(self) -> str:
        """What sessions of assumed roles are called, so that CloudTrail in those accounts names the person too."""
        person = re.sub(r"[^\w+=,.@-]", "-", self.arn.rpartition("/")[2].rpartition(":")[2], flags=re.ASCII)
        return f"kms-exporter-{person}"[:_LONGEST_SESSION_NAME]


async def who_am_i(calls: Calls, home: Access) -> Caller:
    """Ask STS whose the credentials are.

    Raises:
        TargetError: there are none, or nobody answers.
    """
    deadline = asyncio.get_running_loop().time() + _CALL_TIME
    return await calls.one(home, GET_CALLER_IDENTITY, _read, deadline=deadline)


def _read(sts: "STSClient") -> Caller:
    answer = sts.get_caller_identity()
    return Caller(answer["Account"], answer["Arn"], answer["UserId"])
