"""Who is let in, how often, and with which headers they are answered."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.security.following import Security
from exporter.web.security.policy import Policy

_ADDED: Final = "content-security-policy"
"""The header that is added to a response that has one, instead of replacing it: browsers keep to each of them (Content
Security Policy Level 3, section 8.1), and the status page's own must stay."""


class Guard:
    """Stands before an application; nothing of it is reached by whom the web configuration does not let in."""

    def __init__(self, app: ASGIApp, security: Security) -> None:
        """Guard `app`."""
        self._app = app
        self._security = security

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        policy = self._security.policy
        if policy.headers:
            send = _with_headers(policy, send)
        answer = await self._refusal(policy, scope) or self._app
        await answer(scope, receive, send)

    @staticmethod
    async def _refusal(policy: Policy, scope: Scope) -> ASGIApp | None:
        """Return what is answered to whom is not let in, None to others; the order is exporter-toolkit's."""
        if policy.bucket and not policy.bucket.take():
            return PlainTextResponse("Too Many Requests\n", 429)
        if policy.passwords and not await policy.passwords.admit(Headers(scope=scope).get("authorization", "")):
            challenge = {"WWW-Authenticate": 'Basic realm="kms-exporter", charset="UTF-8"'}
            return PlainTextResponse("Unauthorized\n", 401, challenge)
        return None


def _with_headers(policy: Policy, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": list(message.get("headers", ()))}
            headers = MutableHeaders(scope=message)
            for name, value in policy.headers.items():
                if name.lower() == _ADDED:
                    headers.append(name, value)
                else:
                    headers[name] = value
        await send(message)

    return send_with_headers
