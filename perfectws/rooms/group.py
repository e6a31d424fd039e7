"""The members of a room, as far as they live in one loop, and how each is given what the room is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..callbacks import CallbackLoop
from ..websocket.deflate import Compression
from ..websocket.outbox import DEFLATED, IN_TURN
from ..websocket.socket import WebSocket
from .deflate import DeflatedTurn, History
from .message import RoomMessage

#: Called with (socket, missed) when a slow member has room again.
DropCallback = Callable[[WebSocket, int], object]


class GroupRoom(Protocol):
    """A room, as its groups see it."""

    drops_for_slow: bool
    on_drop: DropCallback | None

    def count(self, deliveries: int, drops: int = 0) -> None:
        """Add to the figures."""

    def leave(self, socket: WebSocket) -> None:
        """Let a socket go."""


class RoomGroup:
    """The members of a room that live in one loop, and what they are to be sent at the end of the turn.

    Attributes:
        members: Each member, by its socket.
        pending: What is to be sent at the end of the turn.
    """

    __slots__ = ("_histories", "_loop", "members", "pending", "room")

    def __init__(self, room: GroupRoom, loop: CallbackLoop) -> None:
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

    def join(self, socket: WebSocket) -> Member:
        """Let a member in; what is pending is not for it."""
        member = self.members[socket] = Member(self, socket)
        self._loop.counts.members += 1
        socket.outbox.join(member)
        return member

    def leave(self, socket: WebSocket) -> None:
        """Let a member go; what is pending it still gets."""
        member = self.members.get(socket)
        if member is not None:
            member.deliver()
            del self.members[socket]
            self._loop.counts.members -= 1
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
        members = list(self.members.values())
        # By how much there are fewer deliveries than if each member got each message; and how many bytes were sent.
        difference = sent = 0
        for member in members:
            outbox = member.outbox
            try:
                if member.early or member.socket in excluded:
                    difference += member.deliver_apart(messages[member.early :]) - count
                    member.early = 0
                elif outbox.sending is IN_TURN:
                    if not may_drop or member.has_room(size, count):
                        sent += outbox.write_shared(frames, count)
                    else:
                        difference -= count
                elif outbox.sending is DEFLATED:
                    sent += member.deliver_deflated(messages, turns)
                else:
                    difference += member.deliver_apart(messages) - count
            except Exception as error:  # it costs that member (law 4), and not the others what they are to get
                difference -= count
                outbox.fail(error)
        self._loop.counts.bytes_sent += sent
        self.count(count * len(members) + difference)

    def count(self, deliveries: int, drops: int = 0) -> None:
        """Add to the figures of the room, and of the loop."""
        self._loop.counts.count_deliveries(deliveries, drops)
        self.room.count(deliveries, drops)


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
            self._group.count(self.deliver_apart(messages))

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
        """Send all of a turn's messages to this member, which compresses. Return how many bytes the kernel has taken.

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
            self._group.count(-count)  # which it is taken to get, as every member is
            return 0
        if not joined.is_compressed:
            return outbox.write_shared(joined.frames, count)
        if not joined.is_gapless:
            self._known_from = turn.end
        return outbox.write_shared_deflated(joined.frames, count, turn.position)

    def has_room(self, size: int, count: int) -> bool:
        """Tell whether the member can take ``size`` more bytes; if not, it misses those ``count`` messages."""
        if self._missed is None:
            if not self.outbox.would_overflow(size, count):
                return True
            self._missed = 0
            self.outbox.call_when_drained(self._drained)
        self._missed += count
        self._group.count(0, count)
        return False

    def _drained(self) -> object:
        missed, self._missed = self._missed, None
        on_drop = self._group.room.on_drop
        return on_drop(self.socket, missed) if missed and on_drop is not None else None
