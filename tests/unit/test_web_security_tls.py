"""Handshakes under `tls_server_config`, in memory: a client of Python's and the server's context."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from exporter.errors import ConfigError
from exporter.web.security.configuration import read_web_file
from exporter.web.security.tls import ServerContext, server_context
from tests.support.certificates import Authority, Pair, address, authority, dns, email, self_signed, uri

SERVER = {"cert_file": "server.crt", "key_file": "server.key"}
VERIFY = SERVER | {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.crt"}


@pytest.fixture(scope="module")
def ca() -> Authority:
    return authority()


@pytest.fixture(scope="module")
def server(ca: Authority) -> Pair:
    return ca.issue("server", dns("localhost"))


@pytest.fixture
def folder(tmp_path: Path, ca: Authority, server: Pair) -> Path:
    ca.write(tmp_path, "ca")
    server.write(tmp_path, "server")
    return tmp_path


def context(folder: Path, declared: dict[str, object]) -> ServerContext:
    file = folder / "web.yml"
    file.write_text(yaml.safe_dump({"tls_server_config": declared}))
    return server_context(read_web_file(str(file)))


def refused(folder: Path, declared: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        context(folder, declared)
    return str(caught.value).replace(f"{folder}/", "")


def client(folder: Path, certificate: Pair | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=folder / "ca.crt")
    if certificate:
        certificate.write(folder, "client")
        made.load_cert_chain(folder / "client.crt", folder / "client.key")
    return made


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Return the client's side after both agreed, and the first byte went through.

    Raises:
        SSLError: one of them did not agree.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    there = server.wrap_bio(to_server, to_client, server_side=True)

    def done(step: Callable[[], object]) -> bool:
        try:
            step()
        except ssl.SSLWantReadError:
            return False
        return True

    sides = [here, there]
    for _ in range(10):
        sides = [side for side in sides if not done(side.do_handshake)]
        if not sides:
            break
    assert not sides
    there.write(b"x")
    here.read(1)
    return here


def test_the_certificate_is_the_files(folder: Path) -> None:
    shaken = shake(context(folder, SERVER), client(folder))

    assert dict(pair for (pair,) in shaken.getpeercert()["subject"]) == {"commonName": "server"}
    assert shaken.version() == "TLSv1.3"
    assert shaken.selected_alpn_protocol() is None


def test_a_certificate_and_a_key_may_stand_in_the_file_itself(folder: Path, server: Pair, ca: Authority) -> None:
    declared = {
        "cert": "# Ümlauts\n" + server.cert_pem,
        "key": server.key_pem,
        "client_ca": "# Ümlauts\n" + ca.cert_pem,
        "client_auth_type": "RequireAndVerifyClientCert",
    }
    assert shake(context(folder, declared), client(folder, ca.issue("client")))


def test_http_2_is_not_chosen(folder: Path) -> None:
    both = client(folder)
    both.set_alpn_protocols(["h2", "http/1.1"])

    assert shake(context(folder, SERVER), both).selected_alpn_protocol() == "http/1.1"


class TestClients:
    """Who is let in with which certificate."""

    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            ("NoClientCert", {"nobody", "stranger", "known"}),
            ("RequestClientCert", {"nobody", "stranger", "known"}),
            ("VerifyClientCertIfGiven", {"nobody", "known"}),
            ("RequireAndVerifyClientCert", {"known"}),
        ],
    )
    def test_a_policy(self, folder: Path, ca: Authority, policy: str, expected: set[str]) -> None:
        certified = {} if policy in ("NoClientCert", "RequestClientCert") else {"client_ca_file": "ca.crt"}
        here = context(folder, SERVER | certified | {"client_auth_type": policy})

        def let_in(certificate: Pair | None) -> bool:
            try:
                shake(here, client(folder, certificate))
            except ssl.SSLError:
                return False
            return True

        clients = {"nobody": None, "stranger": self_signed(), "known": ca.issue("client")}
        assert {name for name, certificate in clients.items() if let_in(certificate)} == expected

    @pytest.mark.parametrize(
        ("allowed", "name"),
        [
            ("prometheus.example.org", dns("prometheus.example.org")),
            ("192.0.2.1", address("192.0.2.1")),
            ("2001:db8::1", address("2001:db8:0:0::1")),
            ("ops@example.org", email("ops@example.org")),
            ("spiffe://cluster/ns/monitoring", uri("spiffe://cluster/ns/monitoring")),
        ],
        ids=["dns", "ipv4", "ipv6", "email", "uri"],
    )
    def test_one_of_the_allowed_names_lets_in(self, folder: Path, ca: Authority, allowed: str, name: object) -> None:
        here = context(folder, VERIFY | {"client_allowed_sans": ["another", allowed]})

        assert shake(here, client(folder, ca.issue("client", dns("first"), name)))

    @pytest.mark.parametrize("names", [[], [dns("prometheus.example.com")], [dns("*.example.org")]])
    def test_no_other_name_does(self, folder: Path, ca: Authority, names: list[object]) -> None:
        here = context(folder, VERIFY | {"client_allowed_sans": ["prometheus.example.org"]})

        with pytest.raises(ssl.SSLCertVerificationError, match="client_allowed_sans"):
            shake(here, client(folder, ca.issue("prometheus.example.org", *names)))

    def test_an_allowed_name_of_a_strangers_does_not(self, folder: Path) -> None:
        here = context(folder, VERIFY | {"client_allowed_sans": ["localhost"]})

        with pytest.raises(ssl.SSLError):
            shake(here, client(folder, self_signed("localhost")))

    def test_a_certificate_that_is_trusted_itself_needs_no_root(self, folder: Path, ca: Authority) -> None:
        known = ca.issue("client").write(folder, "known")
        here = context(folder, VERIFY | {"client_ca_file": "known.crt"})

        assert shake(here, client(folder, known))
        with pytest.raises(ssl.SSLError):
            shake(here, client(folder, ca.issue("another")))


class TestWhatIsSpoken:
    """Versions, cipher suites, curves."""

    def test_a_version_that_is_too_old_is_not_spoken(self, folder: Path) -> None:
        old = client(folder)
        old.maximum_version = ssl.TLSVersion.TLSv1_2

        assert shake(context(folder, SERVER), old).version() == "TLSv1.2"
        with pytest.raises(ssl.SSLError):
            shake(context(folder, SERVER | {"min_version": "TLS13"}), old)

    def test_a_version_that_is_too_new_is_not_spoken(self, folder: Path) -> None:
        assert shake(context(folder, SERVER | {"max_version": "TLS12"}), client(folder)).version() == "TLSv1.2"

    def test_only_the_suites_that_are_named_are_used(self, folder: Path) -> None:
        suites = ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
        here = context(folder, SERVER | {"max_version": "TLS12", "cipher_suites": suites})

        assert shake(here, client(folder)).cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"
        another = client(folder)
        another.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        another.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            shake(here, another)

    @pytest.mark.parametrize(("server_first", "chosen"), [(True, "AES256-GCM-SHA384"), (False, "AES128-GCM-SHA256")])
    def test_the_order_is_the_servers_unless_told_otherwise(
        self, folder: Path, server_first: bool, chosen: str
    ) -> None:
        suites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]
        declared = {"max_version": "TLS12", "cipher_suites": suites, "prefer_server_cipher_suites": server_first}
        there = client(folder)
        there.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")

        assert shake(context(folder, SERVER | declared), there).cipher()[0] == f"ECDHE-ECDSA-{chosen}"

    def test_suites_of_tls_1_3_alone_leave_nothing_for_tls_1_2(self, folder: Path) -> None:
        here = context(folder, SERVER | {"cipher_suites": ["TLS_AES_128_GCM_SHA256"]})
        old = client(folder)
        old.maximum_version = ssl.TLSVersion.TLSv1_2

        assert shake(here, client(folder)).version() == "TLSv1.3"
        with pytest.raises(ssl.SSLError):
            shake(here, old)

    @pytest.mark.parametrize("curve", ["X25519", "CurveP256", "CurveP384", "CurveP521"])
    def test_a_curve_is_the_only_one(self, folder: Path, curve: str) -> None:
        here = context(folder, SERVER | {"curve_preferences": [curve]})

        assert shake(here, client(folder))
        there = client(folder)
        there.set_ecdh_curve("prime256v1" if curve != "CurveP256" else "secp384r1")
        with pytest.raises(ssl.SSLError):
            shake(here, there)


class TestMistakes:
    """What can't be used is told with its field."""

    def test_a_file_that_is_not_there(self, folder: Path) -> None:
        assert refused(folder, SERVER | {"cert_file": "missing.crt"}) == (
            'tls_server_config.cert_file: "missing.crt" (web.yml line 2) can\'t be read: No such file or directory; '
            "accepted: a file that can be read"
        )

    def test_a_key_of_another_certificate(self, folder: Path, ca: Authority) -> None:
        ca.issue("another").write(folder, "another")

        line = refused(folder, SERVER | {"key_file": "another.key"})
        assert line.startswith('tls_server_config.key_file: "another.key" (web.yml line 3) is not the key of the cert')

    def test_a_key_in_place_of_the_certificate(self, folder: Path) -> None:
        line = refused(folder, SERVER | {"cert_file": "server.key"})
        assert line.startswith('tls_server_config.cert_file: "server.key" (web.yml line 2) holds no certificate')

    def test_a_certificate_in_place_of_the_key(self, folder: Path) -> None:
        line = refused(folder, SERVER | {"key_file": "server.crt"})
        assert line.startswith('tls_server_config.key_file: "server.crt" (web.yml line 3) holds no private key')

    def test_a_certificate_cut_short(self, folder: Path, server: Pair) -> None:
        (folder / "server.crt").write_text(server.cert_pem[:200])
        assert "tls_server_config.cert_file" in refused(folder, SERVER)

    def test_a_key_with_a_password(self, folder: Path, server: Pair) -> None:
        (folder / "server.key").write_text(server.encrypted_key_pem)
        line = refused(folder, SERVER)
        assert line.startswith('tls_server_config.key_file: "server.key" (web.yml line 3) is encrypted')

    @pytest.mark.parametrize("text", ["nothing", ""])
    def test_a_ca_file_without_a_certificate(self, folder: Path, text: str) -> None:
        (folder / "ca.crt").write_text(text)
        assert "tls_server_config.client_ca_file" in refused(folder, VERIFY)

    def test_a_key_is_not_shown(self, folder: Path, server: Pair) -> None:
        line = refused(folder, {"cert": server.cert_pem, "key": "the-secret-key"})
        assert line.startswith("tls_server_config.key: *****")
        assert "the-secret-key" not in line
