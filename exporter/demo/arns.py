"""Partitions and the names built from them (AWS General Reference, Amazon Resource Names)."""

from typing import Final

_PARTITIONS: Final = (
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
)


def partition(region: str) -> str:
    """Return the partition that a region belongs to; `aws` for every region of no other."""
    return next((name for prefix, name, _ in _PARTITIONS if region.startswith(prefix)), "aws")


def dns_suffix(region: str) -> str:
    """Return the domain under which the region's endpoints live."""
    return next((suffix for prefix, _, suffix in _PARTITIONS if region.startswith(prefix)), "amazonaws.com")


def arn(service: str, region: str, account_id: str, resource: str, *, of: str = "") -> str:
    """Return an ARN; for a global service `region` is empty and `of` names a region of the partition."""
    return f"arn:{partition(region or of)}:{service}:{region}:{account_id}:{resource}"
