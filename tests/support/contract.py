"""Holds answers of the JSON interface to the document that describes it."""

from datetime import datetime

from jsonschema import Draft202012Validator, FormatChecker


def holds_to(document: dict, answer: dict) -> None:
    """Check a page of keys against the schema that an OpenAPI document has of it.

    Raises:
        jsonschema.ValidationError: a member is missing, of another type, or not described.
    """
    schema = {"$ref": "#/components/schemas/Page", "components": document["components"]}
    checker = FormatChecker(formats=())
    checker.checks("date-time", raises=ValueError)(_is_utc)
    Draft202012Validator(schema, format_checker=checker).validate(answer)


def _is_utc(value: object) -> bool:
    return not isinstance(value, str) or (value.endswith("Z") and datetime.fromisoformat(value) is not None)
