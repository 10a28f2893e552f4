"""The web configuration file: what is in it, and what is wrong with it.

The format is exporter-toolkit's, so that one file serves every exporter of a machine:
https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from exporter.errors import ConfigError
from exporter.settings.catalogue import Location, nearest
from exporter.settings.kinds import Kind, item_of, kind_of, model_of
from exporter.settings.model import Conflict, Item
from exporter.settings.problems import line, one_line, place, quote, unreadable
from exporter.settings.yamlfile import Document, read_yaml
from exporter.web.security.fields import (
    TLS13_CIPHERS,
    BcryptHash,
    Cipher,
    ClientAuth,
    Countable,
    Curve,
    FileName,
    Frame,
    GoDuration,
    HeaderText,
    NoSniff,
    OneCurve,
    PrivateKey,
    Version,
)

_MASK: Final = "*****"
_NO_SECRET: Final = SecretStr("")


class TlsServer(Item):
    """`tls_server_config`."""

    cert: str = Field(default="", description="Certificate chain, PEM.")
    key: PrivateKey = Field(default=_NO_SECRET, description="Private key, PEM.")
    client_ca: str = Field(default="", description="CA certificates of clients, PEM.")
    cert_file: FileName = ""
    key_file: FileName = ""
    client_ca_file: FileName = ""
    client_auth_type: ClientAuth = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[Cipher, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: Annotated[tuple[Curve, ...], OneCurve] = ()

    @property
    def enabled(self) -> bool:
        """Whether anything of TLS is asked for."""
        return bool(self.model_fields_set)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it names."""
        return tuple(filter(None, (self.cert_file, self.key_file, self.client_ca_file)))

    def conflicts(self) -> Iterator[Conflict]:
        """Certificate and key belong together, who is let in must be certain, and something must be left to speak."""
        yield from self._material_conflicts()
        yield from self._client_conflicts()
        if self.min_version > self.max_version:
            yield Conflict("max_version", f"is older than min_version, {self.min_version}", "the same or newer")
        if self.max_version == "TLS12" and self.cipher_suites and set(self.cipher_suites) <= set(TLS13_CIPHERS):
            yield Conflict("cipher_suites", "has none for TLS12, which max_version asks for", "one of TLS 1.2")

    def _material_conflicts(self) -> Iterator[Conflict]:
        for inline in ("cert", "key", "client_ca"):
            text, file = getattr(self, inline), getattr(self, f"{inline}_file")
            if text and file:
                yield Conflict(f"{inline}_file", f"is given beside {inline}", "one of them")
            if self.enabled and inline != "client_ca" and not (text or file):
                yield Conflict(f"{inline}_file", "is missing", f"a file, or {inline} with its text")

    def _client_conflicts(self) -> Iterator[Conflict]:
        policy = self.client_auth_type
        ca = "client_ca_file" if self.client_ca_file else "client_ca"
        if getattr(self, ca) and policy in ("NoClientCert", "RequestClientCert"):
            accepted = "RequireAndVerifyClientCert or VerifyClientCertIfGiven there"
            yield Conflict(ca, f"is of no use while client_auth_type is {policy}", accepted)
        if "client_allowed_sans" in self.model_fields_set and not self.client_allowed_sans:
            yield Conflict("client_allowed_sans", "is empty and would let nobody in", "a list with a name")
        if self.client_allowed_sans and policy != "RequireAndVerifyClientCert":
            accepted = "RequireAndVerifyClientCert there"
            yield Conflict("client_allowed_sans", f"can't hold while client_auth_type is {policy}", accepted)


class Headers(Item):
    """`http_server_config.headers`: the response headers that may be set."""

    content_security_policy: HeaderText = Field(default="", alias="Content-Security-Policy")
    strict_transport_security: HeaderText = Field(default="", alias="Strict-Transport-Security")
    x_content_type_options: NoSniff = Field(default="", alias="X-Content-Type-Options")
    x_frame_options: Frame = Field(default="", alias="X-Frame-Options")
    x_xss_protection: HeaderText = Field(default="", alias="X-XSS-Protection")


class HttpServer(Item):
    """`http_server_config`."""

    http2: bool = Field(default=True, description="Taken and without effect: HTTP/1.1 is spoken.")
    headers: Headers = Headers()


class RateLimit(Item):
    """`rate_limit`: a token bucket for all requests."""

    interval: GoDuration = Field(default=0.0, description="Seconds in which one request is let in; 0 = no limit.")
    burst: Annotated[int, Countable] = Field(default=0, ge=0, description="Requests that may come at once.")

    def conflicts(self) -> Iterator[Conflict]:
        """A bucket that holds nothing lets nobody in."""
        if self.interval and not self.burst:
            yield Conflict("burst", "is 0 and would let nobody in", "1 or more")


class WebConfiguration(Item):
    """The whole file."""

    tls_server_config: TlsServer = TlsServer()
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: Annotated[
        Mapping[str, BcryptHash], Kind("users", "a mapping of user names to bcrypt hashes of their passwords")
    ] = {}
    rate_limit: RateLimit = RateLimit()


@dataclass(frozen=True, slots=True)
class WebFile:
    """A web configuration and the file that it is from.

    Attributes:
        path: the file, as the user wrote it.
    """

    path: str
    configuration: WebConfiguration
    document: Document

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that has a part in it, itself first."""
        return (Path(self.path), *map(self.beside, self.configuration.tls_server_config.files))

    def beside(self, name: str) -> Path:
        """Return the place of a file that it names: relative to itself."""
        return Path(self.path).parent / name

    def problem(self, field: str, reason: str, accepted: str) -> ConfigError:
        """Return the error about a field of `tls_server_config` whose value does not hold what it should."""
        location = ("tls_server_config", field)
        shown = quote(getattr(self.configuration.tls_server_config, field)) if field.endswith("_file") else _MASK
        return ConfigError(
            one_line(line(place(location), shown, _origin(self.path, self.document, location), reason, accepted))
        )


def read_web_file(path: str, named_by: str = "") -> WebFile:
    """Read a web configuration; `named_by` is the source of the option that names it.

    Raises:
        ConfigError: it can't be used; a line for each mistake names file, line, field and what is accepted.
    """
    try:
        document = read_yaml(path)
    except OSError as error:
        raise ConfigError(unreadable("web.config_file", path, named_by, error)) from error
    try:
        return WebFile(path, WebConfiguration.model_validate(document.content), document)
    except ValidationError as error:
        told = (text for details in error.errors(include_url=False) for text in _lines(details, path, document))
        raise ConfigError("\n".join(map(one_line, told))) from None  # pydantic's own text shows values


def _lines(details: ErrorDetails, path: str, document: Document) -> Iterator[str]:
    location: Location = details["loc"]
    name, origin = place(location), _origin(path, document, location)
    if details["type"] == "conflict":
        for conflict in details["ctx"]["conflicts"]:
            where = (*location, conflict.option)
            yield line(place(where), "", _origin(path, document, where), conflict.reason, conflict.accepted)
    elif details["type"] == "extra_forbidden":
        known = _members(_field_at(location[:-1]))
        near = nearest(str(location[-1]), known)
        if near:
            yield line(name, "", origin, f"is no field; did you mean {near}?")
        else:
            yield line(name, "", origin, "is no field", ", ".join(known))
    else:
        # Only errors of this package's own checks say more than what is accepted.
        reason = str(details["ctx"]["error"]) if details["type"] == "value_error" else "is refused"
        yield line(name, _shown(location, details["input"]), origin, reason, kind_of(_field_at(location)).accepts)


def _origin(path: str, document: Document, location: Location) -> str:
    while location not in document.lines:
        location = location[:-1]
    return f"{path} line {document.lines[location]}"


def _shown(location: Location, value: object) -> str:
    """Show a value, unless it is a secret or may have one in it."""
    hidden = len(location) == 1 or location[0] == "basic_auth_users" or location[-1] in ("key", "cert", "client_ca")
    return _MASK if hidden else quote(value)


def _field_at(location: Location) -> FieldInfo:
    """Return the field at a place of the file, or the nearest one around it."""
    field = FieldInfo.from_annotation(WebConfiguration)
    for step in location:
        inside = item_of(field) if isinstance(step, int) else _members(field).get(step)
        if inside is None:
            break
        field = inside
    return field


def _members(field: FieldInfo) -> Mapping[str, FieldInfo]:
    """Return the fields of a section by the names that they have in the file."""
    model = model_of(field)
    return {member.alias or name: member for name, member in model.model_fields.items()} if model else {}
