"""Request quotas: what exceeds them is throttled, per operation, account and region."""

import pytest

from exporter.demo.counts import RequestKind
from exporter.demo.faults import Faults, Refusal

DESCRIBE = RequestKind("111122223333", "eu-west-1", "kms", "DescribeKey")


class Stopwatch:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Stopwatch()


@pytest.fixture
def faults(clock):
    return Faults(clock=clock)


def admitted(faults, kind, requests):
    return sum(faults.plan(kind).refusal is None for _ in range(requests))


@pytest.mark.parametrize(
    ("service", "operation", "rate"),
    [
        ("kms", "ListKeys", 500),
        ("kms", "ListAliases", 500),
        ("kms", "DescribeKey", 2000),
        ("kms", "ListResourceTags", 2000),
        ("kms", "ScheduleKeyDeletion", 15),
        ("kms", "CancelKeyDeletion", 5),
        ("kms", "EnableKey", 5),
        ("kms", "TagResource", 10),
        ("kms", "GetKeyLastUsage", 5),
        ("kms", "ListGrants", 100),
        ("kms", "CreateGrant", 50),
        ("kms", "RevokeGrant", 30),
        ("tagging", "GetResources", 15),
        ("cloudtrail", "LookupEvents", 2),
    ],
)
def test_aws_quotas(faults, service, operation, rate):
    faults.use_quotas()

    assert admitted(faults, RequestKind("1", "r", service, operation), 3000) == rate


def test_what_has_no_quota_is_never_throttled(faults):
    faults.use_quotas()

    assert admitted(faults, RequestKind("1", "r", "sts", "GetCallerIdentity"), 3000) == 3000


def test_a_share_of_the_quotas(faults):
    faults.use_quotas(0.01)

    assert admitted(faults, DESCRIBE, 100) == 20


def test_accounts_regions_and_operations_have_quotas_of_their_own(faults):
    faults.set_quota("kms", "DescribeKey", 3)
    others = [DESCRIBE._replace(account_id="2"), DESCRIBE._replace(region="x"), DESCRIBE._replace(operation="ListKeys")]

    assert admitted(faults, DESCRIBE, 9) == 3
    assert [admitted(faults, other, 3) for other in others] == [3, 3, 3]


def test_a_bucket_fills_with_time_and_never_beyond_one_second(faults, clock):
    faults.set_quota("kms", "DescribeKey", 10)
    assert admitted(faults, DESCRIBE, 99) == 10

    clock.time += 0.3
    assert admitted(faults, DESCRIBE, 99) == 3
    clock.time += 60
    assert admitted(faults, DESCRIBE, 99) == 10


def test_a_quota_below_one_a_second_still_lets_one_through(faults, clock):
    faults.set_quota("kms", "DescribeKey", 0.5)
    assert admitted(faults, DESCRIBE, 5) == 1

    clock.time += 1
    assert admitted(faults, DESCRIBE, 5) == 0
    clock.time += 1
    assert admitted(faults, DESCRIBE, 5) == 1


def test_quotas_can_be_lifted(faults):
    faults.set_quota("kms", "DescribeKey", 1)
    faults.clear()

    assert admitted(faults, DESCRIBE, 50) == 50


def test_what_exceeds_a_quota_is_late_too(faults):
    faults.latency(0.015)
    faults.set_quota("kms", "DescribeKey", 1)
    faults.plan(DESCRIBE)

    plan = faults.plan(DESCRIBE)

    assert (plan.delay, plan.refusal) == (0.015, Refusal.THROTTLED)


def test_a_client_meets_the_quota(aws, emulator, kms):
    emulator.faults.set_quota("kms", "ListKeys", 1e-6)
    kms.list_keys()

    assert aws.code(kms.list_keys) == "ThrottlingException"
    assert kms.list_aliases()
