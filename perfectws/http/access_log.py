"""The access log: one line per request and one per finished session, on the logger ``perfectws.access``.

A line is the Common Log Format, which log readers know, with more behind it::

    192.0.2.7 - - [21/Nov/2026:13:16:10 +0000] "GET /chat?*** HTTP/1.1" 101 0 0.002 "curl/8.5" 5f0c6a1e9d2b4477
    192.0.2.7 - - [21/Nov/2026:13:16:10 +0000] "GET /chat?*** HTTP/1.1" 1001 512 31.407 "curl/8.5" 5f0c6a1e9d2b4477 7 12

The first number is the status of the response, or the close code of the session; then come the bytes that were sent,
without heads, the seconds from the request's arrival, what the client calls itself, and the request's ``id``; of a
session that is over also how many messages it has received, and sent. The time is that of the request's arrival.

A query may be a secret, a ticket say, and logs are read by many: so it is not shown. What is no request line, such as
the rest of a body that was longer than it said, is a hyphen. By
``logging.getLogger("perfectws.access").setLevel("DEBUG")`` the lines have all of it, and are of that level. Paths are
always shown.

Each record has the same as attributes, for formatters that write JSON: ``event`` (``"request"``, ``"open"`` or
``"close"`` of a session), ``client``, ``request``, ``status``, ``bytes``, ``duration``, ``user_agent``, ``request_id``;
that of a session that is over ``close_code``, ``messages_received`` and ``messages_sent`` instead of ``status``.

It is off, and costs nothing, until it is turned on by ``logging.getLogger("perfectws.access").setLevel("INFO")``: a
program that logs at INFO need not want a line per request. A `perfectws.http.request_logger.RequestLogger` turns it on
for the requests that pass it.
"""

from __future__ import annotations

import codecs
import logging
import re
import time
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, Protocol, cast

from ..futures import Future
from ..transport import Address, Parts, Transport
from ..transport import Protocol as ConnectionProtocol
from .dates import once_per_second
from .request import HTTPRequest
from .response import TakeOver

#: The present time as the Common Log Format has it.
_clf_time = once_per_second(lambda now: time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(now)))

access_logger = logging.getLogger("perfectws.access")
if access_logger.level == logging.NOTSET:
    access_logger.setLevel(logging.WARNING)

#: The most characters of a request that a line shows, and of what the client calls itself.
_MAX_REQUEST = 2000
_MAX_USER_AGENT = 300
#: How a request line begins: with a method, and a target in one of the forms of RFC 9112 §3.2.
_REQUEST_LINE = re.compile(r"CONNECT \S|[!-~]{1,20} (?:/|\*|[A-Za-z][A-Za-z0-9+.-]*://)")
#: The user and the password of a target in absolute form.
_USER = re.compile(r"^([!-~]+ [A-Za-z0-9+.-]+://)[^/?#]*@")
#: The query, and what would be a fragment, with all behind it but the version.
_QUERY = re.compile(r"([?#]).*?( HTTP/\d\.\d)?$", re.DOTALL)
_USER_AGENT = re.compile(rb"\n[Uu][Ss][Ee][Rr]-[Aa][Gg][Ee][Nn][Tt]:[ \t]*([^\r\n]*)")


class _Counts(Protocol):
    """What a session counts.

    Attributes:
        received: The messages that have arrived.
    """

    received: int


class _Session(Protocol):
    """What is known of a connection's next protocol, if that is a WebSocket's."""

    @property
    def close_code(self) -> int | None:
        """With which code it was closed."""

    @property
    def on_close(self) -> Future[None]:
        """The future of its end."""

    def count_apart(self) -> _Counts:
        """Count what arrives in this session, and return where that stands."""

    def messages_in(self, data: bytes | Parts) -> int:
        """Return how many messages end in what is written to the transport."""


class Exchange:
    """One request and what came of it.

    Args:
        peer: The client's host; ``""`` where it has none, as behind a Unix socket.
        request: The request line, or as much of it as there is.
        user_agent: What the client calls itself; ``""`` if it does not say.
    """

    __slots__ = (
        "_began",
        "_counts",
        "_level",
        "_request",
        "_session",
        "_time",
        "_user_agent",
        "body_size",
        "messages_sent",
        "peer",
        "request_id",
        "status",
    )

    def __init__(self, peer: str, request: str, user_agent: str = "") -> None:
        self.peer = peer
        is_whole = access_logger.isEnabledFor(logging.DEBUG)
        self._level = logging.DEBUG if is_whole else logging.INFO
        self._request = _escaped((request if is_whole else _without_secrets(request))[:_MAX_REQUEST])
        self._user_agent = _escaped(user_agent[:_MAX_USER_AGENT])
        self._began = monotonic()
        self._time = _clf_time()
        self.body_size = 0
        self.messages_sent = 0
        self.status: int | None = None
        self.request_id = ""
        self._session: _Session | None = None
        self._counts: _Counts | None = None

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
        user_agent = _USER_AGENT.search(head)
        return cls(
            remote[0],
            line.rstrip().decode("latin-1"),
            "" if user_agent is None else user_agent[1].rstrip().decode("latin-1"),
        )

    def made(self, request: HTTPRequest) -> None:
        """Take what is known of the request by now: who has sent it, and which it is."""
        self.peer = request.remote_address[0]
        self.request_id = request.id

    def sent(self, status: int, size: int) -> None:
        """Count what was sent of the response."""
        self.status = int(status)
        self.body_size += size

    def written(self, data: bytes | Parts) -> None:
        """Count what a session has written."""
        self.body_size += len(data)
        if self._session is not None:
            self.messages_sent += self._session.messages_in(data)

    def log(self) -> None:
        """Write the line. A response that never began has a hyphen for its status."""
        self._write("request", self.status, status=self.status)

    def _write(self, event: str, result: int | None, more: str = "", **fields: object) -> None:
        seconds = monotonic() - self._began
        peer = self.peer or "unix"
        fields |= {
            "event": event,
            "client": peer,
            "request": self._request,
            "bytes": self.body_size,
            "duration": round(seconds, 6),
            "user_agent": self._user_agent,
            "request_id": self.request_id,
        }
        _write(
            '%s - - [%s] "%s" %s %d %.3f "%s" %s' + more,
            peer,
            self._time,
            self._request,
            "-" if result is None else str(result),
            self.body_size,
            seconds,
            self._user_agent or "-",
            self.request_id or "-",
            level=self._level,
            fields=fields,
        )

    def switch(self, take_over: TakeOver, transport: Transport) -> ConnectionProtocol:
        """Write the line of a request that opens a session, let the session begin, and write its own when it is over.

        Returns:
            What ``take_over`` returns for the transport. What it sends is counted.
        """
        self._write("open", HTTPStatus.SWITCHING_PROTOCOLS.value, status=HTTPStatus.SWITCHING_PROTOCOLS.value)
        protocol = take_over(cast(Transport, CountedTransport(transport, self)))
        if hasattr(protocol, "on_close"):
            self._session = session = cast(_Session, protocol)
            self._counts = session.count_apart()
            session.on_close.when_complete(partial(self._session_ended, session))
        return protocol

    def _session_ended(self, session: _Session, result: object) -> None:
        received = 0 if self._counts is None else self._counts.received
        code = session.close_code
        counts = {"messages_received": received, "messages_sent": self.messages_sent}
        self._session = None  # whose transport refers to this
        self._write("close", code, f" {received} {self.messages_sent}", close_code=code, **counts)


class CountedTransport:
    """A transport that counts what is written through it; all else the other one does itself."""

    __slots__ = ("_exchange", "_transport")

    def __init__(self, transport: Transport, exchange: Exchange) -> None:
        self._transport = transport
        self._exchange = exchange

    def write(self, data: bytes | Parts) -> None:
        """Send ``data``, and count it."""
        self._exchange.written(data)
        self._transport.write(data)

    def write_at_once(self, data: bytes) -> int:
        """Send ``data`` for a room, and count it."""
        self._exchange.written(data)
        return self._transport.write_at_once(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _write(message: str, *args: object, level: int, fields: dict[str, object]) -> None:
    """Write a line, though the logger's level may be above it: who began the exchange has decided that."""
    if access_logger.manager.disable < level:
        name, place = access_logger.name, (__file__, 0)
        record = access_logger.makeRecord(name, level, *place, message, args, None, "_write", fields)
        access_logger.handle(record)


def _without_secrets(line: str) -> str:
    """Return a request line as anybody may read it: without its query, and ``-`` for what is none."""
    if not _REQUEST_LINE.match(line):
        return "-" if line else ""
    return _QUERY.sub(r"\1***\2", _USER.sub(r"\1***@", line), count=1)


def _escaped(text: str) -> str:
    """Return text without control characters and quotation marks, as Apache writes it."""
    # The function itself: a codec is imported when it is first asked for by its name, and no file may be left for that.
    return codecs.unicode_escape_encode(text)[0].decode("ascii").replace('"', '\\"')
