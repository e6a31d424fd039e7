"""The `WebSocket` that a session holds: every name that a user types.

It is a thin face: what arrives waits in an inbox (`frame_inbox` or `message_inbox`), what is sent goes through the
outbox, and how the connection lives and ends is `connection.WebSocketConnection`'s. All may be called from any thread.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, TypeVar, TypeVarTuple, Unpack, overload
from weakref import WeakSet

import outcome

from ..callbacks import CallbackLoop, Timer, logger
from ..checks.quantities import SECONDS_OR_NONE, WAIT
from ..checks.signatures import arguments_for, check_callable
from ..checks.spelling import Misspelt
from ..errors import ConnectionClosed, LocalProtocolError
from ..futures import Future, OnResolved, Promise
from ..http.binary import BYTES_LIKE, BytesLike, bytes_of
from ..http.request import HTTPRequest
from ..http.several import Several
from ..transport import Address, Transport
from .arguments import (
    binary_message,
    check_completion,
    check_continuation,
    check_final,
    check_promise,
    check_text,
    check_utf8,
)
from .contract import Connection
from .frame_inbox import FrameInbox, Message
from .frames import encoded
from .handshake_response import HandshakeResponse
from .keepalive import Keepalive, PingOrigin
from .message_inbox import MessageInbox
from .opcodes import MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD, CloseCode, OpcodeType, is_sendable
from .options import NO_TIMEOUT, WebSocketKeywords
from .outbox import Completion, Drained, Outbox
from .payload import new_utf8_decoder
from .receive_inbox import Received, ReceiveInbox
from .timer import ApplicationTimer

if TYPE_CHECKING:
    import ssl

    import trio

    from .connecting import Backoff, ConnectedSocket, EventLoopHandle, HeaderFields, OnRetry, Target

#: What a callback returns: whatever it likes, or if it is async, a coroutine.
R = TypeVar("R")
Ts = TypeVarTuple("Ts")
CallbackT = TypeVar("CallbackT", bound=Callable[..., object])

#: How a connection may end for ``async for`` to end with it, rather than to raise.
_QUIET_CLOSE_CODES = frozenset({CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD})


class SocketConnection(Connection):
    """A connection as its `WebSocket` sees it, besides what the halves ask for.

    Attributes:
        inbox, outbox, keepalive: The halves.
        close_code, close_reason: The first close frame's, whoever sent it.
        on_ping, on_pong: The application's callbacks.
    """

    __slots__ = ("on_ping", "on_pong")

    inbox: FrameInbox | MessageInbox | ReceiveInbox
    outbox: Outbox
    keepalive: Keepalive
    close_code: int | None
    close_reason: str
    on_ping: Callable[[WebSocket, bytes], object] | None
    on_pong: Callable[[WebSocket, bytes], object] | None

    @property
    @abstractmethod
    def is_finished(self) -> bool:
        """Whether the connection is gone and all that was pending has been settled."""

    @property
    @abstractmethod
    def gone(self) -> Future[None]:
        """The future of the transport's end. Never fails."""

    @property
    @abstractmethod
    def on_close(self) -> Future[None]:
        """The future of the connection's end. Never fails."""

    @abstractmethod
    def choose_messages(self) -> MessageInbox:
        """Put together from now on whatever arrives, what waits included. Raises `LocalProtocolError` beside a read."""

    @abstractmethod
    def choose_receiving(self) -> ReceiveInbox:
        """Do the same, for who asks for each message. Raises `LocalProtocolError` beside a read, or handlers."""

    @abstractmethod
    def close_by_request(self, code: int, reason: str) -> None:
        """Close because the application asks for it."""

    @abstractmethod
    def set_on_rate_limited(self, callback: Callable[[WebSocket], object]) -> None:
        """Call ``callback(socket)`` each time that the peer begins to send faster than ``message_rate``."""

    @abstractmethod
    def restart_keepalive(self) -> None:
        """Ping at the interval that is set now."""


class WebSocket:
    """One end of an open WebSocket.

    Frames are read one at a time, each read with its own continuation (Perfect's way); or whole messages go to
    `on_text` and `on_binary` (Vapor's). Every continuation and every completion is called exactly once, from the
    loop's queue and never from inside the method that it was given to. Sockets compare by identity.

    Attributes:
        request: The request that opened this socket, a server's; ``None`` for a client's.
        response: What the server answered to the client that opened this socket: its ``status`` and ``headers``;
            ``None`` for a server's.
        subprotocol: The subprotocol that was agreed on, or ``None``.

    Source: Perfect-WebSockets' ``WebSocket``, websocket-kit's ``WebSocket``, RFC 6455.
    """

    __slots__ = (
        "__weakref__",
        "_connection",
        "_loop",
        "_read_timeout",
        "_scratch_pad",
        "_timers",
        "_transport",
        "inbox",
        "outbox",
        "request",
        "response",
        "subprotocol",
    )

    def __init__(
        self,
        connection: SocketConnection,
        loop: CallbackLoop,
        transport: Transport,
        request: HTTPRequest | None,
        subprotocol: str | None,
    ) -> None:
        self._connection = connection
        self.inbox = connection.inbox
        self.outbox = connection.outbox
        self._loop = loop
        self._transport = transport
        self._scratch_pad: dict[str, Any] | None = None
        #: Those that have been set on it and may still call.
        self._timers: WeakSet[ApplicationTimer] | None = None
        self.request = request
        self.response: HandshakeResponse | None = None
        self.subprotocol = subprotocol
        self._read_timeout: float | None = NO_TIMEOUT

    if not TYPE_CHECKING:
        readTimeoutSeconds = Misspelt("read_timeout_seconds")  # noqa: N815  # Swift's
        pingInterval = Misspelt("ping_interval")  # noqa: N815

    @overload
    @staticmethod
    def connect(
        to: Target, *, reconnect: Literal[True] | Backoff, **keywords: Unpack[ReconnectKeywords]
    ) -> Reconnecting: ...
    @overload
    @staticmethod
    def connect(to: Target, **keywords: Unpack[ConnectKeywords]) -> Connecting: ...
    @staticmethod
    def connect(to: Target, **keywords: Unpack[ConnectKeywords]) -> Connecting:
        """Open a WebSocket, as a client.

        Args:
            to: ``ws://host:port/path?query``; ``wss:`` for TLS; ``ws+unix:///path/of/the/socket:/path?query`` for a
                Unix socket. A user and a password in it are sent as basic credentials. Or a function that returns it,
                as for ``headers``.
            on: Where it runs: an `EventLoop`, or a trio nursery, which stays open until the connection is gone and
                takes it along when it is cancelled. Not needed inside a callback or `perfectws.run`.
            headers: More headers for the request, as a mapping or as pairs. Or a function that returns them, which is
                asked before each attempt, for a fresh token perhaps; it may be ``async def``. If it raises, the attempt
                has failed.
            subprotocols: The subprotocols that we speak, the preferred one first, or a function that returns them.
                `subprotocol` tells the chosen one.
            cookies: Cookies for the request, as a mapping or as pairs.
            host, port: Where to connect to, if that is not what the URL says.
            server_hostname: What the certificate must say, if that is not the URL's host; it is named to the server.
            sock: A socket that is connected already. It is closed with the WebSocket.
            local_address: The IP address to connect from.
            ssl_context: How TLS is done; ``None`` verifies the certificate against the system's authorities.
            open_timeout: How long all until the server's answer may take, in seconds.
            reconnect: Whether to connect again after each drop, and after each attempt that failed unless the server
                said no (all but 5xx, 408, 425, 429 and what says ``Retry-After``, which is obeyed). A `Backoff` says
                how long to wait, and how often to try. After the machine has slept it is tried at once. It ends when
                the application calls `close`, also on a socket that has dropped already, or `Connecting.cancel`.
            should_retry: Decides instead whether to connect again.
            on_drop, on_retry, on_give_up: Told what becomes of a client that connects again.
            queue: How many bytes of messages wait for the next connection: see `Reconnecting.send`.
            proxy: The URL of a proxy, perhaps with a user and a password: ``http:``, ``https:``, or, with the extra
                ``proxy`` installed, ``socks4:``, ``socks4a:``, ``socks5:``, ``socks5h:``. ``None`` connects directly.
                ``True`` asks the environment, as curl does: ``wss_proxy``, ``https_proxy``, ``all_proxy``, for ``ws:``
                ``ws_proxy``, ``http_proxy``, ``all_proxy``, and ``no_proxy``; this machine is reached directly then.
            follow_redirects: Whether to go where the server sends us, five times at most, and never from ``wss:`` to
                ``ws:``. ``headers`` and credentials go to the same scheme, host and port only; with ``subprotocols``,
                which may hold a token, it is followed nowhere else.
            on_upgrade: What handles the WebSocket; may be ``async def``.
            **keywords: The above by name, and the limits and choices of `WebSocketOptions`.

        Returns:
            The future of the WebSocket. With ``on_upgrade`` it succeeds when that has returned (async: has first
            waited, or returned). Without, when the socket is open; then frames wait for the first ``on_*`` or
            ``read_*``. It fails with `InvalidURL`, `ConnectionRejected`, `ConnectionTimeout` or `HandshakeError`.
            Without ``on_upgrade``, and without a callback of the future's, the attempt is given up once nobody holds
            the future any more: when an ``await`` of it is cancelled, say.

        Calls back:
            ``on_upgrade(socket)`` once, with ``reconnect`` once for each connection. Nothing is delivered before it has
            returned, or first waits; messages for which it sets no handler are dropped.
            With ``reconnect``, each of them may be ``async def``: ``should_retry(error)`` after each failure, with a
            `HandshakeError`, or with `ConnectionClosed` for a drop. ``on_drop(code, reason)`` when an open connection
            was lost or closed by the server. ``on_retry(attempt, seconds, error)`` before each wait: the attempts are
            counted from 1, anew after each connection. ``on_give_up(error)`` when there will be no further attempt.

        Raises:
            LocalProtocolError: There is no event loop here, or an argument is wrong.

        Source: websocket-kit's ``WebSocket.connect(to:headers:configuration:on:onUpgrade:)``, RFC 6455 §4.1.
        """
        if _dial is None:
            raise LocalProtocolError("nothing here can dial: import perfectws, not its parts")
        return _dial(to, **keywords)

    def __repr__(self) -> str:
        state = "open" if self.is_connected else f"closed {self.close_code}"
        host, port = self.remote_address
        return f"<WebSocket {host}:{port} {state}>"

    # What is known of it

    @property
    def is_connected(self) -> bool:
        """Whether neither side has begun to close, nor vanished."""
        return self._connection.is_connected

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone altogether, as Vapor's ``isClosed`` tells."""
        return self._connection.is_finished

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame, whoever sent it; 1006 if there was none; ``None`` while it is open."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str:
        """The reason of the first close frame, or what happened if there was none."""
        return self._connection.close_reason

    @property
    def remote_address(self) -> Address:
        """The peer's (host, port)."""
        return self._transport.remote_address

    @property
    def buffered_amount(self) -> int:
        """How many bytes were sent that are not with the kernel yet."""
        return self._transport.buffered_amount

    @property
    def scratch_pad(self) -> dict[str, Any]:
        """A dictionary for whatever the application wants to keep with this socket."""
        if self._scratch_pad is None:
            self._scratch_pad = {}
        return self._scratch_pad

    @property
    def ping_interval(self) -> float | None:
        """Seconds between keepalive pings, or ``None``; setting it starts the interval anew."""
        return self._connection.keepalive.interval

    @ping_interval.setter
    def ping_interval(self, seconds: float | None) -> None:
        SECONDS_OR_NONE.check("ping_interval", seconds)
        self._connection.keepalive.interval = seconds
        self.call_in_loop(self._connection.restart_keepalive)

    # Reading

    @property
    def read_timeout_seconds(self) -> float | None:
        """How long a read waits for its frame, in seconds, from when it is asked for; negative or None: for ever.

        Source: Perfect's ``readTimeoutSeconds``.
        """
        return self._read_timeout

    @read_timeout_seconds.setter
    def read_timeout_seconds(self, seconds: float | None) -> None:
        WAIT.check("read_timeout_seconds", seconds)
        self._read_timeout = seconds

    # Of several forms the one with the callback comes last: a type checker's error speaks of the last one.

    @overload
    def read_string_message(self, continuation: None = None) -> Awaitable[Message[str | None]]: ...
    @overload
    def read_string_message(
        self, continuation: Callable[[str | None, OpcodeType, bool], R]
    ) -> Callable[[str | None, OpcodeType, bool], R]: ...
    def read_string_message(
        self, continuation: Callable[[str | None, OpcodeType, bool], R] | None = None
    ) -> Callable[[str | None, OpcodeType, bool], R] | Awaitable[Message[str | None]]:
        """Read one frame, as a string.

        Args:
            continuation: Gets the frame. Without one, ``await`` what is returned for a `Message`.

        Calls back:
            ``continuation(string, opcode, final)`` once. ``string`` is ``None`` for a binary frame that is not UTF-8;
            ``(None, OpcodeType.INVALID, True)`` says that there was nothing to read: the connection ended
            (`is_connected` is false), or the read timed out. A character cut by a frame's end comes with the next.
            It takes the place of a callback read that is pending: the earlier continuation is dropped then.

        Raises:
            LocalProtocolError: A task awaits a read; this one is awaited and another pending; or messages go to
                `on_text` and `on_binary`.
            ConnectionClosed, TimeoutError: Only with ``await``, instead of ``INVALID``.

        Source: Perfect's ``readStringMessage``.
        """
        if continuation is not None and get_ident() == self._loop.direct_thread:
            self.inbox.read(True, continuation, self._read_timeout)
            return continuation
        return self._read(True, continuation)

    @overload
    def read_bytes_message(self, continuation: None = None) -> Awaitable[Message[bytes]]: ...
    @overload
    def read_bytes_message(
        self, continuation: Callable[[bytes | None, OpcodeType, bool], R]
    ) -> Callable[[bytes | None, OpcodeType, bool], R]: ...
    def read_bytes_message(
        self, continuation: Callable[[bytes | None, OpcodeType, bool], R] | None = None
    ) -> Callable[[bytes | None, OpcodeType, bool], R] | Awaitable[Message[bytes]]:
        """Read one frame, as bytes; a text frame gives its UTF-8.

        Args:
            continuation: Gets the frame. Without one, ``await`` what is returned for a `Message`.

        Calls back:
            ``continuation(data, opcode, final)`` once; ``(None, OpcodeType.INVALID, True)`` as `read_string_message`.

        Raises:
            LocalProtocolError: A task awaits a read; this one is awaited and another pending; or messages go to
                `on_text` and `on_binary`.
            ConnectionClosed, TimeoutError: Only with ``await``, instead of ``INVALID``.

        Source: Perfect's ``readBytesMessage``.
        """
        if continuation is not None and get_ident() == self._loop.direct_thread:
            self.inbox.read(False, continuation, self._read_timeout)
            return continuation
        return self._read(False, continuation)

    #: Perfect's guide calls it so, its source the other.
    read_binary_message = read_bytes_message

    def _read(self, as_text: bool, continuation: CallbackT | None) -> CallbackT | Awaitable[Message[Any]]:
        """Read with ``await``, or from another thread."""
        if continuation is None:
            return self.inbox.receive(as_text, self._read_timeout)
        check_continuation(continuation)
        self.call_in_loop(self._read_in_loop, as_text, continuation, self._read_timeout)
        return continuation

    def _read_in_loop(self, as_text: bool, continuation: Callable[..., object], timeout: float | None) -> None:
        self.inbox.read(as_text, continuation, timeout)  # the inbox of that moment, not of the thread's

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Receive whole messages until the connection closes: each a ``str`` for text, ``bytes`` for binary.

        Raises:
            ConnectionClosed: It closed with a code other than 1000, 1001 or none.
            LocalProtocolError: A read is pending, or messages go to `on_text` and `on_binary`.
        """
        return _Messages(self)

    def receive(self) -> Future[str | bytes]:
        """Receive one whole message: a ``str`` for text, ``bytes`` for binary.

        A message of several frames is put together, within ``max_message_size``. Who asks while others wait gets the
        message behind theirs. A future that is cancelled while it is awaited is still to come; once nobody holds it any
        more, as after a ``wait(seconds)`` that has timed out, it takes no message, and the next who asks gets it.

        Returns:
            The future of the message: ``await`` it in a task, ``.wait()`` for it in a script's thread. It fails with
            `ConnectionClosed` when there is no further message, and with `TimeoutError` after `read_timeout_seconds`.

        Raises:
            LocalProtocolError: A read is pending, or messages go to `on_text` and `on_binary`.
        """
        received = Received(self._loop, self._connection)
        if self._loop.is_here():
            self._receive(received)
        else:
            self._loop.ask(self._connection, self._receive_for_thread, received)
        return received

    def _receive(self, received: Received) -> None:
        received.wait_in(self._receiving(), self._read_timeout)

    def _receive_for_thread(self, received: Received) -> None:
        try:
            self._receive(received)
        except LocalProtocolError as error:
            Promise(future=received).fail(error)

    def _receiving(self) -> ReceiveInbox:
        self.inbox = inbox = self._connection.choose_receiving()
        return inbox

    def messages(self) -> Iterator[str | bytes]:
        """Iterate over whole messages in a script's thread, until the connection closes: ``async for`` without async.

        Each is waited for as by ``receive().wait()``: ``for message in socket.messages(): print(message)``.

        Raises:
            ConnectionClosed: It closed with a code other than 1000, 1001 or none.
            TimeoutError: None came within `read_timeout_seconds`.
            LocalProtocolError: This is the event loop's own thread, which would wait for itself.
        """
        if self._loop.is_here():
            raise LocalProtocolError("messages() waits, so it is for another thread: here use on_text, or 'async for'")
        return self._wait_for_messages()

    def _wait_for_messages(self) -> Iterator[str | bytes]:
        try:
            while True:
                yield self.receive().wait()
        except ConnectionClosed as closed:
            if closed.code not in _QUIET_CLOSE_CODES:
                raise

    async def _next_message(self) -> str | bytes:
        try:
            if not self._loop.is_here():  # a task of another loop, asyncio's perhaps
                return await self.receive()
            return await self._receiving().receive_whole(self._read_timeout)
        except ConnectionClosed as closed:
            if closed.code in _QUIET_CLOSE_CODES:
                raise StopAsyncIteration from None
            raise

    # Sending

    @overload
    def send_string_message(self, string: str, final: bool = True, completion: None = None) -> Drained: ...
    @overload
    def send_string_message(self, string: str, final: bool, completion: Callable[[], object]) -> None: ...
    @overload
    def send_string_message(self, string: str, final: bool = True, *, completion: Callable[[], object]) -> None: ...
    def send_string_message(
        self, string: str, final: bool = True, completion: Callable[[], object] | None = None
    ) -> Drained | None:
        """Send a text message, or with ``final=False`` a part of one.

        Args:
            string: The text.
            final: Whether this ends the message. The parts after the first become continuation frames.
            completion: Called when the write buffer has taken it and has room for more. Without one, ``await`` what
                is returned to wait for that.

        Calls back:
            ``completion()`` once, also if the connection ends before. A send on a closed socket sends nothing.

        Raises:
            TypeError: ``string`` is not a ``str``, or ``final`` no ``bool``.
            UnicodeEncodeError: ``string`` holds a lone surrogate.
            LocalProtocolError: A fragmented binary message is under way.
            ConnectionClosed: Only with ``await``.

        Source: Perfect's ``sendStringMessage``.
        """
        if not isinstance(string, str):
            check_text(string)
        if completion is not None and not callable(completion):
            check_completion(completion)
        outbox = self.outbox
        build = outbox.build_text
        if build is not None and final is True and get_ident() == self._loop.direct_thread:
            outbox.write_whole_message(build(string), completion)
        else:
            self._send_text(string, final, completion)
        return outbox if completion is None else None

    def _send_text(self, text: str, final: bool, completion: Completion) -> None:
        if final is not True:
            check_final(final, "final", "completion")
        if self._loop.is_here():
            self.outbox.send_text(text, final, completion)
        else:
            encoded(text)  # what cannot be encoded must raise here, not there
            self.call_in_loop(self.outbox.send_text, text, final, completion)

    @overload
    def send_binary_message(self, data: BytesLike, final: bool = True, completion: None = None) -> Drained: ...
    @overload
    def send_binary_message(self, data: BytesLike, final: bool, completion: Callable[[], object]) -> None: ...
    @overload
    def send_binary_message(self, data: BytesLike, final: bool = True, *, completion: Callable[[], object]) -> None: ...
    def send_binary_message(
        self, data: BytesLike, final: bool = True, completion: Callable[[], object] | None = None
    ) -> Drained | None:
        """Send a binary message, or with ``final=False`` a part of one.

        Args:
            data: The bytes, in any object that has a buffer of them, or as a list of ints.
            final: Whether this ends the message.
            completion: As for `send_string_message`.

        Calls back:
            ``completion()`` once, also if the connection ends before.

        Raises:
            TypeError: ``data`` is not bytes-like, or ``final`` no ``bool``.
            LocalProtocolError: A fragmented text message is under way.
            ConnectionClosed: Only with ``await``.

        Source: Perfect's ``sendBinaryMessage``.
        """
        payload = binary_message(data)
        check_completion(completion)
        self._send_binary(payload, final, completion)
        return self.outbox if completion is None else None

    @overload
    def send(self, message: str | BytesLike, promise: None = None) -> Drained: ...
    @overload
    def send(self, message: str | BytesLike, promise: Promise[None]) -> None: ...
    def send(self, message: str | BytesLike, promise: Promise[None] | None = None) -> Drained | None:
        """Send a whole message: text for a ``str``, binary for bytes, or for a list of ints.

        Args:
            message: The message.
            promise: Succeeds when the write buffer has taken it and has room for more; fails with `ConnectionClosed`
                if the connection ends before. Without one, ``await`` what is returned.

        Raises:
            TypeError: ``message`` is neither.
            UnicodeEncodeError: It is a text that holds a lone surrogate.
            LocalProtocolError: A fragmented message is under way.

        Source: websocket-kit's ``send``.
        """
        outbox = self.outbox
        build = outbox.build_text
        if promise is not None:
            check_promise(promise)
        elif build is not None and isinstance(message, str) and get_ident() == self._loop.direct_thread:
            outbox.write_whole_message(build(message), None)
            return outbox
        if isinstance(message, str):
            self._send_text(message, True, promise)
        else:
            self._send_binary(bytes_of(message, "send takes a str or bytes"), True, promise)
        return outbox if promise is None else None

    def _send_binary(self, payload: bytes, final: bool, completion: Completion) -> None:
        outbox = self.outbox
        build = outbox.build_binary
        if (
            build is None
            or final is not True
            or isinstance(completion, Promise)
            or get_ident() != self._loop.direct_thread
        ):
            if final is not True:
                check_final(final, "final", "completion")
            self.call_in_loop(outbox.send_data, OpcodeType.BINARY, payload, final, completion)
        else:
            outbox.write_whole_message(build(payload), completion)

    @overload
    def send_raw(self, data: BytesLike, opcode: OpcodeType, fin: bool = True, promise: None = None) -> Drained: ...
    @overload
    def send_raw(self, data: BytesLike, opcode: OpcodeType, fin: bool, promise: Promise[None]) -> None: ...
    @overload
    def send_raw(self, data: BytesLike, opcode: OpcodeType, fin: bool = True, *, promise: Promise[None]) -> None: ...
    def send_raw(
        self, data: BytesLike, opcode: OpcodeType, fin: bool = True, promise: Promise[None] | None = None
    ) -> Drained | None:
        """Send one frame with the opcode given: the parts of a message by hand, or a control frame.

        Args:
            data: The payload. That of a text is UTF-8; a part of one may end within a character.
            opcode: TEXT, BINARY, CONTINUATION, PING or PONG. To close, call `close`.
            fin: Whether this ends the message; always true for PING and PONG.
            promise: As for `send`.

        Raises:
            LocalProtocolError: The frame does not fit here: CONTINUATION with nothing to continue, TEXT or BINARY
                inside a fragmented message, a control frame that is too long or not final, or CLOSE. Or it makes a text
                that is not UTF-8.

        Source: websocket-kit's ``send(raw:opcode:fin:promise:)``.
        """
        payload = bytes_of(data, "send_raw takes a payload of bytes")
        check_final(fin, "fin", "promise")
        check_promise(promise)
        opcode = OpcodeType(opcode)
        if opcode in (OpcodeType.CLOSE, OpcodeType.INVALID):
            raise LocalProtocolError(f"send_raw cannot send {opcode.name}: to close, call close(code, reason)")
        if opcode is OpcodeType.PING or opcode is OpcodeType.PONG:
            if not fin:
                raise LocalProtocolError("a control frame cannot be fragmented: fin must be True")
            self._send_control(opcode, payload, promise)
        else:
            is_whole_text = opcode is OpcodeType.TEXT and fin
            if is_whole_text:  # what is wrong with one shows here, whatever thread this is
                check_utf8(new_utf8_decoder(), payload, True)
            self.call_in_loop(self.outbox.send_fragment, opcode, payload, fin, promise, not is_whole_text)
        return self.outbox if promise is None else None

    @overload
    def send_ping(self, completion: BytesLike | None = None, *, data: BytesLike = b"") -> Drained: ...
    @overload
    def send_ping(self, completion: Callable[[], object], *, data: BytesLike = b"") -> None: ...
    def send_ping(
        self, completion: Callable[[], object] | BytesLike | None = None, *, data: BytesLike = b""
    ) -> Drained | None:
        """Send a ping. Its pong goes to `on_pong`, or without one to a read, with opcode ``PONG``.

        Args:
            completion: As for `send_string_message` (Perfect); or the payload (Vapor).
            data: The payload, at most 125 bytes.

        Calls back:
            ``completion()`` once, when the ping was accepted, not when it was answered.

        Raises:
            LocalProtocolError: The payload is too long.

        Source: Perfect's ``sendPing``, websocket-kit's ``sendPing``.
        """
        return self._ping_or_pong(OpcodeType.PING, completion, data)

    @overload
    def send_pong(self, completion: BytesLike | None = None, *, data: BytesLike = b"") -> Drained: ...
    @overload
    def send_pong(self, completion: Callable[[], object], *, data: BytesLike = b"") -> None: ...
    def send_pong(
        self, completion: Callable[[], object] | BytesLike | None = None, *, data: BytesLike = b""
    ) -> Drained | None:
        """Send a pong that nobody asked for; pings are answered without it.

        Args:
            completion: As for `send_ping`.
            data: The payload, at most 125 bytes.

        Calls back:
            ``completion()`` once.

        Raises:
            LocalProtocolError: The payload is too long.

        Source: Perfect's ``sendPong``, RFC 6455 §5.5.3.
        """
        return self._ping_or_pong(OpcodeType.PONG, completion, data)

    def _ping_or_pong(
        self, opcode: OpcodeType, completion: Callable[[], object] | BytesLike | None, data: BytesLike
    ) -> Drained | None:
        if isinstance(completion, BYTES_LIKE):
            if data != b"":
                raise TypeError(f"send_{opcode.name.lower()} takes one payload, not two: the first argument, or data=")
            return self._ping_or_pong(opcode, None, completion)
        check_completion(completion)
        payload = bytes_of(data, "the data of a ping or a pong is bytes")
        self._send_control(opcode, payload, completion)
        return self.outbox if completion is None else None

    def _send_control(self, opcode: OpcodeType, payload: bytes, completion: Completion) -> None:
        if len(payload) > MAX_CONTROL_PAYLOAD:
            raise LocalProtocolError(f"the payload of a {opcode.name.lower()} is at most {MAX_CONTROL_PAYLOAD} bytes")
        if opcode is OpcodeType.PING:
            self.call_in_loop(self._connection.keepalive.ping_sent, payload, PingOrigin.APPLICATION)
        self.call_in_loop(self.outbox.send_control, opcode, payload, completion)

    # Whole messages, and what else happens

    def on_text(self, callback: Callable[[WebSocket, str], R]) -> Callable[[WebSocket, str], R]:
        """Give every whole text message to ``callback``.

        Calls back:
            ``callback(socket, text)`` for each message, in order. An async one is waited for before the next message.

        Raises:
            LocalProtocolError: A read is pending.

        Source: websocket-kit's ``onText``.
        """
        return self._on_message(OpcodeType.TEXT, callback)

    def on_binary(self, callback: Callable[[WebSocket, bytes], R]) -> Callable[[WebSocket, bytes], R]:
        """Give every whole binary message to ``callback``.

        Calls back:
            ``callback(socket, data)`` for each message, in order, with ``bytes``.

        Raises:
            LocalProtocolError: A read is pending.

        Source: websocket-kit's ``onBinary``.
        """
        return self._on_message(OpcodeType.BINARY, callback)

    def _on_message(self, opcode: OpcodeType, callback: CallbackT) -> CallbackT:
        check_callable(callback, f"on_{opcode.name.lower()}", "socket", "message")
        self.call_in_loop(self._set_handler, opcode, callback)
        return callback

    def _set_handler(self, opcode: OpcodeType, callback: Callable[..., object]) -> None:
        self.inbox = inbox = self._connection.choose_messages()
        inbox.set_handler(opcode, callback)

    @overload
    def on_ping(self, callback: Callable[[WebSocket], R]) -> Callable[[WebSocket], R]: ...
    @overload
    def on_ping(self, callback: Callable[[WebSocket, bytes], R]) -> Callable[[WebSocket, bytes], R]: ...
    def on_ping(self, callback: CallbackT) -> CallbackT:
        """Be told of every ping of the peer. It is answered already.

        Calls back:
            ``callback(socket, data)``, or ``callback(socket)`` if it takes no more, for each ping.

        Raises:
            TypeError: ``callback`` takes neither.

        Source: websocket-kit's ``onPing``.
        """
        self._connection.on_ping = _taking_data(callback, "on_ping")
        return callback

    def on_rate_limited(self, callback: Callable[[WebSocket], R]) -> Callable[[WebSocket], R]:
        """Be told when the peer sends faster than ``message_rate`` lets it, so that reading pauses. A decorator too.

        Nothing needs to be done: its messages come as fast as they may, none is lost, and TCP holds it back.

        Calls back:
            ``callback(socket)`` when it begins to; again once it has been quiet for long enough to have a whole burst.

        Raises:
            TypeError: ``callback`` cannot be called with the socket.
        """
        check_callable(callback, "on_rate_limited", "socket")
        self.call_in_loop(self._connection.set_on_rate_limited, callback)
        return callback

    @overload
    def on_pong(self, callback: Callable[[WebSocket], R]) -> Callable[[WebSocket], R]: ...
    @overload
    def on_pong(self, callback: Callable[[WebSocket, bytes], R]) -> Callable[[WebSocket, bytes], R]: ...
    def on_pong(self, callback: CallbackT) -> CallbackT:
        """Be told of every pong that answers a ping of ours.

        Calls back:
            ``callback(socket, data)``, or ``callback(socket)`` if it takes no more, for each such pong.

        Raises:
            TypeError: ``callback`` takes neither.

        Source: websocket-kit's ``onPong``.
        """
        self._connection.on_pong = _taking_data(callback, "on_pong")
        return callback

    # Time

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback()`` once, later, unless this socket has closed by then. From any thread.

        Args:
            seconds: When, in seconds from now.
            callback: What to call; may be ``async def``.

        Returns:
            A timer, which can be cancelled.

        Calls back:
            ``callback()`` once, as a callback of this socket: an exception closes it with 1011.

        Raises:
            TypeError, ValueError: ``callback`` takes arguments, or ``seconds`` is no number of them.
        """
        return self._begun(ApplicationTimer(seconds, callback, owner=self._connection))

    def call_every(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback()`` at multiples of ``seconds`` from now until this socket closes. From any thread.

        Args:
            seconds: How often, in seconds.
            callback: What to call; may be ``async def``. While one call is under way, those that come due are left out.

        Returns:
            A timer, which can be cancelled.

        Calls back:
            ``callback()``, as a callback of this socket: an exception closes it with 1011.

        Raises:
            TypeError, ValueError: ``callback`` takes arguments, or ``seconds`` is no number of them.
        """
        return self._begun(ApplicationTimer(seconds, callback, repeats=True, owner=self._connection))

    def _begun(self, timer: ApplicationTimer) -> Timer:
        self.call_in_loop(self._begin_timer, timer)
        return timer

    def _begin_timer(self, timer: ApplicationTimer) -> None:
        if self._connection.is_connected:
            if self._timers is None:
                self._timers = WeakSet()
            self._timers.add(timer)
            timer.begin(self._loop)

    def end_timers(self) -> None:
        """Let no timer of this socket call any more: it closes; perfectws's own."""
        timers, self._timers = self._timers, None
        for timer in timers or ():
            timer.cancel()

    # The end

    @property
    def on_close(self) -> Future[None]:
        """The future of the connection's end: it succeeds once, last of all.

        Source: websocket-kit's ``onClose``.
        """
        return self._connection.on_close

    def close(
        self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", promise: Promise[None] | None = None
    ) -> Future[None]:
        """Send a close frame behind what was sent, wait for the peer's, and close.

        Args:
            code: 1000 to 1003 and 1007 to 1014, as RFC 6455 defines them, or 3000 to 4999 for your own.
            reason: At most 123 bytes of UTF-8.
            promise: Succeeds when the connection is gone.

        Returns:
            The future of that too. It waits for nothing that the session is still to be told, as `on_close` does, so a
            callback of the same socket may await it. On a socket that is closed already nothing is sent.

        Raises:
            TypeError: The code is no int, or the reason no string.
            UnicodeEncodeError: The reason holds a lone surrogate.
            LocalProtocolError: The code or the reason cannot be sent.

        Source: RFC 6455 §7.1.2. Perfect differs: its ``close()`` sends no code and waits for nothing.
        """
        if not isinstance(code, int) or isinstance(code, bool) or not isinstance(reason, str):
            raise TypeError(f"close takes an int for its code and a str for its reason, not {code!r} and {reason!r}")
        if not is_sendable(code):
            raise LocalProtocolError(
                f"close code {code} is never sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999 for your own"
            )
        if len(encoded(reason)) > MAX_CLOSE_REASON:
            raise LocalProtocolError(f"a close reason is at most {MAX_CLOSE_REASON} bytes of UTF-8")
        check_promise(promise)
        if promise is not None:
            self._connection.gone.cascade(promise)
        self.call_in_loop(self._connection.close_by_request, code, reason)
        return self._connection.gone

    def call_in_loop(self, function: Callable[..., object], *args: Any) -> None:
        """Call ``function`` here if this is the loop's thread, else there; perfectws's own.

        What is wrong there is logged, and the promise, if one is among ``args``, fails with it.
        """
        if self._loop.is_here():
            function(*args)
        else:
            self._loop.ask(self._connection, _log_misuse, function, args)

    def call_back(self, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Queue a callback of the application's that belongs to this socket; perfectws's own, in the loop's thread."""
        self._loop.call(self._connection, callback, *args)


class AttemptKeywords(WebSocketKeywords, total=False):
    """The keyword arguments of `WebSocket.connect`, where they are described, but for those below."""

    cookies: HeaderFields
    server_hostname: str | None
    local_address: str | None
    headers: HeaderFields | Callable[[], HeaderFields | Awaitable[HeaderFields]]
    subprotocols: Several[str] | Callable[[], Several[str] | Awaitable[Several[str]]]
    ssl_context: ssl.SSLContext | None
    open_timeout: float
    should_retry: Callable[[Exception], bool | Awaitable[bool]] | None
    on_drop: Callable[[int, str], object] | None
    on_retry: OnRetry | None
    on_give_up: Callable[[Exception], object] | None
    queue: int
    proxy: str | bool | None
    follow_redirects: bool
    on_upgrade: Callable[[WebSocket], object] | None


class ConnectOptions(AttemptKeywords, total=False):
    """Those, and whether to connect again."""

    reconnect: bool | Backoff


class PlaceKeywords(TypedDict, total=False):
    """The keyword arguments of `WebSocket.connect` that say where: there, and here."""

    on: trio.Nursery | EventLoopHandle | None
    host: str | None
    port: int | None
    sock: ConnectedSocket | None


class ReconnectKeywords(AttemptKeywords, PlaceKeywords, total=False):
    """The keyword arguments of `WebSocket.connect` besides ``reconnect``, where that is asked for."""


class ConnectKeywords(ConnectOptions, PlaceKeywords, total=False):
    """The keyword arguments of `WebSocket.connect`."""


class Opener(Protocol):
    """What opens the WebSocket of a `Connecting`."""

    def cancel(self) -> None:
        """Make no attempt any more. From any thread."""

    def send(self, opcode: OpcodeType, payload: bytes, promise: Promise[None] | None) -> None:
        """Send a message over this connection, or the next. From any thread."""

    @property
    def queued_amount(self) -> int:
        """How many bytes of messages wait for a connection."""

    def keep(self, future: Connecting) -> None:
        """Hold the future until it is resolved: callbacks wait for it, which do not. From any thread."""

    def abandon(self, opened: WebSocket | None) -> None:
        """Give up what nobody can get any more; close what has opened. From any thread, between any two steps."""


class Connecting(Future[WebSocket]):
    """The future of a WebSocket that is being opened.

    Once nobody can get its result any more, since whoever waited was cancelled, or has waited long enough, and nobody
    holds it, the attempt is given up; a socket that has opened is closed.

    Source: what websocket-kit's ``connect`` returns, which has no `cancel`.
    """

    __slots__ = ("_is_taken", "_opener")

    def __init__(self, loop: CallbackLoop, opener: Opener | None, is_taken: bool = False) -> None:
        super().__init__(loop)
        self._opener = opener
        #: Whether callbacks are given the socket, whoever holds the future.
        self._is_taken = is_taken

    @classmethod
    def failed(cls, loop: CallbackLoop, error: Exception) -> Connecting:
        """Return one that has failed; perfectws's own."""
        future = cls(loop, None)
        future._resolve(outcome.Error(error))
        return future

    def cancel(self) -> None:
        """Give up: an attempt under way fails, and none is made again. From any thread.

        A WebSocket that is open stays so.
        """
        if self._opener is not None:
            self._opener.cancel()

    def _add(self, on_resolved: OnResolved) -> None:
        self._is_taken = True
        super()._add(on_resolved)
        if self._opener is not None and not self.is_done:
            self._opener.keep(self)

    def __del__(self) -> None:
        if self._opener is not None and not (self._is_taken or self._retrieved):
            opened = self._outcome.value if isinstance(self._outcome, outcome.Value) else None
            self._opener.abandon(opened)
        super().__del__()


class Reconnecting(Connecting):
    """The future of the first WebSocket of a client that connects again and again: of ``connect(reconnect=…)``.

    It stays of use when it is resolved: messages are sent by it over whichever connection there is.
    """

    __slots__ = ()

    def send(self, message: str | BytesLike, promise: Promise[None] | None = None) -> None:
        """Send a whole message, over the connection that is open, or else the next.

        Messages go out in the order of the calls, over all connections, behind what ``on_upgrade`` sends before it
        returns, or first waits. What the kernel has taken when a connection is lost is not sent again; what it has not
        is sent over the next one. From any thread.

        Args:
            message: Text as a ``str``; bytes, or a list of ints.
            promise: Succeeds when the kernel has taken the message. Fails with `ConnectionClosed` if the message is
                dropped: since more than ``queue`` bytes would wait, or no connection is made any more.

        Raises:
            TypeError: ``message`` is neither.
            UnicodeEncodeError: It is a text that holds a lone surrogate.
        """
        check_promise(promise)
        if isinstance(message, str):
            opcode, payload = OpcodeType.TEXT, encoded(message)
        else:
            opcode, payload = OpcodeType.BINARY, bytes_of(message, "send takes a str or bytes")
        if self._opener is not None:
            self._opener.send(opcode, payload, promise)
        elif promise is not None:  # the URL was wrong
            promise.fail(ConnectionClosed(CloseCode.ABNORMAL_CLOSURE, "no connection was ever open"))

    @property
    def queued_amount(self) -> int:
        """How many bytes of messages wait for a connection, of what `send` was given."""
        return 0 if self._opener is None else self._opener.queued_amount


class Dial(Protocol):
    """What `WebSocket.connect` calls, with its own arguments."""

    def __call__(self, to: Target, **keywords: Unpack[ConnectKeywords]) -> Connecting: ...


_dial: Dial | None = None


def dial_with(dial: Dial) -> None:
    """Let `WebSocket.connect` open its connections with ``dial``: the client's, which stands above this package."""
    global _dial
    _dial = dial


class _Messages:
    """What ``async for`` iterates over. Not a generator: one that is broken off would be finalized, with a warning."""

    __slots__ = ("_socket",)

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    def __aiter__(self) -> _Messages:
        return self

    def __anext__(self) -> Awaitable[str | bytes]:
        return self._socket._next_message()


def _taking_data(callback: Callable[..., object], what: str) -> Callable[[WebSocket, bytes], object]:
    """Return ``callback`` as it is called: who can take the data gets it."""
    takes = arguments_for(callback, what, ("socket", "data"), ("socket",))
    return callback if takes == 2 else lambda socket, data: callback(socket)


def _log_misuse(function: Callable[..., object], args: tuple[Any, ...]) -> None:
    try:
        function(*args)
    except LocalProtocolError as error:
        logger.error("A call from another thread was wrong: %s", error)
        error = error.with_traceback(None)  # which refers to this frame, and so to the promise that is to keep it
        for each in args:
            if isinstance(each, Promise):
                each.fail(error)
