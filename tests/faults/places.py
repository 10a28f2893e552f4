"""Faults in one place: how each begins and ends, and whom it concerns meanwhile."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from exporter.demo.faults import Fault, merging
from exporter.demo.keys import PENDING
from exporter.model import Target
from tests.faults.kinds import VOLLEYS, Injected, Kinds
from tests.faults.rig import READ_TIMEOUT, REGIONS
from tests.faults.schedule import Planned
from tests.faults.truth import Trouble

_TRICKLED = 20.0
"""Seconds until the longest answer that trickles is complete."""
_LOOK_TIME = 120.0
"""Seconds that a look at CloudTrail takes at the most."""
_FOR_GOOD = 1e9
_NONSENSE: tuple[tuple[str, Any], ...] = (
    ("DescribeKey", {"KeyMetadata": {"KeyState": 7}}),
    ("DescribeKey", {"KeyMetadata": {"DeletionDate": "soon"}}),
    ("DescribeKey", {"KeyMetadata": {"KeyId": ["a", "b"], "Arn": {}}}),
    ("DescribeKey", {"KeyMetadata": []}),
    ("ListKeys", {"Keys": 7}),
    ("ListKeys", {"Keys": [{"KeyId": 7}], "Truncated": "perhaps"}),
    ("ListKeys", {"Truncated": True, "NextMarker": ""}),
    ("ListAliases", {"Aliases": {"TargetKeyId": "x"}}),
    ("LookupEvents", {"Events": "none"}),
    ("LookupEvents", {"Events": [{"EventId": 7, "CloudTrailEvent": "{"}]}),
)
_WITHOUT: tuple[tuple[str, Any], ...] = (
    ("DescribeKey", {"KeyMetadata": None}),
    ("DescribeKey", {"KeyMetadata": {"KeyState": None}}),
    ("DescribeKey", {"KeyMetadata": {"Arn": None}}),
    ("ListKeys", {"Keys": None}),
    ("ListKeys", {"Keys": [{}]}),
    ("ListAliases", {"Aliases": None}),
    ("LookupEvents", {"Events": None}),
)


class InOnePlace(Kinds):
    """The kinds of `schedule.IN_ONE_PLACE`."""

    def _places(self, planned: Planned) -> tuple[dict[str, str], list[Target]]:
        """Return the filters of a fault in one place, and the targets that it concerns."""
        region, account = planned.target.region, planned.target.account_id
        if planned.wide:
            return {"region": region}, [target for target in self._rig.targets if target.region == region]
        return {"region": region, "account_id": account}, [planned.target]

    def _answers(self, planned: Planned, add: Callable[..., Fault], service: str = "kms", **what: Any) -> Injected:
        """Let answers about keys in one place be as `add` makes them."""
        where, targets = self._places(planned)
        trouble = self._trouble(planned, targets, **what)  # before the first request can be hit
        fault = add(fraction=planned.share, service=service, **where)
        return Injected(planned, partial(self._rig.faults.remove, fault), trouble)

    def hang(self, planned: Planned) -> Injected:
        total = planned.share >= 1
        return self._answers(
            planned, self._rig.faults.hang, grace=VOLLEYS, fails_after=VOLLEYS, total=total, slow=not total
        )

    def hang_after_headers(self, planned: Planned) -> Injected:
        total = planned.share >= 1
        hang = self._rig.faults.hang_after_headers
        return self._answers(planned, hang, grace=VOLLEYS, fails_after=VOLLEYS, total=total, slow=not total)

    def trickle(self, planned: Planned) -> Injected:
        return self._answers(planned, self._rig.faults.trickle, grace=_TRICKLED, slow=True)

    def latency(self, planned: Planned) -> Injected:
        delay = 0.1 + planned.dice * 0.6 * READ_TIMEOUT
        return self._answers(planned, partial(self._rig.faults.latency, delay), grace=20 * delay, slow=True)

    def truncate(self, planned: Planned) -> Injected:
        return self._answers(planned, self._rig.faults.truncate, total=planned.share >= 1, slow=True)

    def garble(self, planned: Planned) -> Injected:
        return self._answers(planned, self._rig.faults.garble, slow=True)

    def close(self, planned: Planned) -> Injected:
        return self._answers(planned, self._rig.faults.close, total=planned.share >= 1, slow=True)

    def internal_error(self, planned: Planned) -> Injected:
        return self._answers(planned, self._rig.faults.internal_error, slow=True, grace=VOLLEYS)

    def throttle(self, planned: Planned) -> Injected:
        return self._answers(planned, self._rig.faults.throttle, slow=True)

    def quota(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, slow=True)
        limit = partial(self._rig.faults.set_quota, "kms", ("DescribeKey", "ListKeys")[planned.dice < 1 / 3])
        limit(1 + 3 * planned.share)
        return Injected(planned, partial(limit, _FOR_GOOD), trouble)

    def deny(self, planned: Planned) -> Injected:
        return self._answers(planned, self._rig.faults.deny)

    def deny_one_key(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, [planned.target])
        pending = self._rig.vault(planned.target).pending()
        key = pending[int(planned.dice * len(pending))]
        key.denied = frozenset({"DescribeKey"})

        def undo() -> None:
            key.denied = frozenset()

        return Injected(planned, undo, trouble)

    def wrong_types(self, planned: Planned) -> Injected:
        return self._nonsense(planned, _NONSENSE)

    def missing_members(self, planned: Planned) -> Injected:
        return self._nonsense(planned, _WITHOUT)

    def _nonsense(self, planned: Planned, among: tuple[tuple[str, Any], ...]) -> Injected:
        operation, patch = among[int(planned.dice * len(among))]
        add = partial(self._rig.faults.change, merging(patch), operation=operation)
        service = "cloudtrail" if operation == "LookupEvents" else "kms"
        return self._answers(planned, add, service, slow=True)

    def unknown_enums(self, planned: Planned) -> Injected:
        """Let AWS say what no version of its API model knows; of a state, only of keys that are not pending."""
        where, _ = self._places(planned)

        def change(answer: Any) -> Any:
            metadata = answer["KeyMetadata"] | {"KeySpec": "LATTICE_9", "Origin": "AWS_MOON", "KeyUsage": "DREAM"}
            if metadata["KeyState"] not in PENDING:
                metadata["KeyState"] = "Quarantined"
                self._rig.truth.lie(metadata["KeyId"], "Quarantined", time.time())
            return {"KeyMetadata": metadata}

        fault = self._rig.faults.change(change, fraction=planned.share, operation="DescribeKey", **where)
        return Injected(planned, partial(self._rig.faults.remove, fault))

    def empty_list(self, planned: Planned) -> Injected:
        patch = {"Keys": [], "Truncated": False}
        return self._answers(planned, partial(self._rig.faults.change, merging(patch), operation="ListKeys"))

    def region_disabled(self, planned: Planned) -> Injected:
        """Disable the second region of an account, which is not the one where the account itself is asked about."""
        target = Target(planned.target.account_id, REGIONS[1])
        trouble = self._trouble(planned, [target], total=True)
        regions = self._rig.world.accounts[target.account_id].regions
        regions.discard(target.region)
        return Injected(planned, partial(regions.add, target.region), trouble)

    def cloudtrail_down(self, planned: Planned) -> Injected:
        return self._without_events(planned, self._rig.faults.internal_error)

    def cloudtrail_hang(self, planned: Planned) -> Injected:
        return self._without_events(planned, self._rig.faults.hang)

    def cloudtrail_throttled(self, planned: Planned) -> Injected:
        return self._without_events(planned, self._rig.faults.throttle, self._slowed(planned))

    def cloudtrail_trickle(self, planned: Planned) -> Injected:
        return self._without_events(planned, self._rig.faults.trickle, self._slowed(planned))

    def _slowed(self, planned: Planned) -> Trouble:
        """Changes of keys that are not pending are left to events until a look at CloudTrail is given up."""
        return self._trouble(planned, self._places(planned)[1], slow=True, grace=_LOOK_TIME)

    def _without_events(self, planned: Planned, add: Callable[..., Fault], trouble: Trouble | None = None) -> Injected:
        """Let CloudTrail alone fail; where it does so quickly, nothing of it may be felt."""
        where, _ = self._places(planned)
        fault = add(service="cloudtrail", **where)
        return Injected(planned, partial(self._rig.faults.remove, fault), trouble)
