"""Organizations, STS and EC2: who there is, who one is, and where."""

import pytest

from exporter.demo import actors

MEMBER = "222233334444"
ROLE = f"arn:aws:iam::{MEMBER}:role/KmsExporter"


@pytest.fixture
def sts(aws):
    return aws.client("sts")


@pytest.fixture
def organizations(aws):
    return aws.client("organizations")


def accounts(client, **pagination):
    pages = client.get_paginator("list_accounts").paginate(**pagination)
    return [page["Accounts"] for page in pages]


def test_accounts_tell_their_state_and_no_status(organizations):
    (page,) = accounts(organizations)

    assert [(each["Id"], each["Name"], each["State"]) for each in page] == [
        ("111122223333", "home", "ACTIVE"),
        (MEMBER, "payments", "ACTIVE"),
    ]
    assert all("Status" not in each for each in page)


def test_accounts_can_still_tell_the_retired_status(world, organizations):
    world.organization.tells_status = True
    world.accounts[MEMBER].state = "SUSPENDED"
    world.add_account("333344445555", "closed", ["eu-west-1"], state="CLOSED")

    (page,) = accounts(organizations)

    assert [each.get("Status") for each in page] == ["ACTIVE", "SUSPENDED", None]


@pytest.mark.parametrize(("there", "pages"), [(20, [20]), (21, [20, 1]), (40, [20, 20])])
def test_accounts_come_twenty_a_page(world, organizations, there, pages):
    for number in range(there - 2):
        world.add_account(f"{300_000_000_000 + number}", "more", ["eu-west-1"])

    found = accounts(organizations)

    assert [len(page) for page in found] == pages
    assert len({each["Id"] for page in found for each in page}) == there


def test_a_page_of_accounts_may_be_empty_though_more_follow(world, organizations):
    world.rules.empty_pages.add("ListAccounts")

    assert [len(page) for page in accounts(organizations, PaginationConfig={"PageSize": 1})] == [0, 1, 0, 1]


def test_an_account_that_left_is_not_listed(world, organizations):
    world.accounts[MEMBER].member = False

    assert [each["Id"] for page in accounts(organizations) for each in page] == ["111122223333"]


def test_a_token_from_nowhere_is_refused(aws, organizations):
    assert aws.code(organizations.list_accounts, NextToken="nowhere") == "InvalidInputException"


def test_without_an_organization_there_is_none_to_list(aws, world, organizations):
    world.organization = None

    assert aws.code(organizations.list_accounts) == "AWSOrganizationsNotInUseException"


def test_only_the_management_account_and_delegates_may_list(aws, world, organizations):
    world.create_organization(MEMBER)
    assert aws.code(organizations.list_accounts) == "AccessDeniedException"

    world.organization.listers.add(world.home.account_id)
    assert len(organizations.list_accounts()["Accounts"]) == 2


def test_the_home_credentials_are_a_users(sts):
    identity = sts.get_caller_identity()

    assert identity["Account"] == "111122223333"
    assert identity["Arn"] == "arn:aws:iam::111122223333:user/kms-exporter"


def test_an_assumed_role_is_someone_else(aws, sts, clock):
    answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="exporter", ExternalId="tell-nobody")

    assert answer["Credentials"]["Expiration"].timestamp() == clock.time + 3600
    identity = aws.client("sts", credentials=answer["Credentials"]).get_caller_identity()
    assert identity["Account"] == MEMBER
    assert identity["Arn"] == f"arn:aws:sts::{MEMBER}:assumed-role/KmsExporter/exporter"
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def test_an_assumed_role_reads_its_own_account(aws, sts, world):
    key = world.vault(MEMBER, "eu-west-1").create_key()
    answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="exporter", ExternalId="tell-nobody")

    listed = aws.client("kms", credentials=answer["Credentials"]).list_keys()["Keys"]

    assert [each["KeyArn"] for each in listed] == [key.arn]
    assert world.counts.total("ListKeys", account_id=MEMBER) == 1


@pytest.mark.parametrize(
    ("actor", "arn", "user_id"),
    [
        (actors.user("alice"), "iam::222233334444:user/alice", "AIDA"),
        (actors.root(), "iam::222233334444:root", MEMBER),
        (actors.assumed_role("ci", "build-1", "ops/"), "sts::222233334444:assumed-role/ci/build-1", "AROA"),
        (
            actors.sso_role("ReadOnly", "alice@example.com"),
            "sts::222233334444:assumed-role/AWSReservedSSO_ReadOnly_",
            "AROA",
        ),
    ],
    ids=["user", "root", "role", "sso"],
)
def test_every_kind_of_principal_learns_who_it_is(aws, world, actor, arn, user_id):
    principal = world.credentials.issue(MEMBER, "eu-west-1", actor)
    keys = {
        "AccessKeyId": principal.access_key_id,
        "SecretAccessKey": principal.secret_key,
        "SessionToken": principal.token,
    }

    caller = aws.client("sts", credentials=keys).get_caller_identity()

    assert caller["Account"] == MEMBER
    assert caller["Arn"].startswith(f"arn:aws:{arn}")
    assert caller["UserId"].startswith(user_id)
    assert caller["UserId"].endswith(f":{actor.session}") is (user_id == "AROA")


@pytest.mark.parametrize("external_id", [{}, {"ExternalId": "guessed"}])
def test_a_role_is_closed_to_those_who_do_not_know_its_external_id(aws, sts, external_id):
    assert aws.code(sts.assume_role, RoleArn=ROLE, RoleSessionName="exporter", **external_id) == "AccessDenied"


def test_a_role_that_trusts_others_is_closed(aws, sts, world):
    closed = world.add_role(MEMBER, "Closed", assumable=False)

    assert aws.code(sts.assume_role, RoleArn=closed.arn, RoleSessionName="exporter") == "AccessDenied"


def test_a_role_that_is_not_there_looks_closed(aws, sts):
    missing = f"arn:aws:iam::{MEMBER}:role/Missing"

    assert aws.code(sts.assume_role, RoleArn=missing, RoleSessionName="exporter") == "AccessDenied"


def test_a_session_lasts_as_long_as_asked(sts, clock):
    answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="exporter", ExternalId="tell-nobody", DurationSeconds=900)

    assert answer["Credentials"]["Expiration"].timestamp() == clock.time + 900


def test_a_session_lasts_no_longer_than_the_role_allows(aws, sts):
    asked = {"RoleArn": ROLE, "RoleSessionName": "exporter", "ExternalId": "tell-nobody", "DurationSeconds": 7200}

    assert aws.code(sts.assume_role, **asked) == "ValidationError"


@pytest.mark.parametrize(
    "form",
    [
        "",
        f"RoleArn={ROLE}",
        f"RoleArn={ROLE}&RoleSessionName=x&ExternalId=tell-nobody&DurationSeconds=soon",
        f"RoleArn={ROLE}&RoleSessionName=x&ExternalId=tell-nobody&DurationSeconds=899",
        f"RoleArn={ROLE}&RoleSessionName=x&ExternalId=tell-nobody&DurationSeconds=43201",
    ],
)
def test_a_role_can_not_be_assumed_without_the_parameters_it_takes(aws, form):
    sts = aws.client_sending(f"Action=AssumeRole&Version=2011-06-15&{form}", "sts")

    assert aws.code(sts.assume_role, RoleArn=ROLE, RoleSessionName="ignored") == "ValidationError"


def test_a_chained_session_lasts_no_longer_than_an_hour(aws, sts, world):
    generous = world.add_role(MEMBER, "Generous", max_session=43_200)
    asked = {"RoleArn": generous.arn, "RoleSessionName": "exporter", "DurationSeconds": 7200}
    first = sts.assume_role(**asked)

    chained = aws.client("sts", credentials=first["Credentials"])

    assert aws.code(chained.assume_role, **asked) == "ValidationError"
    assert chained.assume_role(**asked | {"DurationSeconds": 3600})


def test_regions_are_those_enabled_in_the_callers_account(aws, sts):
    answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="exporter", ExternalId="tell-nobody")

    of_home = aws.client("ec2").describe_regions()["Regions"]
    of_member = aws.client("ec2", credentials=answer["Credentials"]).describe_regions()["Regions"]

    assert [region["RegionName"] for region in of_home] == ["eu-west-1", "us-east-1"]
    assert [region["RegionName"] for region in of_member] == ["eu-west-1"]
    assert of_member[0]["Endpoint"] == "ec2.eu-west-1.amazonaws.com"
    assert of_member[0]["OptInStatus"] in {"opt-in-not-required", "opted-in"}


def test_all_regions_are_told_with_their_status(aws, sts):
    answer = sts.assume_role(RoleArn=ROLE, RoleSessionName="exporter", ExternalId="tell-nobody")

    regions = aws.client("ec2", credentials=answer["Credentials"]).describe_regions(AllRegions=True)["Regions"]

    assert [(region["RegionName"], region["OptInStatus"]) for region in regions] == [
        ("eu-west-1", "opt-in-not-required"),
        ("us-east-1", "not-opted-in"),
    ]


def test_regions_can_be_chosen(aws):
    ec2 = aws.client("ec2")

    by_name = ec2.describe_regions(RegionNames=["us-east-1"])["Regions"]
    by_filter = ec2.describe_regions(Filters=[{"Name": "region-name", "Values": ["us-east-1", "us-west-9"]}])["Regions"]
    by_status = ec2.describe_regions(Filters=[{"Name": "opt-in-status", "Values": ["not-opted-in"]}])["Regions"]

    assert [region["RegionName"] for region in by_name] == ["us-east-1"]
    assert by_filter == by_name
    assert by_status == []


def test_an_unknown_region_or_filter_is_refused(aws):
    ec2 = aws.client("ec2")

    assert aws.code(ec2.describe_regions, RegionNames=["eu-moon-1"]) == "InvalidParameterValue"
    filters = [{"Name": "colour", "Values": ["red"]}]
    assert aws.code(ec2.describe_regions, Filters=filters) == "InvalidParameterValue"
