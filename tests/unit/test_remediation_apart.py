"""The service can change nothing: what changes keys is out of its reach, by how the code is laid out."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

EXPORTER = Path(__file__).parents[2] / "exporter"
CHANGING = "exporter.aws.changes"
WRITES = ("CancelKeyDeletion", "EnableKey", "ScheduleKeyDeletion", "DisableKey", "TagResource", "PutKeyPolicy")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_the_remediation_imports_what_changes_keys() -> None:
    importing = {
        path.relative_to(EXPORTER).parts[0]
        for path in EXPORTER.rglob("*.py")
        if any(name.startswith(CHANGING) for name in imports(path))
    }
    assert importing == {"remediation"}


def test_operations_that_change_keys_are_declared_nowhere_else() -> None:
    declaring = {
        path.relative_to(EXPORTER).as_posix()
        for path in EXPORTER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Operation"
        and any(isinstance(argument, ast.Constant) and argument.value in WRITES for argument in node.args)
    }
    assert declaring == {"aws/changes.py"}


def test_the_running_service_has_nothing_loaded_that_changes_keys() -> None:
    script = (
        "import sys, exporter.cli, exporter.service, exporter.web.app\n"
        "changing = ('exporter.remediation', 'exporter.aws.changes')\n"
        "print(*sorted(name for name in sys.modules if name.startswith(changing)))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""
