"""Flags, environment, file, defaults: which wins, how each is written, what each refuses."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.settings import Catalogue, Loaded, Settings, add_options, load, variable_of

NOTHING: Mapping[str, str] = MappingProxyType({})
OPTIONS = Catalogue.of_settings().options


def loaded(*words: str, environ: Mapping[str, str] = NOTHING) -> Loaded:
    parser = argparse.ArgumentParser()
    add_options(parser)
    namespace, unrecognized = parser.parse_known_args(words)
    return load(vars(namespace), environ, unrecognized)


def told(*words: str, environ: Mapping[str, str] = NOTHING) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(*words, environ=environ)
    return str(caught.value).splitlines()


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "kms.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


# Precedence


def test_without_any_source_everything_has_its_default() -> None:
    result = loaded()

    assert result.settings == Settings()
    assert set(result.sources) == set(OPTIONS)
    assert set(result.sources.values()) == {"default"}


def test_a_file_is_stronger_than_the_default(file: Callable[[str], str]) -> None:
    path = file("refresh:\n  interval: 2m\n")
    result = loaded("--config", path)

    assert result.settings.refresh.interval == 120
    assert result.sources["refresh.interval"] == f"{path} line 2"


def test_the_environment_is_stronger_than_the_file(file: Callable[[str], str]) -> None:
    path = file("refresh: {interval: 2m, concurrency: 4}")
    result = loaded("--config", path, environ={"KMS_EXPORTER_REFRESH__INTERVAL": "3m"})

    assert result.settings.refresh.interval == 180
    assert result.settings.refresh.concurrency == 4
    assert result.sources["refresh.interval"] == "environment variable KMS_EXPORTER_REFRESH__INTERVAL"


def test_a_flag_is_stronger_than_the_environment() -> None:
    result = loaded("--refresh.interval", "4m", environ={"KMS_EXPORTER_REFRESH__INTERVAL": "3m"})

    assert result.settings.refresh.interval == 240
    assert result.sources["refresh.interval"] == "flag --refresh.interval"


def test_anything_is_stronger_than_the_default_of_a_command(file: Callable[[str], str]) -> None:
    presets = {"refresh.interval": "5s", "refresh.concurrency": "3", "keys.tags": "owner,team"}
    result = load({"config": file("refresh: {concurrency: 4}")}, {}, (), presets)

    assert (result.settings.refresh.interval, result.settings.refresh.concurrency) == (5, 4)
    assert result.settings.keys.tags == ("owner", "team")
    assert result.sources["refresh.interval"] == "the command's default"


def test_what_names_a_missing_file_is_told() -> None:
    with pytest.raises(ConfigError, match=r"\(environment variable KMS_EXPORTER_CONFIG\) can't be read"):
        load({}, {"KMS_EXPORTER_CONFIG": "/no/such/file.yaml"})


def test_a_missing_file_is_told_with_its_whole_path() -> None:
    path = f"/{'long/' * 30}file.yaml"
    with pytest.raises(ConfigError, match=f'^config: "{path}" '):
        load({"config": path}, {})


def test_a_list_comes_whole_from_one_source(file: Callable[[str], str]) -> None:
    result = loaded("--config", file("aws: {regions: [eu-west-1]}"), "--aws.regions", "us-east-1")

    assert result.settings.aws.regions == ("us-east-1",)


def test_the_environment_names_the_file_where_no_flag_does(file: Callable[[str], str]) -> None:
    environ = {"KMS_EXPORTER_CONFIG": file("log: {level: debug}")}

    assert loaded(environ=environ).settings.log.level == "debug"
    assert loaded("--config", "", environ=environ).settings.log.level == "info"


def test_a_value_overridden_is_not_checked(file: Callable[[str], str]) -> None:
    assert loaded("--config", file("log: {level: loud}"), "--log.level", "error").settings.log.level == "error"


def test_the_environment_of_this_process_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMS_EXPORTER_LOG__LEVEL", "debug")

    assert loaded().settings.log.level == "info"
    assert Settings().log.level == "info"


def test_loading_again_reads_the_file_again(file: Callable[[str], str]) -> None:
    flags = {"config": file("log: {level: debug}")}
    load(flags, {})
    file("log: {level: error}")

    assert load(flags, {}).settings.log.level == "error"


def test_several_sources_are_reported_together(file: Callable[[str], str]) -> None:
    lines = told(
        "--config", file("log: {level: loud}"), "--keys.export", "none", environ={"KMS_EXPORTER_AWS__REQUEST_RATE": "2"}
    )

    assert [line.partition(":")[0] for line in lines] == ["aws.request_rate", "keys.export", "log.level"]


# Flags


@pytest.mark.parametrize(
    "words",
    [
        ["--aws.regions", "eu-west-1", "--aws.regions", "us-east-1"],
        ["--aws.regions", "eu-west-1,us-east-1"],
        ["--aws.regions=eu-west-1, us-east-1"],
        ["--aws.regions", '["eu-west-1", "us-east-1"]'],
        ["--aws.regions", '["eu-west-1"]', "--aws.regions", "us-east-1"],
        ["--aws.regions", "eu-west-1,us-east-1,eu-west-1"],
    ],
)
def test_a_list_flag_is_repeated_or_takes_several_values(words: list[str]) -> None:
    assert loaded(*words).settings.aws.regions == ("eu-west-1", "us-east-1")


def test_an_account_is_an_object_in_json() -> None:
    accounts = loaded(
        "--aws.accounts",
        '{"role_arn": "arn:aws:iam::111122223333:role/KmsExporter", "regions": ["eu-west-1"]}',
        "--aws.accounts",
        '[{"role_arn": "arn:aws:iam::012345678901:role/KmsExporter", "name": "payments"}]',
    ).settings.aws.accounts

    assert [account.name for account in accounts] == ["", "payments"]
    assert accounts[0].regions == ("eu-west-1",)


@pytest.mark.parametrize(("word", "value"), [("=false", False), ("=no", False), ("=true", True), ("", True)])
def test_a_boolean_flag_may_stand_alone(word: str, value: bool) -> None:
    settings = loaded(f"--aws.home_account{word}", "--aws.organization.enabled").settings

    assert settings.aws.home_account is value
    assert settings.aws.organization.enabled is True


def test_a_flag_is_not_abbreviated() -> None:
    assert told("--aws.region", "eu-west-1") == ["--aws.region (command line) is no flag; did you mean --aws.regions?"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--listen-address=:80"], "--listen-address (command line) is no flag; did you mean --web.listen_address?"),
        (["--nonsense", "5"], "--nonsense (command line) is no flag; see --help"),
        (["stray"], '"stray" (command line) belongs to no flag'),
    ],
)
def test_an_unknown_word_is_refused(words: list[str], line: str) -> None:
    assert told(*words) == [line]


def test_broken_json_in_a_repeated_flag_is_refused() -> None:
    assert told("--aws.regions", "eu-west-1", "--aws.regions", '["us-east-1"') == [
        'aws.regions[1]: "["us-east-1"" (flag --aws.regions) is refused; accepted: a region\'s name such as eu-west-1'
    ]


def test_names_of_the_parser_that_are_no_options_are_left_alone() -> None:
    assert load({"command": "serve", "log.level": "debug"}, {}).settings.log.level == "debug"


def test_the_help_tells_everything_of_every_option() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    text = " ".join(parser.format_help().split())

    assert "--config FILE" in text
    for option in OPTIONS.values():
        description = str(option.field.description).replace("`", "")
        assert (
            f"{description} accepted: {option.kind.accepts} default: {option.default} environment: {option.variable}"
            in text
        ), option.path
        assert f"{option.flag} " in text


def test_the_help_is_grouped_by_section() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    lines = parser.format_help().splitlines()

    assert [line for line in lines if line.endswith(":") and not line.startswith((" ", "options"))] == [
        "web:",
        "aws:",
        "aws.organization:",
        "keys:",
        "refresh:",
        "changes:",
        "deletions:",
        "shard:",
        "log:",
    ]


# Environment


@pytest.mark.parametrize("text", ['["eu-west-1", "us-east-1"]', "eu-west-1,us-east-1", " eu-west-1 , us-east-1 "])
def test_a_list_variable_is_json_or_separated_by_commas(text: str) -> None:
    settings = loaded(environ={"KMS_EXPORTER_AWS__REGIONS": text}).settings

    assert settings.aws.regions == ("eu-west-1", "us-east-1")


def test_an_empty_list_variable_is_an_empty_list(file: Callable[[str], str]) -> None:
    path = file("aws: {regions: [eu-west-1]}")

    assert loaded("--config", path, environ={"KMS_EXPORTER_AWS__REGIONS": ""}).settings.aws.regions == ()


def test_numbers_in_json_are_taken_as_written() -> None:
    environ = {"KMS_EXPORTER_AWS__ORGANIZATION__INCLUDE": "[111122223333]"}

    assert loaded(environ=environ).settings.aws.organization.include == ("111122223333",)


def test_a_section_variable_is_json_and_weaker_than_its_options() -> None:
    result = loaded(
        environ={
            "KMS_EXPORTER_AWS__ORGANIZATION__ROLE_NAME": "audit/KmsExporter",
            "KMS_EXPORTER_AWS": '{"regions": ["eu-west-1"], "organization": {"enabled": true, "role_name": "other"}}',
        }
    )

    assert result.settings.aws.regions == ("eu-west-1",)
    assert result.settings.aws.organization.enabled is True
    assert result.settings.aws.organization.role_name == "audit/KmsExporter"
    assert result.sources["aws.organization.enabled"] == "environment variable KMS_EXPORTER_AWS"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"level"', "is not valid JSON at character 9: Expecting ':' delimiter"),
        ('{"level": "info", "level": "debug"}', "names a member of an object twice"),
        ('["info"]', "is no section"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_section_variable_that_is_no_object_is_refused(text: str, reason: str) -> None:
    assert told(environ={"KMS_EXPORTER_LOG": text}) == [
        f"log (environment variable KMS_EXPORTER_LOG) {reason}; accepted: a mapping of level, format"
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("KMS_EXPORTER_AWS__REGION", "did you mean KMS_EXPORTER_AWS__REGIONS?"),
        ("KMS_EXPORTER_AWS_REGIONS", "did you mean KMS_EXPORTER_AWS__REGIONS?"),
        ("KMS_EXPORTER_AWS_ORGANIZATION_ENABLED", "did you mean KMS_EXPORTER_AWS__ORGANIZATION__ENABLED?"),
        ("KMS_EXPORTER_INTERVAL", "did you mean KMS_EXPORTER_REFRESH__INTERVAL?"),
        ("kms_exporter_log__level", "did you mean KMS_EXPORTER_LOG__LEVEL?"),
        ("KMS_EXPORTER_CONFIG_FILE", "did you mean KMS_EXPORTER_CONFIG?"),
        ("KMS_EXPORTER_SOMETHING", "names are KMS_EXPORTER_CONFIG and KMS_EXPORTER_SECTION__OPTION"),
        ("KMS_EXPORTER_", "names are KMS_EXPORTER_CONFIG and KMS_EXPORTER_SECTION__OPTION"),
    ],
)
def test_a_variable_that_names_no_option_is_refused(name: str, hint: str) -> None:
    assert told(environ={name: "1"}) == [f"{name} (environment) names no option; {hint}"]


def test_other_variables_are_left_alone() -> None:
    assert loaded(environ={"AWS_REGION": "eu-west-1", "KMS_EXPORTERS": "2", "PATH": ""}).settings == Settings()


@pytest.mark.parametrize("service", ["KMS_EXPORTER", "KMS_EXPORTER_PROD", "KMS_EXPORTER_EU_2"])
@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP"])
def test_what_kubernetes_sets_for_a_service_is_left_alone(service: str, protocol: str) -> None:
    url = f"{protocol.lower()}://10.96.0.1:10841"
    environ = {
        f"{service}_SERVICE_HOST": "10.96.0.1",
        f"{service}_SERVICE_PORT": "10841",
        f"{service}_SERVICE_PORT_HTTP_METRICS": "10841",
        f"{service}_PORT": url,
        f"{service}_PORT_10841_{protocol}": url,
        f"{service}_PORT_10841_{protocol}_PROTO": protocol.lower(),
        f"{service}_PORT_10841_{protocol}_PORT": "10841",
        f"{service}_PORT_10841_{protocol}_ADDR": "10.96.0.1",
    }

    assert loaded(environ=environ).settings == Settings()


@pytest.mark.parametrize("name", ["KMS_EXPORTER_PORT", "KMS_EXPORTER_WEB__PORT", "KMS_EXPORTER_WEB__SERVICE_PORT"])
def test_a_port_that_kubernetes_did_not_set_is_refused(name: str) -> None:
    assert len(told(environ={name: "10841"})) == 1


# Any text


@given(path=st.sampled_from(sorted(OPTIONS)), text=st.text() | st.from_regex(r'[\[{]["a-z0-9:, {}\]]*', fullmatch=True))
def test_any_text_is_accepted_or_told_on_lines_that_name_the_option(path: str, text: str) -> None:
    try:
        load({}, {variable_of(path): text})
    except ConfigError as error:
        lines = str(error).split("\n")
        assert all(line.startswith(path) and line.isprintable() for line in lines)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text("a1", max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["aws", "accounts", "role_arn", "regions", "log", "level", "x"]), inner)
        ),
    )
)
def test_any_tree_is_accepted_or_told(tree: Any) -> None:
    try:
        load({}, {"KMS_EXPORTER_AWS": json.dumps(tree)})
    except ConfigError as error:
        assert all(line.startswith("aws") for line in str(error).split("\n"))  # noqa: PT017
