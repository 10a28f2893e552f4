"""The floor: a loop of DescribeKey calls with boto3 and nothing around it; prints what it cost as JSON.

Run by `sweeping.py` with AWS_* pointing at the emulator: python benchmarks/bare_boto3.py REGION
"""

import json
import sys
import time

import boto3
from botocore.config import Config

from exporter import __version__


def main() -> None:
    """List the keys, then describe them one after the other with the exporter's client settings."""
    config = Config(
        connect_timeout=3,
        read_timeout=10,
        max_pool_connections=16,
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent=f"kms-exporter/{__version__}",
    )
    wall, cpu = time.perf_counter(), time.process_time()
    kms = boto3.client("kms", region_name=sys.argv[1], config=config)
    ids: list[str] = []
    for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1000}):
        ids += [entry["KeyId"] for entry in page["Keys"]]
    managed = set()
    for page in kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 100}):
        managed |= {
            alias.get("TargetKeyId") for alias in page["Aliases"] if alias["AliasName"].startswith("alias/aws/")
        }
    keys = [kms.describe_key(KeyId=key_id)["KeyMetadata"] for key_id in ids if key_id not in managed]
    print(
        json.dumps(
            {
                "keys": len(keys),
                "pending": sum(key["KeyState"] == "PendingDeletion" for key in keys),
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
            }
        )
    )


if __name__ == "__main__":
    main()
