"""Who sends a request: the home credentials and the sessions of assumed roles."""

import base64
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from exporter.demo.actors import ROLE, Actor, assumed_role, user

HOME_ACCESS_KEY: Final = "AKIAIOSFODNN7EXAMPLE"
HOME_SECRET_KEY: Final = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - the AWS documentation's own example, opens nothing


@dataclass(frozen=True, slots=True)
class Role:
    """A role that can be assumed.

    Attributes:
        region: one of the account's, which tells the partition.
        external_id: required of whoever assumes it, None for nobody.
        assumable: whether its trust policy lets the home credentials in.
        max_session: the longest session in seconds (`MaxSessionDuration`).
    """

    account_id: str
    region: str
    name: str
    arn: str
    external_id: str | None = None
    assumable: bool = True
    max_session: int = 3600


@dataclass(frozen=True, slots=True)
class Principal:
    """An identity with its credentials.

    Attributes:
        actor: who it is.
        chained: whether roles that it assumes are chained, which bounds their sessions to an hour.
        token: the session token; None for a user's permanent keys.
        expires_at: Unix seconds, None for never.
    """

    account_id: str
    actor: Actor
    arn: str
    user_id: str
    access_key_id: str
    secret_key: str
    chained: bool = False
    token: str | None = None
    expires_at: float | None = None


class Credentials:
    """Every access key that the emulator knows."""

    def __init__(self, home_account: str, home_region: str, random: Random, *, home_is_role: bool) -> None:
        self._random = random
        actor = assumed_role("kms-exporter", "home") if home_is_role else user("kms-exporter")
        self.home = _principal(home_account, home_region, actor, HOME_ACCESS_KEY, HOME_SECRET_KEY, chained=home_is_role)
        self._by_key = {HOME_ACCESS_KEY: self.home}

    def find(self, access_key_id: str) -> Principal | None:
        """Return whose access key it is."""
        return self._by_key.get(access_key_id)

    def mint(self, role: Role, session_name: str, expires_at: float) -> Principal:
        """Return new credentials of an assumed role."""
        actor = assumed_role(role.name, session_name)
        return self.issue(role.account_id, role.region, actor, expires_at=expires_at)

    def issue(self, account_id: str, region: str, actor: Actor, *, expires_at: float | None = None) -> Principal:
        """Return new credentials of anyone in an account; `region` tells the partition.

        Those of a role come with a token and count as chained; those of users and of root are permanent.
        """
        is_role = actor.kind == ROLE
        principal = _principal(
            account_id,
            region,
            actor,
            f"{'ASIA' if is_role else 'AKIA'}{self._word(16)}",
            base64.b64encode(self._random.randbytes(30)).decode(),
            chained=is_role,
            token=base64.b64encode(self._random.randbytes(240)).decode() if is_role else None,
            expires_at=expires_at,
        )
        self._by_key[principal.access_key_id] = principal
        return principal

    def revoke(self, account_id: str) -> None:
        """Make every session in an account unknown, as if its role had been deleted."""
        gone = [key for key, each in self._by_key.items() if each.account_id == account_id and each is not self.home]
        for key in gone:
            del self._by_key[key]

    def expire(self, account_id: str, at: float) -> None:
        """Let every session in an account end at a moment, in Unix seconds, that may have passed."""
        for key, each in self._by_key.copy().items():
            if each.account_id == account_id and each.expires_at is not None:
                self._by_key[key] = replace(each, expires_at=at)

    def _word(self, length: int) -> str:
        return "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=length))


def _principal(
    account_id: str,
    region: str,
    actor: Actor,
    access_key_id: str,
    secret_key: str,
    *,
    chained: bool,
    token: str | None = None,
    expires_at: float | None = None,
) -> Principal:
    return Principal(
        account_id,
        replace(actor, access_key_id=access_key_id),
        actor.arn(account_id, region),
        actor.user_id(account_id),
        access_key_id,
        secret_key,
        chained,
        token,
        expires_at,
    )
