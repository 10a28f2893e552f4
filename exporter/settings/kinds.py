"""What an option accepts, told once for the help, the reference and the error lines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo


def show_plain(value: object) -> str:
    """Write a value as a user writes it in a configuration."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value, put in the annotation of the options that hold it.

    Attributes:
        name: a noun for the type column and the flag's placeholder; its plural takes an `s`.
        accepts: what is accepted, with its article, for the end of a sentence.
        show: writes a value, and a bound, as a user would.
    """

    name: str
    accepts: str
    show: Callable[[Any], str] = show_plain


_PLAIN: Final = {
    bool: Kind("boolean", "true or false"),
    int: Kind("integer", "a whole number"),
    float: Kind("number", "a number"),
    str: Kind("text", "any text"),
}


def kind_of(field: FieldInfo) -> Kind:
    """Return the kind of value that `field` holds, bounds and list items included."""
    declared = next((mark for mark in field.metadata if isinstance(mark, Kind)), None)
    if declared is not None:
        return _bounded(declared, field)
    choices = choices_of(field)
    if choices:
        return Kind("choice", f"one of {', '.join(choices)}")
    item = item_of(field)
    if item is not None:
        inside = kind_of(item)
        return Kind(f"list of {inside.name}s", f"a list, each item {inside.accepts}")
    model = model_of(field)
    if model is not None:
        return Kind("object", f"an object with {', '.join(model.model_fields)}")
    plain: Any = field.annotation
    return _bounded(_PLAIN[plain], field)


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """Return the words that a field is limited to; none where it is not."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a section or of an object; None for a plain value."""
    kind: Any = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def item_of(field: FieldInfo) -> FieldInfo | None:
    """Return what an item of a list option is; None for any other option."""
    if get_origin(field.annotation) is not tuple:
        return None
    return FieldInfo.from_annotation(get_args(field.annotation)[0])


def field_at(field: FieldInfo, inside: tuple[str | int, ...]) -> FieldInfo:
    """Return what is at a place inside a field's value: indexes lead to items, names to members of objects.

    Raises:
        LookupError: the field's value has no such place.
    """
    for step in inside:
        model = model_of(field)
        found = model.model_fields[str(step)] if model else item_of(field)
        if found is None:
            raise LookupError(f"{field.annotation} has no {step}")
        field = found
    return field


def _bounded(kind: Kind, field: FieldInfo) -> Kind:
    bounds = _bounds(kind, field.metadata)
    return Kind(kind.name, f"{kind.accepts}, {bounds}", kind.show) if bounds else kind


def _bounds(kind: Kind, metadata: list[Any]) -> str:
    least = next((kind.show(mark.ge) for mark in metadata if isinstance(mark, Ge)), "")
    most = next((kind.show(mark.le) for mark in metadata if isinstance(mark, Le)), "")
    if least and most:
        return f"from {least} to {most}"
    above = (f"more than {kind.show(mark.gt)}" for mark in metadata if isinstance(mark, Gt))
    return " and ".join(filter(None, (*above, least and f"at least {least}", most and f"at most {most}")))
