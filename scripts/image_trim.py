"""Deletes what the exporter never loads: API models of botocore, and the languages of pygments. Run by the Dockerfile.

What is called is known from the code: every `Operation` of `exporter.aws` names its service. Pygments comes with rich,
which colours source code with it: tables and progress bars do without.
"""

import importlib
import pkgutil
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import botocore
import pygments.lexers

import exporter.aws
from exporter.aws.calls import Operation

CREDENTIALS: Final = frozenset({"signin", "sso", "sso-oidc", "sts"})
"""What boto3's chain of credential sources asks (botocore/credentials.py, botocore/tokens.py)."""


def operations() -> Iterator[Operation]:
    """Yield every operation that the exporter calls."""
    for module in pkgutil.walk_packages(exporter.aws.__path__, "exporter.aws."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Operation):
                yield value


def main() -> None:
    """Delete the folder of every other service, and every language; what finds them stays."""
    kept = CREDENTIALS | {operation.service for operation in operations()}
    data = Path(botocore.__file__).parent / "data"
    if missing := kept - {folder.name for folder in data.iterdir()}:
        raise SystemExit(f"botocore has no model of {sorted(missing)}")
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder)
    for lexer in Path(pygments.lexers.__file__).parent.glob("*.py"):
        if lexer.name not in {"__init__.py", "_mapping.py"}:
            lexer.unlink()


if __name__ == "__main__":
    main()
