"""From the sources to one checked `Settings`, or to a line for each mistake."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter.errors import ConfigError
from exporter.settings.catalogue import Catalogue, Location, join, nearest
from exporter.settings.kinds import Kind, field_at, kind_of
from exporter.settings.model import Conflict, Settings
from exporter.settings.problems import line, one_line, place, quote
from exporter.settings.sources import CONFIG_VARIABLE, Given, read_environment, read_file, read_flags, read_presets

DEFAULT: Final = "default"
MASK: Final = "*****"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration in force.

    Attributes:
        file: the configuration file, `""` without one.
        sources: where each option's value came from, by dotted path: `flag --log.level`, `kms.yaml line 3`, `default`.
    """

    settings: Settings
    file: str
    sources: Mapping[str, str]


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    unrecognized: Sequence[str] = (),
    presets: Mapping[str, str] = MappingProxyType({}),
) -> Loaded:
    """Read the configuration from flags, environment, file and defaults, the first that has a value winning.

    Args:
        flags: what the parser of `add_options` found; names that are no option are left alone.
        environ: the process' environment.
        unrecognized: the words that no parser knew, to be reported with everything else.
        presets: by dotted path, text that takes the place of defaults.

    Raises:
        ConfigError: the configuration can't be used; its text is a line for each mistake.
    """
    catalogue = Catalogue.of_settings()
    layers = [read_presets(presets, catalogue)]
    file = str(flags.get("config", environ.get(CONFIG_VARIABLE, "")))
    if file:
        named_by = "flag --config" if "config" in flags else f"environment variable {CONFIG_VARIABLE}"
        layers.append(read_file(file, named_by, catalogue))
    layers += [read_environment(environ, catalogue), read_flags(flags, unrecognized, catalogue)]
    given = {path: value for layer in layers for path, value in layer.given.items()}
    problems = [problem for layer in layers for problem in layer.problems]
    try:
        settings = Settings(**_tree(given))
    except ValidationError as error:
        problems += _Explainer(catalogue, given).lines(error)
    if problems:
        raise ConfigError("\n".join(map(one_line, problems)))
    sources = {path: _origin(given, path) for path in catalogue.options}
    return Loaded(settings, file, MappingProxyType(sources))


def _tree(given: Mapping[str, Given]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in given.items():
        *sections, name = path.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value.value
    return tree


def _origin(given: Mapping[str, Given], path: str, inside: Location = ()) -> str:
    if path not in given:
        return DEFAULT
    return given[path].origin((*path.split("."), *inside))


@dataclass(frozen=True, slots=True)
class _Explainer:
    """Turns pydantic's errors into lines."""

    catalogue: Catalogue
    given: Mapping[str, Given]

    def lines(self, error: ValidationError) -> Iterator[str]:
        for details in error.errors(include_url=False):
            path, inside = self.catalogue.split(details["loc"])
            if details["type"] == "conflict":
                yield from (self._conflict(path, conflict) for conflict in details["ctx"]["conflicts"])
            elif details["type"] == "extra_forbidden":
                yield self._unknown_member(path, inside)
            else:
                yield self._refused(path, inside, details)

    def _refused(self, path: str, inside: Location, details: ErrorDetails) -> str:
        name, origin, kind = place((path, *inside)), _origin(self.given, path, inside), self._kind(path, inside)
        if details["type"] == "missing":
            return line(name, "", origin, "is missing", kind.accepts)
        # Only errors of this package's own checks say more than what is accepted.
        reason = str(details["ctx"]["error"]) if details["type"] == "value_error" else "is refused"
        accepted = kind.accepts
        if details["type"] == "unmeant":
            reason, accepted = details["ctx"]["text"], details["ctx"]["accepted"]
        value = details["input"] if inside else self.given[path].value
        shown = MASK if self.catalogue.options[path].hides(inside, value) else quote(value)
        return line(name, shown, origin, reason, accepted)

    def _unknown_member(self, path: str, inside: Location) -> str:
        name, origin = place((path, *inside)), _origin(self.given, path, inside)
        near = nearest(str(inside[-1]), self._members(path))
        if near:
            return line(name, "", origin, f"is no option; did you mean {place((path, *inside[:-1], near))}?")
        return line(name, "", origin, "is no option", ", ".join(self._members(path)))

    def _conflict(self, section: str, conflict: Conflict) -> str:
        def told(match: re.Match[str]) -> str:
            other = join(section, match[1])
            return f"{other}, {self._value(other)} ({_origin(self.given, other)})"

        option = join(section, conflict.option)
        reason = re.sub(r"\{([a-z_.]+)\}", told, conflict.reason)
        return line(option, self._value(option), _origin(self.given, option), reason, conflict.accepted)

    def _value(self, path: str) -> str:
        if path in self.given:
            return quote(self.given[path].value)
        return self.catalogue.options[path].default

    def _members(self, path: str) -> tuple[str, ...]:
        item = self.catalogue.options[path].item
        return tuple(item.model_fields) if item else ()

    def _kind(self, path: str, inside: Location) -> Kind:
        """Return the kind of what is at a place inside an option's value."""
        return kind_of(field_at(self.catalogue.options[path].field, inside))
