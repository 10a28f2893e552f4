"""The document that describes the JSON interface, and the answers that it is held against."""

import json
from collections.abc import Iterator

import pytest
from jsonschema import ValidationError
from openapi_spec_validator import validate

from exporter.acknowledgements import Acknowledgement, Acknowledgements
from exporter.model import (
    Deletion,
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Scheduling,
    Snapshot,
    Source,
    Target,
    TargetState,
    Transition,
    TransitionKind,
    Unreadable,
    Usage,
    UsageCase,
)
from exporter.web.api import openapi
from exporter.web.api.paging import keys_page, parse_query
from tests.support.contract import holds_to
from tests.support.declaring import rule
from tests.support.snapshots import DAY, HOSTILE, IRELAND, LONDON, NOW, OTHER, key, pending, state

DOCUMENT = json.loads(openapi.encoded())

USED = Usage(UsageCase.USED, NOW - 99 * DAY, NOW - DAY, "Decrypt", "e")
FULL_EVIDENCE = Evidence(
    Scheduling(NOW, "alice", "arn:x", "e", 7 * DAY), True, USED, Grants(2, ("a", "b")), DeniedUses(3, NOW, "i", "Sign")
)


def hostile(text: str) -> Snapshot:
    named = Key(
        text, f"arn:aws:kms:x:y:{text}", text, text, text, text, text, text, "primary", (text,), ((text, text),)
    )
    dying = pending("p", 1, aliases=(text,), description=text)
    evidence = Evidence(Scheduling(NOW, text, text, text), usage=Usage(UsageCase.USED, None, NOW, text, text))
    return Snapshot(
        NOW,
        1,
        (
            state(
                Target(text, text),
                named,
                dying,
                evidence={"p": evidence},
                account_name=text,
                unreadable={text: Unreadable(text, NOW)},
                last_error=text,
                sources=dict.fromkeys(Source, text),
            ),
        ),
        {text: False},
        {text: text},
        (Transition(TransitionKind.STATE_CHANGED, Target(text, text), named, text, NOW),),
    )


SNAPSHOTS = {
    "empty": Snapshot(),
    "nothing read yet": Snapshot(NOW, 1, (TargetState(IRELAND),), {"111122223333": True}, organization=True),
    "failing": Snapshot(
        NOW,
        1,
        (TargetState(IRELAND, up=False, last_error="ListKeys: timeout", unreadable={"k": Unreadable("x", NOW)}),),
        {"444455556666": False},
        {"444455556666": "AssumeRole: AccessDenied"},
        organization=False,
    ),
    "every fact": Snapshot(
        NOW,
        1,
        (
            state(
                IRELAND,
                pending("a", 1.25, created_at=NOW - DAY, material_expires_at=NOW, tags=(("owner", "x"),)),
                pending("b", -0.5),
                Key(
                    "c", "arn:c", "PendingReplicaDeletion", multi_region="primary", deletion=Deletion(window=7.5 * DAY)
                ),
                key("d"),
                evidence={
                    "a": FULL_EVIDENCE,
                    "b": Evidence(usage=Usage(UsageCase.UNKNOWN, NOW), grants=Grants(0), denied_uses=DeniedUses(0)),
                    "d": Evidence(usage=Usage(UsageCase.NEVER)),
                },
                last_success=NOW,
                last_full=NOW - 1,
                sources=dict.fromkeys(Source, ""),
            ),
            state(OTHER),
        ),
        {"111122223333": True, "444455556666": True},
        {},
        tuple(Transition(kind, LONDON, key("x"), "", NOW) for kind in TransitionKind),
    ),
    **{f"hostile {number}": hostile(text) for number, text in enumerate(HOSTILE)},
}

DECLARED = Acknowledgements(
    [rule("a", Acknowledgement("retired", "carol", "CHG-1", NOW + DAY)), rule("b", Acknowledgement("r", until=NOW))]
)


def answer(snapshot: Snapshot, query: str = "") -> dict:
    page = keys_page(
        snapshot, parse_query(query), acknowledgements=DECLARED, unmatched=[rule("alias/typo", region="x")], now=NOW
    )
    return json.loads(page)


def pages(snapshot: Snapshot) -> Iterator[dict]:
    page = answer(snapshot, "limit=1")
    yield page
    while page["next"]:
        page = answer(snapshot, f"limit=1&after={page['next']}")
        yield page


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_nothing_may_stand_in_an_answer_that_is_not_described() -> None:
    objects = [schema for schema in DOCUMENT["components"]["schemas"].values() if schema["type"] == "object"]
    assert objects
    assert all(schema["additionalProperties"] is False for schema in objects)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_answer_is_as_described(name: str) -> None:
    holds_to(DOCUMENT, answer(SNAPSHOTS[name]))


def test_later_pages_are_as_described_too() -> None:
    for page in pages(SNAPSHOTS["every fact"]):
        holds_to(DOCUMENT, page)


def test_every_described_member_occurs() -> None:
    told = answer(SNAPSHOTS["every fact"])
    for name, record in {"Page": told, "Key": told["keys"][0], "Target": told["targets"][0]}.items():
        assert set(DOCUMENT["components"]["schemas"][name]["properties"]) == set(record)


@pytest.mark.parametrize(
    ("member", "value"), [("undescribed", 1), ("days_left", "2"), ("usage", "often"), ("created", "yesterday")]
)
def test_an_answer_that_is_not_as_described_is_found(member: str, value: object) -> None:
    told = answer(SNAPSHOTS["every fact"])
    told["keys"][0][member] = value
    with pytest.raises(ValidationError):
        holds_to(DOCUMENT, told)


def test_parameters_are_those_that_are_accepted() -> None:
    described = DOCUMENT["paths"]["/api/v1/keys"]["get"]["parameters"]
    parse_query(
        "&".join(
            f"{parameter['name']}={value}" for parameter, value in zip(described, ("1", "a/b/c", "true"), strict=True)
        )
    )
