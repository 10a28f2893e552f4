"""The web configuration file: one case a file in web_configurations/, the lines for an invalid one beside it."""

import re
from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.web.security.configuration import WebConfiguration, read_web_file

CONFIGURATIONS = Path(__file__).parent / "web_configurations"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "web-security.md").read_text(encoding="utf-8")
VALID = sorted((CONFIGURATIONS / "valid").glob("*.yaml"))
INVALID = sorted((CONFIGURATIONS / "invalid").glob("*.yaml"))
HASH = "$2y$04$fmbRCnNPERl4YcVHIZ8Fj.x9lY9kQqPp1u7kPZg5cJ9cV6dH1Gn2W"


def read(name: str) -> WebConfiguration:
    return read_web_file(str(CONFIGURATIONS / "valid" / name)).configuration


def told(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_web_file(str(path))
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(# /etc/kms-exporter/web.yml\n.*?)```", DOCUMENT, re.DOTALL))
def test_an_example_of_the_document_is_accepted(text: str, tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(text)

    assert read_web_file(str(path)).configuration.tls_server_config.enabled


def test_the_document_has_every_field() -> None:
    for section in WebConfiguration.model_fields.values():
        for name in getattr(section.annotation, "model_fields", {}):
            assert f"`{name}`" in DOCUMENT


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_file_is_accepted(path: Path) -> None:
    assert read_web_file(str(path)).files[0] == path


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_file_is_refused_with_a_line_for_each_mistake(path: Path) -> None:
    assert told(path) == path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")


def test_every_expected_line_belongs_to_a_file() -> None:
    assert {path.stem for path in (CONFIGURATIONS / "invalid").glob("*.txt")} == {path.stem for path in INVALID}


def test_the_file_of_everything_sets_every_field_to_something_else_than_its_default() -> None:
    declared, default = read("everything.yaml"), WebConfiguration()
    inline = {"cert", "key", "client_ca"}
    for section in (name for name in WebConfiguration.model_fields if name != "basic_auth_users"):
        for field in set(type(getattr(default, section)).model_fields) - inline - {"min_version", "max_version"}:
            assert getattr(getattr(declared, section), field) != getattr(getattr(default, section), field), field
    assert sorted(declared.basic_auth_users) == ["4711", "prometheus"]


def test_a_duration_is_as_go_reads_it() -> None:
    assert read("everything.yaml").rate_limit.interval == 60.5


def test_what_is_left_empty_has_its_default() -> None:
    declared = read("left_empty.yaml")

    assert not declared.tls_server_config.enabled
    assert not declared.basic_auth_users
    assert set(declared.http_server_config.headers.model_dump().values()) == {""}


def test_files_are_beside_the_one_that_names_them() -> None:
    path = CONFIGURATIONS / "valid" / "everything.yaml"

    assert read_web_file(str(path)).files == (
        path,
        path.with_name("server.crt"),
        Path("/etc/tls/server.key"),
        path.with_name("ca.crt"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "basic_auth_users: {alice: s3cret}",
        "basic_auth_users: s3cret",
        "basic_auth_users: {alice: [s3cret]}",
        "tls_server_config: {key: [s3cret]}",
        "tls_server_config: {key: s3cret, key_file: x, cert_file: y}",
        "tls_server_config: [{key: s3cret}]",
        "basic_auth_user: {alice: s3cret}",
    ],
)
def test_no_error_shows_a_secret(text: str, tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(text)

    assert "s3cret" not in told(path)


def test_a_hash_is_not_shown_with_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{alice: {HASH}}}")

    assert HASH not in repr(read_web_file(str(path)).configuration)
