"""``permessage-deflate``: its offer, its answer, and inflating that cannot be made to explode.

wsproto's extension does the work; this one adds what it lacks: a limit on what a frame may inflate to (wsproto 1.3.2
inflates 260 KB to 268 MB when asked), blocks marked as the last (``BFINAL``), after which it would stay silent, and an
answer that keeps to RFC 7692 §7.1.

Source: RFC 7692.
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, fields
from sys import maxsize
from typing import Any, NamedTuple

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol

from ..checks.quantities import SIZE, Kind, whole_number
from ..http.headers import split_unquoted, unquote

_NAME = "permessage-deflate"
#: RFC 7692 §7.2.2: what a sender strips from the end of a message, and a receiver puts back.
_TAIL = b"\x00\x00\xff\xff"
#: The most streams in one frame: each costs an inflater, and two bytes are enough to ask for one.
_MAX_STREAMS = 16
_MIN_WINDOW_BITS, _MAX_WINDOW_BITS = 9, 15  # zlib cannot do the 8 that RFC 7692 allows
_WINDOW_BITS = frozenset(str(bits) for bits in range(_MIN_WINDOW_BITS, _MAX_WINDOW_BITS + 1))
#: RFC 7692 §7.1: the values that each parameter of an offer may have; ``None`` is none.
_VALUES: Mapping[str, frozenset[str | None]] = {
    "server_no_context_takeover": frozenset({None}),
    "client_no_context_takeover": frozenset({None}),
    "server_max_window_bits": _WINDOW_BITS,
    "client_max_window_bits": _WINDOW_BITS | {None},
}


#: What the numbers among the options may be.
_KINDS: Mapping[str, Kind] = {
    "level": whole_number(1, 9),
    "window_bits": whole_number(_MIN_WINDOW_BITS, _MAX_WINDOW_BITS),
    "min_size": SIZE,
}


@dataclass(frozen=True, slots=True)
class DeflateOptions:
    """How messages are compressed, where the peer can.

    Attributes:
        level: zlib's level, 1 (fast) to 9 (small).
        window_bits: The base-2 logarithm of each side's window, 9 to 15. A window costs memory for each connection:
            15 takes up to 300 KiB, 9 takes 18 KiB.
        context_takeover: Whether a message may refer to the one before it: smaller messages, memory kept between them.
            Those of a `Room` refer to the last that it said, and the compressor of each socket begins anew behind them.
        min_size: Messages of fewer bytes are sent as they are.
    """

    level: int = 6
    window_bits: int = 12
    context_takeover: bool = True
    min_size: int = 64

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            kind.check(f"compression: {name}", getattr(self, name))


def deflate_options(compression: bool | Mapping[str, Any] | DeflateOptions | None) -> DeflateOptions | None:
    """Return what the keyword ``compression`` means: off, on, or on with options.

    Raises:
        TypeError: It is something else, or an option is unknown.
        ValueError: An option is out of its range.
    """
    if compression is None or compression is False:
        return None
    if compression is True:
        return DeflateOptions()
    if isinstance(compression, DeflateOptions):
        return compression
    if isinstance(compression, Mapping) and compression.keys() <= _OPTIONS:
        return DeflateOptions(**compression)
    raise TypeError(f"compression is True, False, or options out of {', '.join(sorted(_OPTIONS))}, not {compression!r}")


_OPTIONS = frozenset(option.name for option in fields(DeflateOptions))


class Compression(NamedTuple):
    """How one side of a connection compresses: two that do it alike may be sent the same frame.

    Attributes:
        level, min_size: As in `DeflateOptions`.
        window_bits, context_takeover: What was agreed on for this direction.
    """

    level: int
    min_size: int
    window_bits: int
    context_takeover: bool

    def takes(self, data: bytes | memoryview) -> bool:
        """Tell whether a message is long enough to be compressed."""
        return len(data) >= self.min_size

    def compressor(self, content: bytes = b"") -> zlib._Compress:
        """Return what compresses messages that may refer to ``content``, the last that the receiver's window holds."""
        return zlib.compressobj(self.level, zlib.DEFLATED, -self.window_bits, zdict=content)

    def deflate(self, data: bytes | memoryview, compressor: zlib._Compress | None = None) -> bytes:
        """Return the payload of a compressed message.

        Without a ``compressor`` it refers to none before it, and so is inflated whatever a receiver's window holds:
        RFC 7692 §7.2.3.2 lets a message refer to earlier ones, and obliges none to.
        """
        compressor = compressor or self.compressor()
        return b"".join((compressor.compress(data), memoryview(compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(_TAIL)]))


class Deflate(PerMessageDeflate):
    """The agreed compression of one connection, both directions.

    Attributes:
        limit: The most bytes that one frame may inflate to.
        context: As `replaced` was told, until something is compressed here again.
    """

    def __init__(self, options: DeflateOptions) -> None:
        super().__init__()
        self.options = options
        self.limit = 0
        self._inflated = 0
        #: Stands for what the peer's window ends with, if that was not compressed here.
        self.context: object | None = None

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Inflate a frame's payload, up to `limit` bytes."""
        self._inflated = 0
        if not self._inbound_compressed or not self._inbound_is_compressible:
            return data
        return self._inflate(proto, data)

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        """Inflate what the end of a message still holds."""
        if not fin or not self._inbound_is_compressible:
            return None
        compressed, self._inbound_compressed = self._inbound_compressed, None
        if not compressed:
            return None
        assert self._decompressor is not None
        data = b"" if self._decompressor.eof else self._inflate(proto, _TAIL)
        no_context_takeover = self.server_no_context_takeover if proto.client else self.client_no_context_takeover
        if no_context_takeover or self._decompressor.eof:
            self._decompressor = None
        return data

    def _inflate(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Inflate ``data``, which may hold several streams: each ends with a block marked as the last (``BFINAL``)."""
        pieces = []
        for _ in range(_MAX_STREAMS):
            if self._decompressor is None or self._decompressor.eof:
                bits = self.server_max_window_bits if proto.client else self.client_max_window_bits
                self._decompressor = zlib.decompressobj(-bits)
            try:
                piece = self._decompressor.decompress(data, min(self.limit - self._inflated + 1, maxsize))
            except zlib.error:
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
            self._inflated += len(piece)
            if self._inflated > self.limit:
                return CloseReason.MESSAGE_TOO_BIG
            pieces.append(piece)
            data = self._decompressor.unused_data
            if not data:
                return b"".join(pieces)
        return CloseReason.INVALID_FRAME_PAYLOAD_DATA

    def compress(self, is_client: bool, data: bytes, is_final: bool) -> bytes:
        """Return the payload of a frame of a compressed message: all of ``data``, so that the peer can read it now."""
        if self._compressor is None:
            self.context = None
            bits = self.client_max_window_bits if is_client else self.server_max_window_bits
            self._compressor = zlib.compressobj(self.options.level, zlib.DEFLATED, -bits)
        payload = self._compressor.compress(data)
        payload += self._compressor.flush(zlib.Z_SYNC_FLUSH)
        if not is_final:
            return payload
        if self.client_no_context_takeover if is_client else self.server_no_context_takeover:
            self._compressor = None
        return payload[: -len(_TAIL)]

    def compression(self, is_client: bool) -> Compression:
        """Return how our side compresses."""
        options = self.options
        if is_client:
            return Compression(
                options.level, options.min_size, self.client_max_window_bits, not self.client_no_context_takeover
            )
        return Compression(
            options.level, options.min_size, self.server_max_window_bits, not self.server_no_context_takeover
        )

    def replaced(self, context: object | None) -> None:
        """Refer to nothing that was compressed here: between two messages, the peer was sent one from elsewhere.

        What would be referred to is no longer where it was in the peer's window.

        Args:
            context: Stands for what the window ends with now.
        """
        self._compressor = None
        self.context = context


def answer_offers(offers: Iterable[str], options: DeflateOptions) -> tuple[str, Deflate] | None:
    """Return the answer to a client's ``Sec-WebSocket-Extensions`` and what it agrees on, or ``None`` for neither.

    The first offer of ``permessage-deflate`` that can be met is taken; one that is malformed, or asks what zlib cannot
    do, is declined, as RFC 7692 §7.1 says.
    """
    for offer in offers:
        parameters = parse_parameters(offer)
        if parameters is None or not _is_valid_offer(parameters):
            continue
        deflate = Deflate(options)
        deflate.server_max_window_bits = min(options.window_bits, int(parameters.get("server_max_window_bits") or 15))
        deflate.server_no_context_takeover = not options.context_takeover or "server_no_context_takeover" in parameters
        deflate.client_no_context_takeover = not options.context_takeover or "client_no_context_takeover" in parameters
        if "client_max_window_bits" in parameters:
            deflate.client_max_window_bits = min(options.window_bits, int(parameters["client_max_window_bits"] or 15))
        deflate._enabled = True
        return _describe(deflate, parameters), deflate
    return None


def parse_parameters(offer: str) -> dict[str, str | None] | None:
    """Return the parameters of one offer of ``permessage-deflate``; ``None`` for another extension, or repetitions.

    A parameter that has no value has ``None``.
    """
    name, *rest = (part.strip() for part in split_unquoted(offer, ";"))
    if name.lower() != _NAME:
        return None
    parameters: dict[str, str | None] = {}
    for parameter in rest:
        key, separator, value = parameter.partition("=")
        parameters[key.strip().lower()] = unquote(value.strip()) if separator else None
    return parameters if len(parameters) == len(rest) else None


def _is_valid_offer(parameters: Mapping[str, str | None]) -> bool:
    return all(value in _VALUES.get(key, ()) for key, value in parameters.items())


def _describe(deflate: Deflate, offered: Container[str]) -> str:
    parts = [_NAME]
    if deflate.server_no_context_takeover:
        parts.append("server_no_context_takeover")
    if deflate.client_no_context_takeover:
        parts.append("client_no_context_takeover")
    # RFC 7692 §7.1.2.1: a server accepts an offer with this parameter by answering with it, however large.
    if "server_max_window_bits" in offered or deflate.server_max_window_bits < _MAX_WINDOW_BITS:
        parts.append(f"server_max_window_bits={deflate.server_max_window_bits}")
    if "client_max_window_bits" in offered and deflate.client_max_window_bits < _MAX_WINDOW_BITS:
        parts.append(f"client_max_window_bits={deflate.client_max_window_bits}")
    return "; ".join(parts)


def make_offer(options: DeflateOptions) -> str:
    """Return a client's ``Sec-WebSocket-Extensions``: what the options ask for, then what will do.

    RFC 7692 §7.1.3: a server that cannot bound its window, or forget a message, must decline an offer that asks for it;
    "if the client just prefers using a small window but wants to fall back", it makes a second one without.
    """
    parts = [_NAME, f"client_max_window_bits={options.window_bits}"]
    if options.window_bits < _MAX_WINDOW_BITS:
        parts.append(f"server_max_window_bits={options.window_bits}")
    if not options.context_takeover:
        parts += ["client_no_context_takeover", "server_no_context_takeover"]
    offer = "; ".join(parts)
    return offer if len(parts) == 2 else f"{offer}, {_NAME}; client_max_window_bits"


def accept_answer(answer: str, options: DeflateOptions) -> Deflate | None:
    """Return what a server's answer to `make_offer` agrees on, or ``None`` if it answers something else.

    A server that keeps a larger window than it was asked to, or its context, accepts the second of the offers.

    Source: RFC 7692 §7.1.
    """
    parameters = parse_parameters(answer)
    if parameters is None or not _is_valid_answer(parameters):
        return None
    deflate = Deflate(options)
    # zlib has no window of 8 bits, but can inflate with a larger one than the peer deflates with.
    deflate.server_max_window_bits = max(int(parameters.get("server_max_window_bits") or 15), _MIN_WINDOW_BITS)
    # RFC 7692 §7.1.2.2: a bound, which the server may set higher than we would go: a smaller window keeps it.
    bound = int(parameters.get("client_max_window_bits") or _MAX_WINDOW_BITS)
    deflate.client_max_window_bits = min(options.window_bits, bound)
    deflate.server_no_context_takeover = "server_no_context_takeover" in parameters
    deflate.client_no_context_takeover = not options.context_takeover or "client_no_context_takeover" in parameters
    deflate._enabled = True
    return deflate


def _is_valid_answer(parameters: Mapping[str, str | None]) -> bool:
    others = {**parameters}
    if others.get("server_max_window_bits") == "8":
        del others["server_max_window_bits"]  # a window that we can inflate with
    # RFC 7692 §7.1.2.2: in an answer it has a value. One of 8 is right, but asks of zlib what it cannot do.
    return _is_valid_offer(others) and others.get("client_max_window_bits", "") is not None
