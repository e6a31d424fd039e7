"""wsproto as the oracle: what it makes of a stream, in the terms of `perfectws.websocket.frames`."""

from __future__ import annotations

from dataclasses import dataclass, field

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import (
    CloseReason,
    Frame,
    FrameDecoder,
    FrameProtocol,
    Opcode,
    ParseFailed,
    RsvBits,
)

from .streams import Role


@dataclass
class Outcome:
    """What a stream gave: frames as (opcode, payload, final), and how it ended.

    The last frame may be the close frame, with (code, reason) for its payload; nothing is read behind it.
    """

    frames: list[tuple[int, object, bool]] = field(default_factory=list)
    #: The close code of the error that ended it.
    error: int | None = None


class StreamEnded(Exception):
    """wsproto's inflater has met a block marked as the last."""


class CorrectedDeflate(PerMessageDeflate):
    """wsproto's extension, as it is but for two defects of 1.3.2."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        # PING_LOSES_FLAG: a control frame inside a compressed message ends wsproto's knowledge that it is compressed,
        # so that the rest of it is taken for plain. RFC 7692 §6: the flag is the message's.
        flag = self._inbound_compressed
        result = super().frame_inbound_header(proto, opcode, rsv, payload_length)
        if opcode.iscontrol():
            self._inbound_compressed = flag
        return result

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        result = super().frame_inbound_payload_data(proto, data)
        self._stop_at_end()
        return result

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        result = super().frame_inbound_complete(proto, fin) if self._inbound_is_compressible else None
        self._stop_at_end()
        return result

    def _stop_at_end(self) -> None:
        # DEAF_AFTER_BFINAL: behind a block marked as the last (RFC 7692 §7.2.3.4) wsproto's inflater says nothing any
        # more, for this message and all that follow. There is nothing to compare with from there on.
        if self._decompressor is not None and self._decompressor.eof:
            raise StreamEnded


class Oracle:
    """wsproto's reading of a stream.

    Attributes:
        outcome: What came of it so far.
        is_deaf: Whether it has stopped at `StreamEnded`.
    """

    def __init__(self, role: Role) -> None:
        self._protocol = FrameProtocol(role.is_client, [CorrectedDeflate()] if role.with_deflate else [])
        self._pieces: list[str | bytes] = []
        self._is_first = True
        self.outcome = Outcome()
        self.is_deaf = False

    @property
    def has_ended(self) -> bool:
        frames = self.outcome.frames
        return self.is_deaf or self.outcome.error is not None or bool(frames and frames[-1][0] == Opcode.CLOSE)

    def feed(self, data: bytes) -> None:
        if self.has_ended:
            return
        self._protocol.receive_bytes(data)
        try:
            for frame in self._protocol.received_frames():
                self._add(frame)
        except ParseFailed as error:
            self.outcome.error = int(error.code)
        except StreamEnded:
            self.is_deaf = True

    def _add(self, frame: Frame) -> None:
        if frame.opcode.iscontrol():
            self.outcome.frames.append((frame.opcode, frame.payload, True))
            return
        # PIECEWISE: wsproto gives a frame piece by piece as it arrives, and calls each piece by its message's opcode.
        assert isinstance(frame.payload, str | bytes)
        self._pieces.append(frame.payload)
        if not frame.frame_finished:
            return
        pieces, self._pieces = self._pieces, []
        whole = "".join(pieces) if frame.opcode is Opcode.TEXT else b"".join(pieces)  # type: ignore[arg-type]
        opcode = frame.opcode if self._is_first else Opcode.CONTINUATION
        self.outcome.frames.append((opcode, whole, frame.message_finished))
        self._is_first = frame.message_finished
