"""The access log: one line per request and one per finished session, on the logger ``perfectws.access``.

A line is the Common Log Format, which log readers know, with the seconds behind it::

    192.0.2.7 - - [21/Nov/2026:13:16:10 +0000] "GET /chat?room=a HTTP/1.1" 101 0 0.002
    192.0.2.7 - - [21/Nov/2026:13:16:10 +0000] "GET /chat?room=a HTTP/1.1" 1001 5120 31.407

The first number is the status of the response, or the close code of the session; then come the bytes that were sent,
without heads, and the seconds from the request's arrival. The time is that arrival.

It is off, and costs nothing, until it is turned on by ``logging.getLogger("perfectws.access").setLevel("INFO")``: a
program that logs at INFO need not want a line per request. A `perfectws.http.request_logger.RequestLogger` turns it on
for the requests that pass it.
"""

from __future__ import annotations

import codecs
import logging
import time
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, Protocol, cast

from ..futures import Future
from ..transport import Address, Transport
from ..transport import Protocol as ConnectionProtocol
from .dates import once_per_second
from .response import TakeOver

#: The present time as the Common Log Format has it.
_clf_time = once_per_second(lambda now: time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(now)))

access_logger = logging.getLogger("perfectws.access")
if access_logger.level == logging.NOTSET:
    access_logger.setLevel(logging.WARNING)

#: The most characters of a request that a line shows.
_MAX_REQUEST = 2000


class _Session(Protocol):
    """What is known of a connection's next protocol, if that is a WebSocket's."""

    @property
    def close_code(self) -> int | None:
        """With which code it was closed."""

    @property
    def on_close(self) -> Future[None]:
        """The future of its end."""


class Exchange:
    """One request and what came of it.

    Args:
        peer: The client's host; ``""`` where it has none, as behind a Unix socket.
        request: The request line, or as much of it as there is.
    """

    __slots__ = ("_began", "_request", "_time", "body_size", "peer", "status")

    def __init__(self, peer: str, request: str) -> None:
        self.peer = peer
        self._request = _escaped(request[:_MAX_REQUEST])
        self._began = monotonic()
        self._time = _clf_time()
        self.body_size = 0
        self.status: int | None = None

    @classmethod
    def begin(cls, remote: Address, head: bytes | bytearray) -> Exchange | None:
        """Begin to count, ``None`` if the log is off. Of a request's head, the first line counts."""
        if not access_logger.isEnabledFor(logging.INFO):
            return None
        return cls.asked_for(remote, head)

    @classmethod
    def asked_for(cls, remote: Address, head: bytes | bytearray) -> Exchange:
        """Begin to count, whether or not the log is off."""
        line = head[: _MAX_REQUEST + 4].lstrip(b"\r\n").partition(b"\n")[0]
        return cls(remote[0], line.rstrip().decode("latin-1"))

    def sent(self, status: int, size: int) -> None:
        """Count what was sent of the response."""
        self.status = int(status)
        self.body_size += size

    def log(self) -> None:
        """Write the line. A response that never began has a hyphen for its status."""
        seconds = monotonic() - self._began
        status = "-" if self.status is None else str(self.status)
        _write(
            '%s - - [%s] "%s" %s %d %.3f',
            self.peer or "unix",
            self._time,
            self._request,
            status,
            self.body_size,
            seconds,
        )

    def switch(self, take_over: TakeOver, transport: Transport) -> ConnectionProtocol:
        """Write the line of a request that opens a session, let the session begin, and write its own when it is over.

        Returns:
            What ``take_over`` returns for the transport. What it sends is counted.
        """
        self.status = HTTPStatus.SWITCHING_PROTOCOLS.value
        self.log()
        protocol = take_over(cast(Transport, CountedTransport(transport, self)))
        if hasattr(protocol, "on_close"):
            session = cast(_Session, protocol)
            session.on_close.when_complete(partial(self._session_ended, session))
        return protocol

    def _session_ended(self, session: _Session, result: object) -> None:
        self.status = session.close_code
        self.log()


class CountedTransport:
    """A transport that counts what is written through it; all else the other one does itself."""

    __slots__ = ("_exchange", "_transport")

    def __init__(self, transport: Transport, exchange: Exchange) -> None:
        self._transport = transport
        self._exchange = exchange

    def write(self, data: bytes) -> None:
        """Send ``data``, and count it."""
        self._exchange.body_size += len(data)
        self._transport.write(data)

    def write_at_once(self, data: bytes) -> int:
        """Send ``data`` for a room, and count it."""
        self._exchange.body_size += len(data)
        return self._transport.write_at_once(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _write(message: str, *args: object) -> None:
    """Write a line, though the logger's level may be above it: who began the exchange has decided that."""
    if access_logger.manager.disable < logging.INFO:
        record = access_logger.makeRecord(access_logger.name, logging.INFO, __file__, 0, message, args, None, "_write")
        access_logger.handle(record)


def _escaped(text: str) -> str:
    """Return text without control characters and quotation marks, as Apache writes it."""
    # The function itself: a codec is imported when it is first asked for by its name, and no file may be left for that.
    return codecs.unicode_escape_encode(text)[0].decode("ascii").replace('"', '\\"')
