"""A client's connection until it is a WebSocket: the request goes out, the answer is waited for.

A refusal is a refusal as soon as its head is there: its body is waited for, but not for long, since it need not end.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context

import outcome

from ..callbacks import CallbackLoop, Timer
from ..errors import ConnectionRejected, HandshakeError
from ..net.reasons import reason_of, tls_error_in
from ..suspension import Suspension
from ..transport import Protocol, Transport
from ..websocket.connection import WebSocketConnection
from ..websocket.options import WebSocketOptions
from ..websocket.rated_connection import connection_class
from .handshake import Accepted, ClientHandshake, ClientOffer
from .url import WebSocketURL

#: How long the rest of a refusal is waited for once its head is there, in seconds.
REFUSAL_TIMEOUT = 1.0

#: The result of an opening connection that has given its own.
_TAKEN: outcome.Outcome[WebSocketConnection] = outcome.Error(HandshakeError("it was taken"))


class BrokenOff(Exception):
    """A wait was broken off, since its time is over or nobody waits for its end."""


class OpeningConnection(Protocol):
    """The protocol object of a client's connection until it is a WebSocket.

    Args:
        transport: What moves the bytes; it is to feed this object.
        loop: The loop that drives it.
        url: Where the transport leads.
        offer: What the handshake asks for.
        options: The limits and choices of the WebSocket.
        context: The `contextvars.Context` of the WebSocket's callbacks.
        begin: ``begin(connection)`` begins the session, before the first frame is taken.
    """

    __slots__ = (
        "_begin",
        "_handshake",
        "_loop",
        "_options",
        "_refusal_timer",
        "_result",
        "_suspension",
        "_transport",
        "_url",
    )

    def __init__(
        self,
        transport: Transport,
        loop: CallbackLoop,
        url: WebSocketURL,
        offer: ClientOffer,
        options: WebSocketOptions,
        context: Context,
        begin: Callable[[WebSocketConnection], object],
    ) -> None:
        super().__init__(context)
        self._begin = begin
        self._transport = transport
        self._loop = loop
        self._url = url
        self._options = options
        self._handshake = ClientHandshake(url, offer)
        self._result: outcome.Outcome[WebSocketConnection] | None = None
        self._suspension: Suspension | None = None
        self._refusal_timer: Timer | None = None

    @property
    def rejection(self) -> ConnectionRejected | None:
        """What the server has said so far, if it said no."""
        return self._handshake.rejection()

    async def opened(self) -> WebSocketConnection:
        """Send the request, and wait until the connection is a WebSocket. When cancelled, give it up.

        Raises:
            HandshakeError: It will be none.
            BrokenOff: `break_off` was called before.
        """
        # At once: nothing was written before it, and until the end of a turn the loop would have to be woken.
        self._loop.counts.bytes_sent += self._transport.write_at_once(self._handshake.request())
        if self._result is None:
            self._suspension = self._loop.suspension()
            await self._suspension.sleep(on_cancel=self._transport.abort)
        result, self._result = self._result, _TAKEN
        assert result is not None
        try:
            return result.unwrap()
        finally:
            del result  # an error's traceback refers to this frame, and to us, so neither may refer to the error

    def break_off(self) -> None:
        """Wait no longer, and give the connection up, unless it is open."""
        if self._result is None:
            self._settle(outcome.Error(BrokenOff()))
            self._transport.abort()

    def _settle(self, result: outcome.Outcome[WebSocketConnection]) -> None:
        if self._refusal_timer is not None:
            self._refusal_timer.cancel()
        if self._result is None:
            self._result = result
            if self._suspension is not None:
                self._suspension.resume(outcome.Value(None))

    def _fail(self, error: Exception) -> None:
        """Fail with ``error``: or, where the server has said no, with that."""
        self._settle(outcome.Error(self.rejection or error))
        self._transport.abort()

    # The transport calls these.

    def data_received(self, data: bytes) -> None:
        """Take bytes that arrived."""
        if self._result is not None:
            return
        try:
            accepted = self._handshake.receive(data)
        except HandshakeError as error:
            self._fail(error)
            return
        if accepted is not None:
            self._hand_over(accepted)
        elif self._handshake.is_refused and self._refusal_timer is None:
            self._refusal_timer = self._loop.call_later(self, REFUSAL_TIMEOUT, self._stop_waiting)

    def _stop_waiting(self) -> None:
        self._fail(HandshakeError(f"{self._url.text}: the answer did not end"))

    def eof_received(self) -> None:
        """Fail, unless what came before the end is an answer: the server will send nothing more."""
        self.data_received(b"")
        self._fail(HandshakeError(f"{self._url.text}: the server closed the connection without an answer"))

    def resume_writing(self) -> None:
        """Do nothing: the request is short, so nothing waits for room."""

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, unless the answer has come: the connection is gone."""
        tls_error = tls_error_in(error)
        if tls_error is not None:
            # With TLS 1.3 our own side of the handshake is over before the server judges it.
            lost = HandshakeError(f"{self._url.text}: TLS failed: {reason_of(tls_error)}")
        else:
            reason = "" if error is None else f": {reason_of(error)}"
            lost = HandshakeError(f"{self._url.text}: the connection was lost{reason}{self._handshake.hint}")
        lost.__cause__ = error
        self._fail(lost)

    def shut_down(self) -> None:
        """Fail: the loop ends."""
        self._fail(HandshakeError(f"{self._url.text}: the event loop ended before the WebSocket was open"))

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of our own: it costs this connection and nothing else."""
        super().callback_failed(error)
        self._fail(HandshakeError(f"{self._url.text}: perfectws failed: {error!r}"))

    def _hand_over(self, accepted: Accepted) -> None:
        connection = connection_class(self._options)(
            self._transport,
            self._loop,
            None,
            self._options,
            context=self.context,
            subprotocol=accepted.subprotocol,
            deflate=accepted.deflate,
            is_client=True,
            session_name=f"the WebSocket to {self._url.text}",
        )
        self._transport.set_protocol(connection)
        connection.socket.response = self._handshake.response
        self._begin(connection)
        self._settle(outcome.Value(connection))
        if accepted.leftover:
            connection.data_received(accepted.leftover)
