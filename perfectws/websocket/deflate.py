"""``permessage-deflate``: its offer, its answer, and inflating that cannot be made to explode.

wsproto's extension does the work; this one adds what it lacks: a limit on what a frame may inflate to (wsproto 1.3.2
inflates 260 KB to 268 MB when asked), blocks marked as the last (``BFINAL``), after which it would stay silent, and an
answer that keeps to RFC 7692 §7.1.

Source: RFC 7692.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

_NAME = "permessage-deflate"
_NO_RSV = RsvBits(False, False, False)
#: RFC 7692 §7.2.2: what a sender strips from the end of a message, and a receiver puts back.
_TAIL = b"\x00\x00\xff\xff"
#: The most streams in one frame: each costs an inflater, and two bytes are enough to ask for one.
_MAX_STREAMS = 64
_MIN_WINDOW_BITS, _MAX_WINDOW_BITS = 9, 15  # zlib cannot do the 8 that RFC 7692 allows


@dataclass(frozen=True, slots=True)
class DeflateOptions:
    """How messages are compressed, where the peer can.

    Attributes:
        level: zlib's level, 1 (fast) to 9 (small).
        window_bits: The base-2 logarithm of each side's window, 9 to 15. A window costs memory for each connection:
            15 takes up to 300 KiB, 9 takes 18 KiB.
        context_takeover: Whether a message may refer to the one before it: smaller messages, memory kept between them.
        min_size: Messages of fewer bytes are sent as they are.
    """

    level: int = 6
    window_bits: int = 12
    context_takeover: bool = True
    min_size: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 9:
            raise ValueError(f"compression: level is 1 to 9, not {self.level}")
        if not _MIN_WINDOW_BITS <= self.window_bits <= _MAX_WINDOW_BITS:
            raise ValueError(f"compression: window_bits is 9 to 15, not {self.window_bits}")


def deflate_options(compression: bool | Mapping[str, Any] | DeflateOptions | None) -> DeflateOptions | None:
    """Return what the keyword ``compression`` means: off, on, or on with options."""
    if compression is True:
        return DeflateOptions()
    if isinstance(compression, DeflateOptions):
        return compression
    return DeflateOptions(**compression) if compression else None


class Deflate(PerMessageDeflate):
    """The agreed compression of one connection, both directions.

    Attributes:
        limit: The most bytes that one frame may inflate to.
    """

    def __init__(self, options: DeflateOptions) -> None:
        super().__init__()
        self.options = options
        self.limit = 0
        self._inflated = 0

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
                piece = self._decompressor.decompress(data, self.limit - self._inflated + 1)
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

    def compress(self, is_client: bool, opcode: int, data: bytes, is_final: bool) -> bytes:
        """Return the payload of a frame of a compressed message."""
        if self._compressor is None:
            bits = self.client_max_window_bits if is_client else self.server_max_window_bits
            self._compressor = zlib.compressobj(self.options.level, zlib.DEFLATED, -bits)
        _, payload = self.frame_outbound(_ROLES[is_client], Opcode(opcode), _NO_RSV, data, is_final)
        return payload


_ROLES = {True: FrameDecoder(client=True), False: FrameDecoder(client=False)}


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
            offered = int(parameters["client_max_window_bits"] or 15)
            deflate.client_max_window_bits = min(options.window_bits, offered)
        deflate._enabled = True
        return _describe(deflate, "client_max_window_bits" in parameters), deflate
    return None


def parse_parameters(offer: str) -> dict[str, str] | None:
    """Return the parameters of one offer of ``permessage-deflate``; ``None`` for another extension, or repetitions."""
    name, *rest = (part.strip() for part in offer.split(";"))
    if name.lower() != _NAME:
        return None
    pairs = [parameter.partition("=") for parameter in rest]
    parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
    return parameters if len(parameters) == len(pairs) else None


def _is_valid_offer(parameters: Mapping[str, str]) -> bool:
    for key, value in parameters.items():
        if key in ("server_no_context_takeover", "client_no_context_takeover"):
            if value:
                return False
        elif key in ("server_max_window_bits", "client_max_window_bits"):
            may_be_bare = key == "client_max_window_bits" and not value
            if not may_be_bare and not (value.isdecimal() and 9 <= int(value) <= 15):
                return False
        else:
            return False
    return True


def _describe(deflate: Deflate, with_client_bits: bool) -> str:
    parts = [_NAME]
    if deflate.server_no_context_takeover:
        parts.append("server_no_context_takeover")
    if deflate.client_no_context_takeover:
        parts.append("client_no_context_takeover")
    if deflate.server_max_window_bits < _MAX_WINDOW_BITS:
        parts.append(f"server_max_window_bits={deflate.server_max_window_bits}")
    if with_client_bits and deflate.client_max_window_bits < _MAX_WINDOW_BITS:
        parts.append(f"client_max_window_bits={deflate.client_max_window_bits}")
    return "; ".join(parts)
