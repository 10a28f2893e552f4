"""An error about a role, and the traceback of it, tell neither what was sent nor what was handed out."""

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws.identities import RoleIdentity
from exporter.demo.errors import AwsError
from exporter.demo.principals import HOME_SECRET_KEY
from exporter.demo.world import World
from exporter.errors import TargetError
from tests.aws.harness import REGION

if TYPE_CHECKING:
    from tests.aws.harness import Lab, OpenLab

MEMBER = "222233334444"
EXTERNAL_ID = "tell-nobody-42"


@pytest.fixture
def lab(open_lab: "OpenLab") -> "Lab":
    world = World(home_regions=[REGION])
    world.add_account(MEMBER, "payments", [REGION])
    world.add_role(MEMBER, "KmsExporter", external_id=EXTERNAL_ID)
    return open_lab(world)


def refused(lab: "Lab", change: Callable[[Any], Any]) -> tuple[str, list[str]]:
    """Assume the role while AWS answers with what `change` makes of it; return the traceback, and what is secret."""
    secrets = [EXTERNAL_ID, HOME_SECRET_KEY]

    def told(answer: Any) -> Any:
        secrets.extend(answer["Credentials"][name] for name in ("SecretAccessKey", "SessionToken"))
        return change(answer)

    lab.faults.change(told, operation="AssumeRole")
    role = RoleIdentity(
        calls=lab.calls(),
        home=lab.home(),
        role_arn=f"arn:aws:iam::{MEMBER}:role/KmsExporter",
        external_id=EXTERNAL_ID,
        now=lab.world.agenda.time,
    )
    with pytest.raises(TargetError) as raised:
        lab.run(role.credentials())
    return "".join(traceback.format_exception(raised.value)), secrets


def broken(answer: Any) -> Any:
    return {**answer, "no element": ""}


def timeless(answer: Any) -> Any:
    session = answer["Credentials"]
    return {**answer, "Credentials": {**session, "Expiration": session["SecretAccessKey"]}}


def tokenless(answer: Any) -> Any:
    return {**answer, "Credentials": {"SecretAccessKey": answer["Credentials"]["SecretAccessKey"]}}


@pytest.mark.parametrize("change", [broken, timeless, tokenless])
def test_an_answer_that_can_not_be_read_is_not_quoted(lab: "Lab", change: Callable[[Any], Any]) -> None:
    text, secrets = refused(lab, change)
    assert "invalid_response: the answer can't be read" in text
    assert [secret for secret in secrets if secret in text] == []


def test_a_refusal_that_repeats_the_external_id_is_told_without_it(lab: "Lab") -> None:
    def refuse(_: Any) -> Any:
        raise AwsError("ValidationError", f"Value '{EXTERNAL_ID}' at 'externalId' failed to satisfy constraint")

    text, secrets = refused(lab, refuse)
    assert "Value '[hidden]' at 'externalId' failed" in text
    assert [secret for secret in secrets if secret in text] == []
