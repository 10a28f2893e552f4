"""The YAML file, read as text: a scalar is what is written, so `012345678901` stays an account and `10:30` a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.errors import ConfigError
from exporter.settings.catalogue import Location
from exporter.settings.problems import one_line

_REPEATED: Final = 100_000
"""Values for which the aliases of a file may stand: a few lines of them could stand for more than any memory holds."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content.

    Attributes:
        content: mappings, lists, text, and None for a value left out (nothing, `~` or `null`, unquoted).
        lines: the line, from 1, of everything in it.
    """

    content: dict[str, Any]
    lines: Mapping[Location, int]


def read_yaml(path: str) -> Document:
    """Read a file that holds one mapping.

    Raises:
        OSError: the file can't be read.
        ConfigError: it is no such YAML; the text tells the file, line and column.
    """
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")  # `object` is without the byte order mark
        raise _error(path, before, "this is not UTF-8 text") from error
    try:
        return _Reader(path).read(text)
    except RecursionError as error:
        raise ConfigError(f"{path}: it is nested too deeply") from error


def _error(path: str, before: str, reason: str) -> ConfigError:
    """Tell of a mistake behind the text `before`."""
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return ConfigError(f"{path} line {line} column {column}: {one_line(reason)}")


class _Reader:
    """Turns the nodes of one file into plain data, and remembers their lines."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: dict[Location, int] = {}
        self._open: list[yaml.Node] = []
        self._values_left = 0

    def read(self, text: str) -> Document:
        self._values_left = len(text) + _REPEATED  # without aliases, no value is shorter than a character
        root = self._compose(text)
        if root is None:
            raise _error(self._path, "", "there is nothing in the file; write {} for the defaults")
        content = self._convert(root, ())
        if not isinstance(content, dict):
            raise self._error(root.start_mark, "a mapping of sections such as aws: is expected at the top")
        return Document(content, self._lines)

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=yaml.BaseLoader)
        except yaml.MarkedYAMLError as error:
            reason = " ".join(filter(None, (error.context, error.problem)))
            raise self._error(error.problem_mark or error.context_mark, reason) from error
        except yaml.reader.ReaderError as error:
            reason = f"the character {error.character:#04x} is not allowed"
            raise _error(self._path, text[: error.position], reason) from error
        except (OverflowError, ValueError) as error:  # of Python itself, about an escape that is no character
            raise ConfigError(f"{self._path}: {one_line(str(error))}") from error

    def _convert(self, node: yaml.Node, at: Location) -> Any:
        self._lines[at] = node.start_mark.line + 1
        if node in self._open:
            raise self._error(node.start_mark, "an alias stands inside what it names")
        self._values_left -= 1
        if self._values_left < 0:
            raise self._error(node.start_mark, f"aliases stand for more than {_REPEATED} values")
        self._open.append(node)
        try:
            return self._content(node, at)
        finally:
            self._open.pop()

    def _content(self, node: yaml.Node, at: Location) -> Any:
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, at)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self._convert(item, (*at, index)) for index, item in enumerate(node.value)]
            case yaml.ScalarNode(tag="tag:yaml.org,2002:str", value=value):
                return None if node.style is None and value in ("", "~", "null") else value
        raise self._error(node.start_mark, f"the tag {node.tag} is not allowed")

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise self._error(key_node.start_mark, "a name is expected before the colon")
            if key in content:
                first = self._lines[(*at, key)]
                raise self._error(key_node.start_mark, f"{key} is there twice, first in line {first}")
            content[key] = self._convert(value_node, (*at, key))
            self._lines[(*at, key)] = key_node.start_mark.line + 1
        return content

    def _error(self, mark: yaml.Mark | None, reason: str) -> ConfigError:
        place = f" line {mark.line + 1} column {mark.column + 1}" if mark else ""
        return ConfigError(f"{self._path}{place}: {one_line(reason)}")
