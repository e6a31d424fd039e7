"""The errors that perfectws raises.

::

    Exception
    └── PerfectWSError
        ├── LocalProtocolError      you called something at the wrong time, or with the wrong value
        ├── ConnectionClosed        an awaited read or send met the end of the connection
        ├── HandshakeError          a client could not open its WebSocket
        │   ├── ConnectionRejected  the server answered, and the answer was no
        │   ├── ConnectionTimeout   nothing answered in time
        │   └── InvalidURL          the address is not that of a WebSocket
        ├── RouteError              a route cannot be added, or a URI pattern is malformed
        └── LaunchFailure           a server could not start

What the *network* does never raises in a callback; only the forms with ``await`` raise `ConnectionClosed`.
"""

from __future__ import annotations

from collections.abc import Sequence


def lone_error(error: BaseException) -> BaseException:
    """Return the error that is alone in nested groups, so that ``except LaunchFailure`` catches it; else the group.

    Several KeyboardInterrupts are one: whoever presses Ctrl-C again means the same.
    """
    errors = _errors_in(error)
    is_one = len(errors) == 1 or all(isinstance(each, KeyboardInterrupt) for each in errors)
    return errors[0] if is_one else error


def _errors_in(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [each for part in error.exceptions for each in _errors_in(part)]


class PerfectWSError(Exception):
    """The base of every error of perfectws."""


class LocalProtocolError(PerfectWSError):
    """You called something at the wrong time or with a value that the protocol forbids."""


class ConnectionClosed(PerfectWSError):
    """The connection ended before an awaited read or send could be served.

    Attributes:
        code: The close code, as `WebSocket.close_code`; 1006 if no close frame was seen.
        reason: The close reason, ``""`` if there was none.

    Source: RFC 6455 §7.1.5 and §7.1.6.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the WebSocket is closed: {self.code}" + (f" ({self.reason})" if self.reason else "")


class HandshakeError(PerfectWSError):
    """A WebSocket could not be opened."""


class ConnectionRejected(HandshakeError):
    """The server answered the opening handshake with something other than 101. Its text is the ``message``.

    Attributes:
        status: The HTTP status that came back.
        headers: The response's headers, as (name, value) pairs in order.
        body: The first bytes of the response's body.
    """

    def __init__(self, message: str, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.headers = list(headers)
        self.body = body

    def __reduce__(self) -> tuple[type[ConnectionRejected], tuple[object, ...]]:
        # An exception is made again of its ``args``, which are the message alone: for `pickle` and `copy`.
        return type(self), (str(self), self.status, self.headers, self.body)


class ConnectionTimeout(HandshakeError):
    """The opening handshake did not finish in time."""


class InvalidURL(HandshakeError):
    """The address given is not a usable ``ws:`` or ``wss:`` URL."""


class RouteError(PerfectWSError):
    """A route cannot be added: its pattern is malformed or its arguments contradict each other."""


class LaunchFailure(PerfectWSError):
    """A server could not start; the message names the server and its address."""
