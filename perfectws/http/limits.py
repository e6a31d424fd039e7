"""The limits of an HTTP server: one table, from which everything else that names them is derived.

`HTTPLimits` is the table. From it come the attributes of a server (`SettableLimits`), what a connection goes by
(`perfectws.http.service`), the keywords of ``HTTPServer.launch`` and the keys of a configuration. `LimitKeywords` says
its names once more, which type checkers need.

They are enforced where they count: sizes in `perfectws.http.request_head` and `perfectws.http.request_body`, times in
`perfectws.http.http11`, the number of connections in `perfectws.server.accepting`, that of each
address in `perfectws.per_address`, what waits for all peers in `perfectws.net.budget`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypedDict, TypeVar, overload

from ..checks.quantities import COUNT_OR_NONE, SECONDS, SECONDS_OR_NONE, SIZE, Kind

T = TypeVar("T")


def _limit(default: T, kind: Kind) -> T:
    return field(default=default, metadata={"kind": kind})


class LimitKeywords(TypedDict, total=False):
    """The keyword arguments that make `HTTPLimits`."""

    max_header_size: int
    max_headers: int
    max_body_size: int
    max_upload_size: int | None
    max_connections: int | None
    max_connections_per_address: int | None
    max_buffered: int | None
    header_timeout: float | None
    keep_alive_timeout: float | None
    body_timeout: float | None
    write_timeout: float | None
    half_close_timeout: float | None
    close_timeout: float


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class HTTPLimits:
    """The limits of an HTTP server.

    Attributes:
        max_header_size: Of a request's line and headers together, in bytes. Past it: 431, or 414 if the line alone is
            longer. As much may come around a body that is sent in chunks (their extensions and sizes, trailers), and 16
            bytes more for each byte of the body. Past it: 400, or 431 if one line is longer.
        max_headers: How many headers a request may have. Past it: 431.
        max_body_size: Of a request's body, in bytes. Past it: 413.
        max_upload_size: Of a body that is a multipart form, in bytes, instead of ``max_body_size``, which is then the
            most of it that is held in memory: its fields, without its files; or ``None``. Every connection may have so
            much on the disk. Past it: 413.
        max_connections: How many connections the server may have at once, or ``None``. Past it: 503.
        max_connections_per_address: How many connections each client's address may have at once, or ``None``; those of
            one IPv6 network (/64) together. Past it: closed at once. Unix sockets and ``trusted_proxies`` have as many
            as they like: behind a proxy it is how many WebSockets, and requests under way, a client may have. Past
            it: 429. With workers each counts its own.
        max_buffered: How many bytes may wait for all peers together, in the write buffers of all connections, or
            ``None``. Past it: those with the largest are closed, with 1013, until it is no more. With workers each has
            its own.
        header_timeout: How long a request's head may take, in seconds, or ``None``. Past it: 408.
        keep_alive_timeout: How long a connection may lie idle between two requests, and a body may pause, in seconds,
            or ``None``. Past it: closed, or 408.
        body_timeout: How long a request's body may take in all, in seconds, or ``None``. Past it: 408.
        write_timeout: How long a peer may take nothing of a response that waits for it, in seconds, or ``None``. Past
            it: the connection is dropped.
        half_close_timeout: How long a client that has ended its side, and so may be gone, is waited on by a response of
            which it gets nothing, in seconds, or ``None``. Past it: the connection is dropped, and
            ``response.on_close`` tells.
        close_timeout: How long connections may take to end when the server stops, and a peer that is being left may
            take nothing of the last bytes, in seconds.

    Raises:
        ValueError: A limit cannot have this value; the message names it.
    """

    max_header_size: int = _limit(64 * 1024, SIZE)
    max_headers: int = _limit(100, SIZE)
    max_body_size: int = _limit(1024 * 1024, SIZE)
    max_upload_size: int | None = _limit(None, COUNT_OR_NONE)
    max_connections: int | None = _limit(None, COUNT_OR_NONE)
    max_connections_per_address: int | None = _limit(None, COUNT_OR_NONE)
    max_buffered: int | None = _limit(None, COUNT_OR_NONE)
    header_timeout: float | None = _limit(10.0, SECONDS_OR_NONE)
    keep_alive_timeout: float | None = _limit(75.0, SECONDS_OR_NONE)
    body_timeout: float | None = _limit(300.0, SECONDS_OR_NONE)
    write_timeout: float | None = _limit(60.0, SECONDS_OR_NONE)
    half_close_timeout: float | None = _limit(30.0, SECONDS_OR_NONE)
    close_timeout: float = _limit(10.0, SECONDS)

    def __post_init__(self) -> None:
        for name, kind in LIMITS.items():
            kind.check(name, getattr(self, name))


#: What each limit may be, by its name.
LIMITS: Mapping[str, Kind] = {each.name: each.metadata["kind"] for each in fields(HTTPLimits)}


class Limit(Generic[T]):
    """An attribute that is one of the limits of `SettableLimits`.

    Args:
        default: Its value until it is set.
    """

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Limit[T]: ...
    @overload
    def __get__(self, instance: SettableLimits, owner: type[object]) -> T: ...
    def __get__(self, instance: SettableLimits | None, owner: type[object]) -> Limit[T] | T:
        if instance is None:
            return self
        value: T = instance._limits.get(self._name, self._default)
        return value

    def __set__(self, instance: SettableLimits, value: T) -> None:
        instance._limits[self._name] = value


class SettableLimits:
    """An object that has each of `HTTPLimits` for an attribute: ``server.max_body_size = 10``.

    What is set is checked when `HTTPLimits` are made of it: a server that is bound checks all that was set.
    """

    max_header_size = Limit(HTTPLimits.max_header_size)
    max_headers = Limit(HTTPLimits.max_headers)
    max_body_size = Limit(HTTPLimits.max_body_size)
    max_upload_size = Limit(HTTPLimits.max_upload_size)
    max_connections = Limit(HTTPLimits.max_connections)
    max_connections_per_address = Limit(HTTPLimits.max_connections_per_address)
    max_buffered = Limit(HTTPLimits.max_buffered)
    header_timeout = Limit(HTTPLimits.header_timeout)
    keep_alive_timeout = Limit(HTTPLimits.keep_alive_timeout)
    body_timeout = Limit(HTTPLimits.body_timeout)
    write_timeout = Limit(HTTPLimits.write_timeout)
    half_close_timeout = Limit(HTTPLimits.half_close_timeout)
    close_timeout = Limit(HTTPLimits.close_timeout)

    def __init__(self) -> None:
        #: Those that were set, by name: the keywords of `HTTPLimits`.
        self._limits: dict[str, Any] = {}

    def _set_limits(self, keywords: Mapping[str, Any]) -> None:
        """Set those limits that are among ``keywords``."""
        self._limits |= {name: value for name, value in keywords.items() if name in LIMITS}
