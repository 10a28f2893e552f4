"""What an HTTP request asks for, and in whose name (AWS Signature Version 4, `Authorization` header)."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from exporter.demo.errors import AwsError
from exporter.demo.wire.protocols import Ec2Query, Json10, Json11, Query, WireProtocol

_SCOPE_PARTS = 5
_CREDENTIAL = b"Credential="


@dataclass(slots=True)
class ApiRequest:
    """One request to an AWS service.

    Attributes:
        service: from the credential scope, `""` when the request is not signed.
        operation: its name, `""` when none is given.
        access_key_id: `""` when the request is not signed.
        token: the session token sent with it, None for none.
    """

    protocol: WireProtocol
    service: str
    region: str
    access_key_id: str
    token: str | None
    operation: str
    body: bytes

    def params(self) -> dict[str, Any]:
        """Return the operation's input.

        Raises:
            AwsError: `SerializationException`.
        """
        try:
            if isinstance(self.protocol, Json11):
                return dict(json.loads(self.body or b"{}"))
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        except (TypeError, ValueError) as error:
            raise AwsError("SerializationException", str(error)) from error


class RequestReader:
    """Reads requests; holds one of each protocol."""

    def __init__(self) -> None:
        self._json = Json11()
        self._json_10 = Json10()
        self._query = Query()
        self._ec2 = Ec2Query()

    def read(self, headers: list[tuple[bytes, bytes]], body: bytes) -> ApiRequest:
        """Return what a request asks for; what it does not say is left empty, and refused later."""
        authorization = target = token = None
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"x-amz-target":
                target = value
            elif name == b"x-amz-security-token":
                token = value.decode("latin-1")
        access_key_id, region, service = _credential_scope(authorization)
        protocol: WireProtocol
        if target is not None:
            protocol = self._json_10 if service == "sqs" else self._json
            operation = target.rpartition(b".")[2].decode("latin-1")
        else:
            protocol = self._ec2 if service == "ec2" else self._query
            operation = _action(body)
        return ApiRequest(protocol, service, region, access_key_id, token, operation, body)


def _credential_scope(authorization: bytes | None) -> tuple[str, str, str]:
    """Return access key id, region and service of `... Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...`."""
    scope = (authorization or b"").partition(_CREDENTIAL)[2].partition(b",")[0]
    parts = scope.decode("latin-1").split("/")
    if len(parts) != _SCOPE_PARTS:
        return "", "", ""
    return parts[0], parts[2], parts[3]


def _action(body: bytes) -> str:
    return dict(parse_qsl(body.decode("utf-8", "replace"))).get("Action", "")
