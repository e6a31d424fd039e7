"""What arrived and has not been taken: frames wait in an `Inbox` until the session takes them.

A session reads frame by frame (`frame_inbox`), or takes whole messages (`whole_inbox`): by handlers (`message_inbox`),
or by asking for each (`receive_inbox`). It chooses by what it calls first, and until then frames wait::

    FrameInbox, undecided ──read_*──► FrameInbox ──no read pending──┬──on_text, on_binary──► MessageInbox
              └─────────────────────────────────────────────────────┤                          ▲ │ no handler is set
                                                                    │        nobody waits for it │ ▼
                                                                    └──receive, async for──► ReceiveInbox

What they have in common stands here: how much may wait, when a delivery is queued, and what becomes of all of it at the
end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from operator import itemgetter

from ..callbacks import CallbackLoop, Timer
from .contract import Connection
from .frames import Frame
from .options import READ_AHEAD_BYTES, READ_AHEAD_FRAMES


class Delivery(Enum):
    """What becomes of the frames that wait.

    ::

        HELD ──the session has begun──► IDLE ──something waits, and is due────────────► QUEUED ─────► the callback
                                        ▲  ├──a read finds nothing──► READY ──a frame──► ADDRESSED ──► the callback
                                        │  └──a message comes whole────────────────────► ADDRESSED ──► the callback
                                        └──when the callback is called; for messages BUSY first, until it is done
    """

    #: The session has not begun: nothing is delivered (law 9).
    HELD = 0
    #: There is nothing to deliver, or nobody to deliver it to.
    IDLE = 1
    #: There is nothing to deliver, but a read that nobody can cancel waits for the next frame.
    READY = 2
    #: `Inbox._deliver` stands in the loop's queue.
    QUEUED = 3
    #: The delivery of one frame, or of one message, stands in the loop's queue together with it.
    ADDRESSED = 4
    #: A handler is at work on a message.
    BUSY = 5


#: For how many pauses in a row, in which tasks run, an end waits for a session that is given no frame. A task that was
#: resumed with a frame needs one to answer, and two to read the next.
MAX_PAUSES = 8

#: With more frames than this waiting, no room is made for others.
HALF_OF_FRAMES = READ_AHEAD_FRAMES // 2

_payload_of = itemgetter(1)


class Inbox(ABC):
    """The frames of one connection that wait to be taken.

    Args:
        connection: The connection of which it is a half.
        loop: The loop that the connection lives in.

    Attributes:
        is_full: Whether so much waits that reading should pause.
    """

    __slots__ = (
        "_connection",
        "_delivery",
        "_frames",
        "_has_ended",
        "_is_abandoned",
        "_loop",
        "_pause",
        "_pauses_left",
        "is_full",
    )

    def __init__(self, connection: Connection, loop: CallbackLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._frames: list[Frame] = []
        self._delivery = Delivery.HELD
        self._has_ended = False
        #: While somebody is expected to ask for more: the pause that goes on, and how many are left.
        self._pause: Timer | None = None
        self._pauses_left = 0
        self._is_abandoned = False
        self.is_full = False

    @property
    @abstractmethod
    def has_reader(self) -> bool:
        """Whether a read is pending, or a handler is set."""

    @property
    def is_held(self) -> bool:
        """Whether the session has not begun yet."""
        return self._delivery is Delivery.HELD

    @property
    def has_ended(self) -> bool:
        """Whether no further frame is taken."""
        return self._has_ended

    @property
    def waiting(self) -> int:
        """How much waits to be delivered: frames, or messages."""
        return len(self._frames)

    @property
    def is_delivering(self) -> bool:
        """Whether a delivery stands in the loop's queue."""
        return self._delivery is Delivery.QUEUED or self._delivery is Delivery.ADDRESSED

    @property
    @abstractmethod
    def is_answered(self) -> bool:
        """Whether the session was given all that arrived, and is done with it as far as can be told."""

    @property
    def room(self) -> int:
        """How many more frames may be added at once."""
        return READ_AHEAD_FRAMES - len(self._frames)

    def open(self) -> None:
        """Begin to deliver."""
        self._delivery = Delivery.IDLE
        self.settle()

    @abstractmethod
    def add(self, frame: Frame) -> None:
        """Take a frame: of data, or a pong for the pending read."""

    def add_all(self, frames: list[Frame]) -> None:
        """Take frames of data, at least one."""
        self._let_wait(frames)

    def _let_wait(self, frames: list[Frame]) -> None:
        if self._has_ended:
            return
        self._keep(frames)
        self._deliver_waiting()

    def _deliver_waiting(self) -> None:
        """Deliver what waits, once it is due, and see whether that is too much."""
        self.is_full = self._is_crowded(READ_AHEAD_FRAMES, READ_AHEAD_BYTES)
        if self._delivery is Delivery.IDLE:
            self.settle()

    @abstractmethod
    def _keep(self, frames: list[Frame]) -> None:
        """Let frames wait."""

    def end(self) -> None:
        """Take no further frame. What waits is still delivered."""
        self._has_ended = True
        self.is_full = False
        self.settle()

    def discard(self) -> None:
        """Forget what waits, and end: the session failed."""
        self._expect_nothing()
        self._frames.clear()
        self.end()

    def outlive(self, ended: Connection) -> None:
        """Ask ``ended`` from now on: the connection is over, and its end was told."""
        if self._pause is not None:
            self._expect_nothing()
        self._is_abandoned = True  # nothing waits for whoever may ask, and the loop may make no pauses any more
        self._connection = ended

    def abandon(self) -> None:
        """Let the end wait for nobody who may ask for more: the session has closed. What waits can still be had."""
        self._is_abandoned = True

    def retire(self) -> None:
        """Tell the connection of no end: another inbox does, which has taken over. A delivery may still be queued."""
        self._has_ended = False

    def settle(self) -> None:
        """Queue a delivery if one is due; after the end, tell the connection once nothing is left to deliver."""
        if self._delivery is not Delivery.IDLE:
            return
        if self._is_due():
            self._delivery = Delivery.QUEUED
            self._loop.call(self._connection, self._deliver)
        elif self._has_ended and not self._is_awaited():
            self._connection.inbox_drained()

    @abstractmethod
    def _is_due(self) -> bool:
        """Tell whether there is something to deliver, and somebody to deliver it to."""

    def _deliver(self) -> object:
        self._delivery = Delivery.IDLE
        if self._is_due():
            return self._deliver_next()
        self.settle()  # the read was cancelled meanwhile
        return None

    @abstractmethod
    def _deliver_next(self) -> object:
        """Deliver what is due, and return what the callback returned."""

    def _is_awaited(self) -> bool:
        """Tell whether the session is still to be told something before the end is."""
        return not self._is_abandoned and (self._pause is not None or bool(self._frames))

    # What may be asked for behind the end

    def _expect_more(self) -> None:
        """Let the end wait for the next who asks: most sessions do as soon as they are done with what they were given.

        Nobody is made to ask, so it waits for pauses, in which tasks run, and not for seconds.
        """
        if self._is_abandoned:
            return
        self._pauses_left = MAX_PAUSES
        if self._pause is None:
            self._end_pause()

    def _end_pause(self) -> None:
        self._pause = None
        if self._pauses_left:
            self._pauses_left -= 1
            self._pause = self._loop.call_later(self._connection, 0, self._end_pause)
        else:
            self.settle()

    def _expect_nothing(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    # The frames

    def _take(self) -> Frame:
        frame = self._frames.pop(0)
        if self.is_full:
            self._make_room()
        return frame

    def _make_room(self) -> None:
        """Read more once half is taken, and not before: a slow session would pause and resume at every frame."""
        if not self._is_crowded(HALF_OF_FRAMES + 1, READ_AHEAD_BYTES // 2 + 1):
            self.is_full = False
            self._connection.read_frames()

    def _is_crowded(self, frames: int, size: int) -> bool:
        """Tell whether at least so many frames wait, or so many bytes."""
        return len(self._frames) >= frames or sum(map(len, map(_payload_of, self._frames))) >= size
