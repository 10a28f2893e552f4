"""The inputs that are kept, a folder for each parser: valid ones to begin with, and each that once did harm.

They are tried before anything is made up, and what is made up begins with the valid ones. A soak writes the smallest
input that it found harmful into the folder, as `found-` with a digest: give it the name of what it shows, and keep it.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fuzz.effort import soaking

FOLDER: Final = Path(__file__).parent / "corpus"
VALID: Final = "valid-"
"""How the names of inputs begin that must be understood."""


def kept(parser: str) -> list[Path]:
    """Return the inputs that are kept for a parser."""
    return sorted(path for path in (FOLDER / parser).iterdir() if path.is_file())


def valid(parser: str) -> list[bytes]:
    """Return the valid ones among them."""
    return [path.read_bytes() for path in kept(parser) if path.name.startswith(VALID)]


def each_kept(parser: str) -> Callable[[Any], Any]:
    """Run a test with each input that is kept, as `kept_input`."""
    return pytest.mark.parametrize("kept_input", kept(parser), ids=lambda path: path.name)


@contextmanager
def noting(parser: str, data: bytes) -> Iterator[None]:
    """Keep an input that does harm, when nobody watches."""
    try:
        yield
    except Exception:
        if soaking():
            _write(FOLDER / parser, data)
        raise


def _write(folder: Path, data: bytes) -> None:
    """Write the smallest input of its kind, where Hypothesis tries ever smaller ones."""
    for earlier in folder.glob("found-*"):
        if earlier.stat().st_size < len(data):
            return
        earlier.unlink()
    folder.joinpath(f"found-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
