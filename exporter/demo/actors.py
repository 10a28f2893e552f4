"""Who does something in an AWS account, and how IAM, STS and CloudTrail name them.

CloudTrail User Guide, "CloudTrail userIdentity element"; IAM User Guide, "IAM identifiers".
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from exporter.demo.arns import arn

USER: Final = "IAMUser"
ROLE: Final = "AssumedRole"
ROOT: Final = "Root"
SERVICE: Final = "AWSService"
PERSON: Final = "IdentityCenterUser"

_ID_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who makes requests, in whatever account they act.

    Attributes:
        kind: `type` of CloudTrail's `userIdentity`.
        name: of the user, the role, the service (`rds.amazonaws.com`) or the person; empty for root.
        session: the name of the role's session.
        path: of the role, such as `service-role/`.
        access_key_id: empty for one that is made up from the name.
        address: where the requests come from.
        agent: the client.
        request_id: of the request at hand; empty for one that is made up.
    """

    kind: str
    name: str = ""
    session: str = ""
    path: str = ""
    access_key_id: str = ""
    address: str = "203.0.113.17"
    agent: str = "aws-cli/2.31.9 md/awscrt#0.27.6 ua/2.1 os/linux"
    request_id: str = ""

    @property
    def username(self) -> str | None:
        """What LookupEvents calls the user name: of a role, its session's; None where there is none."""
        match self.kind:
            case "Root":
                return "root"
            case "AssumedRole":
                return self.session
            case "IAMUser":
                return self.name
            case _:
                return None

    def arn(self, account_id: str, region: str) -> str:
        """Return the ARN in an account of the region's partition."""
        match self.kind:
            case "Root":
                return arn("iam", "", account_id, "root", of=region)
            case "AssumedRole":
                return arn("sts", "", account_id, f"assumed-role/{self.name}/{self.session}", of=region)
            case _:
                return arn("iam", "", account_id, f"user/{self.name}", of=region)

    def role_arn(self, account_id: str, region: str) -> str:
        """Return the ARN of the role behind the session."""
        return arn("iam", "", account_id, f"role/{self.path}{self.name}", of=region)

    def role_id(self, account_id: str) -> str:
        """Return the unique id of the role behind the session."""
        return _unique_id("AROA", account_id, self.path, self.name)

    def user_id(self, account_id: str) -> str:
        """Return `UserId` of GetCallerIdentity, which is `principalId` of CloudTrail."""
        match self.kind:
            case "Root":
                return account_id
            case "AssumedRole":
                return f"{self.role_id(account_id)}:{self.session}"
            case _:
                return _unique_id("AIDA", account_id, self.name)

    def key_id(self, account_id: str) -> str:
        """Return the access key id that signs the requests."""
        prefix = "ASIA" if self.kind == ROLE else "AKIA"
        return self.access_key_id or _unique_id(prefix, account_id, self.path, self.name, self.session)


def user(name: str) -> Actor:
    """Return an IAM user."""
    return Actor(USER, name)


def assumed_role(name: str, session: str, path: str = "") -> Actor:
    """Return a session of a role."""
    return Actor(ROLE, name, session, path)


def sso_role(permission_set: str, person: str, region: str = "eu-west-1") -> Actor:
    """Return a person who came through IAM Identity Center: a session of the role that it made for a permission set.

    IAM Identity Center User Guide, "Referencing permission sets in resource policies": path and name of such roles.
    """
    name = f"AWSReservedSSO_{permission_set}_{_digest(permission_set).hex()[:_ID_LENGTH]}"
    return Actor(ROLE, name, person, f"aws-reserved/sso.amazonaws.com/{region}/")


def root() -> Actor:
    """Return the account's root user."""
    return Actor(ROOT)


def service(name: str) -> Actor:
    """Return an AWS service that acts on its own."""
    return Actor(SERVICE, name, address=name, agent=name)


def identity_center_user(user_id: str) -> Actor:
    """Return a person whom CloudTrail tells by their id in IAM Identity Center only."""
    return Actor(PERSON, user_id)


def parse(text: str) -> Actor:
    """Return whom `user/NAME`, `assumed-role/NAME/SESSION`, `service/NAME` or `root` names.

    Raises:
        ValueError: it names nobody.
    """
    match text.split("/"):
        case ["user", name]:
            return user(name)
        case ["assumed-role", name, session]:
            return assumed_role(name, session)
        case ["service", name]:
            return service(name)
        case ["root"]:
            return root()
        case _:
            raise ValueError(f"{text!r} is no user/NAME, assumed-role/NAME/SESSION, service/NAME or root")


ADMINISTRATOR: Final = assumed_role("Administrator", "alice")
"""Who changes keys where nothing else is said."""

APPLICATION: Final = assumed_role("application", "i-0a1b2c3d4e5f67890")
"""Who uses keys where nothing else is said."""


def _unique_id(prefix: str, *parts: str) -> str:
    return prefix + base64.b32encode(_digest("/".join(parts))).decode()[:_ID_LENGTH]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
