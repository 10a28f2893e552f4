"""From `tls_server_config` to a context that handshakes take place in."""

import ipaddress
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from exporter.web.security.configuration import TlsServer, WebFile
from exporter.web.security.fields import CIPHERS, CURVES

_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_VERIFYING: Final = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
"""The policies that look at certificates. `RequestClientCert` lets everybody in, with a certificate, with none or with
a forged one, and nothing else comes of it: so none is asked for."""


class ServerContext(ssl.SSLContext):
    """The context of handshakes.

    Attributes:
        allowed_sans: alternative names of which a client's certificate must have one; empty = any will do.
    """

    allowed_sans: frozenset[str] = frozenset()


class _ServerSide(ssl.SSLObject):
    """The server's side of one connection. A handshake ends well only with a client that is allowed."""

    def do_handshake(self) -> None:
        """Shake hands, then look at who it is.

        Raises:
            SSLCertVerificationError: the client's certificate has none of the allowed names.
        """
        super().do_handshake()
        allowed = self.context.allowed_sans if isinstance(self.context, ServerContext) else frozenset()
        if allowed and allowed.isdisjoint(alternative_names(self.getpeercert() or {})):
            raise ssl.SSLCertVerificationError("the client's certificate has none of client_allowed_sans")


class FollowingContext(ssl.SSLContext):
    """The context of a listener: each handshake takes place in the one that is in force when it begins.

    A context can't change once it is in use: it forgets no certificate, and no CA. So another one takes its place, for
    new connections alone; asyncio and uvloop ask `wrap_bio` for each (`asyncio/sslproto.py`, `uvloop/sslproto.pyx`).
    Sessions can't be resumed across, since each context has ticket keys of its own.
    """

    _in_force: Callable[[], ssl.SSLContext]

    @classmethod
    def of(cls, in_force: Callable[[], ssl.SSLContext]) -> "FollowingContext":
        """Return a listener's context that asks `in_force` at each handshake."""
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context._in_force = in_force
        return context

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a handshake."""
        return self._in_force().wrap_bio(*arguments, **options)


def server_context(file: WebFile) -> ServerContext:
    """Return the context that a web configuration declares; its files are read.

    Raises:
        ConfigError: a file can't be read or does not hold what it should; the text names the field.
    """
    declared = file.configuration.tls_server_config
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _ServerSide
    context.minimum_version, context.maximum_version = _VERSIONS[declared.min_version], _VERSIONS[declared.max_version]
    context.set_alpn_protocols(["http/1.1"])
    if not declared.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    for curve in set(declared.curve_preferences):
        context.set_ecdh_curve(CURVES[curve])
    _choose_ciphers(context, declared, file)
    _load_certificate(context, declared, file)
    if declared.client_auth_type in _VERIFYING:
        _verify_clients(context, declared, file)
    return context


def alternative_names(certificate: dict[str, Any]) -> Iterator[str]:
    """Yield the DNS names, addresses, e-mail addresses and URIs of a certificate as `getpeercert` gives it."""
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            yield str(ipaddress.ip_address(name.strip()))  # OpenSSL writes IPv6 in full, users write it short
        elif kind in ("DNS", "email", "URI"):
            yield name


def _choose_ciphers(context: ssl.SSLContext, declared: TlsServer, file: WebFile) -> None:
    if not declared.cipher_suites:
        return
    chosen = [CIPHERS[name] for name in declared.cipher_suites if name in CIPHERS]
    if not chosen:  # those of TLS 1.3 alone
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return
    try:
        context.set_ciphers(":".join(chosen))
    except ssl.SSLError:
        offered = set()
    else:
        offered = {cipher["name"] for cipher in context.get_ciphers()}
    missing = [name for name in declared.cipher_suites if name in CIPHERS and CIPHERS[name] not in offered]
    if missing:  # OpenSSL leaves out in silence what its build or the system's policy does not allow
        raise file.problem("cipher_suites", f"names {', '.join(missing)}, which OpenSSL does not offer here", "others")


def _load_certificate(context: ssl.SSLContext, declared: TlsServer, file: WebFile) -> None:
    certificate = _material(file, "cert", declared.cert, declared.cert_file)
    key = _material(file, "key", declared.key.get_secret_value(), declared.key_file)
    for field, pem, what in (("cert", certificate, b" CERTIFICATE-----"), ("key", key, b" PRIVATE KEY-----")):
        if what not in pem:
            kind = "a certificate" if field == "cert" else "a private key"
            raise file.problem(
                _given(declared, field), f"holds no {what.decode().strip(' -').lower()}", f"{kind} in PEM"
            )
    try:
        with _in_memory(certificate) as chain, _in_memory(key) as private:
            context.load_cert_chain(chain, private, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise file.problem(_given(declared, "key"), "is not the key of the certificate", "its key") from error
        reason = f"can't be used with its key ({(error.reason or 'broken PEM').lower().replace('_', ' ')})"
        raise file.problem(
            _given(declared, "cert"), reason, "a certificate and its key, unencrypted, in PEM"
        ) from error
    except _EncryptedKeyError as error:
        raise file.problem(_given(declared, "key"), "is encrypted", "a key without a password") from error


def _verify_clients(context: ServerContext, declared: TlsServer, file: WebFile) -> None:
    context.verify_mode = _VERIFYING[declared.client_auth_type]
    # As in Go, each certificate that is trusted ends a chain, be it a root or not.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.allowed_sans = frozenset(declared.client_allowed_sans)
    if not (declared.client_ca or declared.client_ca_file):
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)  # as in Go
        return
    pem = _material(file, "client_ca", declared.client_ca, declared.client_ca_file)
    try:
        context.load_verify_locations(cadata=pem.decode("ascii", "replace").replace("\ufffd", "?"))
    except (ssl.SSLError, ValueError) as error:  # the second for an empty text
        raise file.problem(_given(declared, "client_ca"), "holds no certificate", "CA certificates in PEM") from error


def _material(file: WebFile, field: str, inline: str, name: str) -> bytes:
    if not name:
        return inline.encode()
    try:
        return file.beside(name).read_bytes()
    except OSError as error:
        raise file.problem(f"{field}_file", f"can't be read: {error.strerror}", "a file that can be read") from error


def _given(declared: TlsServer, field: str) -> str:
    """Return the name of the field that gives a certificate or a key: its text, or its file."""
    return f"{field}_file" if getattr(declared, f"{field}_file") else field


class _EncryptedKeyError(Exception):
    """A key that asks for a password."""


def _no_password() -> str:
    """Refuse, where OpenSSL would ask at the terminal."""
    raise _EncryptedKeyError


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give content a path: Python loads certificates from files alone. It never touches a disk."""
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
