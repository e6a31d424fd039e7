"""Inflating what comes compressed, so that it cannot be made to explode: what a frame inflates to is bounded.

A message that comes whole is inflated in one step. Of one in fragments wsproto takes the frames apart, as far as they
have come, and leaves the inflating to us: wsproto 1.3.2 inflates 260 KB to 268 MB when asked, and says nothing any more
behind a block marked as the last (``BFINAL``).

Source: RFC 7692.
"""

from __future__ import annotations

import zlib
from sys import maxsize

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from .frames import FrameError
from .opcodes import CloseCode

#: RFC 7692 §7.2.2: what a sender strips from the end of a message, and a receiver puts back.
TAIL = b"\x00\x00\xff\xff"
#: The most streams in one frame: each costs an inflater, and two bytes are enough to ask for one.
_MAX_STREAMS = 16


class Inflater:
    """Inflates what one side of a connection sends.

    Args:
        window_bits: The base-2 logarithm of the sender's window.
        keeps_context: Whether a message may refer to those before it.
        limit: The most bytes that one frame may inflate to.
    """

    __slots__ = ("_inflated", "_keeps_context", "_limit", "_most", "_stream", "_window_bits")

    def __init__(self, window_bits: int, keeps_context: bool, limit: int) -> None:
        self._window_bits = window_bits
        self._keeps_context = keeps_context
        self._limit = limit
        #: One byte more tells that it is too much.
        self._most = min(limit + 1, maxsize)
        #: How much of the frame under way is inflated.
        self._inflated = 0
        self._stream: zlib._Decompress | None = None

    def inflate_message(self, data: bytes) -> bytes:
        """Return the message that came as one frame with the payload ``data``.

        Raises:
            FrameError: It is damaged, or too long.
        """
        stream = self._stream
        if stream is None:
            stream = self._stream = zlib.decompressobj(-self._window_bits)
        try:
            message = stream.decompress(data + TAIL, self._most)
        except zlib.error:
            raise _damaged() from None
        if len(message) > self._limit:
            raise self._too_big()
        if stream.eof:
            return message + self._inflate_rest(len(message), stream.unused_data)
        if not self._keeps_context:
            self._stream = None
        return message

    def _inflate_rest(self, inflated: int, unused: bytes) -> bytes:
        """Return the rest of a message whose first stream has ended, by a block marked as the last, before ``unused``.

        Of what is unused four bytes are no part of the message, but put back behind it: fewer, if the stream took some.
        """
        self._inflated = inflated
        payload, tail = unused[: -len(TAIL)], unused[-len(TAIL) :]
        rest = self._inflate(payload, _MAX_STREAMS - 1) if payload else b""
        if len(tail) < len(TAIL):
            rest += self._inflate(tail, _MAX_STREAMS - 1) if tail else b""
            self._end_message()
            return rest
        return rest + self.end_message()

    def begin_frame(self) -> None:
        """Begin with a frame of a message: the limit is that of a frame."""
        self._inflated = 0

    def inflate(self, data: bytes) -> bytes:
        """Return what a part of a frame's payload inflates to. Raises `FrameError`."""
        return self._inflate(data, _MAX_STREAMS)

    def _inflate(self, data: bytes, most_streams: int) -> bytes:
        """Inflate ``data``, which may hold several streams: each ends with a block marked as the last."""
        pieces = []
        for _ in range(most_streams):
            if self._stream is None or self._stream.eof:
                self._stream = zlib.decompressobj(-self._window_bits)
            try:
                piece = self._stream.decompress(data, self._most - self._inflated)
            except zlib.error:
                raise _damaged() from None
            self._inflated += len(piece)
            if self._inflated > self._limit:
                raise self._too_big()
            pieces.append(piece)
            data = self._stream.unused_data
            if not data:
                return b"".join(pieces)
        raise _damaged()

    def end_message(self) -> bytes:
        """Return what the end of a message still holds. Raises `FrameError`."""
        assert self._stream is not None
        data = b"" if self._stream.eof else self._inflate(TAIL, _MAX_STREAMS)
        self._end_message()
        return data

    def _end_message(self) -> None:
        if not self._keeps_context or (self._stream is not None and self._stream.eof):
            self._stream = None

    def _too_big(self) -> FrameError:
        return FrameError(CloseCode.MESSAGE_TOO_BIG, f"a frame of more than {self._limit} bytes")


def _damaged() -> FrameError:
    return FrameError(CloseCode.INVALID_DATA, "the compressed data is damaged")


class FragmentDecoder:
    """Decodes the frames of compressed messages that come in fragments, with wsproto.

    Args:
        is_client: Whether we are the client, so that frames come unmasked.
        inflater: What inflates.
    """

    __slots__ = ("_decoder", "_inflater")

    def __init__(self, is_client: bool, inflater: Inflater) -> None:
        self._inflater = inflater
        self._decoder = FrameDecoder(is_client, [_Inflating(inflater)])

    def decode(self, header: bytes, payload: bytes) -> bytes:
        """Return what one whole frame says. Raises `FrameError`."""
        self._inflater.begin_frame()
        self._decoder.receive_bytes(header)
        self._decoder.receive_bytes(payload)
        frame = self._decoder.process_buffer()
        assert frame is not None
        return bytes(frame.payload)  # type: ignore[arg-type]  # a decoder's frame holds bytes


class _Inflating(Extension):
    """An `Inflater` as an extension of wsproto's. It is given frames of compressed messages, and no others."""

    name = "permessage-deflate"

    def __init__(self, inflater: Inflater) -> None:
        self._inflater = inflater

    def offer(self) -> bool:
        """Offer nothing: that is done."""
        return False

    def enabled(self) -> bool:
        """Tell that it was agreed on."""
        return True

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """Return the reserved bits that are ours."""
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes:
        """Inflate a frame's payload."""
        return self._inflater.inflate(bytes(data))

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | None:
        """Inflate what the end of a message still holds."""
        return self._inflater.end_message() if fin else None
