"""What `Room.join` was asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..websocket.socket import WebSocket
from .people import check_who, read_info, written_info
from .position import NOWHERE, Position


class Recovery(NamedTuple):
    """What has come of a `Room.join`.

    Attributes:
        recovered: Whether the socket has all that the room was sent behind the position it came with. If not, there is
            a gap: what it shows has to be loaded anew, with `Room.last_messages`. A socket that comes with no position
            asks for nothing, and has all.
        missed: How many messages it was sent for that.
        position: Up to where it has all, to come back with. Empty if the socket was not let in: its name is somebody
            else's, or it has closed.
    """

    recovered: bool
    missed: int
    position: str

    @property
    def has_joined(self) -> bool:
        """Whether the socket was let in."""
        return self.position != ""


#: What is told where a socket is not let in.
NOT_LET_IN = Recovery(False, 0, "")

#: Called with (recovery).
JoinCompletion = Callable[[Recovery], object]


class Identity(NamedTuple):
    """Who a socket says it is.

    Attributes:
        who: The name.
        info: What is said about them.
        written: The same as JSON.
        unique: Whether nobody else may have the name.
    """

    who: str
    info: Any
    written: str
    unique: bool


def identity(who: object, info: object, unique: bool) -> Identity | None:
    """Return who a socket says it is; ``None`` if it does not. Raises `TypeError` or `ValueError`."""
    if who is None:
        if info is not None or unique:
            raise ValueError("info and unique say something of somebody: give who, a name")
        return None
    written = written_info(info)
    return Identity(check_who(who), read_info(written), written, unique)


class Joining(NamedTuple):
    """What a socket has asked for.

    Attributes:
        socket: The socket.
        after: The position that it comes with; ``None`` if it comes with none.
        identity: Who it says it is; ``None`` if it does not.
        completion: What is to be told.
    """

    socket: WebSocket
    after: str | None
    identity: Identity | None
    completion: JoinCompletion | None

    @property
    def is_plain(self) -> bool:
        """Whether it asks for no more than to be let in."""
        return self.after is None and self.identity is None and self.completion is None

    @property
    def position(self) -> Position:
        """The position that it comes with. Whatever a client makes up is one from which nothing can be recovered."""
        return Position.parse(self.after or "") or NOWHERE

    def answer(self, recovery: Recovery) -> None:
        """Tell what has come of it."""
        if self.completion is not None:
            self.socket.call_back(self.completion, recovery)
