"""Keeps what strangers wrote from meaning anything to what a report is read with."""

import re
from typing import Final

from exporter.settings.problems import one_line

_NOT_XML: Final = re.compile("[^\t\n\x20-\x7e\xa0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold or discourages (https://www.w3.org/TR/xml/#charsets), and what turns text around."""
_FORMULA: Final = tuple("=+-@\t\r＝＋－＠")  # noqa: RUF001 - spreadsheets take the full-width signs for the others
"""What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection")."""


def in_xml(text: str) -> str:
    """Return what of a text an XML document can hold, and shows as it is."""
    return _NOT_XML.sub("", text)


def in_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula, on one line and without control characters."""
    return f"'{one_line(text)}" if text.startswith(_FORMULA) else one_line(text)
