"""Where values come from: flags, environment, file. Each source is read into a `Layer`; none knows of the others."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from exporter.errors import ConfigError
from exporter.settings.catalogue import NESTING, PREFIX, Catalogue, Location, join, variable_of
from exporter.settings.problems import line, place, quote, unreadable
from exporter.settings.values import parse_json, parse_list
from exporter.settings.yamlfile import read_yaml

CONFIG_VARIABLE: Final = f"{PREFIX}CONFIG"

Origin = Callable[[Location], str]
"""Tells where what is at a location came from."""

# What Kubernetes sets in every pod beside a Service named kms-exporter or kms-exporter-SOMETHING: its documentation,
# Service, "Environment variables".
_SERVICE_NAME: Final = re.escape(PREFIX) + r"(?:[A-Z0-9]+_)*"
_SERVICE_LINK: Final = re.compile(
    rf"{_SERVICE_NAME}(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)"
)
_SERVICE_URL: Final = re.compile(rf"{_SERVICE_NAME}PORT=(?:tcp|udp|sctp)://.*")


@dataclass(frozen=True, slots=True)
class Given:
    """An option's value as one source gives it.

    Attributes:
        origin: where it came from, and where what is inside it did.
    """

    value: object
    origin: Origin


@dataclass(slots=True)
class Layer:
    """What one source gives.

    Attributes:
        given: by option path.
        problems: a line for each thing that is no value of an option.
    """

    given: dict[str, Given] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_flags(flags: Mapping[str, object], unrecognized: Sequence[str], catalogue: Catalogue) -> Layer:
    """Take the options among parsed flags; a list option's are lists of text, one for each time it was given."""
    layer = Layer()
    for option in catalogue.options.values():
        value = flags.get(option.path)
        if value is not None:
            layer.given[option.path] = Given(_flag_value(value), _constantly(f"flag {option.flag}"))
    for before, word in zip(("", *unrecognized), unrecognized, strict=False):
        is_its_value = before.startswith("--") and "=" not in before and not word.startswith("-")
        if not is_its_value:
            layer.problems.append(_unknown_word(word, catalogue))
    return layer


def read_environment(environ: Mapping[str, str], catalogue: Catalogue) -> Layer:
    """Take the variables that carry the prefix; sections as JSON are overridden by their options' own variables."""
    layer = Layer()
    options = {option.variable: option for option in catalogue.options.values()}
    sections = {variable_of(section): section for section in catalogue.sections}
    for name in sorted(environ):
        value = environ[name]
        if name in options:
            layer.given[options[name].path] = Given(value, _constantly(f"environment variable {name}"))
        elif name in sections:
            _read_section(sections[name], name, value, catalogue, layer)
        elif name.upper().startswith(PREFIX) and name != CONFIG_VARIABLE and not _is_service_link(name, value):
            layer.problems.append(_unknown_variable(name, catalogue))
    return layer


def read_presets(presets: Mapping[str, str], catalogue: Catalogue) -> Layer:
    """Take what a command has instead of the options' defaults, by their paths."""
    return Layer(
        {
            path: Given(presets[path], _constantly("the command's default"))
            for path in catalogue.options.keys() & presets.keys()
        }
    )


def read_file(path: str, named_by: str, catalogue: Catalogue) -> Layer:
    """Take the values of a YAML file; `named_by` is the flag or variable that names it."""
    layer = Layer()
    try:
        document = read_yaml(path)
    except OSError as error:
        layer.problems.append(unreadable("config", path, named_by, error))
        return layer
    except ConfigError as error:
        layer.problems.append(str(error))
        return layer

    def origin(location: Location) -> str:
        while location not in document.lines:
            location = location[:-1]
        return f"{path} line {document.lines[location]}"

    _flatten(document.content, (), origin, catalogue, layer)
    return layer


def _constantly(origin: str) -> Origin:
    return lambda _: origin


def _flag_value(value: object) -> object:
    """Join what a repeated flag gave; what is not valid JSON stays text for the check to refuse."""
    if not isinstance(value, list):
        return value
    if len(value) == 1:
        return value[0]
    items: list[Any] = []
    for text in value:
        try:
            items += parse_list(text)
        except ValueError:
            items.append(text)
    return items


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or _SERVICE_URL.fullmatch(f"{name}={value}"))


def _read_section(section: str, variable: str, text: str, catalogue: Catalogue, layer: Layer) -> None:
    origin = f"environment variable {variable}"
    try:
        content = parse_json(text)
    except ValueError as error:
        # The text is not shown: an external id may be in it.
        layer.problems.append(line(section, "", origin, str(error), _members(section, catalogue)))
        return
    _flatten(content, tuple(section.split(".")), _constantly(origin), catalogue, layer)


def _flatten(content: object, at: Location, origin: Origin, catalogue: Catalogue, layer: Layer) -> None:
    """Spread a tree of sections over the layer; None is a section or an option left out."""
    section = place(at)
    if content is None:
        return
    if not isinstance(content, dict):
        layer.problems.append(line(section, "", origin(at), "is no section", _members(section, catalogue)))
        return
    for name, value in content.items():
        path, inner = join(section, name), (*at, name)
        if "." in name or not (path in catalogue.sections or path in catalogue.options):
            layer.problems.append(_unknown(path, origin(inner), catalogue))
        elif path in catalogue.sections:
            _flatten(value, inner, origin, catalogue, layer)
        elif value is not None:
            layer.given[path] = Given(value, origin)


def _unknown(path: str, origin: str, catalogue: Catalogue) -> str:
    """Tell of a name that is no option; its value is not shown, since a secret put in the wrong place may be in it."""
    if path in catalogue.options:
        return line(path, "", origin, "is a dotted name; in a file, options are nested below their sections")
    near = catalogue.nearest(path)
    if near:
        return line(path, "", origin, f"is no option; did you mean {near}?")
    return line(path, "", origin, "is no option", _members(path.rpartition(".")[0], catalogue))


def _unknown_word(word: str, catalogue: Catalogue) -> str:
    if not word.startswith("--"):
        return line(quote(word), "", "command line", "belongs to no flag")
    name = word.partition("=")[0]
    near = "config" if name.startswith("--config") else catalogue.nearest(name.removeprefix("--"))
    hint = f"did you mean --{near}?" if near in (*catalogue.options, "config") else "see --help"
    return line(name, "", "command line", f"is no flag; {hint}")


def _unknown_variable(name: str, catalogue: Catalogue) -> str:
    near = catalogue.nearest(name.upper().removeprefix(PREFIX).replace(NESTING, ".").lower())
    if name.upper().startswith(CONFIG_VARIABLE):
        hint = f"did you mean {CONFIG_VARIABLE}?"
    elif near:
        hint = f"did you mean {variable_of(near)}?"
    else:
        hint = f"names are {CONFIG_VARIABLE} and {PREFIX}SECTION__OPTION"
    return line(name, "", "environment", f"names no option; {hint}")


def _members(section: str, catalogue: Catalogue) -> str:
    names = ", ".join(path.rpartition(".")[2] for path in catalogue.members(section))
    return f"a mapping of {names}"
