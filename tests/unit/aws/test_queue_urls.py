"""What a queue's URL tells of where the queue is."""

import pytest

from exporter.aws.queue import owner_of, region_of


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("ap-southeast-2.queue.amazonaws.com", "ap-southeast-2"),
        ("vpce-0a1b2c3d4e5f6a7b8-9c0d1e2f.sqs.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("vpce-0a1b2c3d4e5f6a7b8-9c0d1e2f-eu-central-1a.sqs.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("127.0.0.1:4566", None),
        ("localhost", None),
    ],
)
def test_the_region(host: str, region: str | None) -> None:
    assert region_of(f"https://{host}/111122223333/kms-events") == region


def test_the_account() -> None:
    assert owner_of("https://sqs.eu-west-1.amazonaws.com/111122223333/kms-events.fifo") == "111122223333"
