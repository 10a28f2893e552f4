"""Acknowledgements made by hand."""

import re
from fnmatch import translate

from exporter.acknowledgements import Acknowledgement, Rule


def rule(key: str, declared: Acknowledgement | None = None, *, account_id: str = "", region: str = "") -> Rule:
    """Return a rule of the configuration about the keys that `key` matches."""
    return Rule(key, account_id, region, re.compile(translate(key)), declared or Acknowledgement("retired"))
