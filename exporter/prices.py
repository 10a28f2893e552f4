"""What AWS charges for requests: the only place where prices stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

AS_OF: Final = "March 2026"
"""When the prices were looked up. They are list prices of US East (N. Virginia), and hold in most other regions."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a service's requests.

    Attributes:
        dollars: for one request, free tiers left out.
        source: the page of AWS that says so.
    """

    dollars: float
    source: str


PRICES: Final[Mapping[str, Price]] = {
    "kms": Price(0.03 / 10_000, "https://aws.amazon.com/kms/pricing/"),
    "sqs": Price(0.40 / 1_000_000, "https://aws.amazon.com/sqs/pricing/"),
    "cloudtrail": Price(0, "https://aws.amazon.com/cloudtrail/pricing/"),
    "resourcegroupstaggingapi": Price(
        0, "https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/overview.html"
    ),
    "sts": Price(0, "https://docs.aws.amazon.com/IAM/latest/UserGuide/introduction.html"),
    "organizations": Price(0, "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_introduction.html"),
    "ec2": Price(0, "https://aws.amazon.com/ec2/pricing/on-demand/"),
    "config": Price(0, "https://aws.amazon.com/config/pricing/"),
}
"""By boto3's name of the service.

KMS names no request for reading as exempt, so all are counted. A price is 0 where AWS does not name requests among what
it charges for; of AWS Config, what it records is paid for, whoever asks.
"""
