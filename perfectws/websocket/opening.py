"""A client's connection while its opening handshake is under way.

The protocol here is fed until the 101 has come; then it hands the transport, and the bytes behind the 101, to a
`WebSocketConnection`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context

import outcome

from ..callbacks import CallbackLoop
from ..errors import HandshakeError
from ..futures import Suspension
from ..transport import Protocol, Transport
from .client_handshake import Accepted, ClientHandshake, ClientOffer
from .connection import WebSocketConnection
from .options import WebSocketOptions
from .url import WebSocketURL


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

    __slots__ = ("_begin", "_handshake", "_loop", "_options", "_result", "_suspension", "_transport", "_url")

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

    async def opened(self) -> WebSocketConnection:
        """Send the request, and wait until the connection is a WebSocket. When cancelled, give it up.

        Raises:
            HandshakeError: It will be none.
        """
        self._transport.write(self._handshake.request())
        if self._result is None:
            self._suspension = Suspension()
            await self._suspension.sleep(on_cancel=self._transport.abort)
        assert self._result is not None
        return self._result.unwrap()

    def _settle(self, result: outcome.Outcome[WebSocketConnection]) -> None:
        if self._result is None:
            self._result = result
            if self._suspension is not None:
                self._suspension.resume(outcome.Value(None))

    def _fail(self, error: Exception) -> None:
        self._settle(outcome.Error(error))
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

    def eof_received(self) -> None:
        """Learn that the server will send nothing more."""
        self.data_received(b"")
        self._fail(HandshakeError(f"{self._url.text}: the server closed the connection without an answer"))

    def resume_writing(self) -> None:
        """Learn that the output has room again: the request is short, and nobody waits."""

    def connection_lost(self, error: Exception | None) -> None:
        """Learn that the connection is gone."""
        reason = f": {error}" if error is not None and str(error) else ""
        self._settle(outcome.Error(HandshakeError(f"{self._url.text}: the connection was lost{reason}")))

    def shut_down(self) -> None:
        """Learn that the loop ends."""
        self._fail(HandshakeError(f"{self._url.text}: the event loop ended before the WebSocket was open"))

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of our own: it costs this connection and nothing else."""
        super().callback_failed(error)
        self._fail(HandshakeError(f"{self._url.text}: perfectws failed: {error!r}"))

    def _hand_over(self, accepted: Accepted) -> None:
        connection = WebSocketConnection(
            self._transport,
            self._loop,
            None,
            self._options,
            context=self.context,
            subprotocol=accepted.subprotocol,
            deflate=accepted.deflate,
            is_client=True,
        )
        self._transport.set_protocol(connection)
        self._begin(connection)
        self._settle(outcome.Value(connection))
        if accepted.leftover:
            connection.data_received(accepted.leftover)
