"""What the web layer knows of the rest of the program."""

from typing import Protocol

from exporter.acknowledgements import Acknowledgements
from exporter.exposition.renderer import Renderer
from exporter.model import Snapshot


class Exporter(Protocol):
    """The running exporter; every member is called on the event loop or from worker threads, and answers at once.

    Only `reload` may take its time: it is called from a worker thread.
    """

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""

    @property
    def renderer(self) -> Renderer:
        """What renders scrapes; another one after a reload that changed what is exported."""

    @property
    def acknowledgements(self) -> Acknowledgements:
        """The deletions that are declared intended; others after a reload that changed them."""

    def now(self) -> float:
        """Unix seconds."""

    def alive(self) -> bool:
        """Whether the process still does its work, whatever AWS answers."""

    def ready(self) -> bool:
        """Whether every target was tried and one succeeded, once."""

    def reload(self) -> None:
        """Put the configuration as it is now in force.

        Raises:
            ExporterError: it can't be used, and the earlier one stays in force.
        """
