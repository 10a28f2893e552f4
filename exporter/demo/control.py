"""The emulator's own endpoints, for whoever drives it from another process. JSON in, JSON out.

GET  /_emulator/stats     {"requests": [{account_id, region, service, operation, count}], "refusals": {code: count}}
GET  /_emulator/pending   {"keys": [{account_id, region, key_id, state, deletion_at}]}
POST /_emulator/keys      {"action": "schedule", "account_id", "region", "key_id", "days": 7}; the other actions
                          are cancel, enable, disable, delete, tag ("tags"), use ("operation": "Decrypt", "at": Unix
                          seconds) and grant ("grantee", "operations"); `key_id` may be an alias name; "by" tells
                          who does it: "user/NAME", "assumed-role/NAME/SESSION", "service/NAME" or "root"
POST /_emulator/faults    {"fault": "latency", "seconds": 0.5} or {"fault": "throttle", "fraction": 0.2, "times": 3}
                          or any other of `Faults`' methods with its arguments and filters (service, operation,
                          account_id, region); "change" takes a "merge" object, "use_quotas" a "share"
POST /_emulator/faults    {"fault": "clear"}
POST /_emulator/advance   {"seconds": 86400}
"""

import json
from collections import Counter
from typing import Any, Final

from exporter.demo.actors import parse
from exporter.demo.errors import AwsError
from exporter.demo.faults import Faults, merging
from exporter.demo.keys import Key
from exporter.demo.world import World

_FAULTS: Final = frozenset(
    {
        "latency", "throttle", "internal_error", "deny", "refuse", "hang", "hang_after_headers", "truncate", "garble",
        "close", "trickle", "change", "use_quotas", "set_quota", "clear",
    }
)  # fmt: skip
_ACTIONS: Final = {
    "schedule": "schedule_deletion",
    "cancel": "cancel_deletion",
    "enable": "enable",
    "disable": "disable",
    "delete": "delete",
    "tag": "tag",
    "use": "use",
    "grant": "grant",
}


class Control:
    """Answers the emulator's own endpoints."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        self._routes = {
            ("GET", "/_emulator/stats"): self._stats,
            ("GET", "/_emulator/pending"): self._pending,
            ("POST", "/_emulator/keys"): self._change_key,
            ("POST", "/_emulator/faults"): self._change_faults,
            ("POST", "/_emulator/advance"): self._advance,
        }

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Return HTTP status and body."""
        route = self._routes.get((method, path))
        if route is None:
            return 404, json.dumps({"error": f"no {method} {path}; there are {sorted(self._routes)}"}).encode()
        try:
            return 200, json.dumps(route(_order(body))).encode()
        except (AwsError, KeyError, TypeError, ValueError) as error:
            return 400, json.dumps({"error": repr(error)}).encode()

    def _stats(self, _: dict[str, Any]) -> Any:
        counts = self._world.counts
        refusals: Counter[str] = Counter()
        for (_kind, code), count in counts.refusals.copy().items():
            refusals[code] += count
        requests = [{**kind._asdict(), "count": count} for kind, count in sorted(counts.requests.copy().items())]
        return {"requests": requests, "refusals": refusals}

    def _pending(self, _: dict[str, Any]) -> Any:
        return {"keys": [_told(key) for key in self._world.pending()]}

    def _change_key(self, order: dict[str, Any]) -> Any:
        vault = self._world.vault(order.pop("account_id"), order.pop("region"))
        name = order.pop("key_id")
        alias = vault.aliases.get(name)
        key = vault.key(name if alias is None or alias.target is None else alias.target)
        if "by" in order:
            order["by"] = parse(order["by"])
        getattr(vault, _ACTIONS[order.pop("action")])(key.key_id, **order)
        return _told(key)

    def _change_faults(self, order: dict[str, Any]) -> Any:
        name = order.pop("fault")
        if name not in _FAULTS:
            raise ValueError(f"no fault {name!r}; there are {sorted(_FAULTS)}")
        if name == "change":
            order["change"] = merging(order.pop("merge"))
        getattr(self._faults, name)(**order)
        return {}

    def _advance(self, order: dict[str, Any]) -> Any:
        self._world.agenda.advance(order["seconds"])
        return {"time": self._world.agenda.time()}


def _order(body: bytes) -> dict[str, Any]:
    order = json.loads(body or b"{}")
    if not isinstance(order, dict):
        raise TypeError("an order is a JSON object")
    return order


def _told(key: Key) -> dict[str, Any]:
    return {
        "account_id": key.account_id,
        "region": key.region,
        "key_id": key.key_id,
        "state": key.state,
        "deletion_at": key.deletion_at,
    }
