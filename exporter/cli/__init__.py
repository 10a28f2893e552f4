"""The command line: reads the configuration, wires the rooms, and is the only place that prints."""

from exporter.cli.main import main

__all__ = ["main"]
