"""The configuration in force, written for people, and what a reload can't change in it."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from exporter.settings.catalogue import Catalogue
from exporter.settings.loading import Loaded
from exporter.settings.model import Settings


def show(loaded: Loaded) -> str:
    """Write the effective configuration as YAML, each value with its source as a comment; secrets are masked."""
    rows = list(_rows(loaded.settings.model_dump(mode="json"), "", loaded.sources))
    width = max(len(text) for text, source in rows if source)
    return "".join(f"{text:<{width}}  # {source}\n" if source else f"{text}\n" for text, source in rows)


def changed_at_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return the paths of the options that differ and take effect at the next start only."""
    marked = [path for path, option in Catalogue.of_settings().options.items() if option.at_restart]
    return tuple(path for path in marked if _value(old, path) != _value(new, path))


def _rows(content: dict[str, Any], above: str, sources: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield lines of YAML, each with the source to put behind it, `""` for none."""
    indent = "  " * above.count(".")
    for name, value in content.items():
        path = above + name
        if path in sources:
            dumped = yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True, width=float("inf"))
            first, *rest = dumped.rstrip("\n").split("\n")
            yield indent + first, sources[path]
            yield from ((indent + text, "") for text in rest)
        else:
            yield f"{indent}{name}:", ""
            yield from _rows(value, f"{path}.", sources)


def _value(settings: Settings, path: str) -> object:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value
