"""An external id is never shown: not in the effective configuration, not in an error line, not in a log of settings."""

import json

import pytest

from exporter.errors import ConfigError
from exporter.settings import Settings, load, show

SECRET = "s3cret-id"
ROLE = "arn:aws:iam::111122223333:role/KmsExporter"
ACCOUNTS = "KMS_EXPORTER_AWS__ACCOUNTS"


def test_the_effective_configuration_masks_it() -> None:
    loaded = load({}, {ACCOUNTS: json.dumps({"role_arn": ROLE, "external_id": SECRET})})

    assert loaded.settings.aws.accounts[0].external_id.get_secret_value() == SECRET
    assert SECRET not in show(loaded)
    assert "external_id: '**********'" in show(loaded)


def test_the_mask_is_no_external_id() -> None:
    with pytest.raises(ConfigError):
        load({}, {ACCOUNTS: json.dumps({"role_arn": ROLE, "external_id": "**********"})})


def test_settings_can_be_logged() -> None:
    settings = Settings.model_validate({"aws": {"accounts": [{"role_arn": ROLE, "external_id": SECRET}]}})

    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"role_arn": ROLE, "external_id": SECRET})[:-1],
        json.dumps({"role_arn": ROLE, "external_id": f"{SECRET} "}),
        json.dumps({"role_arn": ROLE, "external_id": [SECRET]}),
        json.dumps({"role_arn": ROLE, "externalid": SECRET}),
        json.dumps([{"role_arn": ROLE, "external_id": SECRET}] * 2),
        json.dumps([[SECRET]]),
        json.dumps({"external_id": SECRET}),
        json.dumps({"role_arn": {"external_id": SECRET}}),
        SECRET,
    ],
)
def test_no_error_line_tells_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {ACCOUNTS: text})

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text", ['{"accounts": [{"external_id": "s3cret-id"', '{"external_id": "s3cret-id"}', '"s3cret-id"']
)
def test_no_error_line_of_a_section_tells_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {"KMS_EXPORTER_AWS": text})

    assert SECRET not in str(caught.value)


def test_what_is_no_secret_is_told() -> None:
    with pytest.raises(ConfigError, match=r'aws\.accounts\[0\]\.role_arn: "nonsense" \(environment variable'):
        load({}, {ACCOUNTS: json.dumps({"role_arn": "nonsense", "external_id": SECRET})})
