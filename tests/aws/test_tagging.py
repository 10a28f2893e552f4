"""Tags through the Resource Groups Tagging API."""

from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws import tagging
from exporter.demo.faults import merging
from exporter.errors import TargetError

if TYPE_CHECKING:
    from tests.aws.harness import Lab

HOME = "111122223333"
REGION = "eu-west-1"


def all_tags(lab: "Lab", *wanted: str) -> tagging.Tags:
    return lab.run(tagging.all_tags(lab.calls(), lab.home(), wanted, deadline=lab.deadline()))


def tags_of(lab: "Lab", arns: list[str], *wanted: str) -> tagging.Tags:
    return lab.run(tagging.tags_of(lab.calls(), lab.home(), arns, wanted, deadline=lab.deadline()))


def test_only_wanted_tags_are_read_and_they_are_sorted(lab: "Lab") -> None:
    key = lab.world.vault(HOME, REGION).create_key(tags={"team": "core", "owner": "me", "cost": "1"})
    assert all_tags(lab, "team", "owner", "absent") == {key.arn: (("owner", "me"), ("team", "core"))}


def test_a_tag_may_be_empty(lab: "Lab") -> None:
    key = lab.world.vault(HOME, REGION).create_key(tags={"team": ""})
    assert all_tags(lab, "team") == {key.arn: (("team", ""),)}


def test_a_key_that_was_never_tagged_is_absent(lab: "Lab") -> None:
    lab.world.vault(HOME, REGION).create_key()
    assert all_tags(lab, "team") == {}


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (100, 1), (101, 2)])
def test_every_key_is_read_whatever_the_pages(lab: "Lab", count: int, requests: int) -> None:
    vault = lab.world.vault(HOME, REGION)
    arns = {vault.create_key(tags={"team": "core"}).arn for _ in range(count)}
    assert all_tags(lab, "team").keys() == arns
    assert lab.world.counts.total("GetResources") == requests


def test_an_empty_page_ends_nothing(lab: "Lab") -> None:
    lab.world.rules.empty_pages.add("GetResources")
    key = lab.world.vault(HOME, REGION).create_key(tags={"team": "core"})
    assert all_tags(lab, "team") == {key.arn: (("team", "core"),)}


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (100, 1), (101, 2)])
def test_those_of_a_few_keys_cost_a_request_for_each_hundred(lab: "Lab", count: int, requests: int) -> None:
    vault = lab.world.vault(HOME, REGION)
    vault.create_key(tags={"team": "not asked for"})
    arns = [vault.create_key(tags={"team": "core"}).arn for _ in range(count)]
    assert tags_of(lab, arns, "team") == dict.fromkeys(arns, (("team", "core"),))
    assert lab.world.counts.total("GetResources") == requests


def test_a_page_that_leads_to_itself_is_no_list(lab: "Lab") -> None:
    lab.world.rules.empty_pages.add("GetResources")
    tokens: list[str] = []

    def back_to_the_second(answer: Any) -> Any:
        tokens.append(answer["PaginationToken"])
        return {**answer, "PaginationToken": tokens[0]}

    lab.faults.change(back_to_the_second, operation="GetResources")
    with pytest.raises(TargetError, match="same page"):
        all_tags(lab, "team")


@pytest.mark.parametrize(
    "patch",
    [
        {"ResourceTagMappingList": None},
        {"ResourceTagMappingList": [{"Tags": []}]},
        {"ResourceTagMappingList": [{"ResourceARN": "arn", "Tags": [{"Value": "core"}]}]},
        {"ResourceTagMappingList": [{"ResourceARN": ["arn"], "Tags": []}]},
    ],
    ids=str,
)
def test_a_broken_answer_is_told_as_such(lab: "Lab", patch: dict[str, Any]) -> None:
    lab.faults.change(merging(patch), operation="GetResources")
    with pytest.raises(TargetError) as raised:
        all_tags(lab, "team")
    assert (raised.value.operation, raised.value.reason) == ("GetResources", "invalid_response")


def test_a_denial_is_told(lab: "Lab") -> None:
    lab.faults.deny(operation="GetResources")
    with pytest.raises(TargetError) as raised:
        tags_of(lab, ["arn:aws:kms:eu-west-1:111122223333:key/a"], "team")
    assert raised.value.reason == "AccessDeniedException"
