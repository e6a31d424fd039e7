"""The limits and choices of one WebSocket, with their defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from ..checks.quantities import COUNT, SECONDS, SECONDS_OR_NONE, Kind
from ..checks.spelling import check_names
from ..http.several import Several
from .deflate import DeflateOptions, deflate_options
from .message_rate import RATE_OR_NONE, MessageRate

#: `WebSocket.read_timeout_seconds`: no timeout. Any negative number means the same, and so does ``None``.
NO_TIMEOUT = -1


class NetEvent:
    """A name space, for ports. Source: Perfect-Net's ``NetEvent``, of which WebSockets use this one member."""

    NO_TIMEOUT = NO_TIMEOUT


#: How far a socket reads ahead with no read pending: frames, and bytes.
READ_AHEAD_FRAMES = 16
READ_AHEAD_BYTES = 64 * 1024

#: The most control frames that a peer may send in any `CONTROL_FRAME_SECONDS`.
MAX_CONTROL_FRAMES = 1000
CONTROL_FRAME_SECONDS = 10


class WebSocketKeywords(TypedDict, total=False):
    """The keyword arguments that make `WebSocketOptions`."""

    max_frame_size: int
    max_message_size: int
    max_fragments: int
    max_write_buffer: int
    message_rate: MessageRate | None
    ping_interval: float | None
    ping_timeout: float | None
    write_timeout: float | None
    close_timeout: float
    compression: bool | Mapping[str, Any] | DeflateOptions | None
    origins: Several[str | re.Pattern[str]] | None


_KEYWORDS = frozenset(WebSocketKeywords.__annotations__)


@dataclass(frozen=True, slots=True)
class WebSocketOptions:
    """The limits and choices of one WebSocket.

    Attributes:
        max_frame_size: The largest frame taken, in bytes, also after inflating. Past it: close 1009.
        max_message_size: The largest whole message taken for ``on_text`` and ``on_binary``, in bytes. Past it: 1009.
        max_fragments: The most frames of one whole message. Past it: close 1008.
        max_write_buffer: How many bytes a sender that waits for nothing may pile up. Past it: close 1013. One message
            that finds the buffer below its high water goes out whole, however large it is.
        message_rate: How many messages a second the peer may send in the long run, and as many at once; or both,
            ``(per_second, burst)``; ``None`` for any number. Each frame of a fragmented message counts. Past it reading
            pauses, nothing is lost, and `WebSocket.on_rate_limited` is told.
        ping_interval: Seconds between keepalive pings; ``None`` sends none.
        ping_timeout: Seconds that a pong may take before the connection is dropped; ``None`` waits for ever.
        write_timeout: Seconds that a peer may take nothing of what waits for it before the connection is dropped, where
            no pong is waited for (``ping_interval`` or ``ping_timeout`` is ``None``); ``None`` waits for ever.
        close_timeout: Seconds that the peer's close frame may take before the connection is dropped.
        compression: How messages are compressed (``permessage-deflate``); ``None`` is not at all.
        origins: The ``Origin`` values that may connect, each a string or a pattern that matches it whole; ``None``
            lets all connect. A client without an ``Origin``, such as a script, is refused then. A server's option.
    """

    max_frame_size: int = 1024 * 1024
    max_message_size: int = 1024 * 1024
    max_fragments: int = 4096
    max_write_buffer: int = 16 * 1024 * 1024
    message_rate: MessageRate | None = None
    ping_interval: float | None = 20
    ping_timeout: float | None = 20
    write_timeout: float | None = 60
    close_timeout: float = 10
    compression: DeflateOptions | None = None
    origins: tuple[str | re.Pattern[str], ...] | None = field(default=None)

    @classmethod
    def of(cls, **keywords: Unpack[WebSocketKeywords]) -> WebSocketOptions:
        """Make options of keyword arguments. Raises `TypeError` or `ValueError`, naming the one that is wrong."""
        if not keywords:
            return _DEFAULTS
        check_names(keywords, _KEYWORDS, "a WebSocket")
        given: dict[str, Any] = {**keywords}
        given["compression"] = deflate_options(keywords.get("compression"))
        given["origins"] = _origins(keywords.get("origins"))
        return cls(**given)

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            kind.check(name, getattr(self, name))


_KINDS: Mapping[str, Kind] = {
    "max_frame_size": COUNT,
    "max_message_size": COUNT,
    "max_fragments": COUNT,
    "max_write_buffer": COUNT,
    "message_rate": RATE_OR_NONE,
    "ping_interval": SECONDS_OR_NONE,
    "ping_timeout": SECONDS_OR_NONE,
    "write_timeout": SECONDS_OR_NONE,
    "close_timeout": SECONDS,
}


_DEFAULTS = WebSocketOptions()


def _origins(origins: Several[str | re.Pattern[str]] | None) -> tuple[str | re.Pattern[str], ...] | None:
    if origins is None:
        return None
    if isinstance(origins, str | re.Pattern):
        raise TypeError(f"origins is a list of origins, such as [{origins!r}], not one alone")
    for origin in origins:
        is_pattern_of_text = isinstance(origin, re.Pattern) and isinstance(origin.pattern, str)
        if not isinstance(origin, str) and not is_pattern_of_text:
            raise TypeError(f"origins holds strings and compiled patterns of text, not {origin!r}")
    return tuple(origins)
