"""AWS Config: advanced queries of an aggregator (API Reference, 2014-11-12), about KMS keys."""

import json
from datetime import UTC, datetime
from typing import Final

from exporter.demo.aggregators import Item
from exporter.demo.errors import AwsError
from exporter.demo.paging import BadMarkerError, page
from exporter.demo.services.base import Answer, Call, Code, Service, json_codes
from exporter.demo.services.config_queries import Query, Row, parse

_LARGEST_PAGE: Final = 100
_DEFAULT_PAGE: Final = 25


def select_aggregate_resource_config(call: Call) -> Answer:
    """Tell what an aggregator of the caller's account and region has recorded, at most 100 results a page."""
    query = parse(call.params.get("Expression"))
    aggregator = call.world.aggregators.get(
        (call.account_id, call.region, call.params.get("ConfigurationAggregatorName", ""))
    )
    if aggregator is None:
        raise AwsError("NoSuchConfigurationAggregatorException", "The configuration aggregator does not exist.")
    items = aggregator.items(call.world.keys(), call.world.agenda.time())
    rows = {name: row for name, item in items.items() if query.matches(row := _row(item))}
    empty_first = call.operation in call.world.rules.empty_pages
    try:
        names, token = page(sorted(rows), _limit(call), call.params.get("NextToken"), empty_first=empty_first)
    except BadMarkerError:
        raise AwsError("InvalidNextTokenException", "The specified next token is not valid.") from None
    answer: Answer = {
        "Results": [_result(query, rows[name]) for name in names],
        "QueryInfo": {"SelectFields": [{"Name": column} for column in query.columns]},
    }
    if token is not None:
        answer["NextToken"] = token
    return answer


def _limit(call: Call) -> int:
    limit = call.params.get("Limit", 0)
    if not isinstance(limit, int) or not 0 <= limit <= _LARGEST_PAGE:
        raise AwsError("InvalidLimitException", f"The limit must be between 0 and {_LARGEST_PAGE}.")
    return limit or _DEFAULT_PAGE


def _row(item: Item) -> Row:
    captured = datetime.fromtimestamp(item.captured_at, UTC)
    return {
        "accountId": item.account_id,
        "arn": item.arn,
        "awsRegion": item.region,
        "configuration.arn": item.arn,
        "configuration.description": item.description,
        "configuration.keyId": item.key_id,
        "configuration.keyManager": item.manager,
        "configuration.keyState": item.state,
        "configurationItemCaptureTime": f"{captured:%Y-%m-%dT%H:%M:%S}.{captured.microsecond // 1000:03d}Z",
        "resourceId": item.key_id,
        "resourceType": "AWS::KMS::Key",
    }


def _result(query: Query, row: Row) -> str:
    """Return the wanted columns as JSON, `configuration.keyState` as a member of `configuration`."""
    result: dict[str, object] = {}
    for column in query.columns:
        place = result
        *parents, name = column.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})  # type: ignore[assignment]  # parents hold objects only
        place[name] = row[column]
    return json.dumps(result)


SERVICE: Final = Service(
    name="config",
    regional=True,
    codes=json_codes(throttled=Code("ThrottlingException"), internal=Code("InternalFailure", 500)),
    operations={"SelectAggregateResourceConfig": select_aggregate_resource_config},
)
