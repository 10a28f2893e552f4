"""Parameters of the page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.parameters import ParameterError
from exporter.web.status.query import PageQuery


def test_without_parameters_the_most_urgent_keys_of_all_are_wanted() -> None:
    assert PageQuery.parse("") == PageQuery(sort="deletion", order="asc", page=1, targets_page=1, refresh="on")
    assert not PageQuery.parse("").filtered


def test_fields_that_a_form_sends_empty_are_not_given() -> None:
    assert PageQuery.parse("q=&account=&region=&acknowledged=&needed=") == PageQuery()


def test_parameters_are_decoded_and_stripped() -> None:
    assert PageQuery.parse("q=+alias%2Fa+").q == "alias/a"


@pytest.mark.parametrize("query", ["q=a", "account=1", "region=r", "acknowledged=yes", "needed=no"])
def test_whatever_leaves_keys_out_is_a_filter(query: str) -> None:
    assert PageQuery.parse(query).filtered


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=0", "page='0' is no whole number from 1 to 9999"),
        ("targets_page=x", "targets_page='x' is no whole number from 1 to 9999"),
        (
            "sort=age",
            "sort='age' is not accepted; accepted are deletion, scheduled, last_used, account, region and alias",
        ),
        ("order=up", "order='up' is not accepted; accepted are asc and desc"),
        ("acknowledged=maybe", "acknowledged='maybe' is not accepted; accepted are yes and no"),
        ("needed=1", "needed='1' is not accepted; accepted are yes and no"),
        ("refresh=5", "refresh='5' is not accepted; accepted are on and off"),
        ("page=1&page=2", "page is given more than once"),
        (f"q={'x' * 501}", "q is longer than 500 characters"),
        (
            "x=1",
            (
                "unknown parameter 'x'; accepted are q, account, region, acknowledged, needed, sort, order, page, "
                "targets_page and refresh"
            ),
        ),
    ],
)
def test_a_bad_parameter_is_told_in_one_line(query: str, message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        PageQuery.parse(query)
    assert str(raised.value) == message


@given(st.text())
def test_any_query_is_read_or_refused(query: str) -> None:
    try:
        PageQuery.parse(query)
    except ParameterError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - most queries are refused, some are not


@given(
    st.builds(
        PageQuery,
        q=st.text(st.characters(exclude_categories=["Cs"]), max_size=9).map(str.strip),
        acknowledged=st.sampled_from(["", "yes", "no"]),
        sort=st.sampled_from(["deletion", "alias"]),
        order=st.sampled_from(["asc", "desc"]),
        page=st.integers(1, 9999),
        refresh=st.sampled_from(["on", "off"]),
    )
)
def test_a_link_leads_to_the_same_page(query: PageQuery) -> None:
    assert PageQuery.parse(query.link().removeprefix("/").removeprefix("?")) == query


def test_a_link_changes_what_it_is_about_and_keeps_the_rest() -> None:
    query = PageQuery(q="a b", page=3, refresh="off")
    assert query.link(page=4) == "/?q=a+b&page=4&refresh=off"
    assert query.link(q="", page=1, refresh="on") == "/"


def test_a_heading_sorts_by_its_column_and_then_turns_round() -> None:
    assert PageQuery(page=7).sorted_by("alias") == "/?sort=alias"
    assert PageQuery(sort="alias").sorted_by("alias") == "/?sort=alias&order=desc"
    assert PageQuery(sort="alias", order="desc").sorted_by("alias") == "/?sort=alias"


def test_a_heading_tells_how_it_is_sorted() -> None:
    query = PageQuery(sort="region", order="desc")
    assert query.direction("account", "region") == "descending"
    assert query.direction("alias") == "none"
    assert PageQuery().direction("deletion") == "ascending"
