"""Messages of a client that reconnects, in order over all its connections.

::

    send ──► waiting ──a connection is open, and its write buffer has room──► begun ──the kernel has it──► sent
                ▲                                                               │
                └──────────────the connection was lost, and the kernel never had all of it──────────────┘

What the kernel has taken counts as sent, and is never sent again: nothing arrives twice. What it has not taken goes out
on the next connection: nothing that waited is lost.
"""

from __future__ import annotations

from collections import deque

from ..callbacks import CallbackLoop, CallbackOwner, Timer, logger
from ..errors import ConnectionClosed
from ..futures import Promise
from ..websocket.connection import WebSocketConnection
from ..websocket.opcodes import CloseCode, OpcodeType
from .counted_transport import CountedTransport

#: How often what was begun is looked at as long as the kernel does not take it, in seconds.
LOOK_SECONDS = 0.02


class _Message:
    """A message, and where it ends in what was written to its connection."""

    __slots__ = ("end", "opcode", "payload", "promise")

    def __init__(self, opcode: OpcodeType, payload: bytes, promise: Promise[None] | None) -> None:
        self.opcode = opcode
        self.payload = payload
        self.promise = promise
        self.end = 0

    @property
    def size(self) -> int:
        """What it counts: an empty message is not nothing."""
        return len(self.payload) or 1

    def succeed(self) -> None:
        """Tell that it is sent."""
        if self.promise is not None:
            self.promise.succeed()

    def fail(self, error: ConnectionClosed) -> None:
        """Tell that it will not be sent."""
        if self.promise is not None:
            self.promise.fail(error)


class SendQueue:
    """The messages of one client.

    Args:
        loop: The loop that it lives in.
        owner: Whose calls these are.
        limit: How many bytes of messages may wait.
        name: What the log calls the client.

    Attributes:
        amount: How many bytes of messages wait.
    """

    def __init__(self, loop: CallbackLoop, owner: CallbackOwner, limit: int, name: str) -> None:
        self.amount = 0
        self._loop = loop
        self._owner = owner
        self._limit = limit
        self._name = name
        self._waiting: deque[_Message] = deque()
        self._begun: deque[_Message] = deque()
        self._connection: WebSocketConnection | None = None
        self._transport: CountedTransport | None = None
        self._timer: Timer | None = None
        self._looks_soon = False
        self._waits_for_room = False
        self._is_full = False
        self._error: ConnectionClosed | None = None

    def send(self, opcode: OpcodeType, payload: bytes, promise: Promise[None] | None) -> None:
        """Send a message, now or later. In the loop's thread."""
        message = _Message(opcode, payload, promise)
        if self._error is not None:
            message.fail(self._error)
            return
        self._waiting.append(message)
        self.amount += message.size
        self._flush()
        if self.amount > self._limit and self._waiting:
            self._refuse(self._waiting.pop())

    def _refuse(self, message: _Message) -> None:
        self.amount -= message.size
        message.fail(ConnectionClosed(CloseCode.ABNORMAL_CLOSURE, f"{self._limit} bytes of messages wait already"))
        if not self._is_full:
            self._is_full = True
            logger.warning("%s: %d bytes of messages wait already: more are dropped", self._name, self._limit)

    # A connection

    def connect(self, connection: WebSocketConnection, transport: CountedTransport) -> None:
        """Send what waits, and all that follows, over a connection that is open."""
        self._connection, self._transport = connection, transport
        self._flush()

    def disconnect(self) -> None:
        """Let what the kernel never took wait for the next connection, ahead of the rest: this one is gone."""
        self._settle()
        while self._begun:
            message = self._begun.pop()
            self._waiting.appendleft(message)
            self.amount += message.size
        self._connection = self._transport = None
        self._waits_for_room = False
        self._stop_timer()

    def end(self, error: ConnectionClosed) -> None:
        """Send nothing that waits: there will be no further connection. What was begun may still go out."""
        self._error = error
        waiting, self._waiting, self.amount = self._waiting, deque(), 0
        for message in waiting:
            message.fail(error)
        if self._connection is not None:
            self._connection.gone.when_complete(lambda _: self._end_begun(error))

    def _end_begun(self, error: ConnectionClosed) -> None:
        self._settle()
        while self._begun:
            self._begun.popleft().fail(error)
        self._connection = self._transport = None
        self._stop_timer()

    def _flush(self) -> None:
        """Send what waits, as far as there is room."""
        connection, transport = self._connection, self._transport
        if connection is None or transport is None:
            return
        while self._waiting and self._has_room(connection):
            message = self._waiting[0]
            message.end = transport.written
            connection.outbox.send_data(message.opcode, message.payload, True, None)
            if message.end == transport.written:
                break  # the transport is closed, though the connection is to learn of it at the end of the turn
            message.end = transport.written
            self._begun.append(self._waiting.popleft())
            self.amount -= message.size
        if not self._waiting:
            self._is_full = False
        elif connection.is_connected and not connection.outbox.has_room and not self._waits_for_room:
            self._waits_for_room = True
            connection.outbox.call_when_drained(self._drained)
        self._look_soon()

    def _drained(self) -> None:
        self._waits_for_room = False
        self._flush()

    def _has_room(self, connection: WebSocketConnection) -> bool:
        # Inside a fragmented message of the application's own it would become a part of that.
        is_free = connection.is_connected and not connection.outbox.is_inside_message
        return is_free and connection.outbox.has_room

    def _look_soon(self) -> None:
        """Look in the next turn, when this one's output is with the kernel, as a rule; else again and again."""
        if self._has_more and self._timer is None and not self._looks_soon:
            self._looks_soon = True
            self._loop.call_next_turn(self._owner, self._look)

    @property
    def _has_more(self) -> bool:
        """Whether there is something left to do with this connection."""
        connection = self._connection
        return connection is not None and bool(self._begun or (self._waiting and connection.is_connected))

    def _look(self) -> None:
        self._looks_soon, self._timer = False, None
        self._settle()
        if self._has_more:
            self._timer = self._loop.call_later(self._owner, LOOK_SECONDS, self._look)
            self._flush()

    def _settle(self) -> None:
        """Tell what the kernel has taken that it is sent."""
        taken = 0 if self._transport is None else self._transport.taken
        while self._begun and self._begun[0].end <= taken:
            self._begun.popleft().succeed()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
