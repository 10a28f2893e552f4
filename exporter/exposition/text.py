"""The lines that text 0.0.4 and OpenMetrics 1.0 have in common: escaped label values, numbers, headers.

Both formats are at https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/. They escape label values alike. HELP texts they do not (only
OpenMetrics escapes the double quote), so a HELP text of this exporter has neither quotes nor backslashes.
"""

import math
import re
from collections.abc import Iterable
from typing import Final

MAX_LABEL_CHARS: Final = 256
"""Where free text (descriptions, tag values) is cut, in characters."""

# Line feed and tab are text; every other control character, line separator and lone surrogate is not: UTF-8 has no
# bytes for the last, and the others end lines or drive terminals wherever the page is printed.
_UNFIT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

# Beyond it floats are no longer counts or times, and their digits would only fill the line.
_LARGEST_PLAIN_INTEGER: Final = 2.0**53


def escaped(value: str) -> str:
    """Return `value` as it stands between the quotes of a label, what is not text replaced by U+FFFD."""
    if value.isprintable() and '"' not in value and "\\" not in value:
        return value
    return _UNFIT.sub("\ufffd", value).translate(_ESCAPES)


def label_pairs(names: Iterable[str], values: Iterable[str]) -> str:
    """Return the labels as they stand on a line, each after a comma: `,name="value"`."""
    return "".join([f',{name}="{escaped(value)}"' for name, value in zip(names, values, strict=True)])


def head(name: str, pairs: str) -> str:
    """Return what stands before a sample's value; `pairs` as `label_pairs` gives them."""
    return f"{name}{{{pairs[1:]}}} " if pairs else f"{name} "


def number(value: float) -> str:
    """Return a sample's value: integers in plain digits, so that a time reads as one."""
    if -_LARGEST_PLAIN_INTEGER < value < _LARGEST_PLAIN_INTEGER:
        whole = int(value)
        return str(whole) if whole == value else repr(value)
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def header(name: str, help_text: str, kind: str, *, openmetrics: bool) -> str:
    """Return the two lines that open a family; OpenMetrics names a counter without its `_total`."""
    if openmetrics and kind == "counter":
        name = name.removesuffix("_total")
    return f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
