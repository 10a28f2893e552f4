"""What names a key on the command line, and what does not."""

import pytest

from exporter.remediation.names import KeyName, read_name

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MULTI_REGION = "mrk-1234abcd12ab34cd56ef1234567890ab"


@pytest.mark.parametrize("name", [ID, MULTI_REGION, "alias/ledger", "alias/team/a_b-c"])
def test_an_id_or_an_alias_says_nothing_of_account_and_region(name: str) -> None:
    assert read_name(name) == KeyName(name, name)


@pytest.mark.parametrize("name", [f"key/{ID}", f"key/{MULTI_REGION}", "alias/ledger"])
@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"])
def test_an_arn_says_all(partition: str, name: str) -> None:
    arn = f"arn:{partition}:kms:eu-west-1:111122223333:{name}"
    assert read_name(arn) == KeyName(arn, name.removeprefix("key/"), partition, "eu-west-1", "111122223333")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ledger",
        ID[:-1],
        "alias/",
        "alias/a b",
        f"{ID}\n",
        f"arn:aws:kms:eu-west-1:111122223333:{ID}",
        f"arn:aws:kms:eu-west-1:1111:key/{ID}",
        f"arn:aws:kms::111122223333:key/{ID}",
        f"arn:aws:s3:eu-west-1:111122223333:key/{ID}",
    ],
)
def test_anything_else_names_no_key(name: str) -> None:
    with pytest.raises(ValueError, match="names no key"):
        read_name(name)


@pytest.mark.parametrize("name", ["alias/aws/ebs", "arn:aws:kms:eu-west-1:111122223333:alias/aws/ebs"])
def test_a_predefined_alias_is_not_even_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match="AWS managed"):
        read_name(name)
