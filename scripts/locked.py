"""What requirements/runtime.txt pins: packages with hashes, and who asks for each; their licences by their metadata."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
RUNTIME: Final = ROOT / "requirements" / "runtime.txt"
OURS: Final = "kms-exporter"

_PINNED: Final = re.compile(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n)+)((?:    #.*\n?)+)", re.MULTILINE)
_SPDX: Final = {
    "Apache License 2.0": "Apache-2.0",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",  # python-dateutil's LICENSE
    "MIT License": "MIT OR Apache-2.0",  # uvloop has LICENSE-MIT and LICENSE-APACHE
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""What packages call their licence that do not yet name it by SPDX, to the expression that their files mean."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A pinned package.

    Attributes:
        hashes: SHA-256 of each file that may be installed.
        via: who asks for it; `OURS` for this project itself.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]

    @property
    def licence(self) -> str:
        """The SPDX expression."""
        told = metadata.metadata(self.name)
        classifiers = [each for each in told.get_all("Classifier") or [] if each.startswith("License ::")]
        named: str = told.get("License-Expression") or told.get("License") or classifiers[0]
        return _SPDX.get(named, named)


def locked(file: Path = RUNTIME) -> Iterator[Locked]:
    """Yield every pinned package.

    Raises:
        ValueError: a requirement has no hash, or is not understood.
    """
    text = file.read_text(encoding="utf-8")
    found = _PINNED.findall(text)
    if len(found) != len(re.findall(r"^[\w.-]+", text, re.MULTILINE)):
        raise ValueError(f"{file} has requirements that are not pinned by hash")
    for name, version, hashes, via in found:
        names = re.findall(r"[\w.-]+(?: \(pyproject\.toml\))?$", via.replace("# via\n", ""), re.MULTILINE)
        yield Locked(
            name,
            version,
            tuple(re.findall(r"sha256:(\w+)", hashes)),
            tuple(each.removesuffix(" (pyproject.toml)") for each in names),
        )
