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
from ..websocket.frames import build_frame, build_text_frame
from ..websocket.opcodes import OpcodeType
from ..websocket.socket import WebSocket
from .group import DropCallback, RoomGroup
from .lone import note_lone_room
from .message import RoomMessage

#: Guards what threads share of rooms: the figures, and which loops there are.
_lock = Lock()

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
        if name is not None:
            note_lone_room(self)

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
        """Add to the figures. From any loop's thread."""
        with _lock:
            self._deliveries += deliveries
            self._drops += drops
