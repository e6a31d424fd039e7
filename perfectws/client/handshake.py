"""The client's half of the opening handshake: a request to bytes, and the judgement of the response.

::

    WAITING ──101, as it should be──► accepted: `Accepted`
       │────101, but not for us─────► `HandshakeError`
       └────another status──► READING_BODY ──its end, or enough of it──► `ConnectionRejected`

Source: RFC 6455 §4.1 and §4.2.2, RFC 7692 §7.1 for ``permessage-deflate``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from contextvars import Context
from http import HTTPStatus
from os import urandom
from typing import NamedTuple

import h11
import outcome
from wsproto.utilities import generate_accept_token

from ..callbacks import CallbackLoop
from ..errors import ConnectionRejected, HandshakeError, LocalProtocolError
from ..http.headers import Headers
from ..http.several import Several
from ..suspension import Suspension
from ..transport import Protocol, Transport
from ..websocket.arguments import check_subprotocols
from ..websocket.connection import WebSocketConnection
from ..websocket.deflate import Deflate, DeflateOptions, accept_answer, make_offer
from ..websocket.opcodes import VERSION
from ..websocket.options import WebSocketOptions
from .url import WebSocketURL

#: How much of the body of a response that is no 101 is kept for the error, in bytes.
MAX_REJECTION_BODY = 16 * 1024
#: How long a response's head may be, in bytes.
MAX_HEAD = 64 * 1024
#: How much of a body stands in an error's message, in characters.
_SHOWN_BODY = 200

#: The headers that the handshake itself is made of.
_OWN_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)


class ClientOffer(NamedTuple):
    """What a client asks for, checked.

    Attributes:
        headers: Headers of the application's own.
        subprotocols: The subprotocols that it speaks, the preferred one first.
        compression: How it would compress; ``None`` offers nothing.
    """

    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compression: DeflateOptions | None = None

    @classmethod
    def of(
        cls, headers: Iterable[tuple[str, str]], subprotocols: Several[str], compression: DeflateOptions | None
    ) -> ClientOffer:
        """Check what a user gives. Raises `LocalProtocolError` or `TypeError`, with what to write instead."""
        fields = tuple(Headers(headers))
        for name, _ in fields:
            if name.lower() in _OWN_HEADERS:
                raise LocalProtocolError(f"the handshake sets {name} itself: use subprotocols= and compression=")
        return cls(fields, check_subprotocols(subprotocols), compression)


class Accepted(NamedTuple):
    """What the server agreed to.

    Attributes:
        subprotocol: The subprotocol that it chose, if any.
        deflate: The compression agreed on, if any.
        leftover: Bytes that came behind the response: the first frames.
    """

    subprotocol: str | None
    deflate: Deflate | None
    leftover: bytes


class ClientHandshake:
    """One opening handshake, as the client sees it.

    Args:
        url: Where to.
        offer: What is asked for.
    """

    __slots__ = ("_body", "_conn", "_key", "_offer", "_response", "_url")

    def __init__(self, url: WebSocketURL, offer: ClientOffer) -> None:
        self._url = url
        self._offer = offer
        # RFC 6455 §4.1: "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded"
        self._key = b64encode(urandom(16))
        self._conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._response: h11.Response | None = None
        self._body = bytearray()

    def request(self) -> bytes:
        """Return the request, whole."""
        headers = Headers(
            [
                ("Host", self._url.authority),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Key", self._key.decode()),
                ("Sec-WebSocket-Version", VERSION),
            ]
        )
        if self._offer.subprotocols:
            headers.add("Sec-WebSocket-Protocol", ", ".join(self._offer.subprotocols))
        if self._offer.compression is not None:
            headers.add("Sec-WebSocket-Extensions", make_offer(self._offer.compression))
        if self._url.authorization is not None:
            headers.add("Authorization", self._url.authorization)
        for name in {name.lower() for name, _ in self._offer.headers} & {"host", "authorization"}:
            headers.remove(name)
        for name, value in self._offer.headers:
            headers.add(name, value)
        fields = [(name.encode(), value.encode()) for name, value in headers]
        head = self._conn.send(h11.Request(method="GET", target=self._url.target, headers=fields))
        return (head or b"") + (self._conn.send(h11.EndOfMessage()) or b"")

    def receive(self, data: bytes) -> Accepted | None:
        """Take bytes that arrived, ``b""`` for the end. Return what was agreed on, or ``None`` if more is needed.

        Raises:
            ConnectionRejected: The server answers with something other than 101.
            HandshakeError: What it answers is no HTTP, or a 101 that is none for us.
        """
        try:
            self._conn.receive_data(data)
            return self._next_event()
        except h11.RemoteProtocolError as error:
            if self._response is not None:
                raise self._rejection(self._response) from None
            raise HandshakeError(f"{self._url.text}: {self._no_answer(data, error)}") from error

    def _next_event(self) -> Accepted | None:
        while True:
            match self._conn.next_event():
                case h11.InformationalResponse(status_code=101) as response:
                    version = response.http_version.decode()
                    # RFC 9110 §7.8, §15.2: HTTP/1.0 has neither Upgrade nor any status 1xx.
                    self._check(version.startswith("1.") and version != "1.0", f"it is HTTP/{version}")
                    return self._judge(Headers.parse(_head(response)))
                case h11.Response() as response:
                    self._response = response
                case h11.Data(data=data) if self._response is not None:
                    self._body += data
                    if len(self._body) >= MAX_REJECTION_BODY:
                        raise self._rejection(self._response)
                case h11.EndOfMessage() if self._response is not None:
                    raise self._rejection(self._response)
                case h11.NEED_DATA:
                    return None
                case h11.ConnectionClosed() | h11.PAUSED:
                    raise HandshakeError(f"{self._url.text}: the server closed the connection without an answer")

    def _no_answer(self, data: bytes, error: h11.RemoteProtocolError) -> str:
        if not data:
            return "the server closed the connection in the middle of its answer"
        return f"the answer is not HTTP/1.1: {str(error)[:_SHOWN_BODY]}"

    def _rejection(self, response: h11.Response) -> ConnectionRejected:
        headers = Headers.parse(_head(response))
        status = response.status_code
        phrase = next((known.phrase for known in HTTPStatus if known == status), "")
        body = bytes(self._body[:MAX_REJECTION_BODY])
        said = " ".join(body[:_SHOWN_BODY].decode(errors="replace").split())
        location = headers.get("Location") if status // 100 == 3 else None
        answer = f"{status} {phrase}".strip() + (f", to {location}," if location is not None else "")
        return ConnectionRejected(
            f"{self._url.text}: the server answered {answer} instead of 101" + (f": {said}" if said else ""),
            status,
            list(headers),
            body,
        )

    def _judge(self, headers: Headers) -> Accepted:
        """Judge the headers of a 101. Source: RFC 6455 §4.1, the numbered list at its end."""
        self._check(headers.has_token("Upgrade", "websocket"), "it has no 'Upgrade: websocket'")
        self._check(headers.has_token("Connection", "upgrade"), "it has no 'Connection: Upgrade'")
        accepts = headers.get_all("Sec-WebSocket-Accept")
        self._check(
            accepts == [generate_accept_token(self._key).decode()],
            f"its Sec-WebSocket-Accept ({', '.join(accepts) or 'none'}) does not answer our key",
        )
        subprotocol = self._judge_subprotocol(headers)
        return Accepted(subprotocol, self._judge_extensions(headers), self._conn.trailing_data[0])

    def _judge_subprotocol(self, headers: Headers) -> str | None:
        chosen = headers.get("Sec-WebSocket-Protocol")
        offered = self._offer.subprotocols
        self._check(
            chosen is None or chosen in offered,
            f"it chose the subprotocol {chosen!r}; offered: {', '.join(offered) or 'none'}",
        )
        return chosen

    def _judge_extensions(self, headers: Headers) -> Deflate | None:
        answers = headers.elements("Sec-WebSocket-Extensions")
        if not answers:
            return None
        offered = self._offer.compression
        deflate = accept_answer(answers[0], offered) if offered is not None and len(answers) == 1 else None
        self._check(deflate is not None, f"it uses an extension that was not offered so: {', '.join(answers)}")
        return deflate

    def _check(self, is_right: bool, wrong: str) -> None:
        if not is_right:
            raise HandshakeError(f"{self._url.text}: the server's 101 is not for this handshake: {wrong}")


def _head(response: h11.Response | h11.InformationalResponse) -> bytes:
    return b"\r\n" + b"".join([name + b": " + value + b"\r\n" for name, value in response.headers.raw_items()])


#: The result of an opening connection that has given its own.
_TAKEN: outcome.Outcome[WebSocketConnection] = outcome.Error(HandshakeError("it was taken"))


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
            self._suspension = self._loop.suspension()
            await self._suspension.sleep(on_cancel=self._transport.abort)
        result, self._result = self._result, _TAKEN
        assert result is not None
        try:
            return result.unwrap()
        finally:
            del result  # an error's traceback refers to this frame, and to us, so neither may refer to the error

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
        """Fail, unless what came before the end is an answer: the server will send nothing more."""
        self.data_received(b"")
        self._fail(HandshakeError(f"{self._url.text}: the server closed the connection without an answer"))

    def resume_writing(self) -> None:
        """Do nothing: the request is short, so nothing waits for room."""

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, unless the answer has come: the connection is gone."""
        reason = f": {error}" if error is not None and str(error) else ""
        self._settle(outcome.Error(HandshakeError(f"{self._url.text}: the connection was lost{reason}")))

    def shut_down(self) -> None:
        """Fail: the loop ends."""
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
            session_name=f"the WebSocket to {self._url.text}",
        )
        self._transport.set_protocol(connection)
        self._begin(connection)
        self._settle(outcome.Value(connection))
        if accepted.leftover:
            connection.data_received(accepted.leftover)
