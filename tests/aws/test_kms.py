"""How the answers of KMS are read: pages, aliases, and every member of a key's metadata."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws import kms
from exporter.demo import lifecycle
from exporter.demo.faults import merging
from exporter.errors import TargetError
from exporter.model import Deletion, Key

if TYPE_CHECKING:
    from tests.aws.harness import Lab

HOME = "111122223333"
REGION = "eu-west-1"
DAY = 86_400.0


def ids(lab: "Lab", **options: Any) -> list[str]:
    return lab.run(kms.list_keys(lab.calls(**options), lab.home(), deadline=lab.deadline()))


def aliases(lab: "Lab") -> kms.Aliases:
    return lab.run(kms.list_aliases(lab.calls(), lab.home(), deadline=lab.deadline()))


def describe(lab: "Lab", *key_ids: str) -> dict[str, Key]:
    outcomes = lab.run(kms.describe_keys(lab.calls(), lab.home(), key_ids, deadline=lab.deadline()))
    outcomes.raise_first()
    return outcomes.answers


def fill(lab: "Lab", count: int) -> set[str]:
    """Create so many keys; return their ids."""
    vault = lab.world.vault(HOME, REGION)
    return {vault.create_key().key_id for _ in range(count)}


def failure(lab: "Lab", key_id: str) -> TargetError:
    return lab.run(kms.describe_keys(lab.calls(), lab.home(), [key_id], deadline=lab.deadline())).failures[key_id]


class TestListKeys:
    @pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2)])
    def test_every_key_is_listed_whatever_the_pages(self, lab: "Lab", count: int, requests: int) -> None:
        wanted = fill(lab, count)
        found = ids(lab)
        assert len(found) == count
        assert set(found) == wanted
        assert lab.world.counts.total("ListKeys") == requests

    def test_an_empty_page_ends_nothing(self, lab: "Lab") -> None:
        lab.world.rules.empty_pages.add("ListKeys")
        wanted = fill(lab, 1001)
        assert set(ids(lab)) == wanted
        assert lab.world.counts.total("ListKeys") == 4

    @pytest.mark.parametrize(
        "patch",
        [
            {"Keys": None},
            {"Keys": "none"},
            {"Keys": {"KeyId": "a"}},
            {"Keys": [{"KeyArn": "arn"}]},
            {"Keys": [{"KeyId": 5}]},
            {"Keys": ["a"]},
            {"Truncated": True, "NextMarker": None},
            {"Truncated": True, "NextMarker": 7},
        ],
        ids=str,
    )
    def test_an_answer_that_lacks_what_it_promises_never_means_no_keys(self, lab: "Lab", patch: dict[str, Any]) -> None:
        lab.world.vault(HOME, REGION).create_key()
        lab.faults.change(merging(patch), operation="ListKeys")
        with pytest.raises(TargetError) as raised:
            ids(lab)
        assert (raised.value.operation, raised.value.reason) == ("ListKeys", "invalid_response")

    def test_a_page_that_leads_nowhere_is_no_list(self, lab: "Lab") -> None:
        lab.faults.change(merging({"Truncated": True, "NextMarker": ""}), operation="ListKeys")
        with pytest.raises(TargetError, match="does not lead to another page"):
            ids(lab)

    def test_a_page_that_leads_to_itself_is_no_list(self, lab: "Lab") -> None:
        fill(lab, 1001)
        markers: list[str] = []

        def back_to_the_second(answer: Any) -> Any:
            markers.extend([answer["NextMarker"]] if answer["Truncated"] else [])
            return {**answer, "Truncated": True, "NextMarker": markers[0]}

        lab.faults.change(back_to_the_second, operation="ListKeys")
        with pytest.raises(TargetError, match="does not lead to another page"):
            ids(lab)

    def test_pages_that_go_round_in_circles_end_with_the_deadline(self, lab: "Lab") -> None:
        fill(lab, 2001)
        markers: list[str] = []

        def from_the_third_back_to_the_second(answer: Any) -> Any:
            markers.extend([answer["NextMarker"]] if answer["Truncated"] else [])
            return {**answer, "Truncated": True, "NextMarker": answer.get("NextMarker") or markers[0]}

        lab.faults.change(from_the_third_back_to_the_second, operation="ListKeys")
        with pytest.raises(TargetError) as raised:
            lab.run(kms.list_keys(lab.calls(), lab.home(), deadline=lab.deadline(0.5)))
        assert raised.value.reason == "timeout"


class TestListAliases:
    @pytest.mark.parametrize(("count", "requests"), [(0, 1), (100, 1), (101, 2), (200, 2)])
    def test_every_alias_is_listed_whatever_the_pages(self, lab: "Lab", count: int, requests: int) -> None:
        vault = lab.world.vault(HOME, REGION)
        wanted = {
            vault.create_key(alias=f"alias/{number:03}").key_id: (f"alias/{number:03}",) for number in range(count)
        }
        assert aliases(lab) == wanted
        assert lab.world.counts.total("ListAliases") == requests

    def test_an_empty_page_ends_nothing(self, lab: "Lab") -> None:
        lab.world.rules.empty_pages.add("ListAliases")
        key = lab.world.vault(HOME, REGION).create_key(alias="alias/a")
        assert aliases(lab) == {key.key_id: ("alias/a",)}

    def test_the_aliases_of_a_key_are_sorted(self, lab: "Lab") -> None:
        key = lab.world.vault(HOME, REGION).create_key(alias=["alias/z", "alias/a", "alias/m"])
        assert aliases(lab) == {key.key_id: ("alias/a", "alias/m", "alias/z")}

    def test_an_alias_that_names_no_key_is_left_out(self, lab: "Lab") -> None:
        vault = lab.world.vault(HOME, REGION)
        vault.add_alias("alias/aws/ebs", None)
        key = vault.create_key(alias="alias/a")
        assert aliases(lab) == {key.key_id: ("alias/a",)}

    def test_an_alias_that_repeats_counts_once(self, lab: "Lab") -> None:
        key = lab.world.vault(HOME, REGION).create_key(alias="alias/a")
        lab.faults.change(lambda answer: {**answer, "Aliases": answer["Aliases"] * 3}, operation="ListAliases")
        assert aliases(lab) == {key.key_id: ("alias/a",)}

    @pytest.mark.parametrize(
        "patch",
        [
            {"Aliases": None},
            {"Aliases": [{"TargetKeyId": "a"}]},
            {"Aliases": [{"AliasName": 5, "TargetKeyId": "a"}]},
            {"Aliases": [{"AliasName": "alias/a", "TargetKeyId": 5}]},
            {"Aliases": [{"AliasName": "alias/a", "TargetKeyId": ["a"]}]},
            {"Truncated": True, "NextMarker": None},
        ],
        ids=str,
    )
    def test_a_broken_answer_is_told_as_such(self, lab: "Lab", patch: dict[str, Any]) -> None:
        lab.faults.change(merging(patch), operation="ListAliases")
        with pytest.raises(TargetError) as raised:
            aliases(lab)
        assert (raised.value.operation, raised.value.reason) == ("ListAliases", "invalid_response")

    def test_those_of_a_few_keys_cost_a_request_each(self, lab: "Lab") -> None:
        vault = lab.world.vault(HOME, REGION)
        named, bare, _ = vault.create_key(alias=["alias/b", "alias/a"]), vault.create_key(), vault.create_key()
        wanted = [named.key_id, bare.key_id]
        outcomes = lab.run(kms.aliases_of(lab.calls(), lab.home(), wanted, deadline=lab.deadline()))
        assert outcomes.answers == {named.key_id: ("alias/a", "alias/b"), bare.key_id: ()}
        assert lab.world.counts.total("ListAliases") == 2


class TestDescribeKey:
    def test_what_kms_tells_is_what_is_known(self, lab: "Lab") -> None:
        key = lab.world.vault(HOME, REGION).create_key(
            description="für «alles»", spec="RSA_4096", usage="SIGN_VERIFY", created_at=1_700_000_000.5
        )
        assert describe(lab, key.key_id) == {
            key.key_id: Key(
                key_id=key.key_id,
                arn=key.arn,
                state="Enabled",
                key_manager="CUSTOMER",
                description="für «alles»",
                key_spec="RSA_4096",
                key_usage="SIGN_VERIFY",
                origin="AWS_KMS",
                created_at=1_700_000_000.5,
            )
        }

    @pytest.mark.parametrize(
        "state", ["Creating", "Enabled", "Disabled", "PendingImport", "Unavailable", "Updating", "StateOfTomorrow"]
    )
    def test_every_state_passes_through(self, lab: "Lab", state: str) -> None:
        key = lab.world.vault(HOME, REGION).create_key(state=state)
        found = describe(lab, key.key_id)[key.key_id]
        assert (found.state, found.pending, found.deletion) == (state, False, None)

    @pytest.mark.parametrize(
        "origin", ["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE", "ORIGIN_OF_TOMORROW"]
    )
    def test_every_origin_passes_through(self, lab: "Lab", origin: str) -> None:
        key = lab.world.vault(HOME, REGION).create_key(origin=origin)
        assert describe(lab, key.key_id)[key.key_id].origin == origin

    def test_what_aws_may_extend_passes_through(self, lab: "Lab") -> None:
        key = lab.world.vault(HOME, REGION).create_key(
            spec="SPEC_OF_TOMORROW", usage="USAGE_OF_TOMORROW", manager="MANAGER_OF_TOMORROW"
        )
        found = describe(lab, key.key_id)[key.key_id]
        assert (found.key_spec, found.key_usage, found.key_manager) == (
            "SPEC_OF_TOMORROW",
            "USAGE_OF_TOMORROW",
            "MANAGER_OF_TOMORROW",
        )

    def test_a_pending_key_tells_when_it_ends(self, lab: "Lab") -> None:
        vault = lab.world.vault(HOME, REGION)
        key = vault.create_key()
        vault.schedule_deletion(key.key_id, days=7)
        found = describe(lab, key.key_id)[key.key_id]
        assert found.pending
        assert found.deletion is not None
        assert found.deletion.at == pytest.approx(key.deletion_at, abs=0.01)
        assert found.deletion.window is None

    def test_a_primary_that_waits_for_its_replicas_tells_for_how_long_it_will_wait_then(self, lab: "Lab") -> None:
        vault = lab.world.vault(HOME, REGION)
        key = vault.create_key(multi_region=True)
        lab.world.home.regions.add("us-east-1")
        lab.world.replicate(key, "us-east-1")
        vault.schedule_deletion(key.key_id, days=9)
        found = describe(lab, key.key_id)[key.key_id]
        assert (found.state, found.pending) == ("PendingReplicaDeletion", True)
        assert found.deletion == Deletion(at=None, window=9 * DAY)
        assert found.multi_region == "primary"

    def test_a_replica_is_told_as_such(self, lab: "Lab") -> None:
        lab.world.home.regions.add("us-east-1")
        primary = lab.world.vault(HOME, "us-east-1").create_key(multi_region=True)
        replica = lab.world.replicate(primary, REGION)
        assert describe(lab, replica.key_id)[replica.key_id].multi_region == "replica"

    def test_imported_material_tells_when_it_expires(self, lab: "Lab") -> None:
        vault = lab.world.vault(HOME, REGION)
        mortal, immortal, empty = (vault.create_key(origin="EXTERNAL") for _ in range(3))
        expires = lab.world.agenda.time() + 30 * DAY
        lifecycle.import_material(mortal, expires)
        lifecycle.import_material(immortal, None)
        found = describe(lab, mortal.key_id, immortal.key_id, empty.key_id)
        assert found[mortal.key_id].material_expires_at == pytest.approx(expires, abs=0.01)
        assert found[immortal.key_id].material_expires_at is None
        assert (found[empty.key_id].material_expires_at, found[empty.key_id].state) == (None, "PendingImport")

    @pytest.mark.parametrize(
        "patch",
        [
            {"KeyMetadata": None},
            {"KeyMetadata": {"KeyState": None}},
            {"KeyMetadata": {"KeyState": 5}},
            {"KeyMetadata": {"KeyId": None}},
            {"KeyMetadata": {"Arn": None}},
            {"KeyMetadata": {"Arn": ["arn"]}},
            {"KeyMetadata": {"Description": 5}},
            {"KeyMetadata": {"KeyManager": 5}},
            {"KeyMetadata": {"KeyState": "PendingDeletion", "DeletionDate": "some day"}},
            {"KeyMetadata": {"KeyState": "PendingReplicaDeletion", "PendingDeletionWindowInDays": "a week"}},
            {"KeyMetadata": {"MultiRegionConfiguration": "yes"}},
            {"KeyMetadata": {"CreationDate": "once upon a time"}},
        ],
        ids=str,
    )
    def test_a_broken_answer_is_told_as_such(self, lab: "Lab", patch: dict[str, Any]) -> None:
        key = lab.world.vault(HOME, REGION).create_key()
        lab.faults.change(merging(patch), operation="DescribeKey")
        assert failure(lab, key.key_id).reason == "invalid_response"

    def test_an_answer_about_another_key_is_none(self, lab: "Lab") -> None:
        vault = lab.world.vault(HOME, REGION)
        key, other = vault.create_key(), vault.create_key()
        lab.faults.change(merging({"KeyMetadata": {"KeyId": other.key_id}}), operation="DescribeKey")
        assert failure(lab, key.key_id).reason == "invalid_response"

    def test_an_id_that_can_not_be_asked_for_costs_nothing_else(self, lab: "Lab") -> None:
        key = lab.world.vault(HOME, REGION).create_key()
        outcomes = lab.run(kms.describe_keys(lab.calls(), lab.home(), ["", key.key_id], deadline=lab.deadline()))
        assert set(outcomes.answers) == {key.key_id}
        assert outcomes.failures[""].reason == "invalid_response"
        assert outcomes.ended_by is None

    def test_members_that_may_be_missing_are_unknown(self) -> None:
        key = kms.read_key({"KeyId": "a", "Arn": "arn:a", "KeyState": "Enabled"})
        assert key == Key("a", "arn:a", "Enabled")

    def test_a_pending_key_without_a_date_is_pending_all_the_same(self) -> None:
        key = kms.read_key({"KeyId": "a", "Arn": "arn:a", "KeyState": "PendingDeletion"})
        assert key.pending
        assert key.deletion == Deletion()

    def test_a_date_is_told_whatever_the_state_is_called(self) -> None:
        moment = datetime.fromtimestamp(1_800_000_000, UTC)
        key = kms.read_key({"KeyId": "a", "Arn": "arn:a", "KeyState": "StateOfTomorrow", "DeletionDate": moment})  # type: ignore[typeddict-item]  # the stubs know today's states
        assert key.deletion == Deletion(at=1_800_000_000)
