"""Who sends a request: the home credentials and the sessions of assumed roles."""

import base64
from dataclasses import dataclass
from random import Random
from typing import Final

from exporter.demo.arns import arn

HOME_ACCESS_KEY: Final = "AKIAIOSFODNN7EXAMPLE"
HOME_SECRET_KEY: Final = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - the AWS documentation's own example, opens nothing


@dataclass(frozen=True, slots=True)
class Role:
    """A role that can be assumed.

    Attributes:
        external_id: required of whoever assumes it, None for nobody.
        assumable: whether its trust policy lets the home credentials in.
        max_session: the longest session in seconds (`MaxSessionDuration`).
    """

    account_id: str
    name: str
    arn: str
    external_id: str | None = None
    assumable: bool = True
    max_session: int = 3600


@dataclass(frozen=True, slots=True)
class Principal:
    """An identity with its credentials.

    Attributes:
        chained: whether roles that it assumes are chained, which bounds their sessions to an hour.
        token: the session token; None for a user's permanent keys.
        expires_at: Unix seconds, None for never.
    """

    account_id: str
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
        if home_is_role:
            name, user_id = "assumed-role/kms-exporter/home", "AROAIOSFODNN7EXAMPLE:home"
        else:
            name, user_id = "user/kms-exporter", "AIDAIOSFODNN7EXAMPLE"
        service = "sts" if home_is_role else "iam"
        home_arn = arn(service, "", home_account, name, of=home_region)
        self.home = Principal(home_account, home_arn, user_id, HOME_ACCESS_KEY, HOME_SECRET_KEY, chained=home_is_role)
        self._by_key = {HOME_ACCESS_KEY: self.home}

    def find(self, access_key_id: str) -> Principal | None:
        """Return whose access key it is."""
        return self._by_key.get(access_key_id)

    def mint(self, role: Role, session_name: str, expires_at: float) -> Principal:
        """Return new credentials of an assumed role."""
        session = role.arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        principal = Principal(
            role.account_id,
            f"{session}/{session_name}",
            f"AROA{self._word(16)}:{session_name}",
            f"ASIA{self._word(16)}",
            base64.b64encode(self._random.randbytes(30)).decode(),
            chained=True,
            token=base64.b64encode(self._random.randbytes(240)).decode(),
            expires_at=expires_at,
        )
        self._by_key[principal.access_key_id] = principal
        return principal

    def revoke(self, account_id: str) -> None:
        """Make every session in an account unknown, as if its role had been deleted."""
        gone = [key for key, each in self._by_key.items() if each.account_id == account_id and each is not self.home]
        for key in gone:
            del self._by_key[key]

    def _word(self, length: int) -> str:
        return "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=length))
