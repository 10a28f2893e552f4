"""The configuration file: one case a file in configurations/, the line expected for an invalid one beside it."""

from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.settings import Catalogue, Settings, load

CONFIGURATIONS = Path(__file__).parent / "configurations"
VALID = sorted((CONFIGURATIONS / "valid").glob("*.yaml"))
INVALID = sorted((CONFIGURATIONS / "invalid").glob("*.yaml"))


def settings_of(name: str) -> Settings:
    return load({"config": str(CONFIGURATIONS / "valid" / name)}, {}).settings


def told(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load({"config": str(path)}, {})
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_file_is_accepted(path: Path) -> None:
    assert load({"config": str(path)}, {}).file == str(path)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_file_is_refused_with_a_line_for_each_mistake(path: Path) -> None:
    assert told(path) == path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")


def test_every_expected_line_belongs_to_a_file() -> None:
    assert {path.stem for path in (CONFIGURATIONS / "invalid").glob("*.txt")} == {path.stem for path in INVALID}


def test_the_file_that_says_nothing_gives_the_defaults() -> None:
    assert settings_of("defaults.yaml") == Settings()


def test_the_file_of_everything_sets_every_option_to_something_else_than_its_default() -> None:
    loaded = load({"config": str(CONFIGURATIONS / "valid" / "everything.yaml")}, {})
    default = Settings().model_dump()
    for path in Catalogue.of_settings().options:
        value, other = loaded.settings.model_dump(), default
        for name in path.split("."):
            value, other = value[name], other[name]
        assert value != other, path
        assert "everything.yaml line " in loaded.sources[path]


def test_values_arrive_in_the_units_of_the_code() -> None:
    settings = settings_of("everything.yaml")

    assert settings.web.address == ("::1", 9464)
    assert settings.aws.connect_timeout == 0.5
    assert settings.refresh.keep_failed == 604_800
    assert settings.aws.request_rate == 1.0
    assert settings.aws.home_account is False
    assert settings.aws.accounts[0].external_id.get_secret_value() == "42:payments/kms"


def test_account_ids_need_no_quotes_and_keep_leading_zeros() -> None:
    assert settings_of("everything.yaml").aws.organization.include == ("111122223333", "012345678901")


def test_what_is_left_empty_has_its_default() -> None:
    settings = settings_of("options_left_empty.yaml")

    assert settings.web == Settings().web
    assert settings.aws.regions == ()
    assert settings.aws.accounts[0].name == ""
    assert settings.aws.accounts[0].external_id.get_secret_value() == ""


def test_a_list_may_be_text_separated_by_commas() -> None:
    settings = settings_of("lists_as_text.yaml")

    assert settings.aws.regions == ("eu-west-1", "us-east-1")
    assert settings.aws.organization.include == ("012345678901",)


def test_an_anchor_is_followed() -> None:
    first, second = settings_of("anchors.yaml").aws.accounts

    assert first.regions == second.regions == ("eu-west-1", "eu-north-1")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert told(tmp_path / "kms.yaml") == (
        'config: "kms.yaml" (flag --config) can\'t be read: No such file or directory; accepted: a YAML file'
    )


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "kms.yaml"
    folder.mkdir()

    assert told(folder) == 'config: "kms.yaml" (flag --config) can\'t be read: Is a directory; accepted: a YAML file'


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kms.yaml"
    path.write_text("[" * 10_000, encoding="utf-8")

    assert told(path) == "kms.yaml: it is nested too deeply"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "kms.yaml"
    path.write_text("log: {level: debug}", encoding="utf-8-sig")

    assert load({"config": str(path)}, {}).settings.log.level == "debug"


def test_a_name_that_would_break_the_line_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "kms.yaml"
    path.write_text(r'{log: {"le\nvel\e[31m": info}}', encoding="utf-8")

    line = told(path)

    assert line.startswith(r"log.le\nvel\x1b[31m (kms.yaml line 1) is no option")
    assert "\n" not in line


def test_the_time_is_no_sexagesimal_number(tmp_path: Path) -> None:
    path = tmp_path / "kms.yaml"
    path.write_text("aws: {accounts: [{role_arn: arn:aws:iam::111122223333:role/x, name: 10:30}]}", encoding="utf-8")

    assert load({"config": str(path)}, {}).settings.aws.accounts[0].name == "10:30"
