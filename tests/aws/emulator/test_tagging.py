"""The Resource Groups Tagging API, as far as keys go."""

import pytest


@pytest.fixture
def vault(world):
    return world.vault(world.home.account_id, "eu-west-1")


@pytest.fixture
def tagging(aws):
    return aws.client("resourcegroupstaggingapi")


def pages(tagging, **params):
    return [page["ResourceTagMappingList"] for page in tagging.get_paginator("get_resources").paginate(**params)]


def test_tagged_keys_come_with_all_their_tags(tagging, vault):
    key = vault.create_key(tags={"owner": "payments", "env": "prod"})

    ((mapping,),) = pages(tagging, ResourceTypeFilters=["kms:key"])

    assert mapping == {
        "ResourceARN": key.arn,
        "Tags": [{"Key": "env", "Value": "prod"}, {"Key": "owner", "Value": "payments"}],
    }


def test_a_key_that_never_had_a_tag_is_absent_but_one_that_had_is_there(tagging, vault):
    vault.create_key()
    once = vault.create_key(tags={})

    assert pages(tagging) == [[{"ResourceARN": once.arn, "Tags": []}]]


@pytest.mark.parametrize(("there", "sizes"), [(100, [100]), (101, [100, 1])])
def test_resources_come_a_hundred_a_page(tagging, vault, there, sizes):
    for _ in range(there):
        vault.create_key(tags={"a": "b"})

    found = pages(tagging, ResourcesPerPage=100)

    assert [len(page) for page in found] == sizes
    assert len({mapping["ResourceARN"] for page in found for mapping in page}) == there


def test_a_page_may_be_empty_though_more_follow(tagging, world, vault):
    vault.create_key(tags={"a": "b"})
    world.rules.empty_pages.add("GetResources")

    assert [len(page) for page in pages(tagging)] == [0, 1]


def test_keys_can_be_asked_for_by_arn(tagging, vault):
    tagged, untagged = vault.create_key(tags={"a": "b"}), vault.create_key()
    vault.create_key(tags={"c": "d"})

    found = tagging.get_resources(ResourceARNList=[tagged.arn, untagged.arn, f"{untagged.arn}0"])

    assert [each["ResourceARN"] for each in found["ResourceTagMappingList"]] == [tagged.arn]


def test_resources_can_be_filtered_by_tag(tagging, vault):
    wanted = vault.create_key(tags={"env": "prod", "owner": "a"})
    vault.create_key(tags={"env": "test", "owner": "a"})
    vault.create_key(tags={"env": "prod"})

    filters = [{"Key": "env", "Values": ["prod", "live"]}, {"Key": "owner"}]

    assert [[each["ResourceARN"] for each in page] for page in pages(tagging, TagFilters=filters)] == [[wanted.arn]]


def test_resources_of_other_types_are_none(tagging, vault):
    vault.create_key(tags={"a": "b"})

    assert pages(tagging, ResourceTypeFilters=["ec2:instance"]) == [[]]


def test_arns_that_are_too_many_or_combined_with_filters_are_refused(aws, tagging, vault):
    arn = vault.create_key(tags={}).arn

    call = tagging.get_resources
    assert aws.code(call, ResourceARNList=[arn], ResourceTypeFilters=["kms"]) == "InvalidParameterException"
    assert aws.code(call, ResourceARNList=[arn] * 101) == "InvalidParameterException"
    assert aws.code(call, ResourceARNList=[arn], ResourcesPerPage=10) == "InvalidParameterException"


def test_pages_and_tokens_out_of_bounds_are_refused(aws, tagging):
    assert aws.code(tagging.get_resources, ResourcesPerPage=101) == "InvalidParameterException"
    assert aws.code(tagging.get_resources, PaginationToken="nowhere") == "PaginationTokenExpiredException"
