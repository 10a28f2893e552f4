"""The options as a flat list, read off the model: what the sources, the help, the errors and the reference share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Self

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from exporter.settings.kinds import Kind, item_of, kind_of, model_of
from exporter.settings.model import AtRestart, Settings

Location = tuple[str | int, ...]
"""A place in a configuration: section and option names, then indexes and names inside an option's value."""

PREFIX: Final = str(Settings.model_config["env_prefix"])
NESTING: Final = str(Settings.model_config["env_nested_delimiter"])


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        path: dotted path, as in `aws.organization.enabled`.
    """

    path: str
    field: FieldInfo

    @property
    def section(self) -> str:
        """The path without the option's own name."""
        return self.path.rpartition(".")[0]

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return f"--{self.path}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return variable_of(self.path)

    @property
    def kind(self) -> Kind:
        """The kind of value it holds."""
        return kind_of(self.field)

    @property
    def default(self) -> str:
        """The default as a user would write it."""
        return default_of(self.field)

    @property
    def is_list(self) -> bool:
        """Whether it holds a list, which a flag may build by being repeated."""
        return item_of(self.field) is not None

    @property
    def item(self) -> type[BaseModel] | None:
        """The model of an item where the option is a list of objects."""
        item = item_of(self.field)
        return model_of(item) if item else None

    @property
    def at_restart(self) -> bool:
        """Whether a change takes effect at the next start only."""
        return any(isinstance(mark, AtRestart) for mark in self.field.metadata)

    def hides(self, inside: Location, value: object) -> bool:
        """Tell whether the value given at `inside` is, or may hold, a secret."""
        members = self.item.model_fields if self.item else {}
        plain = {name for name, field in members.items() if field.annotation is not SecretStr}
        shown = isinstance(value, str) and len(inside) > 1 and inside[1] in plain
        return len(plain) < len(members) and not shown


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every option and section.

    Attributes:
        options: by dotted path, in the order of the model.
        sections: what each is about, by dotted path, in the same order.
    """

    options: Mapping[str, Option]
    sections: Mapping[str, str]

    @classmethod
    def of_settings(cls) -> Self:
        """Read the options off the model."""
        options: dict[str, Option] = {}
        sections: dict[str, str] = {}
        _collect(Settings, "", options, sections)
        return cls(options, sections)

    def split(self, location: Location) -> tuple[str, Location]:
        """Split a location into the path of a section or an option and the place inside the option's value."""
        path = ""
        for depth, step in enumerate(location):
            longer = join(path, str(step))
            if longer not in self.options and longer not in self.sections:
                return path, location[depth:]
            path = longer
        return path, ()

    def members(self, section: str) -> tuple[str, ...]:
        """Return the paths right below a section, `""` for the top."""
        names = (*self.sections, *self.options)
        return tuple(path for path in names if path.rpartition(".")[0] == section)

    def nearest(self, path: str) -> str:
        """Return the path that an unknown one is probably meant to be, `""` if none is near.

        Names are compared first within the section, then anywhere, so that a long section does not make strangers
        look alike; whole paths last, which finds `aws_organization_enabled`.
        """
        everything = (*self.sections, *self.options)
        for known in (self.members(path.rpartition(".")[0]), everything):
            by_name = {_name(other): other for other in known}
            near = nearest(_name(path), by_name)
            if near:
                return by_name[near]
        return nearest(path, everything, cutoff=0.85)


def join(path: str, name: str) -> str:
    """Return the dotted path of `name` below `path`."""
    return f"{path}.{name}" if path else name


def default_of(field: FieldInfo) -> str:
    """Write a field's default as a user would, `""` for one that has none."""
    if field.is_required():
        return ""
    return "[]" if field.default == () else kind_of(field).show(field.default) or '""'


def variable_of(path: str) -> str:
    """Return the environment variable of an option or a section."""
    return PREFIX + path.replace(".", NESTING).upper()


def nearest(name: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """Return the known name that `name` is probably meant to be, `""` if none is near."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), "")


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _collect(model: type[BaseModel], above: str, options: dict[str, Option], sections: dict[str, str]) -> None:
    for name, field in model.model_fields.items():
        path = join(above, name)
        section = model_of(field)
        if section is None:
            options[path] = Option(path, field)
        else:
            sections[path] = section.__doc__ or ""
            _collect(section, path, options, sections)
