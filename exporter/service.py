"""The running exporter: one thread refreshes, one renders, the main thread serves; this wires them."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry

import exporter
from exporter.acknowledgements import Acknowledgements
from exporter.aws.connection import connect
from exporter.aws.discovery import Memory
from exporter.errors import ConfigError
from exporter.eventlog import SWEEP
from exporter.exposition.background import RenderThread
from exporter.exposition.renderer import Renderer
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import Snapshot, TransitionKind
from exporter.refresh import Refresher
from exporter.settings import Loaded, Settings, changed_at_restart, tag_label
from exporter.telemetry import Telemetry

_SILENT_FOR: Final = 30.0
"""Seconds without a sign of the refresh loop, which gives one every second, after which it is not alive."""


class Service:
    """Everything between configuration and web server, which knows it as `exporter.web.contract.Exporter`."""

    def __init__(self, loaded: Loaded, load: Callable[[], Loaded], *, revision: str, log: Log) -> None:
        """Prepare; nothing runs and no request is sent before `start`.

        Args:
            loaded: the configuration in force.
            load: reads the configuration anew, raising ConfigError when it can't be used.
            revision: the commit that this was built from, `""` when unknown.
            log: where events are written.
        """
        settings = loaded.settings
        self._settings = self._started_with = settings
        self._load = load
        self._log = log
        self._reloading = threading.Lock()
        self._telemetry = Telemetry(
            CollectorRegistry(), version=exporter.__version__, revision=revision, loaded_at=self.now()
        )
        self._telemetry.refresh_interval(settings.refresh.interval)
        self._telemetry.shard(settings.shard.index, settings.shard.total)
        self._telemetry.expect_changes(SWEEP, TransitionKind)
        self._inventory = Inventory(
            keep_failed=settings.refresh.keep_failed,
            keep_tombstones=settings.deletions.keep_tombstones,
            now=self.now,
            monotonic=time.monotonic,
        )
        self._acknowledgements = Acknowledgements.of(settings)
        self._unmatched: frozenset[str] = frozenset()
        self._renderer = self._new_renderer(settings)
        self._render_thread = RenderThread(self._render, log)
        self._refresher = Refresher(
            settings=settings,
            connect=partial(
                connect, memory=Memory(), telemetry=self._telemetry, now=self.now, monotonic=time.monotonic
            ),
            inventory=self._inventory,
            published=self._render_thread.notify,
            telemetry=self._telemetry,
            log=log,
            monotonic=time.monotonic,
            rng=random.Random(),  # noqa: S311 - jitter
        )
        self._ready_version: int | None = None
        self._refresh_thread = threading.Thread(target=self._refresh, name="refresh", daemon=True)

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self._inventory.snapshot

    @property
    def renderer(self) -> Renderer:
        """What renders scrapes."""
        return self._renderer

    @property
    def acknowledgements(self) -> Acknowledgements:
        """The deletions that are declared intended."""
        return self._acknowledgements

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def start(self) -> None:
        """Start to refresh and to render."""
        self._render_thread.start()
        self._refresh_thread.start()

    def stop(self) -> None:
        """Stop both threads, without waiting for AWS; nothing happens where none was started."""
        if self._refresh_thread.is_alive():
            self._refresher.stop()
            self._refresh_thread.join(timeout=1)
        if self._render_thread.alive:
            self._render_thread.stop(timeout=1)

    def alive(self) -> bool:
        """Whether both threads run and the refresh loop shows signs of life, whatever AWS answers."""
        silent_for = time.monotonic() - self._refresher.alive_at
        return self._refresh_thread.is_alive() and self._render_thread.alive and silent_for < _SILENT_FOR

    def ready(self) -> bool:
        """Whether every target was tried once, one succeeded, and a scrape would tell it; stays true."""
        if self._ready_version is None and self._refresher.ready:
            self._ready_version = self._inventory.snapshot.keys_version
        return self._ready_version is not None and self._renderer.page.snapshot.keys_version >= self._ready_version

    def reload(self) -> None:
        """Put the configuration as it is now in force.

        Raises:
            ConfigError: it can't be used; the earlier one stays in force.
        """
        with self._reloading:
            try:
                settings = self._load().settings
            except ConfigError as error:
                self._telemetry.reload_failed()
                self._log.error("reload_failed", error=" / ".join(str(error).splitlines()))
                raise
            for option in changed_at_restart(self._started_with, settings):
                self._log.warning("reload_needs_restart", option=option)
            if _exported(settings) != _exported(self._settings):
                self._acknowledgements = Acknowledgements.of(settings)
                renderer = self._new_renderer(settings)
                renderer.update(self._inventory.snapshot)  # served only once it has every key
                self._renderer = renderer
                self._render_thread.notify()  # for what was published in between
            self._settings = settings
            self._telemetry.refresh_interval(settings.refresh.interval)
            self._telemetry.shard(settings.shard.index, settings.shard.total)
            self._telemetry.reloaded(self.now())
            self._log.info("reloaded")
            self._refresher.reload(settings)

    def web_config_read(self, usable: bool) -> None:
        """Show whether the web configuration as it is now is in force."""
        self._telemetry.web_config_read(usable)

    def _new_renderer(self, settings: Settings) -> Renderer:
        tags = {tag: tag_label(tag) for tag in settings.keys.tags}
        return Renderer(
            self._telemetry.registry,
            export=settings.keys.export,
            tags=tags,
            acknowledgements=self._acknowledgements,
        )

    def _render(self) -> None:
        snapshot = self._inventory.snapshot
        self._renderer.update(snapshot)
        unmatched = frozenset(map(str, self._acknowledgements.unmatched(snapshot)))
        for key in sorted(unmatched - self._unmatched):
            self._log.warning("acknowledgement_unmatched", key=key)
        self._unmatched = unmatched
        self._telemetry.acknowledgements_unmatched(len(unmatched))

    def _refresh(self) -> None:
        try:
            asyncio.run(self._refresher.run())
        except Exception as error:  # noqa: BLE001 - told, and seen by /healthz
            self._log.error("refresh_crashed", exc_info=error)


def _exported(settings: Settings) -> tuple[object, ...]:
    """Return the options that decide what is rendered."""
    deletions = settings.deletions
    return settings.keys, deletions.acknowledgements, deletions.acknowledgement_tag, settings.shard.total > 1
