"""The kinds of value in a web configuration, each with its check.

What Go's `crypto/tls` can do and Python's `ssl` can't is refused here by name, never left out in silence.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, SecretStr

from exporter.settings.kinds import Kind

CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}
"""Cipher suites of TLS 1.2 that Go offered as secure in any version exporters are built with, and OpenSSL's names."""

TLS13_CIPHERS: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""Those of TLS 1.3: all are always on, in Go (crypto/tls, Config.CipherSuites) as here. They may be named."""

CURVES: Final = {
    "X25519": "X25519",
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
}
"""Curves by Go's names, and OpenSSL's."""

_CLIENT_AUTH: Final = ("NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
_UNVERIFIED: Final = ("RequireAnyClientCert", "RequireClientCert")
_VERSIONS: Final = ("TLS12", "TLS13")
_OLD_VERSIONS: Final = ("TLS10", "TLS11")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MOST: Final = 2**63 - 1
_LONGEST: Final = _MOST * 1e-9
_FRAMES: Final = ("deny", "sameorigin")


def _client_auth(name: str) -> str:
    if name in _UNVERIFIED:
        raise ValueError("asks for a certificate and does not verify it, which Python can't and nobody should")
    if name and name not in _CLIENT_AUTH:
        raise ValueError("is no policy")
    return name or "NoClientCert"


def _version(name: str) -> str:
    if name in _OLD_VERSIONS:
        raise ValueError("is deprecated (RFC 8996) and not offered")
    if name not in _VERSIONS:
        raise ValueError("is no version of TLS")
    return name


def _cipher(name: str) -> str:
    if name not in CIPHERS and name not in TLS13_CIPHERS:
        raise ValueError("is no cipher suite that is offered")
    return name


def _curve(name: str) -> str:
    if name not in CURVES:
        raise ValueError("is no curve that Python can choose")
    return name


def _one_curve(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) > 1:
        raise ValueError("names several curves, of which Python can only choose one")
    return names


def _bcrypt(secret: SecretStr) -> SecretStr:
    # Of the salt's 22nd character only two bits count. Python's bcrypt takes none but those whose other bits are 0.
    form = r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
    if not re.fullmatch(form, secret.get_secret_value()):
        raise ValueError("is no bcrypt hash")
    return secret


def _file_name(name: str) -> str:
    if "\0" in name:
        raise ValueError("has a character that no file's name can have")
    return name


def _countable(count: int) -> int:
    if count > _MOST:
        raise ValueError("is more than Go can count")
    return count


def _blank(value: object) -> object:
    return "" if value is None else value


def _header_text(text: str) -> str:
    if not re.fullmatch(r"[\x20-\x7e]*", text):
        raise ValueError("has a character that a header can't hold")
    return text.strip()


def _nosniff(text: str) -> str:
    if text not in ("", "nosniff"):
        raise ValueError("is not nosniff")
    return text


def _frame(text: str) -> str:
    if text and text not in _FRAMES:
        raise ValueError("is neither deny nor sameorigin")
    return text


def _go_duration(value: object) -> object:
    """Read a duration as Go's `time.ParseDuration` does; the result is in seconds."""
    if not isinstance(value, str):
        return value
    if value == "0":
        return 0.0
    number = rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)({'|'.join(_SECONDS)})"
    if not re.fullmatch(rf"(?:{number})+", value):
        raise ValueError("is no duration")
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in re.findall(number, value))
    if seconds > _LONGEST:
        raise ValueError("is longer than Go can count")
    return seconds


ClientAuth = Annotated[str, AfterValidator(_client_auth), Kind("policy", f"one of {', '.join(_CLIENT_AUTH)}")]
Version = Annotated[str, AfterValidator(_version), Kind("version", f"one of {', '.join(_VERSIONS)}")]
Cipher = Annotated[
    str,
    AfterValidator(_cipher),
    Kind("cipher suite", "Go's name of a secure suite, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
]
Curve = Annotated[str, AfterValidator(_curve), Kind("curve", f"one of {', '.join(CURVES)}")]
OneCurve = AfterValidator(_one_curve)
"""Refuses several curves."""
PrivateKey = Annotated[SecretStr, Kind("key", "a private key in PEM")]
BcryptHash = Annotated[SecretStr, AfterValidator(_bcrypt), Kind("hash", "a bcrypt hash such as htpasswd -nBC 10 makes")]
Countable = AfterValidator(_countable)
"""Refuses what is no `int` of Go's."""
FileName = Annotated[str, AfterValidator(_file_name), Kind("file", "the name of a file")]
HeaderText = Annotated[
    str, BeforeValidator(_blank), AfterValidator(_header_text), Kind("header", "printable ASCII text, or nothing")
]
NoSniff = Annotated[str, BeforeValidator(_blank), AfterValidator(_nosniff), Kind("header", "nosniff, or nothing")]
Frame = Annotated[str, BeforeValidator(_blank), AfterValidator(_frame), Kind("header", "deny, sameorigin, or nothing")]
GoDuration = Annotated[float, BeforeValidator(_go_duration), Kind("duration", "a duration such as 1s, 500ms or 1m30s")]
