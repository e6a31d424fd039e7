"""What an application gets to see of a room's log, and how it stamps it on what the members are sent."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from threading import RLock
from typing import NamedTuple

from ..callbacks import logger
from ..checks.signatures import check_callable
from ..http.binary import BYTES_LIKE, BytesLike, bytes_of
from ..websocket.frames import build_frame, build_text_frame
from ..websocket.opcodes import OpcodeType
from ..websocket.socket import WebSocket
from .broker import LogMessage
from .message import RoomMessage
from .position import Position


class RoomEntry(NamedTuple):
    """A message of a room, as its log has it.

    Attributes:
        id: Names it among all messages of all processes. A client that has shown it drops what comes again.
        position: What a client that has got it gives to come back with, as ``join(socket, after=position)``.
        opcode: ``OpcodeType.TEXT`` or ``OpcodeType.BINARY``.
        data: What it says: a ``str`` if it is text, else ``bytes``.
    """

    id: str
    position: str
    opcode: OpcodeType
    data: str | bytes


#: ``stamp(entry)`` returns what the members are sent: a ``str`` as text, bytes as binary.
Stamp = Callable[[RoomEntry], str | BytesLike]


def check_stamp(stamp: object) -> None:
    """Raise `TypeError` unless ``stamp`` can be called as documented, or is ``None``."""
    if stamp is not None:
        check_callable(stamp, "stamp", "entry")
        if iscoroutinefunction(stamp):
            raise TypeError("stamp says at once what the members are sent: it cannot be async")


def position_behind(message: LogMessage) -> Position:
    """Return up to where all has come with a message: behind its entry, if it is the last one of that."""
    epoch, number = message.position
    return message.position if message.is_last else Position(epoch, number - 1)


def entry_of(message: LogMessage, position: Position) -> RoomEntry:
    """Return what the application gets to see of a message.

    Args:
        message: The message.
        position: Up to where all that the log holds has come with it.
    """
    data = message.data.decode(errors="replace") if message.opcode is OpcodeType.TEXT else message.data
    return RoomEntry(f"{message.instance.hex()}-{message.sequence}", str(position), message.opcode, data)


#: So that of several threads one calls an application's function, and the others wait. It may send to rooms itself.
_stamping = RLock()


class StampedMessage(RoomMessage):
    """A message that says what the application's ``stamp`` makes of it.

    That is asked when the first member is to be sent it, and once: the frame is then as that of any message.

    Args:
        stamp: The application's function.
        entry: What it is asked about.

    Attributes:
        stamp: As above.
    """

    __slots__ = ("_entry", "stamp")

    def __init__(self, stamp: Stamp, entry: RoomEntry) -> None:
        self.stamp = stamp
        self._entry: RoomEntry | None = entry
        self.exclude = None
        self._deflated = None

    def __getattr__(self, name: str) -> bytes:
        """Build the frame, which is not there yet."""
        if name != "frame":
            raise AttributeError(name)
        with _stamping:
            entry, self._entry = self._entry, None
            if entry is not None:
                self.frame = _stamped_frame(self.stamp, entry)
        return self.frame


def _stamped_frame(stamp: Stamp, entry: RoomEntry) -> bytes:
    try:
        return _frame_of(stamp(entry))
    except Exception:
        logger.exception("stamp failed: the members get the message without it")
        return _frame_of(entry.data)


def _frame_of(said: object) -> bytes:
    if isinstance(said, str):
        return bytes(build_text_frame(said))
    if isinstance(said, BYTES_LIKE):
        return bytes(build_frame(OpcodeType.BINARY, bytes_of(said, "")))
    raise TypeError(f"stamp returns a str or bytes, not {type(said).__name__}")


class ExcludingMessage(RoomMessage):
    """A message on its way to all but one. What the room keeps of it does not refer to that one."""

    __slots__ = ("_message",)

    def __init__(self, message: RoomMessage, exclude: WebSocket) -> None:
        self._message = message
        self.exclude = exclude
        self._deflated = None

    def __getattr__(self, name: str) -> bytes:
        if name != "frame":
            raise AttributeError(name)
        self.frame = self._message.frame
        return self.frame
