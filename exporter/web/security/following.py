"""The web configuration as its files are now: read again when one of them changes."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from exporter.errors import ConfigError
from exporter.log import Log
from exporter.web.security.configuration import read_web_file
from exporter.web.security.policy import Policy, policy_of
from exporter.web.security.tls import FollowingContext

_SETTLED: Final = 1.0
"""Seconds that files must have been left alone before they are read again: one that is being written has no users yet,
and a certificate that was replaced not yet its key."""

_Stamps = Mapping[Path, tuple[int, ...]]
"""What changes with the content of each file, the time of its change last; nothing for one that is not there."""


class Security:
    """The policy in force. It is asked at each request and each handshake, which costs a look at each file's time.

    Belongs to the event loop.
    """

    def __init__(
        self,
        path: str,
        log: Log,
        *,
        named_by: str = "",
        told: Callable[[bool], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Read the web configuration in a file.

        Args:
            path: the file.
            log: where changes are told.
            named_by: the source of the option that names the file.
            told: called whenever the files have changed, with whether they can be used.
            now: unix seconds, by the clock of the file system.

        Raises:
            ConfigError: it can't be used.
        """
        self._path = path
        self._named_by = named_by
        self._log = log
        self._told = told
        self._now = now
        self._seen = _stamps([Path(path)])
        self._policy = self._read()

    @property
    def policy(self) -> Policy:
        """The policy in force. Files that can't be used leave the earlier one there, which is told once."""
        stamps = _stamps(self._seen)
        if stamps != self._seen and self._settled(stamps):
            self._seen = stamps
            self._replace()
        return self._policy

    def listener_context(self) -> FollowingContext | None:
        """Return the context for a listener, None without TLS."""
        first = self._policy.tls
        return FollowingContext.of(lambda: self.policy.tls or first) if first else None

    def _settled(self, stamps: _Stamps) -> bool:
        age = self._now() - max((stamp[-1] for stamp in stamps.values() if stamp), default=0) / 1e9
        return not 0 <= age < _SETTLED  # a time in the future says nothing

    def _replace(self) -> None:
        try:
            policy = self._read()
        except ConfigError as error:
            self._refuse(" / ".join(str(error).splitlines()))
            return
        if (policy.tls is None) != (self._policy.tls is None):
            self._refuse(f"{self._path}: tls_server_config can turn TLS on or off at a restart only")
            return
        self._policy = policy
        self._told(True)
        self._log.info("web_config_reloaded", file=self._path)

    def _refuse(self, why: str) -> None:
        self._told(False)
        self._log.error("web_config_failed", error=why)

    def _read(self) -> Policy:
        file = read_web_file(self._path, self._named_by)
        # Stamps are from before the reading, so that what changes meanwhile is seen the next time.
        self._seen = {path: self._seen[path] if path in self._seen else _stamp(path) for path in file.files}
        return policy_of(file)


def _stamps(files: Iterable[Path]) -> _Stamps:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> tuple[int, ...]:
    """Stamp what a path leads to: Kubernetes replaces the folder that a mounted Secret's links lead through."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
