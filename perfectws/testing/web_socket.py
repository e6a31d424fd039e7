"""`TestWebSocket`: the client's end of a WebSocket, in a test without ``async``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from ..errors import ConnectionClosed, LocalProtocolError
from ..http.binary import BytesLike
from ..http.headers import Headers
from ..websocket.opcodes import CloseCode
from ..websocket.socket import WebSocket
from .async_server import AsyncTestServer
from .async_web_socket import QUIET, AsyncTestWebSocket
from .loop_thread import LoopThread

T = TypeVar("T")


class TestWebSocket:
    """The client's end of a WebSocket to a `TestServer`, whose `TestServer.connect` makes it. ::

        with TestServer(routes) as server, server.connect("/echo") as ws:
            ws.send("hi")
            assert ws.receive() == "hi"

    At the end of the block it is closed with 1000. What waits does so for ``timeout`` real seconds, the server's unless
    the call names its own, and then raises `TimeoutError`, which says what there was instead.
    """

    __test__ = False

    def __init__(self, socket: AsyncTestWebSocket, thread: LoopThread[AsyncTestServer], timeout: float) -> None:
        self._socket = socket
        self._thread = thread
        self._timeout = timeout

    def __enter__(self) -> TestWebSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(LocalProtocolError):  # the server is closed already
            self._thread.call(self._timeout, self._socket.leave)

    def __repr__(self) -> str:
        return f"<TestWebSocket {'open' if self.is_connected else f'closed {self.close_code}'}>"

    # What is known of it

    @property
    def socket(self) -> WebSocket:
        """The framework's own `WebSocket`, for all else that it can do from another thread."""
        return self._socket.socket

    @property
    def headers(self) -> Headers:
        """The header fields of the server's 101."""
        return self._socket.headers

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server chose, or ``None``."""
        return self._socket.subprotocol

    @property
    def is_connected(self) -> bool:
        """Whether neither side has begun to close, as far as this end has heard."""
        return self._socket.is_connected

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame, whoever sent it; 1006 if there was none; ``None`` while it is open."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str:
        """The reason of the first close frame, or what happened if there was none."""
        return self._socket.close_reason

    # Messages

    def send(self, message: str | BytesLike, *, timeout: float | None = None) -> None:
        """Send a message: text for a ``str``, else binary.

        Args:
            message: The message.
            timeout: How long the server may take to make room for it, in seconds.

        Raises:
            ConnectionClosed: The connection has ended.
            TimeoutError: The server does not read what it was sent before.
        """
        self._call(timeout, lambda seconds: self._socket.send(message, timeout=seconds))

    def send_json(self, value: object, *, timeout: float | None = None) -> None:
        """Send ``value`` as JSON, in a text message; see `send` for ``timeout``."""
        self._call(timeout, lambda seconds: self._socket.send_json(value, timeout=seconds))

    def receive(self, *, timeout: float | None = None) -> str | bytes:
        """Return the next message: a ``str`` for text, ``bytes`` for binary.

        Args:
            timeout: How long it may take, in real seconds.

        Raises:
            ConnectionClosed: The connection has ended; by a callback's error if there was one, which is its cause.
            TimeoutError: Nothing came; the message says when the server's next timer is due.
        """
        return self._call(timeout, lambda seconds: self._socket.receive(timeout=seconds))

    def receive_text(self, *, timeout: float | None = None) -> str:
        """Return the next message, which is text; see `receive` for ``timeout``. Raises `AssertionError` for binary."""
        return self._call(timeout, lambda seconds: self._socket.receive_text(timeout=seconds))

    def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """Return the next message, which is binary; see `receive` for ``timeout``. Raises `AssertionError` for text."""
        return self._call(timeout, lambda seconds: self._socket.receive_bytes(timeout=seconds))

    def receive_json(self, *, timeout: float | None = None) -> Any:
        """Return the value of the next message, which is JSON; see `receive` for ``timeout``.

        Raises `AssertionError` for what is none.
        """
        return self._call(timeout, lambda seconds: self._socket.receive_json(timeout=seconds))

    def receive_nothing(self) -> bool:
        """Tell whether nothing is there to be received once the server has come to rest. No message is taken."""
        return self._call(None, lambda seconds: self._socket.receive_nothing())

    def receive_close(self, *, timeout: float | None = None) -> int:
        """Wait for the connection's end, and return its code.

        Args:
            timeout: How long it may take, in real seconds.

        Raises:
            AssertionError: A message came instead.
            TimeoutError: The connection stays open.
        """
        return self._call(timeout, lambda seconds: self._socket.receive_close(timeout=seconds))

    def __iter__(self) -> Iterator[str | bytes]:
        while True:
            try:
                message = self.receive()
            except ConnectionClosed as closed:
                if closed.code in QUIET:
                    return
                raise
            yield message

    def ping(self, data: bytes = b"", *, timeout: float | None = None) -> bytes:
        """Send a ping, wait for its pong, and return what that carries.

        Args:
            data: What the ping carries: at most 125 bytes.
            timeout: How long the pong may take, in seconds.

        Raises:
            TimeoutError: There was none.
        """
        return self._call(timeout, lambda seconds: self._socket.ping(data, timeout=seconds))

    # The end

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, timeout: float | None = None) -> None:
        """Close, and wait until the connection is gone. Once it is, do nothing.

        Args:
            code: The close code.
            reason: The close reason.
            timeout: How long the server may take to answer, in seconds.

        Raises:
            TimeoutError: The server did not answer.
        """
        self._call(timeout, lambda seconds: self._socket.close(code, reason, timeout=seconds))

    def abort(self) -> None:
        """Be gone without a word, as a client whose network is. The server sees 1006."""
        self._call(None, lambda seconds: self._socket.abort())

    def go_silent(self) -> None:
        """Read, answer and send nothing from now on, as a client that hangs: let time pass, and it is given up."""
        self._call(None, lambda seconds: self._socket.go_silent())

    def _call(self, timeout: float | None, function: Callable[[float], Coroutine[Any, Any, T]]) -> T:
        seconds = self._timeout if timeout is None else timeout
        return self._thread.call(seconds, lambda: function(seconds))
