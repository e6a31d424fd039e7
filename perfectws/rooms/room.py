"""`Room`: one message to many sockets.

A frame is built once for all. What a room is sent during one turn of the loop is gathered, joined once, and given to
each member once, at the end of the turn: so a hundred members who all talk take two hundred small steps, not ten
thousand. A member that sends something of its own in between gets what the room holds first, so that the order holds.

The same is true of those who compress: all who do it alike get the same bytes, compressed once, however slow they are.

A room that has a broker, a history, people or a stamp has more behind it: `perfectws.rooms.brokered`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeVar
from weakref import ref

from ..callbacks import CallbackLoop, running_loop
from ..checks.quantities import COUNT, SECONDS_OR_NONE, SIZE
from ..checks.signatures import check_callable
from ..futures import Promise
from ..http.binary import BytesLike
from ..websocket.arguments import binary_message, check_text
from ..websocket.frames import build_frame, build_text_frame, encoded
from ..websocket.opcodes import OpcodeType
from ..websocket.socket import WebSocket
from .arguments import check_socket, wrong_exclude
from .broker import Broker, LogLimits
from .brokered import Brokered
from .entry import RoomEntry, Stamp, check_stamp
from .group import DropCallback, Member, RoomGroup
from .joining import JoinCompletion, Joining, identity
from .local_broker import LocalBroker
from .lone import note_lone_room
from .message import RoomMessage

#: Guards what threads share of rooms: the figures, and which loops there are.
_lock = Lock()

#: Called with (room) when its last member has left.
EmptyCallback = Callable[["Room"], object]
#: Called with (joined, left): names, each with its info.
PeopleCallback = Callable[[dict[str, Any], dict[str, Any]], object]
PeopleCallbackT = TypeVar("PeopleCallbackT", bound=PeopleCallback)

#: How many messages are kept where nothing is said of it, though there is a broker, or a time for which they are kept.
DEFAULT_HISTORY = 256
#: How long they are kept where nothing is said of either, in seconds.
DEFAULT_HISTORY_SECONDS = 3600.0
#: What is as good as all messages, and as for ever in seconds: no server counts further.
_MOST_HISTORY = 2**32
_FOR_EVER = 2.0**32


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
        broker: What carries the messages to the rooms of the same name in other processes, and keeps them: each message
            reaches the members here at once, whatever the broker does. A process has one room of a name on a broker.
        history: How many messages are kept for those who come back and for `last_messages`. Without a broker they are
            kept in this process. `RedisBroker` says how far back a process reads what it did not hear itself.
        history_seconds: How long each is kept; ``None``: no limit. With a broker and neither, 256 are, for an hour.
        stamp: ``stamp(entry)`` makes of each `RoomEntry` what the members are sent, a ``str`` or bytes: so a client
            learns the ids and positions to come back with. Without one they are sent the data as it is.

    Raises:
        TypeError: ``name`` is no ``str``, or ``broker`` is no broker: a URL, say, or a class.
        ValueError: There is a room of that name on the broker, or it has a broker and no name. There is an ``on_drop``
            without ``slow="drop"``.

    Calls back:
        ``stamp(entry)`` once for each message, however many members there are: when the turn ends in which it was sent,
        or before, if a member is sent something else meanwhile. If it fails, that is logged, and the members get the
        data as it is.

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
        broker: Broker | None = None,
        history: int | None = None,
        history_seconds: float | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name is a str, not {type(name).__name__}")
        if broker is not None and not isinstance(broker, Broker):
            what = f"the class {broker.__name__}" if isinstance(broker, type) else type(broker).__name__
            raise TypeError(f'broker is an object that carries messages: give a RedisBroker("redis://…"), not {what}')
        if slow not in ("close", "drop"):
            raise ValueError(f'slow is "close" or "drop", not {slow!r}')
        if on_drop is not None:
            check_callable(on_drop, "on_drop", "socket", "missed")
            if slow != "drop":
                raise ValueError('on_drop is told of what slow="drop" drops: without that it would never be called')
        if on_empty is not None:
            check_callable(on_empty, "on_empty", "room")
        self.name = name
        self.drops_for_slow = slow == "drop"
        self.on_drop = on_drop
        self.on_empty = on_empty
        self._groups: dict[CallbackLoop, RoomGroup] = {}
        #: The loops that may have a group: known from the call of `join` on, though that may come from another thread.
        self._loops: tuple[ref[CallbackLoop], ...] = ()
        self._messages = 0
        self._deliveries = 0
        self._drops = 0
        self._brokered: Brokered | None = None
        if broker is not None or history is not None or history_seconds is not None or stamp is not None:
            self._stand_before(broker, history, history_seconds, stamp)
        if name is not None and (broker is None or not broker.spans_processes):
            note_lone_room(self)

    def _stand_before(
        self, broker: Broker | None, history: int | None, history_seconds: float | None, stamp: Stamp | None
    ) -> Brokered:
        """Have a broker from now on: the one given, or one of the room's own."""
        if broker is not None and self.name is None:
            raise ValueError("a room with a broker has a name: the others of that name are what it is one with")
        limits = _limits(broker, history, history_seconds)
        check_stamp(stamp)
        broker = LocalBroker() if broker is None else broker
        self._brokered = Brokered(self, self.name or "", broker, limits, stamp)
        self._brokered.feed(loop for reference in self._loops if (loop := reference()) is not None)
        return self._brokered

    def _behind(self) -> Brokered:
        """Return what stands behind the room, from now on."""
        with _lock:
            return self._brokered or self._stand_before(None, None, None, None)

    def __repr__(self) -> str:
        return f"<Room {self.name or 'without a name'}: {len(self)} members>"

    def join(
        self,
        socket: WebSocket,
        *,
        after: str | None = None,
        who: str | None = None,
        info: object = None,
        unique: bool = False,
        completion: JoinCompletion | None = None,
    ) -> None:
        """Let ``socket`` in. A closed one stays outside, and one that is in already stays in.

        Args:
            socket: The socket.
            after: The position that its client had when it lost its connection: what the room was sent since then is
                sent to the socket before anything newer, stamped. It comes from the client, so it may be anything; from
                what is no position, or one too long ago, there is a gap.
            who: The name of who is there. One that is in already changes it so.
            info: What the others are told about them: anything that JSON can say.
            unique: Do not let it in if somebody of that name is there already, here or in another process.
            completion: Told what has come of it.

        Calls back:
            ``completion(recovery)`` once, with a `Recovery`, when the socket has been sent what it missed: within a few
            seconds, also if it closes meanwhile or the broker does not answer.

        Raises:
            TypeError, ValueError: An argument is wrong: ``who`` is no name, or ``info`` is not for JSON, say.
        """
        check_socket(socket, "join")
        if after is not None and not isinstance(after, str):
            raise TypeError(f"after is a position, a str, not {type(after).__name__}")
        if completion is not None:
            check_callable(completion, "a join's completion", "recovery")
        joining = Joining(socket, after, identity(who, info, unique), completion)
        with _lock:
            self._know(socket.outbox.loop)
            brokered = self._brokered
            if brokered is None and not joining.is_plain:
                brokered = self._stand_before(None, None, None, None)
        if brokered is None:
            socket.call_in_loop(self._join, socket)
        else:
            brokered.join(joining)

    def _know(self, loop: CallbackLoop) -> None:
        """Take it that a loop may have a group. Whoever sends meanwhile reads one tuple or the other."""
        if all(reference() is not loop for reference in self._loops):
            self._loops = (*(reference for reference in self._loops if reference() is not None), ref(loop))

    def leave(self, socket: WebSocket) -> None:
        """Let ``socket`` go. Harmless if it is not in. Raises `TypeError` if it is no `WebSocket`."""
        check_socket(socket, "leave")
        socket.call_in_loop(self._leave, socket)

    def _join(self, socket: WebSocket) -> None:
        if socket.outbox.is_open and socket not in self:
            self.let_in(socket)

    def let_in(self, socket: WebSocket) -> Member:
        """Make a socket a member; perfectws's own."""
        loop = socket.outbox.loop
        if loop not in self._groups:
            self._groups[loop] = RoomGroup(self, loop)
            loop.counts.rooms += 1
        return self._groups[loop].join(socket)

    def _leave(self, socket: WebSocket) -> None:
        group = self._groups.get(socket.outbox.loop)
        if group is not None:
            group.leave(socket)
            if not group.members:
                loop = socket.outbox.loop
                del self._groups[loop]
                loop.counts.rooms -= 1
                if self.on_empty is not None and not self._groups:
                    loop.call(loop.owner, self._tell_empty)
        if self._brokered is not None:
            self._brokered.left(socket)

    def _tell_empty(self) -> object:
        # Somebody may have come meanwhile.
        return None if self.on_empty is None or len(self) else self.on_empty(self)

    def send_string_message(self, string: str, exclude: WebSocket | None = None) -> None:
        """Send a text message to every member.

        Args:
            string: The text.
            exclude: A member that is not to get it: its author, say. To leave out several, send to each of the others
                instead: ``for member in room``.

        Raises:
            TypeError: ``string`` is not a ``str``, or ``exclude`` no `WebSocket`.
            UnicodeEncodeError: ``string`` holds a lone surrogate.
        """
        check_text(string)
        if exclude is not None and not isinstance(exclude, WebSocket):
            raise wrong_exclude(exclude)
        if self._brokered is None:
            self._send(RoomMessage(bytes(build_text_frame(string)), exclude))
        else:
            self._brokered.send(OpcodeType.TEXT, encoded(string), exclude)

    def send_binary_message(self, data: BytesLike, exclude: WebSocket | None = None) -> None:
        """Send a binary message to every member.

        Args:
            data: The bytes, in any object that has a buffer of them.
            exclude: A member that is not to get it.

        Raises:
            TypeError: ``data`` is not bytes-like, or ``exclude`` no `WebSocket`.
        """
        payload = binary_message(data)
        if exclude is not None and not isinstance(exclude, WebSocket):
            raise wrong_exclude(exclude)
        if self._brokered is None:
            self._send(RoomMessage(bytes(build_frame(OpcodeType.BINARY, payload)), exclude))
        else:
            self._brokered.send(OpcodeType.BINARY, payload, exclude)

    def _send(self, message: RoomMessage) -> None:
        self._messages += 1
        for reference in self._loops:
            loop = reference()
            if loop is None:
                continue
            if loop.is_here():
                self._send_in(loop, message)
            else:
                loop.ask(loop.owner, self._send_in, loop, message)

    def _send_in(self, loop: CallbackLoop, message: RoomMessage) -> None:
        group = self._groups.get(loop)
        if group is not None:
            group.send(message)

    def last_messages(self, count: int, completion: Callable[[list[RoomEntry]], object]) -> None:
        """Find out what the room was sent last, as far as its history goes, and the broker reads it.

        Args:
            count: How many messages at most.
            completion: Told them.

        Calls back:
            ``completion(entries)`` once, with a list of `RoomEntry`, the oldest first: empty without a history, or if
            the broker does not answer and nothing is known here. A socket that is sent them and then joins ``after``
            the ``position`` of the last one misses nothing.
        """
        COUNT.check("count", count)
        check_callable(completion, "a completion of last_messages", "entries")
        promise: Promise[list[RoomEntry]] = Promise(running_loop())
        promise.future_result.when_success(completion)
        self._behind().log.last(count, promise.succeed)

    # Who is here

    @property
    def people(self) -> dict[str, Any]:
        """Who is here, in all processes: each name that a socket has joined with as ``who``, with its info."""
        return {} if self._brokered is None else self._brokered.presence.now()

    def on_people(self, callback: PeopleCallbackT) -> PeopleCallbackT:
        """Tell ``callback`` who comes and who goes, from now on.

        Calls back:
            ``callback(joined, left)`` at the end of each turn in which somebody came or went: two dicts of names with
            their infos. Somebody is there as long as one socket of that name is. Who is in ``joined`` may have been
            there with another info. When the room is empty here, all have left, as far as this process can see. In the
            loop of the first member that came; an exception is logged.
        """
        check_callable(callback, "on_people", "joined", "left")
        self._behind().presence.on_people(callback)
        return callback

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
    def groups(self) -> Mapping[CallbackLoop, RoomGroup]:
        """The members, by loop; perfectws's own."""
        return self._groups

    @property
    def figures(self) -> RoomFigures:
        """What the room has done so far."""
        return RoomFigures(len(self), self._messages, self._deliveries, self._drops)

    def count(self, deliveries: int, drops: int = 0) -> None:
        """Add to the figures; perfectws's own. From any loop's thread."""
        with _lock:
            self._deliveries += deliveries
            self._drops += drops

    def count_messages(self, messages: int) -> None:
        """Add to the figures; perfectws's own. From any thread."""
        with _lock:
            self._messages += messages


def _limits(broker: Broker | None, history: int | None, history_seconds: float | None) -> LogLimits:
    """Return how much of a room's log is kept. Raises `ValueError`."""
    if history is not None:
        SIZE.check("history", history)
    SECONDS_OR_NONE.check("history_seconds", history_seconds)
    if history is None and history_seconds is None:
        return LogLimits(0, None) if broker is None else LogLimits(DEFAULT_HISTORY, DEFAULT_HISTORY_SECONDS)
    most = DEFAULT_HISTORY if history is None else min(history, _MOST_HISTORY)
    return LogLimits(most, None if history_seconds is not None and history_seconds > _FOR_EVER else history_seconds)
