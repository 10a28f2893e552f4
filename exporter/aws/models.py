"""botocore's API models, loaded without what no call needs."""

import gzip
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from botocore.loaders import JSONFileLoader, Loader

_SUFFIXES: Final[Mapping[str, Any]] = MappingProxyType({".json": open, ".json.gz": gzip.open})
_OPERATIONS: Final[Mapping[str, Iterable[str]]] = MappingProxyType({"ec2": ("DescribeRegions",)})
"""What is kept of a model that is large: one of EC2's 800 operations is called."""


def lean_loader(data_path: str | None) -> Loader:
    """Return what a botocore session loads models with; `data_path` is botocore's setting of that name."""
    named = (os.path.expandvars(path) for path in (data_path or "").split(os.pathsep) if path)
    paths = [str(Path(path).expanduser()) for path in named]
    return Loader(extra_search_paths=paths, file_loader=_LeanFiles())


class _LeanFiles(JSONFileLoader):
    """Reads model files.

    Texts for readers are half of a model, and botocore's ordered dictionaries twice as large as plain ones, which keep
    their order too. Of the 29 MB that the models take in a process, 11 remain.
    """

    def load_file(self, file_path: str) -> Any:
        """Return what is in a file whose suffix is not told; None when there is none."""
        for suffix, opened in _SUFFIXES.items():
            path = Path(file_path + suffix)
            if path.is_file():
                with opened(path, "rb") as file:
                    model = json.load(file, object_pairs_hook=_undocumented)
                operations = _OPERATIONS.get(path.parts[-3])
                return _pruned(model, operations) if operations and "operations" in model else model
        return None


def _undocumented(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Leave out the documentation of an object, which is a text; a member of that name is an object itself."""
    return {name: value for name, value in pairs if name != "documentation" or not isinstance(value, str)}


def _pruned(model: dict[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """Leave out operations that are not named, and shapes that the others do not refer to."""
    kept = {name: model["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    missing = list(_references(kept))
    while missing:
        name = missing.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            missing += _references(shapes[name])
    return model | {"operations": kept, "shapes": shapes}


def _references(part: Any) -> Iterable[str]:
    """Yield the name of every shape that a part of a model refers to, as `{"shape": "RegionList"}`."""
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)
