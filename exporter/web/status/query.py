"""What the page is asked to show: everything it does without JavaScript, it does by these parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, Self
from urllib.parse import urlencode

from exporter.web.parameters import one_of, read_parameters, whole_number

MAX_PAGE: Final = 9999

SORTS: Final = ("deletion", "scheduled", "last_used", "account", "region", "alias")
ORDERS: Final = ("asc", "desc")
ANSWERS: Final = ("yes", "no")
REFRESHES: Final = ("on", "off")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What is wanted; the defaults are what stands in no link.

    Attributes:
        q: text to look for in pending keys, `""` for any.
        account: only this account, `""` for all.
        region: only this region, `""` for all.
        acknowledged: `yes` or `no`, `""` for both.
        needed: `yes` or `no`, `""` for both.
        sort: what pending keys are sorted by.
        order: `asc`: the most urgent, oldest or alphabetically first key comes first.
        page: of pending keys, from 1.
        targets_page: of targets, from 1.
        refresh: whether the page refreshes itself.
    """

    q: str = ""
    account: str = ""
    region: str = ""
    acknowledged: str = ""
    needed: str = ""
    sort: str = "deletion"
    order: str = "asc"
    page: int = 1
    targets_page: int = 1
    refresh: str = "on"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the query string of a request; a parameter without a value, as forms send them, is not given.

        Raises:
            ParameterError: an unknown, repeated or unusable parameter.
        """
        found = read_parameters(text, tuple(_DEFAULTS))
        given: Mapping[str, Any] = {
            name: _READERS[name](name, value.strip()) for name, value in found.items() if value.strip()
        }
        return cls(**given)

    @property
    def filtered(self) -> bool:
        """Whether some pending keys may be left out."""
        return any((self.q, self.account, self.region, self.acknowledged, self.needed))

    def link(self, **changes: str | int) -> str:
        """Return the address of the page with some parameters changed."""
        wanted = replace(self, **changes)  # type: ignore[arg-type]  # names and types are those of the fields
        told = {name: value for name in _DEFAULTS if (value := getattr(wanted, name)) != _DEFAULTS[name]}
        return f"/?{urlencode(told, errors='replace')}" if told else "/"

    def sorted_by(self, column: str) -> str:
        """Return the address of the page sorted by a column: the other way round if it already is."""
        turned = "desc" if self.sort == column and self.order == "asc" else "asc"
        return self.link(sort=column, order=turned, page=1)

    def direction(self, *columns: str) -> Literal["ascending", "descending", "none"]:
        """Return the value of `aria-sort` for a heading under which these columns are."""
        if self.sort not in columns:
            return "none"
        return "ascending" if self.order == "asc" else "descending"


_DEFAULTS: Final[Mapping[str, object]] = {field.name: field.default for field in fields(PageQuery)}


def _as_it_is(_: str, value: str) -> str:
    return value


_READERS: Final[Mapping[str, Any]] = {
    "q": _as_it_is,
    "account": _as_it_is,
    "region": _as_it_is,
    "acknowledged": lambda name, value: one_of(name, value, ANSWERS),
    "needed": lambda name, value: one_of(name, value, ANSWERS),
    "sort": lambda name, value: one_of(name, value, SORTS),
    "order": lambda name, value: one_of(name, value, ORDERS),
    "page": lambda name, value: whole_number(name, value, MAX_PAGE),
    "targets_page": lambda name, value: whole_number(name, value, MAX_PAGE),
    "refresh": lambda name, value: one_of(name, value, REFRESHES),
}
