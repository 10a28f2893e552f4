"""How many requests watching takes and what they cost, computed; tests/aws/test_cost.py counts them."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from exporter.aws import discovery, kms, queue, tagging
from exporter.aws.calls import Operation
from exporter.aws.cloudtrail import LOOKUP_EVENTS
from exporter.aws.config import SELECT
from exporter.aws.grants import LIST_GRANTS
from exporter.aws.identities import ASSUME_ROLE
from exporter.aws.usage import GET_KEY_LAST_USAGE
from exporter.cli import main
from exporter.estimate import DAY, OPERATIONS, Cost, Mode, dollars, estimate
from exporter.fleet import Fleet, Holding, spread, with_pending
from exporter.prices import PRICES
from exporter.settings import Settings
from exporter.shortfalls import shortfalls

MINUTES_A_DAY = 1440
NOTHING: Mapping[str, Any] = MappingProxyType({})


def made(options: Mapping[str, Any] = NOTHING) -> Settings:
    return Settings.model_validate(options)


def cost(
    mode: Mode = Mode.EVENTS,
    options: Mapping[str, Any] = NOTHING,
    *,
    keys: int = 1000,
    targets: int = 1,
    pending: int = 0,
    accounts: int = 1,
) -> Cost:
    return estimate(made(options), Fleet.of(made(options), spread(keys, targets, pending), accounts)).costs[mode]


def warnings(
    options: Mapping[str, Any] = NOTHING, *, keys: int = 1000, targets: int = 1, pending: int = 0
) -> list[str]:
    settings = made(options)
    return list(shortfalls(settings, estimate(settings, Fleet.of(settings, spread(keys, targets, pending), 1))))


def test_naive_is_a_request_for_every_key_in_every_interval_and_the_lists() -> None:
    requests = cost(Mode.NAIVE, keys=1500).requests

    assert requests == {kms.DESCRIBE_KEY: 1500 * MINUTES_A_DAY, kms.LIST_KEYS: 2 * MINUTES_A_DAY}


def test_keys_are_described_every_full_interval_with_events_and_every_fallback_interval_without() -> None:
    options = {"refresh": {"full_interval": "2h", "fallback_interval": "10m"}}

    assert cost(Mode.EVENTS, options).requests[kms.DESCRIBE_KEY] == 1000 * 12
    assert cost(Mode.NO_EVENTS, options).requests[kms.DESCRIBE_KEY] == 1000 * 144


def test_a_full_pass_is_the_first_pass_after_its_interval() -> None:
    assert (
        cost(options={"refresh": {"interval": "7m", "full_interval": "1h", "fallback_interval": "7m"}}).full_every
        == 63 * 60
    )


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [(4000, 4 / 50 + 40 / 50 + 4000 / 200), (60_000, 60 / 50 + 60_000 / 200)],
    ids=["aliases before keys", "aliases beside keys"],
)
def test_a_full_pass_lasts_as_long_as_the_budget_makes_it(keys: int, seconds: float) -> None:
    assert cost(options={"aws": {"request_rate": 0.1}}, keys=keys).full_pass == pytest.approx(seconds, rel=0.01)


def test_pending_keys_are_described_in_every_pass() -> None:
    more = cost(pending=3).requests[kms.DESCRIBE_KEY] - cost().requests[kms.DESCRIBE_KEY]

    assert more == 3 * (MINUTES_A_DAY - 24)


def test_what_is_asked_about_pending_keys_only_is_not_asked_without_any() -> None:
    about = {LIST_GRANTS, GET_KEY_LAST_USAGE}

    assert not about & cost().requests.keys()
    assert about <= cost(pending=1).requests.keys()


def test_what_is_switched_off_is_not_asked() -> None:
    off = {"deletions": {"grants": False, "last_usage": False}, "changes": {"cloudtrail": False}}

    assert not {LIST_GRANTS, GET_KEY_LAST_USAGE, LOOKUP_EVENTS} & cost(options=off, pending=5).requests.keys()


def test_keys_are_listed_in_every_pass_where_cloudtrail_names_no_new_ones() -> None:
    assert cost(options={"changes": {"cloudtrail": False}}).requests[kms.LIST_KEYS] == MINUTES_A_DAY


def test_the_last_use_of_every_key_is_a_request_a_key_and_day() -> None:
    assert cost(options={"keys": {"last_usage": True}}, keys=70).requests[GET_KEY_LAST_USAGE] == 70


def test_tags_are_read_in_full_passes_by_the_hundred() -> None:
    assert cost(options={"keys": {"tags": ["owner"]}}, keys=250).requests[tagging.GET_RESOURCES] == 3 * 24


def test_aws_managed_keys_are_listed_and_described_only_where_they_are_exported() -> None:
    def requests(export: str) -> Mapping[Operation, float]:
        settings = made({"keys": {"export": export}})
        fleet = Fleet.of(settings, (Holding(1, 1000, aws_managed=5, aliases=1005),), 1)
        return estimate(settings, fleet).costs[Mode.EVENTS].requests

    assert requests("customer")[kms.LIST_KEYS] == 2 * cost().requests[kms.LIST_KEYS], "two pages"
    assert requests("customer")[kms.DESCRIBE_KEY] == 1000 * 24
    assert requests("all")[kms.DESCRIBE_KEY] == 1005 * 24


def test_a_queue_and_config_are_asked_at_their_intervals() -> None:
    changes = {
        "sqs_queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/kms",
        "config_aggregator": "all",
        "config_interval": "1h",
    }
    requests = cost(options={"changes": changes}).requests

    assert requests[queue.RECEIVE_MESSAGE] == DAY / 20
    assert requests[queue.GET_QUEUE_ATTRIBUTES] == MINUTES_A_DAY
    assert requests[SELECT] == 24


def test_every_shard_looks_for_all_accounts_and_they_share_the_targets() -> None:
    alone, shared = cost(targets=100, accounts=40), cost(options={"shard": {"total": 3}}, targets=100, accounts=40)

    for operation in (ASSUME_ROLE, discovery.LIST_ACCOUNTS, discovery.DESCRIBE_REGIONS, discovery.GET_CALLER_IDENTITY):
        assert shared.requests[operation] == 3 * alone.requests[operation]
    assert shared.requests[kms.DESCRIBE_KEY] == alone.requests[kms.DESCRIBE_KEY]


def test_ways_into_accounts_come_from_the_settings() -> None:
    listed = {
        "aws": {
            "home_account": False,
            "accounts": [
                {"role_arn": "arn:aws:iam::222233334444:role/KmsExporter", "regions": ["eu-west-1"]},
                {"role_arn": "arn:aws:iam::333344445555:role/KmsExporter"},
            ],
        }
    }

    fleet = Fleet.of(made(listed), spread(10, 2), 2)

    assert (fleet.roles, fleet.discovered, fleet.organization) == (2, 1, False)


def test_accounts_that_the_settings_do_not_name_are_an_organizations() -> None:
    fleet = Fleet.of(Settings(), spread(10, 50), 3)

    assert (fleet.roles, fleet.discovered, fleet.organization) == (2, 3, True)


def test_keys_and_pending_keys_are_spread_evenly() -> None:
    holdings = spread(11, 4, 5)

    assert sum(each.targets for each in holdings) == 4
    assert {each.keys for each in holdings} == {2, 3}
    assert {each.pending for each in holdings} == {1, 2}
    assert sum(each.targets * each.pending for each in holdings) == 5


def test_no_target_has_more_pending_keys_than_keys() -> None:
    holdings = with_pending((Holding(3, 0), Holding(1, 2), Holding(1, 100)), 50)

    assert all(each.pending <= each.keys for each in holdings)
    assert sum(each.targets * each.pending for each in holdings) == 50


def test_every_operation_has_a_price() -> None:
    assert {operation.service for operation in OPERATIONS} <= PRICES.keys()


def test_only_what_is_charged_costs_money() -> None:
    assert dollars(kms.DESCRIBE_KEY, 10_000) == pytest.approx(0.03)
    assert dollars(queue.RECEIVE_MESSAGE, 1_000_000) == pytest.approx(0.40)
    assert dollars(LOOKUP_EVENTS, 1_000_000) == 0


def test_nothing_is_warned_of_with_the_defaults() -> None:
    assert warnings(pending=10) == []


def test_a_full_pass_that_outlasts_its_interval_is_warned_of_with_the_rate_that_would_do() -> None:
    (warning,) = warnings({"aws": {"request_rate": 0.1}}, keys=90_000)

    assert "refresh.fallback_interval is 5m" in warning
    assert "aws.request_rate to 0.15 or more" in warning


def test_a_full_pass_that_no_rate_would_make_fast_enough_is_warned_of_without_one() -> None:
    (warning,) = warnings({"refresh": {"interval": "30s", "fallback_interval": "30s"}}, keys=90_000)

    assert "Raise refresh.fallback_interval." in warning


def test_more_lookups_than_the_budget_allows_are_warned_of_and_not_counted() -> None:
    (warning,) = warnings(pending=1000)

    assert warning.startswith("LookupEvents: ")
    assert cost(pending=1000).requests[LOOKUP_EVENTS] == pytest.approx(0.4 * DAY)


def test_more_requests_than_a_process_sends_are_warned_of_until_there_are_shards_enough() -> None:
    many = {"keys": 700_000, "targets": 700}

    assert [text for text in warnings(**many) if "shard.total" in text]
    assert warnings({"shard": {"total": 4}}, **many) == []


def test_without_any_source_of_events_it_is_said_that_none_is_readable() -> None:
    (warning,) = warnings({"changes": {"cloudtrail": False}})

    assert "events are not readable" in warning


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["estimate", *arguments])
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def test_the_command_prints_a_table_that_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--keys", "1000", "--pending", "3")

    assert status == 0
    assert out.startswith("1,000 keys in 1 target (an account in a region), 1 account; 3 pending deletion\n")
    assert max(map(len, out.splitlines())) <= 80
    assert "With events readable, 2.2% of the requests" in " ".join(out.split())


def test_the_command_prints_exact_numbers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--keys", "1000", "--output", "json")

    document = json.loads(out)
    naive = document["modes"]["naive"]
    assert naive["total"]["requests_per_day"] == 1001 * MINUTES_A_DAY
    assert naive["total"]["usd_per_month"] == pytest.approx(129.73, abs=0.01)
    assert naive["operations"][0]["operation"] == "DescribeKey"
    assert document["events_readable_of_naive"] < 0.02


def test_options_of_the_configuration_count(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--keys", "1000", "--output", "json", "--refresh.interval", "30s")

    assert json.loads(out)["modes"]["naive"]["total"]["requests_per_day"] == 2 * 1001 * MINUTES_A_DAY


def test_accounts_are_as_many_as_the_targets_take(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--keys", "1000", "--targets", "35", "--output", "json")

    assert json.loads(out)["accounts"] == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "--keys (command line) is missing"),
        (("--keys", "many"), '--keys: "many" (command line) is refused'),
        (("--keys", "1", "--targets", "0"), '--targets: "0" (command line) is refused'),
        (("--keys", "1", "--pending", "2"), "--pending: 2 (command line) is more than --keys 1"),
        (("--keys", "1", "--accounts", "2"), "--accounts: 2 (command line) is more than 1 target"),
        (("--live", "--keys", "1"), "--keys: 1 (command line) can't be given with --live"),
    ],
)
def test_arguments_that_make_no_sense_are_told(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    status, out, err = run(capsys, *arguments)

    assert (status, out) == (2, "")
    assert err.startswith(f"kms-exporter: {text}")
