"""What a campaign moves in the surroundings of the exporter's process: its clock and the resolver of names."""

import mmap
import struct
from pathlib import Path

NAME = "aws.example.org"
"""The name of AWS's endpoint, so that there is something to resolve."""
STEERING_VARIABLE = "KMS_FAULTS_STEERING"
REFRESH_VARIABLE = "KMS_FAULTS_REFRESH"

_FORM = struct.Struct("<d?")


class Steering:
    """A few bytes that two processes share.

    Attributes:
        ahead: seconds by which the exporter's clock is ahead of ours.
        resolves: whether `NAME` can be resolved.
    """

    def __init__(self, path: str | Path) -> None:
        """Share `path`, a file that `create` made."""
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _FORM.size)

    @classmethod
    def create(cls, path: Path) -> "Steering":
        """Make the file; the clock is right, and the name resolves."""
        path.write_bytes(_FORM.pack(0.0, True))
        return cls(path)

    @property
    def ahead(self) -> float:
        return float(_FORM.unpack(self._memory[:])[0])

    @ahead.setter
    def ahead(self, seconds: float) -> None:
        self._memory[:] = _FORM.pack(seconds, self.resolves)

    @property
    def resolves(self) -> bool:
        return bool(_FORM.unpack(self._memory[:])[1])

    @resolves.setter
    def resolves(self, resolves: bool) -> None:
        self._memory[:] = _FORM.pack(self.ahead, resolves)
