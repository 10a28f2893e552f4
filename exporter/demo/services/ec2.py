"""Amazon EC2: the regions of an account (API Reference, 2016-11-15)."""

from collections.abc import Mapping
from typing import Any, Final

from exporter.demo.arns import dns_suffix
from exporter.demo.errors import AwsError
from exporter.demo.services.base import Answer, Call, Code, Codes, Service

_NOT_OPTED_IN: Final = "not-opted-in"


def describe_regions(call: Call) -> Answer:
    """Tell the regions enabled for the account; with `AllRegions` also those that other accounts have enabled."""
    enabled = call.world.accounts[call.account_id].regions
    known = enabled.union(*(account.regions for account in call.world.accounts.values()))
    everything = call.params.get("AllRegions") == "true"
    names = _numbered(call.params, "RegionName")
    unknown = sorted(set(names) - known)
    if unknown:
        raise AwsError("InvalidParameterValue", f"Invalid region name(s): [{', '.join(unknown)}]")
    regions = [_region(name, enabled) for name in sorted(known) if not names or name in names]
    return {
        "regionInfo": [
            region
            for region in regions
            if (everything or region["optInStatus"] != _NOT_OPTED_IN) and _passes(call.params, region)
        ]
    }


def _region(name: str, enabled: set[str]) -> dict[str, str]:
    return {
        "regionName": name,
        "regionEndpoint": f"ec2.{name}.{dns_suffix(name)}",
        "optInStatus": "opt-in-not-required" if name in enabled else _NOT_OPTED_IN,
    }


def _passes(params: Mapping[str, Any], region: Mapping[str, str]) -> bool:
    members = {"opt-in-status": "optInStatus", "region-name": "regionName", "endpoint": "regionEndpoint"}
    for number in range(1, 1 + sum(name.startswith("Filter.") and name.endswith(".Name") for name in params)):
        member = members.get(params[f"Filter.{number}.Name"])
        if member is None:
            raise AwsError("InvalidParameterValue", f"The filter '{params[f'Filter.{number}.Name']}' is invalid")
        if region[member] not in _numbered(params, f"Filter.{number}.Value"):
            return False
    return True


def _numbered(params: Mapping[str, Any], name: str) -> list[str]:
    return [value for key, value in params.items() if key.startswith(f"{name}.")]


SERVICE: Final = Service(
    name="ec2",
    codes=Codes(
        denied=Code("UnauthorizedOperation", 403),
        throttled=Code("RequestLimitExceeded", 503),
        internal=Code("InternalError", 500),
        unknown_token=Code("AuthFailure", 401),
        expired_token=Code("RequestExpired"),
        bad_signature=Code("AuthFailure", 401),
        unknown_operation=Code("InvalidAction"),
    ),
    operations={"DescribeRegions": describe_regions},
)
