"""Acknowledgements about no key are looked for anew only when something bears on them."""

from dataclasses import replace

from exporter.acknowledgements import Acknowledgements, Rule
from exporter.model import Snapshot, TargetState, Unreadable
from exporter.web.unmatched import Unmatched
from tests.support.declaring import rule
from tests.support.snapshots import IRELAND, LONDON, NOW, OTHER, key
from tests.support.snapshots import state as of


class Counted(Acknowledgements):
    """Counts how often all keys are compared."""

    looks = 0

    def unmatched(self, snapshot: Snapshot) -> tuple[Rule, ...]:
        self.looks += 1
        return super().unmatched(snapshot)


def test_a_pass_that_found_nothing_new_costs_no_look() -> None:
    unmatched, declared = Unmatched(), Counted([rule("b")])
    snapshot = Snapshot(NOW, 1, (of(IRELAND, key("a")),))
    later = replace(snapshot, taken_at=NOW + 5)
    assert [str(one) for one in unmatched.of(snapshot, declared)] == ["b"]
    assert unmatched.of(later, declared) == unmatched.of(snapshot, declared)
    assert declared.looks == 1


def test_another_key_is_seen() -> None:
    unmatched, declared = Unmatched(), Acknowledgements([rule("b")])
    assert unmatched.of(Snapshot(NOW, 1, (of(IRELAND, key("a")),)), declared)
    assert not unmatched.of(Snapshot(NOW, 2, (of(IRELAND, key("b")),)), declared)


def test_another_target_is_seen() -> None:
    unmatched, declared = Unmatched(), Acknowledgements([rule("b")])
    assert unmatched.of(Snapshot(NOW, 1, (of(IRELAND, key("a")),)), declared)
    assert not unmatched.of(Snapshot(NOW, 1, (of(IRELAND, key("a")), TargetState(LONDON))), declared)


def test_an_account_that_can_no_longer_be_entered_is_seen() -> None:
    unmatched, declared = Unmatched(), Acknowledgements([rule("b")])
    snapshot = Snapshot(NOW, 1, (of(IRELAND, key("a")),))
    assert unmatched.of(snapshot, declared)
    assert not unmatched.of(replace(snapshot, account_errors={OTHER.account_id: "AssumeRole: AccessDenied"}), declared)


def test_another_declaration_is_seen() -> None:
    unmatched, snapshot = Unmatched(), Snapshot(NOW, 1, (of(IRELAND, key("a")),))
    assert unmatched.of(snapshot, Acknowledgements([rule("b")]))
    assert not unmatched.of(snapshot, Acknowledgements([rule("a")]))


def test_a_key_that_can_no_longer_be_read_is_seen() -> None:
    unmatched, declared = Unmatched(), Acknowledgements([rule("b")])
    assert unmatched.of(Snapshot(NOW, 1, (of(IRELAND, key("a")),)), declared)
    denied = of(IRELAND, key("a"), unreadable={"b": Unreadable("AccessDeniedException", NOW)})
    assert not unmatched.of(Snapshot(NOW, 1, (denied,)), declared)
