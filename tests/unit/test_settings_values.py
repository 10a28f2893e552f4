"""Single kinds of value: what each accepts."""

import pytest
from pydantic import ValidationError

from exporter.settings import RESERVED_PATHS, Settings, tag_label


def accepts(path: str, value: object) -> bool:
    tree = value
    for name in reversed(path.split(".")):
        tree = {name: tree}
    try:
        Settings.model_validate(tree)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "region",
    [
        "eu-west-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "cn-northwest-1",
        "eusc-de-east-1",
        "ap-southeast-12",
    ],
)
def test_a_region_is_known_by_its_shape(region: str) -> None:
    assert accepts("aws.regions", [region])


@pytest.mark.parametrize(
    "region",
    ["", "eu", "eu-west", "eu-west-1a", "EU-WEST-1", "eu_west_1", "eu-west-1\n", " eu-west-1", "eu-west-\u0661"],
)
def test_what_has_another_shape_is_no_region(region: str) -> None:
    assert not accepts("aws.regions", [region])


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc"])
@pytest.mark.parametrize("role", ["KmsExporter", "audit/KmsExporter", "a/b/c", "x=+,.@-_1", "r" * 64])
def test_a_role_may_be_of_any_partition_and_path(partition: str, role: str) -> None:
    assert accepts("aws.accounts", [{"role_arn": f"arn:{partition}:iam::012345678901:role/{role}"}])


@pytest.mark.parametrize(
    "arn",
    [
        "KmsExporter",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role/a b",
        "arn:aws:iam::11112222333:role/x",
        "arn:aws:iam:eu-west-1:111122223333:role/x",
        "arn:aws:sts::111122223333:assumed-role/x/y",
        "arn:azure:iam::111122223333:role/x",
        f"arn:aws:iam::111122223333:role/{'r' * 65}",
        "arn:aws:iam::111122223333:role/x\n",
    ],
)
def test_what_is_no_role_is_refused(arn: str) -> None:
    assert not accepts("aws.accounts", [{"role_arn": arn}])


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("0.0.0.0:10841", ("0.0.0.0", 10841)),
        (":10841", ("", 10841)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_an_address_has_a_host_and_a_port(address: str, parts: tuple[str, int]) -> None:
    assert Settings.model_validate({"web": {"listen_address": address}}).web.address == parts


@pytest.mark.parametrize(
    "address", ["", "10841", "localhost", "localhost:", "::1:80", "[::1]", "a:65536", "a:-1", "http://a:80", "a b:80"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert not accepts("web.listen_address", address)


@pytest.mark.parametrize("path", ["/metrics", "/kms/metrics", "/m~1.txt", "/api/v1"])
def test_metrics_may_be_at_any_plain_path(path: str) -> None:
    assert accepts("web.telemetry_path", path)


@pytest.mark.parametrize(
    "path", [*RESERVED_PATHS, "", "metrics", "/metrics/", "//metrics", "/a?b", "/a#b", "/a b", "/%41"]
)
def test_metrics_take_no_page_of_the_exporter_and_no_odd_path(path: str) -> None:
    assert not accepts("web.telemetry_path", path)


@pytest.mark.parametrize(
    ("rate", "accepted"), [(1, True), (0.001, True), (0, False), (1.01, False), (float("nan"), False), ("inf", False)]
)
def test_a_request_rate_is_a_share(rate: float, accepted: bool) -> None:
    assert accepts("aws.request_rate", rate) is accepted


@pytest.mark.parametrize(
    ("key", "label"),
    [("team", "tag_team"), ("kms:cost-center/eu", "tag_kms_cost_center_eu"), ("Größe", "tag_Gr__e"), ("1", "tag_1")],
)
def test_a_tag_key_becomes_a_label_name(key: str, label: str) -> None:
    assert tag_label(key) == label


def test_tags_whose_labels_differ_only_in_case_stay_apart() -> None:
    assert accepts("keys.tags", ["Team", "team"])


def test_a_tag_named_twice_counts_once() -> None:
    assert Settings.model_validate({"keys": {"tags": ["team", "team"]}}).keys.tags == ("team",)


def test_the_home_account_may_be_left_out_where_another_is_watched() -> None:
    assert accepts("aws", {"home_account": False, "organization": {"enabled": True}})
    assert accepts("aws", {"home_account": False, "accounts": [{"role_arn": "arn:aws:iam::111122223333:role/x"}]})


def test_settings_do_not_change() -> None:
    settings = Settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.aws.home_account = False
    assert isinstance(hash(settings), int)
