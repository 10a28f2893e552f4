"""SQS queues, standard and FIFO (SQS Developer Guide). Times are Unix seconds of the world."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from exporter.demo.agenda import Agenda
from exporter.demo.arns import arn

DEFAULT_VISIBILITY: Final = 30.0
_RETENTION: Final = 4 * 86_400.0

Listener = Callable[[], None]


@dataclass(slots=True, eq=False)
class Letter:
    """A message.

    Attributes:
        group: `MessageGroupId`, in FIFO queues.
        receives: how often it was received.
        visible_at: when it can be received again.
        receipt: of the last time that it was received, `""` before the first.
    """

    message_id: str
    body: str
    sent_at: float
    group: str
    visible_at: float
    receives: int = 0
    first_received_at: float = 0.0
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where messages go that were received too often (`RedrivePolicy`)."""

    queue: "Queue"
    max_receives: int


class Queue:
    """A queue; every method is safe to call from any thread while the emulator serves.

    Attributes:
        visibility: how long a message that was received is hidden, unless the receiver says otherwise.
        redrive: None where messages stay until their retention ends.
    """

    def __init__(
        self,
        agenda: Agenda,
        account_id: str,
        region: str,
        name: str,
        *,
        visibility: float = DEFAULT_VISIBILITY,
        redrive: Redrive | None = None,
    ) -> None:
        """Create an empty one, FIFO if its name ends so."""
        self.account_id = account_id
        self.region = region
        self.name = name
        self.visibility = visibility
        self.redrive = redrive
        self.created_at = agenda.time()
        self._agenda = agenda
        self._letters: list[Letter] = []
        self._numbers = itertools.count(1)
        self._listeners: set[Listener] = set()
        self._listening = threading.Lock()

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return arn("sqs", self.region, self.account_id, self.name)

    @property
    def fifo(self) -> bool:
        """Whether it keeps the order within each message group."""
        return self.name.endswith(".fifo")

    def url(self, endpoint: str) -> str:
        """Return the queue's URL at an emulator."""
        return f"{endpoint}/{self.account_id}/{self.name}"

    def send(self, body: str, *, group: str = "") -> Letter:
        """Put a message into it."""
        with self._agenda.lock:
            now = self._agenda.time()
            letter = Letter(self._id(), body, now, group, visible_at=now)
            self._put(letter)
        return letter

    def receive(self, most: int, visibility: float | None = None) -> list[Letter]:
        """Hand out up to `most` messages, and hide them for a while."""
        with self._agenda.lock:
            now = self._agenda.time()
            handed_out: list[Letter] = []
            for letter in list(self._receivable(now)):
                if len(handed_out) == most:
                    break
                if self.redrive is not None and letter.receives >= self.redrive.max_receives:
                    self._letters.remove(letter)
                    self.redrive.queue.take(letter)
                    continue
                letter.receives += 1
                letter.first_received_at = letter.first_received_at or now
                letter.receipt = f"{letter.message_id}#{letter.receives}"
                letter.visible_at = now + (self.visibility if visibility is None else visibility)
                handed_out.append(letter)
            return handed_out

    def take(self, letter: Letter) -> None:
        """Take over a message of a queue that it was received from too often."""
        letter.visible_at = self._agenda.time()
        self._put(letter)

    def delete(self, receipt: str) -> bool:
        """Delete a message; return whether the receipt was one of this queue's.

        The receipt of an earlier time does nothing where the message was received again since.
        """
        with self._agenda.lock:
            self._letters = [letter for letter in self._letters if letter.receipt != receipt]
        return "#" in receipt

    def hide(self, receipt: str, seconds: float) -> bool:
        """Hide a message that was received for so long from now on; return whether there is one."""
        with self._agenda.lock:
            found = [letter for letter in self._letters if letter.receipt == receipt]
            for letter in found:
                letter.visible_at = self._agenda.time() + seconds
        return bool(found)

    def waiting(self) -> list[Letter]:
        """Return the messages that can be received."""
        with self._agenda.lock:
            now = self._agenda.time()
            return [letter for letter in self._kept(now) if letter.visible_at <= now]

    def in_flight(self) -> list[Letter]:
        """Return the messages that were received, and neither deleted nor given up."""
        with self._agenda.lock:
            now = self._agenda.time()
            return [letter for letter in self._kept(now) if letter.visible_at > now]

    @property
    def listened_to(self) -> bool:
        """Whether anybody waits for a message."""
        return bool(self._listeners)

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Call `listener` whenever a message comes, in the thread that sends it."""
        with self._listening:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._listening:
                self._listeners.discard(listener)

    def _put(self, letter: Letter) -> None:
        self._letters.append(letter)
        with self._listening:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def _receivable(self, now: float) -> Iterator[Letter]:
        """Iterate over what can be received; in a FIFO queue a message that is out holds up those behind it."""
        held_up = set()
        for letter in self._kept(now):
            if letter.visible_at > now:
                held_up.add(letter.group)
            elif not self.fifo or letter.group not in held_up:
                yield letter

    def _kept(self, now: float) -> list[Letter]:
        self._letters = [letter for letter in self._letters if now - letter.sent_at < _RETENTION]
        return self._letters

    def _id(self) -> str:
        return str(UUID(int=next(self._numbers), version=4))
