"""The web configuration is followed as its files change, without a restart."""

import io
import os
import time
from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.log import start_logging
from exporter.web.security.following import Security
from tests.support.certificates import authority, dns

HASH = "$2y$04$fmbRCnNPERl4YcVHIZ8Fj.x9lY9kQqPp1u7kPZg5cJ9cV6dH1Gn2W"
USERS = f"basic_auth_users: {{alice: {HASH}}}\n"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


class Followed:
    """A web configuration, its files, and a clock that is ahead of their times by as much as a test likes."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.ca = authority()
        self.issue("first")
        self.file = folder / "web.yml"
        self.file.write_text(text)
        self.out = io.StringIO()
        self.ahead = 60.0
        log = start_logging(level="info", form="text", stream=self.out)
        self.security = Security(str(self.file), log, now=lambda: time.time() + self.ahead)

    def issue(self, name: str) -> None:
        self.ca.issue(name, dns("localhost")).write(self.folder, "server")

    def events(self, name: str) -> int:
        return self.out.getvalue().count(f"event={name} ")


@pytest.fixture
def users(tmp_path: Path) -> Followed:
    return Followed(tmp_path, USERS)


@pytest.fixture
def tls(tmp_path: Path) -> Followed:
    return Followed(tmp_path, TLS)


def test_what_stays_is_not_read_again(users: Followed) -> None:
    assert users.security.policy is users.security.policy


def test_new_users_are_taken(users: Followed) -> None:
    before = users.security.policy
    users.file.write_text(USERS.replace("alice", "bob"))
    assert users.security.policy is not before
    assert users.events("web_config_reloaded") == 1


def test_a_new_certificate_is_taken(tls: Followed) -> None:
    before = tls.security.policy.tls
    tls.issue("second")
    assert tls.security.policy.tls is not before
    assert tls.events("web_config_reloaded") == 1


def test_the_folder_of_a_mounted_secret_is_followed_as_it_is_replaced(tmp_path: Path) -> None:
    # https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically
    for number, user in enumerate(("alice", "bob")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "web.yml").write_text(USERS.replace("alice", user))
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "web.yml").symlink_to("..data/web.yml")
    log = start_logging(level="error", form="text")
    security = Security(str(tmp_path / "web.yml"), log, now=lambda: time.time() + 60)
    before = security.policy
    (tmp_path / "..new").symlink_to("..1")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert security.policy is not before


@pytest.mark.parametrize("text", ["basic_auth_users: {alice: no hash}", "basic_auth_users: [", "", "users: {}"])
def test_a_broken_file_keeps_the_old_one_in_force_and_is_told_once(users: Followed, text: str) -> None:
    before = users.security.policy
    users.file.write_text(text)
    assert [users.security.policy for _ in range(5)] == [before] * 5
    assert users.events("web_config_failed") == 1
    assert HASH not in users.out.getvalue()


def test_a_file_that_is_gone_keeps_the_old_one_in_force(users: Followed) -> None:
    before = users.security.policy
    users.file.unlink()
    assert users.security.policy is before
    assert users.events("web_config_failed") == 1


def test_a_broken_certificate_keeps_the_old_one_in_force_until_it_is_mended(tls: Followed) -> None:
    before = tls.security.policy
    (tls.folder / "server.crt").write_text("nonsense")
    assert tls.security.policy is before
    tls.issue("second")
    assert tls.security.policy is not before


def test_a_file_that_a_broken_configuration_names_is_waited_for(tls: Followed) -> None:
    before = tls.security.policy
    tls.file.write_text(TLS.replace("server.", "other."))
    assert tls.security.policy is before
    tls.ca.issue("other").write(tls.folder, "other")
    assert tls.security.policy is not before


def test_what_is_being_written_is_not_read(users: Followed) -> None:
    before = users.security.policy
    users.ahead = 0.0
    users.file.write_text("{}\n")  # as it is before its users are written
    assert users.security.policy is before
    users.file.write_text(USERS.replace("alice", "bob"))
    users.ahead = 60.0
    policy = users.security.policy
    assert policy is not before
    assert policy.passwords


def test_a_clock_that_is_behind_does_not_put_it_off_for_ever(users: Followed) -> None:
    before = users.security.policy
    users.ahead = -3600.0
    users.file.write_text(USERS.replace("alice", "bob"))
    assert users.security.policy is not before


def test_a_time_that_was_set_back_hides_no_change(users: Followed) -> None:
    before = users.security.policy
    status = users.file.stat()
    users.file.write_text(USERS.replace("alice", "carol"))
    os.utime(users.file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert users.security.policy is not before


@pytest.mark.parametrize(("before", "after"), [(TLS, USERS), (USERS, TLS)])
def test_tls_is_not_turned_on_or_off(tmp_path: Path, before: str, after: str) -> None:
    followed = Followed(tmp_path, before)
    policy = followed.security.policy
    followed.file.write_text(after)
    assert followed.security.policy is policy
    assert "at a restart only" in followed.out.getvalue()


def test_a_file_that_can_not_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'^web\.config_file: ".*web\.yml" can\'t be read: No such file'):
        Security(str(tmp_path / "web.yml"), start_logging(level="error", form="text"))
