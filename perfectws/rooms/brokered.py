"""What stands behind a room that has a broker, a history, people or a stamp.

What the room is sent goes to its members at once, and to the log of its name; what others put there goes to the members
in the order of the log::

    Room.send_… ──► log (numbered, not confirmed yet)  ──► feed of each loop ──► its RoomGroup, and who arrives there
    Channel     ──► take: one's own is confirmed, the others' ─────▲

All is numbered, kept and put into the feeds under one lock, so that each loop gets it in one order, and a position that
was read under it is true for all that came before. The lock is never held while an application's code runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from threading import RLock
from typing import Protocol
from weakref import ref

from ..callbacks import CallbackLoop, running_loop
from ..websocket.opcodes import OpcodeType
from ..websocket.socket import WebSocket
from .arrival import Arrival
from .broker import Broker, LogLimits, LogMessage, Person, Subscriber
from .entry import ExcludingMessage, Stamp
from .group import Member, RoomGroup
from .joining import NOT_LET_IN, Identity, Joining
from .message import RoomMessage
from .position import NOWHERE, Position
from .presence import Presence
from .room_log import Lack, RoomLog


class BrokeredRoom(Protocol):
    """A room, as what stands behind it sees it."""

    @property
    def groups(self) -> Mapping[CallbackLoop, RoomGroup]:
        """Its members, by loop."""

    def __contains__(self, socket: object, /) -> bool: ...

    def let_in(self, socket: WebSocket) -> Member:
        """Make a socket a member."""

    def count(self, deliveries: int, drops: int = 0) -> None:
        """Add to the figures."""

    def count_messages(self, messages: int) -> None:
        """Add to the figures."""


class Brokered(Subscriber):
    """What stands behind a room.

    Args:
        room: The room, which is not kept alive.
        name: The room's.
        broker: What carries its messages.
        limits: How much of its log is kept.
        stamp: The application's function that says what members are sent; ``None`` for the data as it is.

    Attributes:
        name, limits: As above.
        log: What was said.
        presence: Who is here.
    """

    def __init__(self, room: BrokeredRoom, name: str, broker: Broker, limits: LogLimits, stamp: Stamp | None) -> None:
        self.name = name
        self.limits = limits
        self._room = ref(room)
        self._channel = broker.subscribe(self)
        self._lock = RLock()
        self.log = RoomLog(self._channel, limits, stamp, not broker.spans_processes, self._lock)
        self.presence = Presence(self._channel, self._lock)
        #: What waits for each loop. A loop is here from the call of `Room.join` on, though that comes from elsewhere.
        self._feeds: dict[ref[CallbackLoop], list[RoomMessage]] = {}
        self._arrivals: dict[WebSocket, Arrival] = {}
        #: What the broker calls those members that say who they are.
        self._numbers: dict[WebSocket, int] = {}
        self._next_number = count(1)
        #: The position behind which each member has had all.
        self._since: dict[WebSocket, Position] = {}

    # Messages: from here, and from elsewhere

    def send(self, opcode: OpcodeType, data: bytes, exclude: WebSocket | None) -> None:
        """Send a message to every member, here and elsewhere. From any thread."""
        with self._lock:
            message = self.log.new(opcode, data)
            self._channel.publish(message, running_loop())
            self.log.sent(message)
            self._feed([message], exclude)
        self._flush()

    def _feed(self, messages: Sequence[LogMessage], exclude: WebSocket | None = None) -> None:
        """Put messages into the feed of each loop."""
        room = self._room()
        if room is not None:
            room.count_messages(len(messages))
        if self._feeds:
            said = [self.log.said(message) for message in messages]
            if exclude is not None:
                said = [ExcludingMessage(message, exclude) for message in said]
            for feed in self._feeds.values():
                feed += said

    def _flush(self) -> None:
        """Let each loop take what waits for it."""
        with self._lock:
            loops = [reference() for reference, feed in self._feeds.items() if feed]
        for loop in loops:
            if loop is None:
                continue
            if loop.is_here():
                self._drain(loop)
            else:
                loop.ask(loop.owner, self._drain, loop)

    def _drain(self, loop: CallbackLoop) -> Position:
        """Give what waits for a loop to its members, and who arrives there; return the position up to which it is."""
        with self._lock:
            position = self.log.position
            messages = self._fed(loop)
        self._deliver(loop, messages)
        return position

    def _fed(self, loop: CallbackLoop) -> list[RoomMessage]:
        key = ref(loop)
        messages = self._feeds.get(key)
        if not messages:
            return []
        self._feeds[key] = []
        return messages

    def _deliver(self, loop: CallbackLoop, messages: list[RoomMessage]) -> None:
        if not messages:
            return
        room = self._room()
        group = room.groups.get(loop) if room is not None else None
        arrivals = self._arrivals_in(loop) if self._arrivals else ()
        for message in messages:
            if group is not None:
                group.send(message)
            for arrival in arrivals:
                arrival.hold(message)

    def opened(self, position: Position) -> None:
        """Begin to listen: every message behind ``position`` will come."""
        with self._lock:
            if self.log.is_open:
                self.log.begin(position)
        self._go_on()

    def take(self, messages: Sequence[LogMessage], position: Position) -> int:
        """Take what the log has got; return how many messages had come before."""
        with self._lock:
            if not self.log.is_ready:
                return 0
            from_elsewhere = [self.log.take(message) for message in messages]
            coming = [message for message, is_coming in zip(messages, from_elsewhere, strict=True) if is_coming]
            if coming:
                self._feed(coming)
            self.log.move(position)
        self._flush()
        self._go_on()
        return from_elsewhere.count(None)

    def take_own(self, first: int, count: int, position: Position) -> bool:
        """Take the next entry of the log, if its messages are those of one's own that were sent first."""
        with self._lock:
            is_taken = self.log.is_ready and self.log.take_own(first, count, position)
        if is_taken:
            self._go_on()
        return is_taken

    def gap(self, position: Position) -> None:
        """Go on from ``position``, though something before it never came."""
        with self._lock:
            if self.log.is_ready:
                self.log.go_on(position)
        self._go_on()

    def torn(self) -> None:
        """Take it that something was said behind the position where this is, and is in no log."""
        with self._lock:
            if self.log.is_ready:
                self.log.tear()
        self._go_on()

    def confirmed(self, first: int, count: int, position: Position) -> None:
        """Take it that messages of one's own are in the log."""
        with self._lock:
            self.log.confirm(first, count, position)

    def lost(self, first: int, count: int) -> None:
        """Forget messages of one's own: they will never be in the log."""
        with self._lock:
            self.log.lose(first, count)

    def people_changed(self, arrived: Mapping[str, Person], gone: Collection[str]) -> None:
        """Take who came, or changed, and who went, in other processes."""
        with self._lock:
            if self.log.is_open:
                self.presence.others_changed(arrived, gone)

    def loops(self) -> list[CallbackLoop]:
        """Return the loops that have members now."""
        room = self._room()
        loops = dict.fromkeys(() if room is None else list(room.groups))
        return list(loops | dict.fromkeys(arrival.loop for arrival in list(self._arrivals.values())))

    # Who comes and goes

    def feed(self, loops: Iterable[CallbackLoop]) -> None:
        """Have a feed for each loop from now on."""
        with self._lock:
            self._feeds = {reference: feed for reference, feed in self._feeds.items() if reference() is not None}
            for loop in loops:
                self._feeds.setdefault(ref(loop), [])

    def join(self, joining: Joining) -> None:
        """Let a socket in. From any thread."""
        self.feed([joining.socket.outbox.loop])
        joining.socket.call_in_loop(self._join, joining)

    def _join(self, joining: Joining) -> None:
        socket, room = joining.socket, self._room()
        if room is None or not socket.outbox.is_open:
            joining.answer(NOT_LET_IN)
        elif socket in self._arrivals:
            self._arrivals[socket].later.append(joining)
        else:
            arrival = self._arrivals[socket] = Arrival(self, joining, socket in room)
            self._open(arrival.loop)
            arrival.begin()

    def _open(self, loop: CallbackLoop) -> None:
        with self._lock:
            if not self.log.is_open:
                self.log.is_open = True
                self.presence.home = loop
                self._channel.open(loop)

    def settled(self, arrival: Arrival) -> None:
        """Forget who has arrived, or has given up."""
        socket, room = arrival.socket, self._room()
        del self._arrivals[socket]
        if room is None or socket not in room:
            self.left(socket)
        for joining in arrival.later:
            self._join(joining)

    def left(self, socket: WebSocket) -> None:
        """Take it that a socket is no member any more, or gives up becoming one."""
        arrival = self._arrivals.get(socket)
        if arrival is not None:
            arrival.forget()
            return
        self._since.pop(socket, None)
        number = self._numbers.pop(socket, None)
        if number is not None:
            self.presence.leave(number)
        self._close_if_empty()

    def _close_if_empty(self) -> None:
        with self._lock:
            room = self._room()
            if not self.log.is_open or self._arrivals or (room is not None and room.groups):
                return
            self.presence.close()
            self._channel.close()
            self.log.close()

    # What an arrival asks for

    @property
    def is_ready(self) -> bool:
        """Whether a position is known."""
        return self.log.is_ready

    def position_in(self, loop: CallbackLoop) -> Position:
        """Return up to where all has come, and is on its way to the members of that loop."""
        return self._drain(loop)

    def claim(self, socket: WebSocket, identity: Identity, done: Callable[[bool], object]) -> None:
        """Let a socket say who it is."""
        if socket not in self._numbers:
            self._numbers[socket] = next(self._next_number)
        self.presence.enter(self._numbers[socket], identity, done)

    def missed(self, arrival: Arrival, position: Position) -> list[RoomMessage] | None:
        """Return what a socket missed; from now on the arrival holds what comes."""
        found = self._after(arrival.loop, position)
        if found is Lack.NOT_READ and arrival.reads is None:
            arrival.reads = self.log.reads
            self.log.read(self._was_read)
            found = self._after(arrival.loop, position)
        if found is Lack.NOT_READ and self.log.reads != arrival.reads:
            found = Lack.GAP  # it could not be read
        arrival.has_gap = found is Lack.GAP
        return found if isinstance(found, list) else None

    def _after(self, loop: CallbackLoop, position: Position) -> list[RoomMessage] | Lack:
        with self._lock:
            found = self.log.after(position)
            fed = self._fed(loop)
        self._deliver(loop, fed)
        return found

    def _was_read(self, log: object) -> None:
        self._go_on()

    def _go_on(self) -> None:
        """Let who waits for something look whether it is there."""
        if not self._arrivals:
            return
        for loop in {arrival.loop for arrival in list(self._arrivals.values())}:
            loop.call_soon(loop.owner, self._go_on_in, loop)

    def _go_on_in(self, loop: CallbackLoop) -> None:
        for arrival in self._arrivals_in(loop):
            arrival.go_on()

    def _arrivals_in(self, loop: CallbackLoop) -> list[Arrival]:
        return [arrival for arrival in list(self._arrivals.values()) if arrival.loop is loop]

    def let_in(self, socket: WebSocket, since: Position, rest: list[RoomMessage]) -> None:
        """Make a socket a member."""
        room = self._room()
        if room is not None and socket.outbox.is_open:
            self._since[socket] = since
            member = room.let_in(socket)
            if rest:
                room.groups[socket.outbox.loop].count(member.deliver_apart(rest))

    def has_had(self, socket: WebSocket, position: Position) -> bool:
        """Tell whether a member has all behind ``position``."""
        since = self._since.get(socket, NOWHERE)
        return since.epoch == position.epoch != NOWHERE.epoch and since <= position

    def count(self, deliveries: int) -> None:
        """Add to the figures."""
        room = self._room()
        if room is not None:
            room.count(deliveries)
