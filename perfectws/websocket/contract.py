"""What the halves of a connection may ask of it, and of the rooms that its socket is in.

A `WebSocketConnection` is made of an inbox, an outbox and a keepalive. None of them knows another, nor the connection
itself: each asks for what stands here, and nothing else, so each can be understood, and tested, alone::

                          ┌── makes and calls ──► Inbox, Outbox, Keepalive ── ask ──┐
    WebSocketConnection ──┤                                                         ▼
                          └── is a ─────────────────────────────────────────► Connection
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol
from weakref import ref

from ..callbacks import CallbackOwner
from ..errors import ConnectionClosed
from .opcodes import OpcodeType


class Connection(CallbackOwner, ABC):
    """One WebSocket connection as its halves see it: the owner of the callbacks, and what they may ask for.

    Attributes:
        socket: The `WebSocket`, which handlers are given. It stands above the halves: they only pass it on.
        session_name: What the log calls the session: the application's class or function that handles it.
        is_reading_paused: Whether nothing is read, as the inbox is full.
    """

    __slots__ = ()

    socket: Any
    session_name: str
    is_reading_paused: bool

    @property
    @abstractmethod
    def is_connected(self) -> bool:
        """Whether neither side has sent a close frame yet, nor vanished."""

    @abstractmethod
    def closed_error(self) -> ConnectionClosed:
        """Return the error that tells an ``await`` how this connection closed."""

    @abstractmethod
    def close(self, code: int, reason: str) -> None:
        """Send a close frame, unless one was sent or received already."""

    @abstractmethod
    def drop(self, reason: str) -> None:
        """Give the connection up at once: 1006, unless a close frame was seen before."""

    # For the inbox

    @property
    @abstractmethod
    def has_unfinished_sends(self) -> bool:
        """Whether completions are due before the pending read may be told of the end (law 12)."""

    @abstractmethod
    def read_frames(self) -> None:
        """Take frames out of what arrived, as long as there is room for them in the inbox."""

    @abstractmethod
    def inbox_drained(self) -> None:
        """Go on with the end: the session has been given all that arrived."""

    # For the keepalive

    @property
    @abstractmethod
    def missing(self) -> int:
        """How many bytes of the frame that is arriving are still to come."""

    @abstractmethod
    def unsent_amount(self) -> int:
        """Return how many bytes were sent that the peer has not acknowledged."""

    @abstractmethod
    def progress(self) -> int:
        """Return a number that changes as the peer takes what was sent."""

    @abstractmethod
    def send_control(self, opcode: OpcodeType, payload: bytes) -> None:
        """Send a ping or a pong."""


class EndedConnection(Connection):
    """Stands for a connection that is over, once its end was told: its halves then ask this.

    So nothing refers back to a `WebSocket` that is closed, and its last reference frees all of it.

    Args:
        closed: The code and the reason that it closed with, which tell an ``await``.
        context: The context in which callbacks run that are given after the end.
        socket: The `WebSocket`, which is not kept alive.
        session_name: As of the connection.
        report: Takes the errors of such callbacks.
    """

    __slots__ = ("_closed", "_report", "_socket", "is_reading_paused", "session_name")

    def __init__(
        self,
        closed: tuple[int, str],
        context: Context,
        socket: Any,
        session_name: str,
        report: Callable[[Exception], object],
    ) -> None:
        CallbackOwner.__init__(self, context)  # which costs half of `super`
        self._closed = closed
        self._socket = ref(socket)
        self.session_name = session_name
        self._report = report
        self.is_reading_paused = False

    @property
    def socket(self) -> Any:
        """The `WebSocket`, as long as somebody else refers to it."""
        return self._socket()

    @property
    def is_connected(self) -> bool:
        """Whether it is open: no."""
        return False

    @property
    def has_unfinished_sends(self) -> bool:
        """Whether completions wait: no."""
        return False

    @property
    def missing(self) -> int:
        """How much of a frame is still to come: nothing will."""
        return 0

    def closed_error(self) -> ConnectionClosed:
        """Return a new error that tells how the connection closed."""
        return ConnectionClosed(*self._closed)

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of a callback that was called after the end."""
        self._report(error)

    def close(self, code: int, reason: str) -> None:
        """Do nothing: it is closed."""

    def drop(self, reason: str) -> None:
        """Do nothing: it is gone."""

    def read_frames(self) -> None:
        """Do nothing: nothing arrives."""

    def inbox_drained(self) -> None:
        """Do nothing: the end was told."""

    def unsent_amount(self) -> int:
        """Return how much is on its way: nothing."""
        return 0

    def progress(self) -> int:
        """Return how far it has got: nowhere."""
        return 0

    def send_control(self, opcode: OpcodeType, payload: bytes) -> None:
        """Send nothing."""


class Membership(Protocol):
    """What a room holds for one socket, as the socket's outbox sees it."""

    def deliver(self) -> None:
        """Send what the room holds for the socket, ahead of what the socket is about to be sent."""

    def forget(self) -> None:
        """Let the room forget the socket, which sends nothing any more."""
