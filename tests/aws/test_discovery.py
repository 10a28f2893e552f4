"""Which accounts and regions there are to watch, asked again and again."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws.discovery import Memory, Watch
from exporter.demo.faults import merging
from exporter.demo.world import World
from exporter.model import HOME as UNKNOWN_HOME
from exporter.model import Target
from tests.aws.harness import watching

if TYPE_CHECKING:
    from tests.aws.harness import Lab, OpenLab

HOME, PAYMENTS, ANALYTICS = "111122223333", "222233334444", "333344445555"
IRELAND, VIRGINIA, OREGON = "eu-west-1", "us-east-1", "us-west-2"
HOUR = 3600.0


@pytest.fixture
def world() -> World:
    """An organization of three accounts; the home account has one region, the others have two."""
    world = World(home_regions=[IRELAND])
    world.add_account(PAYMENTS, "payments", [IRELAND, VIRGINIA])
    world.add_account(ANALYTICS, "analytics", [IRELAND, OREGON])
    for account_id in (PAYMENTS, ANALYTICS):
        world.add_role(account_id, "KmsExporter")
    world.create_organization()
    return world


@pytest.fixture
def org(open_lab: "OpenLab", world: World) -> "Lab":
    return open_lab(world)


def role(account_id: str, role_name: str = "KmsExporter", **options: Any) -> dict[str, Any]:
    return {"role_arn": f"arn:aws:iam::{account_id}:role/{role_name}", **options}


def organization(**options: Any) -> dict[str, Any]:
    return {"enabled": True, **options}


def places(watch: Watch) -> set[tuple[str, str]]:
    return {(target.account_id, target.region) for target in watch.accesses}


def accounts(watch: Watch) -> set[str]:
    return {target.account_id for target in watch.accesses}


EVERYTHING = {
    (HOME, IRELAND),
    (PAYMENTS, IRELAND),
    (PAYMENTS, VIRGINIA),
    (ANALYTICS, IRELAND),
    (ANALYTICS, OREGON),
}


class TestHomeAccount:
    def test_its_id_and_its_regions_are_asked_for(self, lab: "Lab") -> None:
        lab.world.home.regions.add(VIRGINIA)
        watch = lab.discover()
        assert places(watch) == {(HOME, IRELAND), (HOME, VIRGINIA)}
        assert (watch.account_errors, watch.organization_error) == ({HOME: ""}, None)
        assert lab.heard.requests == {"GetCallerIdentity": 1, "DescribeRegions": 1}

    def test_named_regions_need_not_be_asked_for(self, lab: "Lab") -> None:
        watch = lab.discover(regions=[VIRGINIA, OREGON])
        assert places(watch) == {(HOME, VIRGINIA), (HOME, OREGON)}
        assert lab.heard.requests == {"GetCallerIdentity": 1}

    def test_it_may_be_left_out(self, org: "Lab") -> None:
        watch = org.discover(home_account=False, accounts=[role(PAYMENTS)])
        assert accounts(watch) == {PAYMENTS}
        assert "GetCallerIdentity" not in org.heard.requests

    def test_without_credentials_it_is_an_account_that_is_down(
        self, lab: "Lab", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        watch = lab.discover()
        assert not watch.accesses
        assert "credentials" in watch.account_errors[UNKNOWN_HOME]

    def test_so_it_is_with_a_profile_that_does_not_exist(self, lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nowhere")
        watch = lab.discover()
        assert "nowhere" in watch.account_errors[UNKNOWN_HOME]

    def test_while_sts_is_down_at_the_start_it_is_unknown(self, lab: "Lab") -> None:
        connection = lab.connect(watching())
        fault = lab.faults.deny(service="sts")
        watch = lab.look(connection)
        assert not watch.accesses
        assert set(watch.account_errors) == {UNKNOWN_HOME}
        lab.faults.remove(fault)
        watch = lab.look(connection)
        assert places(watch) == {(HOME, IRELAND)}
        assert watch.account_errors == {HOME: ""}

    def test_while_sts_is_down_later_on_its_targets_stay(self, lab: "Lab") -> None:
        connection = lab.connect(watching())
        lab.look(connection)
        lab.faults.deny(service="sts")
        watch = lab.look(connection)
        assert places(watch) == {(HOME, IRELAND)}
        assert "GetCallerIdentity" in watch.account_errors[HOME]


class TestListedRoles:
    def test_each_is_an_account_with_its_regions(self, org: "Lab") -> None:
        watch = org.discover(accounts=[role(PAYMENTS, name="pay"), role(ANALYTICS)])
        assert places(watch) == EVERYTHING
        assert {access.account_name for access in watch.accesses.values()} == {"", "pay"}
        assert org.world.counts.total("ListAccounts") == 0

    def test_an_account_may_have_regions_of_its_own(self, org: "Lab") -> None:
        watch = org.discover(regions=[IRELAND], accounts=[role(PAYMENTS, regions=[VIRGINIA]), role(ANALYTICS)])
        assert places(watch) == {(HOME, IRELAND), (PAYMENTS, VIRGINIA), (ANALYTICS, IRELAND)}
        assert org.world.counts.total("DescribeRegions") == 0

    def test_an_external_id_opens_a_role(self, org: "Lab") -> None:
        org.world.add_role(PAYMENTS, "KmsExporter", external_id="s3cret")
        watch = org.discover(accounts=[role(PAYMENTS, external_id="s3cret")])
        assert watch.account_errors == {HOME: "", PAYMENTS: ""}

    def test_a_wrong_one_costs_that_account_alone(self, org: "Lab") -> None:
        org.world.add_role(PAYMENTS, "KmsExporter", external_id="s3cret")
        watch = org.discover(accounts=[role(PAYMENTS, external_id="wrong"), role(ANALYTICS)])
        assert accounts(watch) == {HOME, ANALYTICS}
        assert "AccessDenied" in watch.account_errors[PAYMENTS]
        assert (watch.account_errors[HOME], watch.account_errors[ANALYTICS]) == ("", "")

    def test_named_regions_are_targets_even_while_the_role_is_closed(self, org: "Lab") -> None:
        watch = org.discover(accounts=[role(PAYMENTS, "Absent", regions=[IRELAND])])
        assert (PAYMENTS, IRELAND) in places(watch), "its passes will fail, which is better than no sign of it"
        assert watch.account_errors[PAYMENTS]

    def test_regions_that_are_denied_cost_that_account_alone(self, org: "Lab") -> None:
        org.faults.deny(operation="DescribeRegions", account_id=PAYMENTS)
        watch = org.discover(accounts=[role(PAYMENTS), role(ANALYTICS)])
        assert accounts(watch) == {HOME, ANALYTICS}
        assert "DescribeRegions" in watch.account_errors[PAYMENTS]

    def test_no_region_at_all_is_no_answer(self, org: "Lab") -> None:
        org.faults.change(merging({"regionInfo": []}), operation="DescribeRegions", account_id=PAYMENTS)
        watch = org.discover(accounts=[role(PAYMENTS)])
        assert "invalid_response" in watch.account_errors[PAYMENTS]


class TestOrganization:
    def test_every_account_is_watched_the_home_account_with_its_own_credentials(self, org: "Lab") -> None:
        watch = org.discover(organization=organization())
        assert places(watch) == EVERYTHING
        assert watch.account_errors == {HOME: "", PAYMENTS: "", ANALYTICS: ""}
        assert watch.organization_error == ""
        assert org.world.counts.total("AssumeRole") == 2

    def test_the_home_account_needs_no_role_even_if_it_is_known_last(self, org: "Lab") -> None:
        org.faults.latency(0.3, operation="GetCallerIdentity")
        watch = org.discover(organization=organization())
        assert not any(watch.account_errors.values())
        assert org.world.counts.total("AssumeRole") == 2

    def test_a_home_account_that_can_not_be_asked_for_keeps_the_others_from_nothing(self, org: "Lab") -> None:
        org.faults.deny(operation="GetCallerIdentity")
        watch = org.discover(organization=organization())
        assert accounts(watch) == {PAYMENTS, ANALYTICS}
        assert watch.account_errors[UNKNOWN_HOME]

    def test_names_come_from_the_organization_unless_they_are_given(self, org: "Lab") -> None:
        watch = org.discover(organization=organization(), accounts=[role(PAYMENTS, name="mine")])
        names = {target.account_id: access.account_name for target, access in watch.accesses.items()}
        assert names == {HOME: "home", PAYMENTS: "mine", ANALYTICS: "analytics"}

    @pytest.mark.parametrize(
        ("options", "watched"),
        [
            ({"include": [PAYMENTS]}, {HOME, PAYMENTS}),
            ({"exclude": [PAYMENTS]}, {HOME, ANALYTICS}),
            ({"include": [PAYMENTS, ANALYTICS], "exclude": []}, {HOME, PAYMENTS, ANALYTICS}),
            ({"include": ["999999999999"]}, {HOME}),
        ],
    )
    def test_accounts_are_taken_in_and_left_out(self, org: "Lab", options: dict[str, Any], watched: set[str]) -> None:
        assert accounts(org.discover(organization=organization(**options))) == watched

    def test_excluding_the_home_account_concerns_its_role_not_its_credentials(self, org: "Lab") -> None:
        assert HOME in accounts(org.discover(organization=organization(exclude=[HOME])))
        assert HOME not in accounts(org.discover(organization=organization(exclude=[HOME]), home_account=False))

    def test_the_role_may_have_a_path(self, org: "Lab") -> None:
        org.world.add_role(PAYMENTS, "audit/KmsExporter")
        watch = org.discover(organization=organization(role_name="audit/KmsExporter", include=[PAYMENTS]))
        assert accounts(watch) == {HOME, PAYMENTS}

    def test_pages_may_be_many_and_empty(self, org: "Lab") -> None:
        org.world.rules.empty_pages.add("ListAccounts")
        for number in range(45):
            org.world.add_account(f"{444400000000 + number}", f"account-{number}", [IRELAND])
            org.world.add_role(f"{444400000000 + number}", "KmsExporter")
        watch = org.discover(organization=organization(), regions=[IRELAND])
        assert len(watch.accesses) == 48
        assert org.world.counts.total("ListAccounts") == 6
        assert org.world.counts.total("AssumeRole") == 47

    @pytest.mark.parametrize("tells_status", [True, False])
    def test_accounts_that_are_not_active_are_left_out(self, org: "Lab", tells_status: bool) -> None:
        org.world.create_organization(tells_status=tells_status)
        org.world.accounts[PAYMENTS].state = "SUSPENDED"
        assert accounts(org.discover(organization=organization())) == {HOME, ANALYTICS}

    def test_a_status_will_do_where_there_is_no_state(self, org: "Lab") -> None:
        def as_before(answer: dict[str, Any]) -> dict[str, Any]:
            members = [{**account, "Status": account["State"], "State": None} for account in answer["Accounts"]]
            return {**answer, "Accounts": members}

        org.world.accounts[PAYMENTS].state = "SUSPENDED"
        org.faults.change(as_before, operation="ListAccounts")
        assert accounts(org.discover(organization=organization())) == {HOME, ANALYTICS}

    def test_an_account_without_a_role_is_down_and_costs_no_other(self, org: "Lab") -> None:
        del org.world.roles[f"arn:aws:iam::{PAYMENTS}:role/KmsExporter"]
        watch = org.discover(organization=organization())
        assert accounts(watch) == {HOME, ANALYTICS}
        assert "AssumeRole" in watch.account_errors[PAYMENTS]

    def test_its_accounts_come_and_go(self, org: "Lab") -> None:
        connection = org.connect(watching(organization=organization(), regions=[IRELAND]))
        assert accounts(org.look(connection)) == {HOME, PAYMENTS, ANALYTICS}
        org.world.accounts[PAYMENTS].member = False
        org.world.add_account("444455556666", "new", [IRELAND])
        org.world.add_role("444455556666", "KmsExporter")
        watch = org.look(connection)
        assert accounts(watch) == {HOME, ANALYTICS, "444455556666"}
        assert PAYMENTS not in watch.account_errors

    @pytest.mark.parametrize("answer", ["denied", "empty", "garbled", "same page"])
    def test_while_it_can_not_be_listed_the_accounts_last_known_stay(self, org: "Lab", answer: str) -> None:
        connection = org.connect(watching(organization=organization()))
        org.look(connection)
        match answer:
            case "denied":
                org.faults.deny(operation="ListAccounts")
            case "empty":
                org.faults.change(merging({"Accounts": []}), operation="ListAccounts")
            case "garbled":
                org.faults.garble(operation="ListAccounts")
            case "same page":
                org.world.rules.empty_pages.add("ListAccounts")
                org.faults.change(_repeating_itself(), operation="ListAccounts")
        watch = org.look(connection)
        assert places(watch) == EVERYTHING
        assert watch.organization_error
        assert watch.organization_error.startswith("ListAccounts")

    def test_where_it_can_not_be_listed_at_the_start_the_rest_is_watched(self, org: "Lab") -> None:
        org.faults.deny(operation="ListAccounts")
        watch = org.discover(organization=organization(), accounts=[role(PAYMENTS)])
        assert accounts(watch) == {HOME, PAYMENTS}
        assert watch.organization_error

    def test_another_partition_has_other_arns(self, open_lab: "OpenLab", monkeypatch: pytest.MonkeyPatch) -> None:
        world = World(home_regions=["cn-north-1"])
        world.add_account(PAYMENTS, "payments", ["cn-north-1"])
        world.add_role(PAYMENTS, "KmsExporter")
        world.create_organization()
        lab = open_lab(world)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
        assert places(lab.discover(organization=organization())) == {(HOME, "cn-north-1"), (PAYMENTS, "cn-north-1")}


def _repeating_itself() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a change that lets the second page lead to the second page."""
    tokens: list[str] = []

    def change(answer: dict[str, Any]) -> dict[str, Any]:
        tokens.append(answer.get("NextToken", ""))
        return {**answer, "NextToken": tokens[0]}

    return change


class TestRegions:
    def test_they_are_asked_for_once_an_hour(self, org: "Lab") -> None:
        connection = org.connect(watching(organization=organization()))
        org.look(connection)
        org.look(connection)
        assert org.world.counts.total("DescribeRegions") == 3
        org.monotonic.advance(HOUR)
        org.look(connection)
        assert org.world.counts.total("DescribeRegions") == 6

    def test_they_are_enabled_and_disabled(self, org: "Lab") -> None:
        connection = org.connect(watching(organization=organization()))
        org.look(connection)
        org.world.accounts[PAYMENTS].regions |= {OREGON}
        org.world.accounts[PAYMENTS].regions -= {VIRGINIA}
        org.monotonic.advance(HOUR)
        assert places(org.look(connection)) == (EVERYTHING | {(PAYMENTS, OREGON)}) - {(PAYMENTS, VIRGINIA)}

    def test_while_they_can_not_be_asked_for_those_last_known_stay(self, org: "Lab") -> None:
        connection = org.connect(watching(organization=organization()))
        org.look(connection)
        org.faults.deny(operation="DescribeRegions", account_id=PAYMENTS)
        org.monotonic.advance(HOUR)
        watch = org.look(connection)
        assert places(watch) == EVERYTHING
        assert "DescribeRegions" in watch.account_errors[PAYMENTS]


class TestAccountsReachedTwice:
    @pytest.mark.parametrize(
        "aws",
        [
            {"accounts": [role(HOME)], "home_account": True},
            {"accounts": [role(PAYMENTS), role(PAYMENTS, "Second")]},
            {"accounts": [role(PAYMENTS)], "organization": organization()},
        ],
        ids=["home and role", "two roles", "role and organization"],
    )
    def test_each_region_is_one_target(self, org: "Lab", aws: dict[str, Any]) -> None:
        org.world.add_role(HOME, "KmsExporter")
        org.world.add_role(PAYMENTS, "Second")
        watch = org.discover(**aws)
        assert places(watch) <= EVERYTHING
        assert not any(watch.account_errors.values())

    def test_roles_may_share_an_accounts_regions(self, org: "Lab") -> None:
        org.world.add_role(PAYMENTS, "Second")
        watch = org.discover(
            accounts=[role(PAYMENTS, regions=[IRELAND]), role(PAYMENTS, "Second", regions=[IRELAND, VIRGINIA])]
        )
        identities = {
            target.region: access.identity for target, access in watch.accesses.items() if target.account_id == PAYMENTS
        }
        assert identities.keys() == {IRELAND, VIRGINIA}
        assert identities[IRELAND] is not identities[VIRGINIA], "where they meet, the first wins"

    @pytest.mark.parametrize("closed", ["KmsExporter", "Second"])
    def test_the_account_is_up_when_each_of_its_ways_is_open(self, org: "Lab", closed: str) -> None:
        org.world.add_role(PAYMENTS, "Second")
        connection = org.connect(watching(accounts=[role(PAYMENTS), role(PAYMENTS, "Second")]))
        org.world.add_role(PAYMENTS, closed, assumable=False)
        assert closed in org.look(connection).account_errors[PAYMENTS]
        org.world.add_role(PAYMENTS, closed)
        assert org.look(connection).account_errors[PAYMENTS] == ""


class TestSlowAnswers:
    def test_an_account_that_hangs_keeps_no_other_waiting(self, org: "Lab") -> None:
        org.faults.hang(operation="DescribeRegions", account_id=PAYMENTS)
        connection = org.connect(watching(organization=organization(), read_timeout=20))

        async def first_of_several() -> Watch:
            looking = connection.discovery.look()
            watch = await anext(looking)
            while accounts(watch) != {HOME, ANALYTICS}:
                watch = await anext(looking)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert others, "the look goes on"
            await looking.aclose()
            await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), timeout=5)
            return watch

        watch = org.run(first_of_several())
        assert PAYMENTS not in watch.account_errors, "nothing is said of it yet"

    def test_while_the_home_account_is_asked_for_again_no_account_leaves(self, org: "Lab") -> None:
        connection = org.connect(watching(organization=organization(), read_timeout=20))
        denied = org.faults.deny(operation="GetCallerIdentity")
        assert accounts(org.look(connection)) == {PAYMENTS, ANALYTICS}
        org.faults.remove(denied)
        org.faults.latency(2.5, operation="GetCallerIdentity")

        async def every_watch() -> list[Watch]:
            return [watch async for watch in connection.discovery.look()]

        watched = [accounts(watch) for watch in org.run(every_watch())]
        assert len(watched) > 1, "some are told before it has answered"
        assert all(found >= {PAYMENTS, ANALYTICS} for found in watched)
        assert watched[-1] == {HOME, PAYMENTS, ANALYTICS}

    def test_one_that_hung_is_down_in_the_end(self, org: "Lab") -> None:
        org.faults.hang(operation="DescribeRegions", account_id=PAYMENTS)
        watch = org.look(org.connect(watching(organization=organization(), read_timeout=0.3)))
        assert accounts(watch) == {HOME, ANALYTICS}
        assert "timeout" in watch.account_errors[PAYMENTS]


class TestMemory:
    def test_regions_that_are_named_no_more_are_watched_until_all_are_known(self, org: "Lab") -> None:
        memory = Memory()
        named = org.look(org.connect(watching(organization=organization(), regions=[IRELAND]), memory))
        denial = org.faults.deny(operation="DescribeRegions")
        connection = org.connect(watching(organization=organization()), memory)
        watch = org.look(connection)
        assert places(watch) == places(named)
        assert all(watch.account_errors.values())
        org.faults.remove(denial)
        assert places(org.look(connection)) == EVERYTHING

    def test_what_was_known_outlives_a_new_connection_while_aws_is_away(self, org: "Lab") -> None:
        memory = Memory()
        org.look(org.connect(watching(organization=organization()), memory))
        org.emulator.stop()
        watch = org.look(org.connect(watching(organization=organization()), memory))
        assert places(watch) == EVERYTHING
        assert watch.organization_error
        assert all(watch.account_errors.values())

    def test_other_settings_choose_anew_from_what_is_known(self, org: "Lab") -> None:
        memory = Memory()
        org.look(org.connect(watching(organization=organization()), memory))
        org.emulator.stop()
        watch = org.look(org.connect(watching(organization=organization(exclude=[PAYMENTS])), memory))
        assert accounts(watch) == {HOME, ANALYTICS}
        watch = org.look(org.connect(watching(regions=[OREGON]), memory))
        assert places(watch) == {(HOME, OREGON)}
        assert watch.organization_error is None

    def test_a_session_that_ended_is_renewed_by_looking_again(self, org: "Lab") -> None:
        connection = org.connect(watching(organization=organization()))
        org.look(connection)
        org.world.agenda.advance(2 * HOUR)
        org.monotonic.advance(2 * HOUR)
        watch = org.look(connection)
        assert places(watch) == EVERYTHING
        assert not any(watch.account_errors.values())
        assert org.world.counts.total("AssumeRole") == 4


class TestWhereAccountsAreAskedFor:
    """The region of STS, EC2 and Organizations."""

    @pytest.fixture
    def bare(self, lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> "Lab":
        """A process whose environment names no region."""
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        return lab

    def asked_in(self, lab: "Lab", **aws: Any) -> str:
        return lab.connect(watching(**aws)).discovery._home.target.region

    def test_it_is_that_of_the_environment(self, lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.asked_in(lab, regions=[OREGON]) == IRELAND
        monkeypatch.setenv("AWS_REGION", VIRGINIA)
        assert self.asked_in(lab, regions=[OREGON]) == VIRGINIA

    def test_else_the_first_that_the_settings_name(self, bare: "Lab") -> None:
        assert self.asked_in(bare, regions=[OREGON, VIRGINIA]) == OREGON
        assert self.asked_in(bare, accounts=[role(PAYMENTS, regions=[VIRGINIA])]) == VIRGINIA

    def test_else_that_of_the_partition_of_the_first_role(self, bare: "Lab") -> None:
        assert self.asked_in(bare) == VIRGINIA
        chinese = {"role_arn": f"arn:aws-cn:iam::{PAYMENTS}:role/KmsExporter"}
        assert self.asked_in(bare, accounts=[chinese]) == "cn-north-1"

    def test_so_it_is_with_a_profile_that_does_not_exist(self, bare: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nowhere")
        assert self.asked_in(bare) == VIRGINIA

    def test_requests_go_there(self, lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", OREGON)
        lab.world.home.regions.add(OREGON)
        lab.discover()
        assert {kind.region for kind in lab.world.counts.requests} == {OREGON}

    def test_a_region_newer_than_botocore_will_do(self, lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "moon-base-1")
        connection = lab.connect(watching())
        assert connection.discovery._home.target == Target(UNKNOWN_HOME, "moon-base-1")
        assert connection.discovery._partition == "aws"
