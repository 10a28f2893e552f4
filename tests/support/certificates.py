"""Certificates for tests, made on the spot."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


def dns(name: str) -> x509.GeneralName:
    return x509.DNSName(name)


def address(text: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(text))


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def email(text: str) -> x509.GeneralName:
    return x509.RFC822Name(text)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @cached_property
    def cert_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @cached_property
    def key_pem(self) -> str:
        return self._key(serialization.NoEncryption())

    @cached_property
    def encrypted_key_pem(self) -> str:
        return self._key(serialization.BestAvailableEncryption(b"secret"))

    @property
    def name(self) -> str:
        return self.certificate.subject.rfc4514_string()

    def write(self, folder: Path, name: str) -> "Pair":
        """Write `NAME.crt` and `NAME.key`."""
        (folder / f"{name}.crt").write_text(self.cert_pem)
        (folder / f"{name}.key").write_text(self.key_pem)
        return self

    def _key(self, encryption: serialization.KeySerializationEncryption) -> str:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(encoding, form, encryption).decode()


class Authority(Pair):
    """A CA."""

    def issue(self, name: str, *names: x509.GeneralName) -> Pair:
        """Issue a certificate that holds for `names`."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Pair(_certificate(name, key, self.certificate.subject, self.key, names, ca=False), key)


def authority(name: str = "Test CA") -> Authority:
    """Make a CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(_certificate(name, key, _subject(name), key, (), ca=True), key)


def self_signed(name: str = "localhost") -> Pair:
    """Make a certificate that nobody vouches for, for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Pair(_certificate(name, key, _subject(name), key, (dns("localhost"), address("127.0.0.1")), ca=False), key)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: Sequence[x509.GeneralName],
    *,
    ca: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
