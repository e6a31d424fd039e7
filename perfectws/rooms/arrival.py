"""A socket on its way into a room that has a log: its name is claimed, and it is sent what it has missed.

::

    CLAIMING ──the name is free──► RECOVERING ──what it missed is known, or a gap──► SENDING ──all is sent──► INSIDE
       │  │                                                                                                    ▲  │
       │  └───it comes with no position────────────────────────────────────────────────────────────────────────┘  ▼
       └──the name is not free, or the socket closes, or leaves─────────────────────────────────────────────► SETTLED

What the room is sent meanwhile is held until what was missed is sent, so that nothing newer overtakes it. That is not
sent at once, if it is much: a socket that reads slowly is given as much as its write buffer takes, then waits for room.
INSIDE it is a member, and only waits to be told a position, if none is known yet.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from itertools import islice
from typing import Protocol

from ..callbacks import CallbackLoop, Timer
from ..transport import HIGH_WATER
from ..websocket.outbox import IN_TURN
from ..websocket.socket import WebSocket
from .joining import NOT_LET_IN, Identity, Joining, Recovery
from .message import RoomMessage
from .position import Position

#: How long it may take to learn what was missed, in seconds. It is a gap then.
RECOVERY_SECONDS = 3.0


class State(Enum):
    """How far a socket is; see above."""

    CLAIMING = 0
    RECOVERING = 1
    SENDING = 2
    INSIDE = 3
    SETTLED = 4


class ArrivalRoom(Protocol):
    """The room, as who arrives sees it. In the loop of the socket."""

    @property
    def is_ready(self) -> bool:
        """Whether a position is known."""

    def position_in(self, loop: CallbackLoop) -> Position:
        """Return up to where all has come, and is on its way to the members of that loop."""

    def claim(self, socket: WebSocket, identity: Identity, done: Callable[[bool], object]) -> None:
        """Ask for a name. Calls ``done(entered)`` once, from any thread, maybe before this returns."""

    def missed(self, arrival: Arrival, position: Position) -> list[RoomMessage] | None:
        """Return what a socket missed that has all up to ``position``. What comes from now on the arrival holds.

        ``None`` if that is not known yet, or if there is a gap: `Arrival.has_gap` is set then.
        """

    def let_in(self, socket: WebSocket, since: Position, rest: list[RoomMessage]) -> None:
        """Make the socket a member that has all behind ``since``, and send it the rest as one."""

    def has_had(self, socket: WebSocket, position: Position) -> bool:
        """Tell whether a member has all behind ``position``."""

    def settled(self, arrival: Arrival) -> None:
        """Forget the arrival."""

    def count(self, deliveries: int) -> None:
        """Add to the figures."""


class Arrival:
    """A socket on its way into a room: a `perfectws.websocket.contract.Membership`. In the socket's loop.

    Args:
        room: The room.
        joining: What was asked for.
        is_member: Whether the socket is in the room already, and at most its name changes.

    Attributes:
        socket, loop: The socket, and the loop it lives in.
        has_gap: Whether it is known that what was missed is not to be had any more.
        reads: How often the log had been read when this asked for it; ``None`` if it has not.
        later: What was asked for the socket meanwhile.
    """

    __slots__ = (
        "_after",
        "_held",
        "_is_member",
        "_is_paced",
        "_joining",
        "_live_size",
        "_measured",
        "_missed",
        "_next",
        "_position",
        "_room",
        "_state",
        "_timer",
        "_waits_for_room",
        "has_gap",
        "later",
        "loop",
        "reads",
        "socket",
    )

    def __init__(self, room: ArrivalRoom, joining: Joining, is_member: bool) -> None:
        self._room = room
        self._joining = joining
        self._is_member = is_member
        self._state = State.CLAIMING
        self._timer: Timer | None = None
        #: The position it comes with; and up to where it has all, once all is sent.
        self._position = self._after = joining.position
        #: What it is to be sent: what it has missed, so many messages, then what came meanwhile.
        self._held: list[RoomMessage] = []
        self._missed = 0
        #: Which of them is to be sent next; the size of those that came meanwhile and wait, as far as it was measured.
        self._next = self._measured = self._live_size = 0
        self._is_paced = self._waits_for_room = False
        self.socket = joining.socket
        self.loop: CallbackLoop = joining.socket.outbox.loop
        self.has_gap = False
        self.reads: int | None = None
        self.later: list[Joining] = []

    def begin(self) -> None:
        """Set out."""
        self.socket.outbox.join(self)
        identity = self._joining.identity
        if identity is None:
            self._recover()
        else:
            self._room.claim(self.socket, identity, self._claimed)

    def _claimed(self, entered: bool) -> None:
        if self.loop.is_here():
            self._claim_answered(entered)
        else:
            self.loop.ask(self.loop.owner, self._claim_answered, entered)

    def _claim_answered(self, entered: bool) -> None:
        if self._state is State.CLAIMING:
            if entered:
                self._recover()
            else:
                self._settle(NOT_LET_IN)

    def forget(self) -> None:
        """Give up: the socket is closing, or leaves."""
        if self._state is not State.SETTLED:
            self._settle(self._recovery() if self._state is State.INSIDE else NOT_LET_IN)

    # What it has missed

    def _recover(self) -> None:
        if self._joining.after is None or self._is_member:
            self._enter()
        else:
            self._state = State.RECOVERING
            self.go_on()

    def go_on(self) -> None:
        """Look whether what this waits for is there."""
        if self._state is State.RECOVERING:
            self._look()
        elif self._state is State.INSIDE:
            self._tell()

    def _look(self) -> None:
        missed = self._room.missed(self, self._after)
        if missed is not None:
            self._send(missed)
        elif self.has_gap:
            self._send(None)
        else:
            self._wait()

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.loop.owner, RECOVERY_SECONDS, self._too_late)

    def _too_late(self) -> None:
        if self._state is State.RECOVERING:
            self.has_gap = True
            self._send(None)
        elif self._state is State.INSIDE:
            self._settle(self._recovery())

    def _send(self, missed: list[RoomMessage] | None) -> None:
        """Send what was missed, and hold what came meanwhile; ``None``: there is a gap, and only that is sent."""
        self._state = State.SENDING
        if missed is not None:
            self._held = missed
            self._missed = self._measured = len(missed)
        position = self._room.position_in(self.loop)
        self._position = position if missed is None else max(self._position, position)
        self._pace()  # at the end of the turn: an application's `stamp` may be called for it

    # Sending it

    def hold(self, message: RoomMessage) -> None:
        """Take what the room is sent meanwhile."""
        if self._state in (State.RECOVERING, State.SENDING):
            self._held.append(message)
        if self._state is State.SENDING:
            self._pace()

    def _pace(self) -> None:
        if not self._is_paced:
            self._is_paced = True
            self.loop.call_before_writing(self._paced)

    def _paced(self) -> None:
        self._is_paced = False
        self.deliver()

    def deliver(self) -> None:
        """Send what is held, as far as there is room: it comes before what the socket is about to be sent."""
        if self._state is not State.SENDING or not self.socket.outbox.is_open:
            return
        while self._next < len(self._held):
            if not self.socket.outbox.has_room:
                self._wait_for_room()
                return
            self._send_some()
        self._enter()

    def _wait_for_room(self) -> None:
        for message in self._held[self._measured :]:
            self._live_size += len(message.frame)
        self._measured = len(self._held)
        if self.socket.outbox.would_overflow(self._live_size, 2):
            self._enter(self._held[self._next :])  # which then is a member that reads too slowly
        elif not self._waits_for_room:
            self._waits_for_room = True
            self.socket.outbox.call_when_drained(self._drained)

    def _drained(self) -> None:
        self._waits_for_room = False
        self.deliver()

    def _send_some(self) -> None:
        """Send one piece: as many messages as the write buffer takes, joined, or one that is for this socket alone."""
        outbox = self.socket.outbox
        if outbox.sending is IN_TURN:
            frames = [message.frame for message in self._piece()]
            self._count(len(frames))
            outbox.write_whole(b"".join(frames))
        else:
            message, compression = self._held[self._next], outbox.compression
            self._count(1)
            outbox.write_whole(message.frame if compression is None else message.frame_for(compression))

    def _piece(self) -> list[RoomMessage]:
        size, end = 0, self._next
        for message in islice(self._held, end, None):
            size += len(message.frame)
            end += 1
            if size >= HIGH_WATER:
                break
        return self._held[self._next : end]

    def _count(self, sent: int) -> None:
        for message in self._held[max(self._next, self._missed) : min(self._next + sent, self._measured)]:
            self._live_size -= len(message.frame)
        self._next += sent
        self._room.count(sent)
        self.loop.counts.count_deliveries(sent)

    # Inside

    def _enter(self, rest: list[RoomMessage] | None = None) -> None:
        has_recovered = self._state is State.SENDING and not self.has_gap
        if self._state is not State.SENDING:
            self._position = self._room.position_in(self.loop)
        self._state = State.INSIDE
        if not self._is_member:
            since = self._after if has_recovered else self._position
            self._room.let_in(self.socket, since, rest or [])
        self._tell()

    def _tell(self) -> None:
        if self._room.is_ready or self.has_gap or self._joining.completion is None:
            self._settle(self._recovery())
        else:
            self._wait()

    def _recovery(self) -> Recovery:
        recovered = not self.has_gap
        if self._is_member and self._joining.after is not None:
            recovered = self._room.has_had(self.socket, self._after)
        return Recovery(recovered, self._missed, str(self._position))

    def _complete(self, recovery: Recovery) -> object:
        """Tell the application. Of this moment's position: what has come by now goes out before what it sends."""
        assert self._joining.completion is not None
        position = max(self._position, self._room.position_in(self.loop))
        return self._joining.completion(recovery._replace(position=str(position)))

    def _settle(self, recovery: Recovery) -> None:
        if self._state is State.SETTLED:
            return
        self._state = State.SETTLED
        self._held = []
        if self._timer is not None:
            self._timer.cancel()
        self.socket.outbox.leave(self)
        if self._joining.completion is not None and recovery.has_joined:
            self.socket.call_back(self._complete, recovery)
        else:
            self._joining.answer(recovery)
        self._room.settled(self)
