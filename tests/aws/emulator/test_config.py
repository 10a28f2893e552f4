"""AWS Config: advanced queries of an aggregator, which knows what was recorded and not what is."""

import json

import pytest

from tests.aws.emulator.conftest import HOME, MEMBER, START

NAME = "organization"
PENDING = (
    "SELECT accountId, awsRegion, resourceId, configuration.keyState "
    "WHERE resourceType = 'AWS::KMS::Key' AND configuration.keyState IN ('PendingDeletion', 'PendingReplicaDeletion')"
)


@pytest.fixture
def aggregator(world):
    return world.add_aggregator(NAME, "eu-west-1")


@pytest.fixture
def config(aws, aggregator):
    assert aggregator
    return aws.client("config")


@pytest.fixture
def select(config):
    """Return the rows that a query finds, all of one page."""

    def select(expression=PENDING, **params):
        answer = config.select_aggregate_resource_config(
            Expression=expression, ConfigurationAggregatorName=NAME, **params
        )
        return [json.loads(row) for row in answer["Results"]]

    return select


def pending(world, account_id=HOME, region="eu-west-1", **facts):
    vault = world.vault(account_id, region)
    return vault.schedule_deletion(vault.create_key(**facts).key_id)


def test_a_row_is_json_whose_columns_with_a_dot_are_nested(world, select):
    key = pending(world, MEMBER)
    world.vault(HOME, "eu-west-1").create_key()

    assert select() == [
        {
            "accountId": MEMBER,
            "awsRegion": "eu-west-1",
            "resourceId": key.key_id,
            "configuration": {"keyState": "PendingDeletion"},
        }
    ]


def test_the_answer_names_its_columns(config):
    answer = config.select_aggregate_resource_config(
        Expression="SELECT arn WHERE resourceType = 'AWS::KMS::Key'", ConfigurationAggregatorName=NAME
    )

    assert answer["QueryInfo"]["SelectFields"] == [{"Name": "arn"}]
    assert answer["Results"] == []


def test_every_account_and_region_is_collected_unless_some_are_named(world, aggregator, select):
    keys = [pending(world, HOME, region) for region in ("eu-west-1", "us-east-1")] + [pending(world, MEMBER)]
    assert {row["resourceId"] for row in select()} == {key.key_id for key in keys}

    aggregator.accounts = frozenset({MEMBER})
    assert [row["resourceId"] for row in select()] == [keys[2].key_id]


def test_other_resources_are_not_recorded(world, select):
    pending(world)

    assert select("SELECT arn WHERE resourceType = 'AWS::S3::Bucket'") == []


def test_what_is_recorded_is_old_until_it_is_recorded_anew(world, aggregator, clock, select):
    aggregator.age = 3600.0
    key = pending(world)
    assert len(select()) == 1

    world.vault(HOME, "eu-west-1").cancel_deletion(key.key_id)
    clock.time += 3599
    assert len(select()) == 1
    clock.time += 1
    assert select() == []


def test_the_capture_time_is_that_of_the_change(world, clock, select):
    times = "SELECT configurationItemCaptureTime WHERE resourceType = 'AWS::KMS::Key'"
    key = world.vault(HOME, "eu-west-1").create_key()
    (first,) = select(times)
    clock.time += 60.25
    assert select(times) == [first]

    world.vault(HOME, "eu-west-1").schedule_deletion(key.key_id)
    assert select(times) == [{"configurationItemCaptureTime": "2026-09-21T14:14:20.250Z"}]
    assert first == {"configurationItemCaptureTime": "2026-09-21T14:13:20.000Z"}
    assert START == 1_790_000_000.0


def test_a_page_has_25_results_unless_another_limit_is_asked_for(world, config, select):
    keys = {pending(world).key_id for _ in range(30)}
    assert len(select()) == len(select(Limit=0)) == 25
    first = config.select_aggregate_resource_config(Expression=PENDING, ConfigurationAggregatorName=NAME, Limit=29)
    last = select(Limit=29, NextToken=first["NextToken"])

    assert {json.loads(row)["resourceId"] for row in first["Results"]} | {row["resourceId"] for row in last} == keys
    assert len(last) == 1


def test_a_page_may_be_empty_and_not_the_last(world, config):
    world.rules.empty_pages.add("SelectAggregateResourceConfig")
    pending(world)

    answer = config.select_aggregate_resource_config(Expression=PENDING, ConfigurationAggregatorName=NAME)

    assert answer["Results"] == []
    assert answer["NextToken"]


@pytest.mark.parametrize(
    "expression",
    [
        "SELECT",
        "DELETE WHERE resourceType = 'AWS::KMS::Key'",
        "SELECT arn",
        "SELECT colour WHERE resourceType = 'AWS::KMS::Key'",
        "SELECT arn WHERE keyState = 'PendingDeletion'",
        "SELECT arn WHERE resourceType LIKE 'AWS::KMS%'",
        "SELECT arn WHERE resourceType = 'AWS::KMS::Key' OR arn = ''",
    ],
)
def test_a_query_that_is_not_understood_is_refused(aws, config, expression):
    code = aws.code(config.select_aggregate_resource_config, Expression=expression, ConfigurationAggregatorName=NAME)

    assert code == "InvalidExpressionException"


@pytest.mark.parametrize(("region", "name"), [("eu-west-1", "another"), ("us-east-1", NAME)])
def test_an_aggregator_that_is_not_there_is_told(aws, aggregator, region, name):
    assert aggregator
    select = aws.client("config", region).select_aggregate_resource_config

    assert aws.code(select, Expression=PENDING, ConfigurationAggregatorName=name) == (
        "NoSuchConfigurationAggregatorException"
    )


def test_a_token_from_nowhere_is_refused(aws, config):
    code = aws.code(
        config.select_aggregate_resource_config,
        Expression=PENDING,
        ConfigurationAggregatorName=NAME,
        NextToken="nowhere",
    )

    assert code == "InvalidNextTokenException"


def test_a_limit_beyond_100_is_refused(aws, aggregator):
    assert aggregator
    body = json.dumps({"Expression": PENDING, "ConfigurationAggregatorName": NAME, "Limit": 101})

    code = aws.code(
        aws.client_sending(body, "config").select_aggregate_resource_config,
        Expression=PENDING,
        ConfigurationAggregatorName=NAME,
    )

    assert code == "InvalidLimitException"
