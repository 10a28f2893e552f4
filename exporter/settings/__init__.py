"""Every option of the exporter, its default, unit and check, and how a configuration is read and shown."""

from exporter.settings.catalogue import Catalogue, Option, variable_of
from exporter.settings.durations import format_duration, parse_duration
from exporter.settings.flags import add_options
from exporter.settings.loading import Loaded, load
from exporter.settings.model import Settings
from exporter.settings.output import changed_at_restart, show
from exporter.settings.values import RESERVED_PATHS, tag_label

__all__ = [
    "RESERVED_PATHS",
    "Catalogue",
    "Loaded",
    "Option",
    "Settings",
    "add_options",
    "changed_at_restart",
    "format_duration",
    "load",
    "parse_duration",
    "show",
    "tag_label",
    "variable_of",
]
