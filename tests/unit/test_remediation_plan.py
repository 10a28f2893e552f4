"""What a key needs, decided from its state and from what is on record."""

import pytest

from exporter.aws.caller import Caller
from exporter.aws.calls import Access
from exporter.facts import Facts
from exporter.model import Deletion, Key, Target
from exporter.remediation.doors import RoleToAssume, roles_of, with_role
from exporter.remediation.plan import Action, Plan, Relative, Step, decide, in_order
from exporter.settings import Settings

HERE = Target("111122223333", "eu-west-1")


def key(state: str, key_id: str = "abc", at: float | None = None) -> Key:
    return Key(key_id, f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}", state, deletion=Deletion(at=at))


def step(of: Key, action: Action = Action.SAVE, *relatives: Relative) -> Step:
    return Step(Access(HERE, None), "", Facts(HERE, of, 0.0), action, relatives)  # type: ignore[arg-type]  # not asked


@pytest.mark.parametrize("state", ["PendingDeletion", "PendingReplicaDeletion"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_pending_key_is_cancelled_whatever_is_on_record(state: str, ours: bool) -> None:
    assert decide(key(state), enable=True, ours=ours) is Action.SAVE
    assert decide(key(state), enable=False, ours=ours) is Action.CANCEL


@pytest.mark.parametrize("state", ["Disabled", "Unavailable", "PendingImport"])
def test_what_this_command_cancelled_is_enabled_and_nothing_else(state: str) -> None:
    assert decide(key(state), enable=True, ours=True) is Action.ENABLE
    assert decide(key(state), enable=True, ours=False) is Action.NOTHING
    assert decide(key(state), enable=False, ours=True) is Action.NOTHING


def test_an_enabled_key_needs_nothing() -> None:
    assert decide(key("Enabled"), enable=True, ours=True) is Action.NOTHING


def test_a_plan_is_in_the_order_of_the_deletions_those_without_a_date_last() -> None:
    steps = [step(key("PendingReplicaDeletion", "c")), step(key("PendingDeletion", "b", 20.0))]
    steps.append(step(key("PendingDeletion", "a", 10.0)))
    assert [each.facts.key.key_id for each in in_order(steps)] == ["a", "b", "c"]


def test_relatives_that_are_not_pending_need_nobody() -> None:
    replica = key("Enabled", "mrk-1")
    assert not Plan((step(key("PendingDeletion"), Action.SAVE, Relative("arn", replica)),)).others_pending


def test_a_role_name_takes_the_place_of_every_role_of_the_configuration() -> None:
    accounts = [{"role_arn": "arn:aws:iam::222233334444:role/watch/KmsExporter", "external_id": "s3cret"}]
    settings = Settings.model_validate({"aws": {"accounts": accounts, "organization": {"enabled": True}}})
    role_of = roles_of(with_role(settings.aws, "Rescuer"), "aws")
    assert role_of("222233334444") == RoleToAssume("arn:aws:iam::222233334444:role/Rescuer", "s3cret")
    assert role_of("333344445555") == RoleToAssume("arn:aws:iam::333344445555:role/Rescuer", "")


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::111122223333:user/team/alice", "kms-exporter-alice"),
        ("arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com", "kms-exporter-alice@example.com"),
        ("arn:aws:iam::111122223333:root", "kms-exporter-root"),
        ("arn:aws:sts::111122223333:assumed-role/Admin/" + "x" * 64, "kms-exporter-" + "x" * 51),
    ],
)
def test_sessions_are_named_after_the_person(arn: str, name: str) -> None:
    assert Caller("111122223333", arn, "AIDAEXAMPLE").session_name == name
