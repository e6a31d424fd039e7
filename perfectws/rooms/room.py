"""`Room`: one message to many sockets.

A frame is built once for all. What a room is sent during one turn of the loop is gathered, joined once, and given to
each member once, at the end of the turn: so a hundred members who all talk take two hundred small steps, not ten
thousand. A member that sends something of its own in between gets what the room holds first, so that the order holds.

The same is true of those who compress: all who do it alike get the same bytes, compressed once, however slow they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Literal, NamedTuple
from weakref import WeakSet

from ..callbacks import CallbackLoop
from ..checks.signatures import check_callable
from ..http.binary import BytesLike
from ..websocket.arguments import binary_message, check_text
from ..websocket.deflate import Compression
from ..websocket.frames import build_frame, build_text_frame
from ..websocket.opcodes import OpcodeType
from ..websocket.outbox import DEFLATED, IN_TURN
from ..websocket.socket import WebSocket
from .deflate import DeflatedTurn, History
from .message import RoomMessage

#: Guards what threads share of rooms: the figures, and which loops there are.
_lock = Lock()

#: Called with (socket, missed) when a slow member has room again.
DropCallback = Callable[[WebSocket, int], object]


#: Called with (room) when its last member has left.
EmptyCallback = Callable[["Room"], object]


class RoomFigures(NamedTuple):
    """What a room has done so far.

    Attributes:
        members: Sockets in it now.
        messages: Messages sent to it.
        deliveries: Messages times the members they were given to.
        drops: Messages that slow members missed.
    """

    members: int
    messages: int
    deliveries: int
    drops: int


class Room:
    """A set of sockets that are sent the same messages. From any thread; its members may live in several loops.

    A socket leaves by itself when it closes. A member that reads too slowly never slows the others down.
    A message is compressed once for all members that agreed on the same.

    Args:
        name: What the room is called.
        slow: What happens to a member whose write buffer is full: ``"close"`` closes it with 1013, ``"drop"`` lets it
            miss messages until it has room.
        on_drop: With ``slow="drop"``, told how many messages a member missed.
        on_empty: Told when the last member has left: a program that has a room for each topic forgets it then.

    Calls back:
        ``on_drop(socket, missed)`` once the member has room again.

        ``on_empty(room)`` each time that the last member has left, in the event loop of that one, unless somebody has
        come by then. An exception of either is logged.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        slow: Literal["close", "drop"] = "close",
        on_drop: DropCallback | None = None,
        on_empty: EmptyCallback | None = None,
    ) -> None:
        if slow not in ("close", "drop"):
            raise ValueError(f'slow is "close" or "drop", not {slow!r}')
        if on_drop is not None:
            check_callable(on_drop, "on_drop", "socket", "missed")
        if on_empty is not None:
            check_callable(on_empty, "on_empty", "room")
        self.name = name
        self.drops_for_slow = slow == "drop"
        self.on_drop = on_drop
        self.on_empty = on_empty
        self._groups: dict[CallbackLoop, RoomGroup] = {}
        #: The loops that may have a group: known from the call of `join` on, though that may come from another thread.
        self._loops: WeakSet[CallbackLoop] = WeakSet()
        self._messages = 0
        self._deliveries = 0
        self._drops = 0

    def __repr__(self) -> str:
        return f"<Room {self.name or 'without a name'}: {len(self)} members>"

    def join(self, socket: WebSocket) -> None:
        """Let ``socket`` in. A closed one stays outside, and one that is in already stays in."""
        with _lock:
            self._loops.add(socket.outbox.loop)
        socket.call_in_loop(self._join, socket)

    def leave(self, socket: WebSocket) -> None:
        """Let ``socket`` go. Harmless if it is not in."""
        socket.call_in_loop(self._leave, socket)

    def _join(self, socket: WebSocket) -> None:
        outbox = socket.outbox
        if outbox.is_open and socket not in self:
            loop = outbox.loop
            if loop not in self._groups:
                self._groups[loop] = RoomGroup(self, loop)
            self._groups[loop].join(socket)

    def _leave(self, socket: WebSocket) -> None:
        group = self._groups.get(socket.outbox.loop)
        if group is not None:
            group.leave(socket)
            if not group.members:
                loop = socket.outbox.loop
                del self._groups[loop]
                if self.on_empty is not None and not self._groups:
                    loop.call(loop.owner, self._tell_empty)

    def _tell_empty(self) -> object:
        # Somebody may have come meanwhile.
        return None if self.on_empty is None or len(self) else self.on_empty(self)

    def send_string_message(self, string: str, exclude: WebSocket | None = None) -> None:
        """Send a text message to every member.

        Args:
            string: The text.
            exclude: A member that is not to get it: its author, say.

        Raises:
            TypeError: ``string`` is not a ``str``.
        """
        check_text(string)
        self._send(RoomMessage(bytes(build_text_frame(string)), exclude))

    def send_binary_message(self, data: BytesLike, exclude: WebSocket | None = None) -> None:
        """Send a binary message to every member.

        Args:
            data: The bytes, in any object that has a buffer of them.
            exclude: A member that is not to get it.

        Raises:
            TypeError: ``data`` is not bytes-like.
        """
        self._send(RoomMessage(bytes(build_frame(OpcodeType.BINARY, binary_message(data))), exclude))

    def _send(self, message: RoomMessage) -> None:
        self._messages += 1
        with _lock:
            loops = list(self._loops)
        for loop in loops:
            if loop.is_here():
                self._send_in(loop, message)
            else:
                loop.ask(loop.owner, self._send_in, loop, message)

    def _send_in(self, loop: CallbackLoop, message: RoomMessage) -> None:
        group = self._groups.get(loop)
        if group is not None:
            group.send(message)

    def __len__(self) -> int:
        """Return how many members there are."""
        return sum(len(group.members) for group in list(self._groups.values()))

    def __contains__(self, socket: object) -> bool:
        """Tell whether ``socket`` is a member."""
        return any(socket in group.members for group in list(self._groups.values()))

    def __iter__(self) -> Iterator[WebSocket]:
        """Iterate over the members of this moment."""
        return iter([socket for group in list(self._groups.values()) for socket in list(group.members)])

    @property
    def figures(self) -> RoomFigures:
        """What the room has done so far."""
        return RoomFigures(len(self), self._messages, self._deliveries, self._drops)

    def count(self, deliveries: int, drops: int = 0) -> None:
        """Add to the figures; perfectws's own. From any loop's thread."""
        with _lock:
            self._deliveries += deliveries
            self._drops += drops


class RoomGroup:
    """The members of a room that live in one loop, and what they are to be sent at the end of the turn.

    Attributes:
        members: Each member, by its socket.
        pending: What is to be sent at the end of the turn.
    """

    __slots__ = ("_histories", "_loop", "members", "pending", "room")

    def __init__(self, room: Room, loop: CallbackLoop) -> None:
        self.room = room
        self._loop = loop
        self.members: dict[WebSocket, Member] = {}
        self.pending: list[RoomMessage] = []
        #: What its members that compress have been sent, by how they do.
        self._histories: dict[Compression, History] | None = None

    def history(self, compression: Compression) -> History:
        """Return what the members that compress so have been sent."""
        if self._histories is None:
            self._histories = {}
        history = self._histories.get(compression)
        if history is None:
            history = self._histories[compression] = History(compression)
        return history

    def join(self, socket: WebSocket) -> None:
        """Let a member in; what is pending is not for it."""
        member = self.members[socket] = Member(self, socket)
        socket.outbox.join(member)

    def leave(self, socket: WebSocket) -> None:
        """Let a member go; what is pending it still gets."""
        member = self.members.get(socket)
        if member is not None:
            member.deliver()
            del self.members[socket]
            socket.outbox.leave(member)

    def send(self, message: RoomMessage) -> None:
        """Send to every member at the end of the turn."""
        if not self.pending:
            self._loop.call_before_writing(self.deliver)
        self.pending.append(message)

    def deliver(self) -> None:
        """Give every member what is pending."""
        messages, self.pending = self.pending, []
        frames = b"".join([message.frame for message in messages])
        excluded = {message.exclude for message in messages}
        size, count = len(frames), len(messages)
        may_drop = self.room.drops_for_slow
        turns: dict[Compression, DeflatedTurn] = {}
        delivered = 0
        for member in list(self.members.values()):
            outbox = member.outbox
            if member.early or member.socket in excluded:
                delivered += member.deliver_apart(messages[member.early :])
                member.early = 0
            elif outbox.sending is IN_TURN:
                if not may_drop or member.has_room(size, count):
                    outbox.write_shared(frames, count)
                    delivered += count
            elif outbox.sending is DEFLATED:
                delivered += member.deliver_deflated(messages, turns)
            else:
                delivered += member.deliver_apart(messages)
        self.room.count(delivered)


class Member:
    """One socket in a room: a `perfectws.websocket.contract.Membership`.

    Attributes:
        socket, outbox: The socket, and its sending half.
        early: How many of the pending messages it is not to get, since it has them or came after them.
    """

    __slots__ = ("_compression", "_group", "_known_from", "_missed", "early", "outbox", "socket")

    def __init__(self, group: RoomGroup, socket: WebSocket) -> None:
        self._group = group
        self.socket = socket
        self.outbox = socket.outbox
        self._compression = socket.outbox.compression
        #: From where on the peer's window holds the history of those who compress alike; ``None`` if nothing is known.
        self._known_from: int | None = None
        self.early = len(group.pending)
        #: How many messages it has missed since it last had room; ``None`` while it has room.
        self._missed: int | None = None

    def deliver(self) -> None:
        """Send what is pending ahead of the end of the turn: the socket is about to be sent something else."""
        pending = self._group.pending
        if self.early < len(pending):
            messages, self.early = pending[self.early :], len(pending)
            self._group.room.count(self.deliver_apart(messages))

    def forget(self) -> None:
        """Leave the room: the socket is closing."""
        self._group.room.leave(self.socket)

    def deliver_apart(self, messages: list[RoomMessage]) -> int:
        """Send messages to this member alone, but for those that exclude it. Return how many were sent."""
        may_drop = self._group.room.drops_for_slow
        compression = self._compression
        delivered = 0
        for message in messages:
            if message.exclude is self.socket:
                continue
            frame = message.frame if compression is None else message.frame_for(compression)
            if not may_drop or self.has_room(len(frame), 1):
                self.outbox.write_whole(frame)
                delivered += 1
        return delivered

    def deliver_deflated(self, messages: list[RoomMessage], turns: dict[Compression, DeflatedTurn]) -> int:
        """Send all of a turn's messages to this member, which compresses. Return how many were sent.

        Args:
            messages: The messages.
            turns: What compresses them, by how it does, as far as members before this one have asked for it.
        """
        compression, outbox, count = self._compression, self.outbox, len(messages)
        assert compression is not None
        turn = turns.get(compression)
        if turn is None:
            turn = turns[compression] = self._group.history(compression).turn(messages)
        if self._known_from is None or not outbox.is_in(turn.before):
            self._known_from = turn.start
        joined = turn.joined(self._known_from)
        if self._group.room.drops_for_slow and not self.has_room(len(joined.frames), count):
            return 0
        if not joined.is_compressed:
            outbox.write_shared(joined.frames, count)
            return count
        if not joined.is_gapless:
            self._known_from = turn.end
        outbox.write_shared_deflated(joined.frames, count, turn.position)
        return count

    def has_room(self, size: int, count: int) -> bool:
        """Tell whether the member can take ``size`` more bytes; if not, it misses those ``count`` messages."""
        if self._missed is None:
            if not self.outbox.would_overflow(size, count):
                return True
            self._missed = 0
            self.outbox.call_when_drained(self._drained)
        self._missed += count
        self._group.room.count(0, count)
        return False

    def _drained(self) -> object:
        missed, self._missed = self._missed, None
        on_drop = self._group.room.on_drop
        return on_drop(self.socket, missed) if missed and on_drop is not None else None
