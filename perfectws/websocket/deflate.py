"""``permessage-deflate``: its options, its offer, its answer, and what compresses. `inflater` inflates.

Source: RFC 7692.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple
from zlib import Z_SYNC_FLUSH

from ..checks.quantities import SIZE, Kind, whole_number
from ..http.headers import split_unquoted, unquote
from .compressors import Compressor, new_compressor
from .inflater import TAIL, Inflater

_NAME = "permessage-deflate"
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
        level: zlib's level, 1 (fast) to 9 (small). With the extra ``speedups`` ISA-L compresses up to level 6, in a
            third of the time, for a few hundredths more bytes.
        window_bits: The base-2 logarithm of each side's window, 9 to 15. Windows cost memory for each connection that
            has talked: 15 takes up to 240 KiB, 12 takes 40, 9 takes 23; with ``speedups`` 12 takes 70.
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

    def compressor(self, content: bytes = b"") -> Compressor:
        """Return what compresses messages that may refer to ``content``, the last that the receiver's window holds."""
        return new_compressor(self.level, self.window_bits, content)

    def deflate(self, data: bytes | memoryview, compressor: Compressor | None = None) -> bytes:
        """Return the payload of a compressed message.

        Without a ``compressor`` it refers to none before it, and so is inflated whatever a receiver's window holds:
        RFC 7692 §7.2.3.2 lets a message refer to earlier ones, and obliges none to.
        """
        compressor = compressor or self.compressor()
        return b"".join((compressor.compress(data), memoryview(compressor.flush(Z_SYNC_FLUSH))[: -len(TAIL)]))


@dataclass(slots=True, repr=False, eq=False)
class Deflate:
    """What was agreed on for one connection.

    Attributes:
        options: How our side would compress.
        server_max_window_bits, client_max_window_bits: The base-2 logarithm of the window of what each side sends.
        server_no_context_takeover, client_no_context_takeover: Whether no message refers to the one before it.
    """

    options: DeflateOptions
    server_max_window_bits: int = _MAX_WINDOW_BITS
    client_max_window_bits: int = _MAX_WINDOW_BITS
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False

    def inflater(self, is_client: bool, limit: int) -> Inflater:
        """Return what inflates what the other side sends, each frame up to ``limit`` bytes."""
        if is_client:
            return Inflater(self.server_max_window_bits, not self.server_no_context_takeover, limit)
        return Inflater(self.client_max_window_bits, not self.client_no_context_takeover, limit)

    def deflater(self, is_client: bool) -> Deflater:
        """Return what compresses what our side sends."""
        level, min_size = self.options.level, self.options.min_size
        if is_client:
            ours = Compression(level, min_size, self.client_max_window_bits, not self.client_no_context_takeover)
        else:
            ours = Compression(level, min_size, self.server_max_window_bits, not self.server_no_context_takeover)
        return Deflater(ours)


class Deflater:
    """Compresses what our side sends.

    Args:
        compression: How.

    Attributes:
        compression: As above.
        context: As `replaced` was told, until something is compressed here again.
    """

    __slots__ = ("_compressor", "compression", "context")

    def __init__(self, compression: Compression) -> None:
        self.compression = compression
        #: What compresses the next message, which may refer to the one before it; ``None`` if it must not.
        self._compressor: Compressor | None = None
        #: Stands for what the peer's window ends with, if that was not compressed here.
        self.context: object | None = None

    def compress(self, data: bytes, is_final: bool = True) -> bytes:
        """Return the payload of a frame of a compressed message: all of ``data``, so that the peer can read it now."""
        compressor = self._compressor
        if compressor is None:
            compressor = self._compressor = self.compression.compressor()
            self.context = None
        payload = compressor.compress(data) + compressor.flush(Z_SYNC_FLUSH)
        if not is_final:
            return payload
        if not self.compression.context_takeover:
            self._compressor = None
        return payload[: -len(TAIL)]

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

    The first offer of ``permessage-deflate`` that can be met is taken; one with a parameter or a value that there is
    not, or that asks what zlib cannot do, is declined, as RFC 7692 §7 says.
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

    Source: RFC 7692 §7.
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
    return deflate


def _is_valid_answer(parameters: Mapping[str, str | None]) -> bool:
    others = {**parameters}
    if others.get("server_max_window_bits") == "8":
        del others["server_max_window_bits"]  # a window that we can inflate with
    # RFC 7692 §7.1.2.2: in an answer it has a value. One of 8 is right, but asks of zlib what it cannot do.
    return _is_valid_offer(others) and others.get("client_max_window_bits", "") is not None
