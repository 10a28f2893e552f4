"""Writes the software bill of materials (CycloneDX 1.6, JSON) of what is installed beside the exporter.

    python -m scripts.sbom [FILE]    dist/sbom.cdx.json by default; the same requirements give the same bytes

cyclonedx-py reads packages and hashes from requirements/runtime.txt; licences and who needs whom are added here.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import exporter
from scripts.locked import OURS, ROOT, RUNTIME, Locked, locked

DEFAULT: Final = ROOT / "dist" / "sbom.cdx.json"


def bill() -> dict[str, Any]:
    """Return the bill of materials."""
    packages = {each.name: each for each in locked()}
    told = _as_cyclonedx_reads()
    for component in told["components"]:
        package = packages[component["name"]]
        component["bom-ref"] = component["purl"]
        component["licenses"] = [{"expression": package.licence, "acknowledgement": "declared"}]
        del component["description"]  # the line of the file
    told["components"].sort(key=lambda component: component["name"])
    ours = told["metadata"]["component"]
    ours |= {"version": exporter.__version__, "purl": f"pkg:pypi/{OURS}@{exporter.__version__}"}
    ours["bom-ref"] = ours["purl"]
    told["dependencies"] = [_needs(OURS, ours["purl"], packages)] + [
        _needs(component["name"], component["purl"], packages) for component in told["components"]
    ]
    return told


def _as_cyclonedx_reads() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sbom.json"
        command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(RUNTIME)]
        options = ["--spec-version", "1.6", "--output-format", "JSON", "--output-reproducible", "--output-file"]
        ours = ["--pyproject", str(ROOT / "pyproject.toml")]
        subprocess.run([*command, *ours, *options, str(file)], check=True)  # noqa: S603 - no words of others in it
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return told


def _needs(name: str, reference: str, packages: dict[str, Locked]) -> dict[str, Any]:
    needed = sorted(f"pkg:pypi/{each.name}@{each.version}" for each in packages.values() if name in each.via)
    return {"ref": reference, "dependsOn": needed} if needed else {"ref": reference}


def main() -> None:
    """Write the file, unless it breaks the schema."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    text = json.dumps(bill(), indent=2) + "\n"
    if (error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise SystemExit(f"not CycloneDX 1.6: {error}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
