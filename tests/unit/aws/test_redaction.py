"""What is told of a refusal holds no secret that the refusal repeats."""

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from exporter.aws.failures import understand
from exporter.aws.redaction import HIDDEN, hide

SECRET = 'wJalr/UtnFEMI+K7MDENG=bPx&"'


@pytest.mark.parametrize(
    "written",
    [
        str,
        quote,
        lambda secret: quote(secret, safe=""),
        quote_plus,
        lambda secret: json.dumps(secret)[1:-1],
        lambda secret: json.dumps(secret)[1:-1].replace("/", r"\/"),
        html.escape,
    ],
)
def test_a_secret_is_hidden_however_it_is_written(written: Callable[[str], str]) -> None:
    assert hide(f"token={written(SECRET)};", [None, "", SECRET]) == f"token={HIDDEN};"


def test_what_is_no_secret_stays() -> None:
    text = "User: arn:aws:iam::111122223333:user/a is not authorized to perform: kms:ListKeys"
    assert hide(text, [SECRET]) == text


def test_what_is_too_short_to_be_told_from_chance_stays() -> None:
    assert hide("no such alias", ["as"]) == "no such alias"


def test_a_signature_is_hidden() -> None:
    assert hide(f"SignedHeaders=host, Signature={'0a' * 32}", []) == f"SignedHeaders=host, Signature={HIDDEN}"


def test_code_and_message_of_a_refusal_are_told_without_the_secrets_of_its_request() -> None:
    error = {"Error": {"Code": f"No-{SECRET}", "Message": f"{SECRET} is wrong"}}
    failure = understand(ClientError(error, "ListKeys")).without([SECRET])  # type: ignore[arg-type]  # in part only
    assert (failure.reason, failure.detail) == (f"No-{HIDDEN}", f"{HIDDEN} is wrong")


def test_an_answer_that_can_not_be_parsed_is_not_quoted() -> None:
    error = ResponseParserError(f"Unable to parse response (line 1), invalid XML received. Try again:\n<a>{SECRET}\n")
    assert understand(error).detail == "Unable to parse response (line 1), invalid XML received. Try again:"
