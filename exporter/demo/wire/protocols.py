"""How answers and errors look on the wire, protocol by protocol."""

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol
from xml.sax.saxutils import escape

from exporter.demo.errors import AwsError

Headers = tuple[tuple[bytes, bytes], ...]

_ENCODE_JSON: Final = json.JSONEncoder(separators=(",", ":")).encode
_NO_OUTPUT: Final = frozenset({"ChangeMessageVisibility", "DeleteMessage"})
_EC2_NAMESPACE: Final = "http://ec2.amazonaws.com/doc/2016-11-15/"
_STS_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"


class WireProtocol(Protocol):
    """One protocol: bodies of answers and errors, and the headers that every response of it has."""

    headers: Headers

    def answer(self, operation: str, answer: Any, request_id: str) -> bytes:
        """Return the body of an answer."""

    def error(self, error: AwsError, request_id: str) -> bytes:
        """Return the body of a refusal."""


class Json11:
    """AWS JSON 1.1 (KMS, CloudTrail, Config, Organizations, Tagging API)."""

    headers: Headers = ((b"content-type", b"application/x-amz-json-1.1"),)

    def answer(self, operation: str, answer: Any, request_id: str) -> bytes:
        """Return the answer as JSON; nothing at all for an operation without output, as KMS does."""
        del operation, request_id
        return _ENCODE_JSON(answer).encode() if answer else b""

    def error(self, error: AwsError, request_id: str) -> bytes:
        """Return `__type` and the message, spelt both ways since the services' models differ in it."""
        del request_id
        return _ENCODE_JSON({"__type": error.code, "message": error.message}).encode()


class Json10(Json11):
    """AWS JSON 1.0 (SQS, which spoke AWS query before: `AwsError.query_code`)."""

    headers: Headers = ((b"content-type", b"application/x-amz-json-1.0"),)

    def answer(self, operation: str, answer: Any, request_id: str) -> bytes:
        """Return the answer as JSON, also one without members; nothing for an operation without output."""
        del request_id
        return b"" if operation in _NO_OUTPUT else _ENCODE_JSON(answer).encode()


class Query:
    """AWS query (STS): form in, XML out."""

    headers: Headers = ((b"content-type", b"text/xml"),)

    def answer(self, operation: str, answer: Any, request_id: str) -> bytes:
        """Return the answer in its `...Result` element."""
        return (
            f'<{operation}Response xmlns="{_STS_NAMESPACE}"><{operation}Result>{_xml(answer)}</{operation}Result>'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
        ).encode()

    def error(self, error: AwsError, request_id: str) -> bytes:
        """Return an `ErrorResponse`."""
        fault = "Sender" if error.status < 500 else "Receiver"  # noqa: PLR2004 - HTTP's own border
        return (
            f'<ErrorResponse xmlns="{_STS_NAMESPACE}"><Error><Type>{fault}</Type>'
            f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        ).encode()


class Ec2Query:
    """EC2's own kind of query: form in, XML with `item` lists out."""

    headers: Headers = ((b"content-type", b"text/xml;charset=UTF-8"),)

    def answer(self, operation: str, answer: Any, request_id: str) -> bytes:
        """Return the answer's members beside the request id."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{_EC2_NAMESPACE}">'
            f"<requestId>{request_id}</requestId>{_xml(answer)}</{operation}Response>"
        ).encode()

    def error(self, error: AwsError, request_id: str) -> bytes:
        """Return EC2's `Response` with its `Errors`."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{escape(error.code)}</Code>'
            f"<Message>{escape(error.message)}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
        ).encode()


def _xml(value: Any) -> str:
    """Return a value as XML content: members as elements, lists as `item` elements."""
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(member)}</{name}>" for name, member in value.items())
    if isinstance(value, list):
        return "".join(f"<item>{_xml(each)}</item>" for each in value)
    return escape(str(value))
