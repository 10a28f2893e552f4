"""The OpenAPI document of the JSON interface: it declares each schema once, and the tests hold every answer to it.

https://spec.openapis.org/oas/v3.1.1.html
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import exporter
from exporter.model import Source, TransitionKind, UsageCase
from exporter.web.api.paging import MAX_LIMIT
from exporter.web.api.records import MAX_UNREADABLE
from exporter.web.parameters import MAX_LENGTH

PATH: Final = "/api/v1/openapi.json"

Schema = Mapping[str, object]

_FIRST_PAGE: Final = ("organization_up", "accounts", "targets", "transitions", "acknowledgements_unmatched")
_SOURCES: Final = {
    Source.SCHEDULED_BY: "CloudTrail, for who scheduled a deletion",
    Source.DENIED_USES: "CloudTrail, for uses that were denied",
    Source.LAST_USAGE: "KMS, for the last use",
    Source.GRANTS: "KMS, for the grants",
    Source.ACKNOWLEDGEMENT_TAG: "the Tagging API, for the tag that declares a deletion intended",
}


def document() -> Mapping[str, object]:
    """Return the whole document."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "kms-exporter",
            "version": exporter.__version__,
            "summary": "KMS keys of every account and region that is watched, and what is behind their deletions.",
            "description": "Answers come from memory: no request is passed on to AWS. Dates are RFC 3339 in UTC; what "
            "is not known is null. Members may be added; none is renamed or dropped within v1.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {"/api/v1/keys": {"get": _keys_operation()}, PATH: {"get": _document_operation()}},
        "components": {"schemas": _schemas()},
    }


def encoded() -> bytes:
    """Return the document as it is served."""
    return f"{json.dumps(document(), indent=1)}\n".encode()


def _keys_operation() -> Schema:
    return {
        "operationId": "listKeys",
        "summary": "Keys, in pages",
        "description": "Sorted by account, region and key id: one that is created or deleted between two pages moves "
        "no other to another page.",
        "parameters": [
            _parameter(
                "limit",
                "Keys on the page, at most.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
            ),
            _parameter(
                "after",
                "`next` of the page before; without it the answer is the first page.",
                {"type": "string", "pattern": "^[^/]+/[^/]+/[^/]+$", "maxLength": MAX_LENGTH},
            ),
            _parameter(
                "pending",
                "Whether to leave out keys that are not pending deletion.",
                {"type": "boolean", "default": False},
            ),
        ],
        "responses": {
            "200": _answer("A page.", "application/json", _ref("Page")),
            "400": _answer("A parameter can't be used; one line tells which, and why.", "text/plain", _text("")),
        },
    }


def _document_operation() -> Schema:
    return {
        "operationId": "describe",
        "summary": "This document",
        "responses": {"200": _answer("An OpenAPI document.", "application/json", {"type": "object"})},
    }


def _schemas() -> Mapping[str, Schema]:
    return {
        "Page": _object(
            "A page of keys. What is about all of them stands on the first page only.",
            {
                "taken_at": _date("When this was published."),
                "organization_up": _or_null(
                    _flag("Whether the organization's accounts could be listed; null where it is not asked.")
                ),
                "accounts": _array(_ref("Account")),
                "targets": _array(_ref("Target")),
                "transitions": _array(_ref("Transition"), "The latest changes, newest first."),
                "acknowledgements_unmatched": _array(
                    _ref("Rule"),
                    "Acknowledgements of the configuration that are about no key of this process, though all that they "
                    "may be about was read.",
                ),
                "keys": _array(_ref("Key")),
                "next": _or_null(_text("What to pass as `after` for the next page; null on the last one.")),
            },
            optional=_FIRST_PAGE,
        ),
        "Account": _object(
            "An account that is watched.",
            {
                "account_id": _text("The account's id; `home` while that of the exporter's own account is not known."),
                "up": _flag("Whether its role could be assumed and its regions listed."),
                "error": _text('What stands in the way; "" while it is up.'),
            },
        ),
        "Target": _target(),
        "Unreadable": _object(
            "A key that is listed, or that an event named, but could not be described.",
            {
                "key_id": _text("Its id."),
                "reason": _text("An AWS error code, `timeout`, `connection` or `invalid_response`."),
                "since": _date("When that was first found."),
            },
        ),
        "Sources": _object(
            'Where evidence comes from: "" for a source that answered, what stood in the way, or null for one that was '
            "not asked.",
            {source.value: _or_null(_text(what)) for source, what in _SOURCES.items()},
        ),
        "Transition": _object(
            "A change found between two looks at a key.",
            {
                "kind": _word("What happened.", TransitionKind),
                "at": _date("When it was found."),
                "account_id": _text("The key's account."),
                "region": _text("The key's region."),
                "key_id": _text("The key's id."),
                "alias": _text('The first of its aliases; "" without one.'),
                "before": _text('The state before; "" for a new key.'),
                "state": _text("The state now; the last one of a key that is gone."),
            },
        ),
        "Rule": _object(
            "What an acknowledgement of the configuration is about.",
            {
                "key": _text("The pattern as it was written."),
                "account_id": _text('Only keys of this account; "" for any.'),
                "region": _text('Only keys of this region; "" for any.'),
            },
        ),
        "Key": _key(),
        "Acknowledgement": _object(
            "A declaration that a deletion is intended.",
            {
                "reason": _text("Why."),
                "approved_by": _text('Who says so; "" where nobody is named.'),
                "ticket": _text('Where it was decided; "" without one.'),
                "until": _or_null(_date("When it ceases to count; null without an end.")),
                "source": _text("Where it was declared: `configuration`, or `tag NAME`."),
                "expired": _flag("Whether that end has passed: it counts as none."),
            },
        ),
    }


def _target() -> Schema:
    return _object(
        "One account in one region: what is read, fails and recovers as a whole.",
        {
            "account_id": _text("The account."),
            "account_name": _text('Its name; "" where it is not known.'),
            "region": _text("The region."),
            "up": _or_null(_flag("Whether it could be read the last time; null before the first.")),
            "last_success": _or_null(_date("When it was last read.")),
            "last_full": _or_null(_date("When every one of its keys was last asked for.")),
            "keys": _or_null(_count("Its keys that are known; null where none is.")),
            "unreadable": _count("Keys that are listed, or that an event named, but could not be described."),
            "unreadable_keys": {**_array(_ref("Unreadable"), "Some of them."), "maxItems": MAX_UNREADABLE},
            "last_error": _text('Why the last reading failed; "" where it did not.'),
            "sources": _ref("Sources"),
        },
    )


def _key() -> Schema:
    return _object(
        "A key, what is known of its deletion, and what it is still needed for.",
        {
            "account_id": _text("The account."),
            "account_name": _text('Its name; "" where it is not known.'),
            "region": _text("The region."),
            "key_id": _text("The key's id, which multi-Region keys share."),
            "arn": _text("The key's ARN."),
            "aliases": _array(_text("With the prefix `alias/`."), "Sorted."),
            "description": _text("The key's description."),
            "state": _text("`KeyState` as AWS tells it; more may come."),
            "key_manager": _text("`CUSTOMER` or `AWS`."),
            "key_spec": _text("`KeySpec`."),
            "key_usage": _text("`KeyUsage`."),
            "origin": _text("`Origin`."),
            "multi_region": _word("Its part in a multi-Region key.", ("", "primary", "replica")),
            "tags": {
                "type": "object",
                "description": "The tags that are exported.",
                "additionalProperties": {"type": "string"},
            },
            "created": _or_null(_date("When it was created.")),
            "pending": _flag("Whether it is on its way to deletion."),
            "deletion_date": _or_null(_date("When AWS deletes it, or up to a day later; null while that is open.")),
            "days_left": _or_null(_number("Days until then, at the moment of the answer; negative while AWS is late.")),
            "deletion_window_days": _or_null(_number("Days that it still has once its last replica is gone.")),
            "material_expires": _or_null(_date("When imported key material expires.")),
            "scheduled_at": _or_null(_date("When its deletion was scheduled.")),
            "scheduled_by": _or_null(_text("Who did; null where nobody knows, or principals are hidden.")),
            "scheduled_event_id": _or_null(_text("The CloudTrail event that tells.")),
            "usage": _or_null(
                _word("What AWS's record of uses proves; `unknown` where it is younger than the key.", UsageCase)
            ),
            "last_used": _or_null(_date("The last successful use on record.")),
            "last_used_operation": _or_null(_text("What was done.")),
            "usage_tracked_since": _or_null(_date("Where that record begins.")),
            "grants": _or_null(_count("Grants on the key.")),
            "grantees": _or_null(_array(_text("A principal."), "Who was granted its use.")),
            "denied_uses": _or_null(_count("Uses that failed since it was scheduled: at least so many.")),
            "denied_last_at": _or_null(_date("When the last one was.")),
            "denied_last_by": _or_null(_text("Whose it was.")),
            "acknowledged": _or_null(
                _flag("Whether the deletion is declared intended, and that has not expired; null unless it is pending.")
            ),
            "acknowledgement": _or_null(_ref("Acknowledgement")),
            "needed": _or_null(
                _flag(
                    "Whether it was used shortly before it was scheduled, or somebody tried since; null unless it is "
                    "pending."
                )
            ),
            "console_url": _text("The key in the AWS console."),
        },
    )


def _object(description: str, properties: Mapping[str, Schema], optional: Collection[str] = ()) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _array(items: Schema, description: str = "") -> Schema:
    return {"type": "array", **_described(description), "items": items}


def _text(description: str) -> Schema:
    return {"type": "string", **_described(description)}


def _word(description: str, words: Iterable[str]) -> Schema:
    return {"type": "string", "description": description, "enum": [str(word) for word in words]}


def _date(description: str) -> Schema:
    return {"type": "string", "format": "date-time", "description": description}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _number(description: str) -> Schema:
    return {"type": "number", "description": description}


def _count(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": description}


def _or_null(schema: Schema) -> Schema:
    """Let null stand for what is not known."""
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    allowed: dict[str, object] = {**schema, "type": [schema["type"], "null"]}
    if isinstance(words := schema.get("enum"), list):
        allowed["enum"] = [*words, None]
    return allowed


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _described(description: str) -> Schema:
    return {"description": description} if description else {}


def _parameter(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _answer(description: str, media_type: str, schema: Schema) -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}
