"""`AsyncTestWebSocket`: the client's end of a WebSocket, in a test that is a task."""

from __future__ import annotations

import json
from collections import deque
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import outcome

from ..errors import ConnectionClosed
from ..futures import Promise
from ..http.binary import BytesLike
from ..http.headers import Headers
from ..net.loop import Loop
from ..net.stream_transport import StreamTransport
from ..websocket.opcodes import CloseCode
from ..websocket.socket import WebSocket
from .at_home import AtHome, at_home
from .failures import explained
from .limits import limited
from .loop_thread import LoopThread
from .virtual_time import settle

#: How ``async for`` may end, rather than raise.
QUIET = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)
#: How much of a message is shown.
_SHOWN = 200


class AsyncTestWebSocket(AtHome):
    """The client's end of a WebSocket to an `AsyncTestServer`, which makes it. ::

        async def test_echo():
            async with open_test_server(routes) as server, await server.connect("/echo") as ws:
                await ws.send("hi")
                assert await ws.receive() == "hi"

    At the end of the block it is closed with 1000. What waits does so for ``timeout`` seconds, of the server's unless
    the call names its own, and then raises `TimeoutError`, which says what there was instead.

    Attributes:
        socket: The framework's own `WebSocket`, for all else that it can do.
    """

    __test__ = False

    def __init__(
        self,
        socket: WebSocket,
        loop: Loop,
        errors: list[Exception],
        transport: StreamTransport,
        home: LoopThread[Any] | None,
        timeout: float,
    ) -> None:
        super().__init__(home, timeout)
        self.socket = socket
        self._loop = loop
        self._errors = errors
        self._transport = transport
        self._ahead = deque[str | bytes]()

    async def __aenter__(self) -> AsyncTestWebSocket:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.leave()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'open' if self.is_connected else f'closed {self.close_code}'}>"

    # What is known of it

    @property
    def headers(self) -> Headers:
        """The header fields of the server's 101."""
        assert self.socket.response is not None  # a client's has one
        return self.socket.response.headers

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server chose, or ``None``."""
        return self.socket.subprotocol

    @property
    def is_connected(self) -> bool:
        """Whether neither side has begun to close, as far as this end has heard."""
        return self.socket.is_connected

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame, whoever sent it; 1006 if there was none; ``None`` while it is open."""
        return self.socket.close_code

    @property
    def close_reason(self) -> str:
        """The reason of the first close frame, or what happened if there was none."""
        return self.socket.close_reason

    # Messages

    @at_home
    async def send(self, message: str | BytesLike, *, timeout: float | None = None) -> None:
        """Send a message: text for a ``str``, else binary.

        Args:
            message: The message.
            timeout: How long the server may take to make room for it, in seconds.

        Raises:
            ConnectionClosed: The connection has ended.
            TimeoutError: The server does not read what it was sent before.
        """
        with self._limited("a message could not be sent: the server does not read", timeout), explained(self._errors):
            await self.socket.send(message)

    async def send_json(self, value: object, *, timeout: float | None = None) -> None:
        """Send ``value`` as JSON, in a text message; see `send` for ``timeout``."""
        await self.send(json.dumps(value), timeout=timeout)

    @at_home
    async def receive(self, *, timeout: float | None = None) -> str | bytes:
        """Return the next message: a ``str`` for text, ``bytes`` for binary.

        Args:
            timeout: How long it may take, in seconds.

        Raises:
            ConnectionClosed: The connection has ended; by a callback's error if there was one, which is its cause.
            TimeoutError: Nothing came.
        """
        with self._limited("nothing was received", timeout), explained(self._errors):
            return await self._next_message()

    async def receive_text(self, *, timeout: float | None = None) -> str:
        """Return the next message, which is text; see `receive` for ``timeout``. Raises `AssertionError` for binary."""
        message = await self.receive(timeout=timeout)
        if not isinstance(message, str):
            raise AssertionError(f"text was expected, but {_shown(message)} came")
        return message

    async def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """Return the next message, which is binary; see `receive` for ``timeout``. Raises `AssertionError` for text."""
        message = await self.receive(timeout=timeout)
        if not isinstance(message, bytes):
            raise AssertionError(f"bytes were expected, but {_shown(message)} came")
        return message

    async def receive_json(self, *, timeout: float | None = None) -> Any:
        """Return the value of the next message, which is JSON; see `receive` for ``timeout``.

        Raises:
            AssertionError: It is none.
        """
        message = await self.receive(timeout=timeout)
        try:
            return json.loads(message)
        except ValueError as error:
            raise AssertionError(f"JSON was expected, but {_shown(message)} came") from error

    @at_home
    async def receive_nothing(self) -> bool:
        """Tell whether nothing is there to be received once the server has come to rest. No message is taken."""
        with self._limited("the server did not come to rest", None):
            if self._ahead:
                return False
            received = self.socket.receive()
            await settle()
        if isinstance(received._outcome, outcome.Value):
            return False  # and as nobody has taken it, it is put back
        received.excuse()  # the end of the connection is no message
        return True

    @at_home
    async def receive_close(self, *, timeout: float | None = None) -> int:
        """Wait for the connection's end, and return its code.

        Args:
            timeout: How long it may take, in seconds.

        Raises:
            AssertionError: A message came instead.
            TimeoutError: The connection stays open.
        """
        with self._limited("the connection was not closed", timeout):
            try:
                message = await self._next_message()
            except ConnectionClosed as closed:
                return closed.code
        raise AssertionError(f"the connection's end was expected, but {_shown(message)} came")

    def __aiter__(self) -> AsyncTestWebSocket:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except ConnectionClosed as closed:
            if closed.code in QUIET:
                raise StopAsyncIteration from None
            raise

    @at_home
    async def ping(self, data: bytes = b"", *, timeout: float | None = None) -> bytes:
        """Send a ping, wait for its pong, and return what that carries.

        Args:
            data: What the ping carries: at most 125 bytes.
            timeout: How long the pong may take, in seconds.

        Raises:
            TimeoutError: There was none.
        """
        answered = Promise[bytes](self._loop)
        self.socket.on_pong(lambda _, pong: answered.succeed(pong))
        with self._limited("no pong was received", timeout), explained(self._errors):
            self.socket.send_ping(data=data)
            return await answered.future_result

    # The end

    @at_home
    async def close(
        self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, timeout: float | None = None
    ) -> None:
        """Close, and wait until the connection is gone. Once it is, do nothing.

        Args:
            code: The close code.
            reason: The close reason.
            timeout: How long the server may take to answer, in seconds.

        Raises:
            TimeoutError: The server did not answer.
        """
        with self._limited("the server did not answer the close", timeout):
            await self.socket.close(code, reason)

    @at_home
    async def abort(self) -> None:
        """Be gone without a word, as a client whose network is. The server sees 1006."""
        self._transport.abort()
        await settle()

    @at_home
    async def go_silent(self) -> None:
        """Read, answer and send nothing from now on, as a client that hangs: let time pass, and it is given up."""
        self.socket.ping_interval = None
        self._transport.pause_reading()

    @at_home
    async def leave(self) -> None:
        """Close, or be gone if the server does not answer; perfectws's own, for the end of a block."""
        try:
            with self._limited("the server did not come to rest", None):
                self.socket.close()
                await settle()
        except TimeoutError:
            pass  # it does something else, for ever perhaps
        if not self.socket.is_closed:
            await self.abort()

    def read_ahead(self) -> bool:
        """Keep what fills the inbox, so that pings behind it are answered; perfectws's own, while time passes.

        A test receives once an hour has passed what came each second of it. A client that took nothing for so long
        would have been given up by the server.

        Returns:
            Whether there was any.
        """
        inbox = self.socket.inbox
        if not inbox.is_full or inbox.has_reader:
            return False
        self._ahead += self.socket._receiving().take_waiting()
        return True

    async def _next_message(self) -> str | bytes:
        if self._ahead:
            return self._ahead.popleft()
        # Not by a future: one that lives on in a traceback would still take a message.
        return await self.socket._receiving().receive_whole(self.socket.read_timeout_seconds)

    def _limited(self, in_vain: str, timeout: float | None) -> AbstractContextManager[None]:
        return limited(self._timeout if timeout is None else timeout, in_vain)


def _shown(message: str | bytes) -> str:
    what = "the text" if isinstance(message, str) else f"{len(message)} bytes"
    return f"{what} {message[:_SHOWN]!r}{'…' if len(message) > _SHOWN else ''}"
