"""What a web configuration comes to: everything that handshakes and requests need, ready to use."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.web.security.bucket import Bucket
from exporter.web.security.configuration import WebFile
from exporter.web.security.passwords import Passwords
from exporter.web.security.tls import ServerContext, server_context


@dataclass(frozen=True, slots=True)
class Policy:
    """A web configuration in force.

    Attributes:
        tls: where handshakes take place; None without TLS.
        passwords: who is let in; None for everybody.
        bucket: how often; None for no limit.
        headers: what is added to each response.
    """

    tls: ServerContext | None
    passwords: Passwords | None
    bucket: Bucket | None
    headers: Mapping[str, str]


def policy_of(file: WebFile) -> Policy:
    """Put a web configuration into effect; the files that it names are read.

    Raises:
        ConfigError: one of them does not hold what it should.
    """
    declared = file.configuration
    users = {user: hashed.get_secret_value() for user, hashed in declared.basic_auth_users.items()}
    limit = declared.rate_limit
    headers = declared.http_server_config.headers.model_dump(by_alias=True)
    return Policy(
        tls=server_context(file) if declared.tls_server_config.enabled else None,
        passwords=Passwords(users) if users else None,
        bucket=Bucket(limit.interval, limit.burst) if limit.interval else None,
        headers={name: value for name, value in headers.items() if value},
    )
