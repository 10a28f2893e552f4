"""Credentials: the exporter's own, found by boto3's default chain, and those of the roles it assumes."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from exporter.aws.calls import Access, Calls, Operation
from exporter.aws.failures import understand
from exporter.aws.redaction import hide
from exporter.aws.workers import Workers
from exporter.errors import TargetError
from exporter.model import Target

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

ASSUME_ROLE: Final = Operation("sts", "AssumeRole", quota=600)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

_LOOK_AGAIN: Final = 30.0
"""How long the home credentials are used, in seconds, before the chain is asked whether it has newer ones."""
RENEW_BEFORE: Final = 600.0
"""How long before their end, in seconds, assumed credentials are renewed."""
_RENEW_AGAIN: Final = 60.0
"""Seconds until they are tried to be renewed again after that failed: until their end they are as good as ever."""
_CALL_TIME: Final = 60.0


class HomeIdentity:
    """The credentials that the process itself was given, whatever their source.

    botocore renews what expires (IRSA, Pod Identity, instance metadata, SSO). What it takes for permanent, such as keys
    in a shared credentials file, may be replaced under a running process: when AWS refuses them it is asked anew.
    """

    def __init__(self, *, workers: Workers, where: Target, now: Callable[[], float]) -> None:
        """Ask the chain in one of `workers`, since a source may be a slow metadata service; `now` is monotonic."""
        self._workers = workers
        self._where = where
        self._now = now
        self._asking = asyncio.Lock()
        self._chain: Any = None
        self._current: ReadOnlyCredentials | None = None
        self._look_again_at = 0.0

    async def credentials(self) -> ReadOnlyCredentials:
        """Return what the chain has now."""
        async with self._asking:
            if self._current is None or self._now() >= self._look_again_at:
                self._current = await self._workers.submit(self._ask_chain)
                self._look_again_at = self._now() + _LOOK_AGAIN
            return self._current

    def refused(self, credentials: ReadOnlyCredentials) -> None:
        """Walk the chain anew for the next request, unless that has happened since."""
        if credentials == self._current:
            self._current = self._chain = None

    def _ask_chain(self) -> ReadOnlyCredentials:
        try:
            self._chain = self._chain or _walk_chain()
            frozen: ReadOnlyCredentials = self._chain.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - a source may be anything; a traceback would quote what it answered
            self._chain = None
            raise TargetError(self._where, "GetCredentials", "credentials", understand(error).detail) from None
        return frozen


def _walk_chain() -> Any:
    credentials = botocore.session.Session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return credentials


class RoleIdentity:
    """A role in a watched account, assumed with the home credentials and renewed before they end.

    No `DurationSeconds` is asked for: with credentials that are a role's themselves the session is chained, and AWS
    refuses more than the default hour (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining).
    """

    def __init__(
        self,
        *,
        calls: Calls,
        home: Access,
        role_arn: str,
        external_id: str,
        now: Callable[[], float],
        session_name: str = "kms-exporter",
    ) -> None:
        """Assume `role_arn` when first needed; `now` is in Unix seconds, as `Expiration` is."""
        self._calls = calls
        self._home = home
        self._role_arn = role_arn
        self._external_id = external_id
        self._now = now
        self._session_name = session_name
        self._assuming = asyncio.Lock()
        self._current: ReadOnlyCredentials | None = None
        self._ends_at = 0.0
        self._renew_at = 0.0

    @property
    def role_arn(self) -> str:
        """The role that is assumed."""
        return self._role_arn

    async def credentials(self) -> ReadOnlyCredentials:
        """Return the session's credentials, assuming the role when they are missing or near their end."""
        async with self._assuming:
            if self._current is None or self._now() >= self._renew_at:
                try:
                    self._current, self._ends_at = await self._assume()
                    self._renew_at = self._ends_at - RENEW_BEFORE
                except TargetError:
                    if self._current is None or self._now() >= self._ends_at:
                        raise
                    self._renew_at = min(self._now() + _RENEW_AGAIN, self._ends_at)
            return self._current

    def refused(self, credentials: ReadOnlyCredentials) -> None:
        """Assume the role anew for the next request, unless that has happened since."""
        if credentials == self._current:
            self._current = None

    async def _assume(self) -> tuple[ReadOnlyCredentials, float]:
        deadline = asyncio.get_running_loop().time() + _CALL_TIME
        try:
            return await self._calls.one(self._home, ASSUME_ROLE, self._request, deadline=deadline)
        except TargetError as error:
            reason, detail = (hide(text, [self._external_id]) for text in (error.reason, error.detail))
            raise TargetError(error.target, error.operation, reason, detail) from None

    def _request(self, sts: "STSClient") -> tuple[ReadOnlyCredentials, float]:
        optional: dict[str, Any] = {"ExternalId": self._external_id} if self._external_id else {}
        try:
            answer = sts.assume_role(RoleArn=self._role_arn, RoleSessionName=self._session_name, **optional)
            session = answer["Credentials"]
            key_id, key, token = session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
            return ReadOnlyCredentials(key_id, key, token), session["Expiration"].timestamp()
        except (BotoCoreError, ClientError):
            raise  # there was no answer, or a refusal
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote the credentials
            raise ValueError(f"the answer can't be read ({type(error).__name__})") from None
