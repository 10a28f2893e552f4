"""Write the dashboards, or with `--check` tell whether the written ones are as they would be written now."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.builder import deletions, exporter, fleet

DIRECTORY: Final = Path(__file__).parent.parent / "dashboards"

BUILDERS: Final[Mapping[str, Callable[[], Dashboard]]] = {
    "kms-deletions": deletions.build,
    "kms-fleet": fleet.build,
    "kms-exporter": exporter.build,
}


def main(arguments: Sequence[str]) -> int:
    """Write or check every dashboard; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m grafana.builder", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is not up to date")
    check = parser.parse_args(arguments).check
    stale = []
    for uid, build in BUILDERS.items():
        path = DIRECTORY / f"{uid}.json"
        text = json.dumps(build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.stderr.write(f"not up to date, run `python -m grafana.builder`: {', '.join(stale)}\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
