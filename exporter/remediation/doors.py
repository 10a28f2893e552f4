"""The ways into the accounts that hold the keys."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from exporter.aws.caller import Caller
from exporter.aws.calls import Access, Calls
from exporter.aws.identities import RoleIdentity
from exporter.model import Target

if TYPE_CHECKING:
    from exporter.settings.model import Aws


class RoleToAssume(NamedTuple):
    """A role, and the external id that its trust policy asks for, `""` for none."""

    arn: str
    external_id: str


def roles_of(aws: "Aws", partition: str) -> Callable[[str], RoleToAssume | None]:
    """Return what finds the role by which the configuration enters an account."""
    named = {
        account.role_arn.split(":")[4]: RoleToAssume(account.role_arn, account.external_id.get_secret_value())
        for account in aws.accounts
    }

    def role_of(account_id: str) -> RoleToAssume | None:
        by_organization = f"arn:{partition}:iam::{account_id}:role/{aws.organization.role_name}"
        return named.get(account_id) or (RoleToAssume(by_organization, "") if aws.organization.enabled else None)

    return role_of


class Doors:
    """Opens accounts, each once: with the caller's own credentials, else through a role."""

    def __init__(
        self,
        *,
        calls: Calls,
        home: Access,
        caller: Caller,
        role_of: Callable[[str], RoleToAssume | None],
        now: Callable[[], float],
    ) -> None:
        """Enter the accounts of others through the roles that `role_of` finds; `now` is in Unix seconds."""
        self._calls = calls
        self._home = home
        self._caller = caller
        self._role_of = role_of
        self._now = now
        self._roles: dict[str, RoleIdentity] = {}

    @property
    def caller(self) -> Caller:
        """Who enters."""
        return self._caller

    def access(self, target: Target, account_name: str = "") -> Access | None:
        """Return access to a target, None where no role is known for its account; nothing is asked yet."""
        account_id = target.account_id
        if account_id == self._caller.account_id:
            return Access(target, self._home.identity, account_name)
        if account_id not in self._roles:
            role = self._role_of(account_id)
            if role is None:
                return None
            self._roles[account_id] = RoleIdentity(
                calls=self._calls,
                home=self._home,
                role_arn=role.arn,
                external_id=role.external_id,
                now=self._now,
                session_name=self._caller.session_name,
            )
        return Access(target, self._roles[account_id], account_name)

    def through(self, account_id: str) -> str:
        """Return the ARN of the role by which an account is entered, `""` for the caller's own credentials."""
        if account_id == self._caller.account_id:
            return ""
        role = self._role_of(account_id)
        return role.arn if role is not None else ""


def with_role(aws: "Aws", role_name: str) -> "Aws":
    """Return the settings with another role in every account: that of the exporter may, and should, only read."""
    accounts = tuple(
        account.model_copy(update={"role_arn": f"{account.role_arn.partition(':role/')[0]}:role/{role_name}"})
        for account in aws.accounts
    )
    organization = aws.organization.model_copy(update={"role_name": role_name})
    return aws.model_copy(update={"accounts": accounts, "organization": organization})


def any_account(role_name: str, partition: str) -> Callable[[str], RoleToAssume | None]:
    """Return what finds the role of this name in any account; none without a name."""

    def role_of(account_id: str) -> RoleToAssume | None:
        return RoleToAssume(f"arn:{partition}:iam::{account_id}:role/{role_name}", "") if role_name else None

    return role_of
