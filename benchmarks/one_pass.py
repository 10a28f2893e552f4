"""One first full pass over every region, with the exporter's own code; prints what it cost as JSON.

Run by `sweeping.py` and `neighbours.py` with AWS_* pointing at the emulator: python benchmarks/one_pass.py REGION...
"""

import asyncio
import json
import sys
import time

from prometheus_client import CollectorRegistry

from exporter.aws.connection import connect
from exporter.aws.discovery import Memory
from exporter.inventory import Inventory
from exporter.model import PassKind, Target
from exporter.settings import Settings
from exporter.telemetry import Telemetry


async def first_pass(regions: list[str]) -> Inventory:
    """Find the targets, sweep them all at once, take in what was found."""
    settings = Settings(aws={"regions": regions, "request_rate": 1.0})  # type: ignore[arg-type]  # read by pydantic
    telemetry = Telemetry(CollectorRegistry(), version="", revision="", loaded_at=0)
    inventory = Inventory(keep_failed=3600, keep_tombstones=3600, now=time.time, monotonic=time.monotonic)
    connection = connect(settings, memory=Memory(), telemetry=telemetry, now=time.time, monotonic=time.monotonic)
    async for watch in connection.discovery.look():
        accesses = watch.accesses
    inventory.watch({target: access.account_name for target, access in accesses.items()}, watch.account_errors, None)

    async def sweep(target: Target) -> None:
        inventory.apply(target, await connection.sweeper.sweep(accesses[target], PassKind.FULL, None, {}))

    await asyncio.gather(*map(sweep, accesses))
    return inventory


def main() -> None:
    """Print keys, pending keys, wall and CPU seconds of the pass."""
    sys.setswitchinterval(0.0005)  # as `kms-exporter serve` does
    wall, cpu = time.perf_counter(), time.process_time()
    inventory = asyncio.run(first_pass(sys.argv[1:]))
    keys = [key for state in inventory.snapshot.targets if state.keys for key in state.keys.by_id.values()]
    print(
        json.dumps(
            {
                "keys": len(keys),
                "pending": sum(key.pending for key in keys),
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
            }
        )
    )


if __name__ == "__main__":
    main()
