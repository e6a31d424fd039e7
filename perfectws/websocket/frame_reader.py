"""Bytes to frames, both roles.

What comes in is judged twice. A frame's *header* is judged as soon as it is complete, before anything of the payload is
kept: opcode, reserved bits, mask, minimal length, length against the limits, and its place in the message. Then its
*payload* is decoded one of three ways::

    control frame                     whole, here
    data frame of a plain message     piece by piece as it arrives, here: a text fails at its first bad byte
    data frame of a compressed one    whole, by wsproto's decoder (made when first needed)

What a server is sent all day goes faster, with the same result: whole data frames below 64 KiB, all of a read in
one loop, by `FrameReader.whole_frames`, and a text that came alone by `FrameReader.lone_text`.

Once judged wrong, a connection's input is over: both raise `FrameError`, with the close code.

Source: RFC 6455 §5, RFC 7692 for compressed messages.
"""

from __future__ import annotations

import codecs
from struct import Struct

from wsproto.frame_protocol import FrameDecoder, ParseFailed

from .deflate import Deflate
from .frames import BINARY, CONTINUATION, FIN, MASKED, RSV1, TEXT, TWO_BYTES, Frame, FrameError, not_utf8
from .masking import apply_mask
from .opcodes import MAX_CONTROL_PAYLOAD, CloseCode, OpcodeType
from .payload import Payload, decode, new_utf8_decoder

#: The first control frame: a global is found faster than an enum's member.
_CLOSE = OpcodeType.CLOSE
_OPCODES = {int(opcode): opcode for opcode in OpcodeType if opcode is not OpcodeType.INVALID}

_RSV = 0x70
_LENGTH = 0x7F

# A client's whole, unfragmented data frame, as the fast ways meet it: its first two bytes, as one number.
#: A short one, which says its length itself: to this it is added.
_SHORT_TEXT = (FIN | TEXT) << 8 | MASKED
_SHORT_BINARY = (FIN | BINARY) << 8 | MASKED
#: One whose length stands in the two bytes that follow.
_MEDIUM_TEXT = _SHORT_TEXT + TWO_BYTES
_MEDIUM_BINARY = _SHORT_BINARY + TWO_BYTES
#: All four, for a loop to have at hand.
_WHOLE_FRAME_HEADS = (_SHORT_TEXT, _MEDIUM_TEXT, _SHORT_BINARY, _MEDIUM_BINARY)
#: How long its header is, the mask included.
_SHORT_HEADER, _MEDIUM_HEADER = 6, 8
#: The first two bytes of a short text frame, less the size of the frame.
_SHORT_TEXT_LESS_SIZE = _SHORT_TEXT - _SHORT_HEADER
#: The size of the shortest medium frame.
_LEAST_MEDIUM = TWO_BYTES + _MEDIUM_HEADER

#: The most bytes that are held though they were read: letting go of few costs more than it saves.
_MAX_HELD = 4096
_UINT16 = Struct("!H")
_UINT64 = Struct("!Q")
#: The first two bytes of a frame, or its length of two bytes, with the mask behind them.
_unpack_head = Struct("!H4s").unpack_from


#: Stands for a frame that was skipped.
_SKIPPED: Frame = (OpcodeType.INVALID, b"", True)


class FrameReader:
    """Turn the bytes of one direction of a connection into frames.

    Args:
        is_client: Whether we are the client, so that frames come unmasked.
        max_frame_size: The largest payload of one frame, in bytes, also after inflating.
        max_message_size: The largest whole message, in bytes, also after inflating. It counts once `reads_messages`.
        max_fragments: The most frames of one message. It counts once `reads_messages`.
        deflate: What inflates, if ``permessage-deflate`` was agreed on.
    """

    __slots__ = (
        "_buffer",
        "_composite",
        "_deflate",
        "_fragments",
        "_inflates",
        "_is_client",
        "_lone_limit",
        "_mask_bit",
        "_max_fragments",
        "_max_frame_size",
        "_max_message_size",
        "_message_opcode",
        "_message_size",
        "_payload",
        "_position",
        "_short_limit",
        "_skips",
        "_to_skip",
        "_utf8",
        "is_exhausted",
        "reads_messages",
    )

    def __init__(
        self,
        is_client: bool,
        max_frame_size: int,
        max_message_size: int,
        max_fragments: int,
        deflate: Deflate | None = None,
    ) -> None:
        self._is_client = is_client
        self._mask_bit = 0 if is_client else MASKED
        #: The largest payload that the fast ways take, and the largest frame that `lone_text` does.
        self._short_limit = min(max_frame_size, max_message_size)
        self._lone_limit = self._short_limit + (_SHORT_HEADER if self._short_limit < TWO_BYTES else _MEDIUM_HEADER)
        self._max_frame_size = max_frame_size
        self._max_message_size = max_message_size
        self._max_fragments = max_fragments
        self._deflate = deflate
        #: Whether it is certain that nothing is left of what was fed: of a frame, or of a message. A client never is.
        self.is_exhausted = not is_client
        #: Whether the limits of a whole message count: in frame-wise reading only those of a frame do.
        self.reads_messages = False
        self._buffer = b""
        self._position = 0
        #: The opcode of the message that a continuation would continue; CONTINUATION if there is none.
        self._message_opcode = CONTINUATION
        self._message_size = 0
        self._fragments = 0
        self._payload: Payload | None = None
        #: Whether messages are skipped, and how much of the payload of one is still to come.
        self._skips = False
        self._to_skip = 0
        self._composite: FrameDecoder | None = None
        #: Of a fragmented message: whether it is compressed, and what decodes it if it is a text.
        self._inflates = False
        self._utf8: codecs.IncrementalDecoder | None = None

    @property
    def missing(self) -> int:
        """How many bytes of the frame that is arriving are still to come; 0 between frames."""
        return self._payload.missing if self._payload is not None else self._to_skip

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived."""
        self.is_exhausted = False
        if self._position < len(self._buffer):
            self._buffer = self._buffer[self._position :] + data
        else:
            self._buffer = data
        self._position = 0

    def begin_messages(self, waiting: list[Frame]) -> None:
        """Let the limits of whole messages count from now on.

        Args:
            waiting: The frames that were read before, and not given to anybody. They count; those that were do not.

        Raises:
            FrameError: A message among them is too long, or has too many frames.
        """
        self.reads_messages = True
        self._message_size = self._fragments = 0
        for opcode, data, final in waiting:
            if opcode >= OpcodeType.CLOSE:
                continue
            self._message_size += len(data.encode() if isinstance(data, str) else data)
            self._judge_size(0, self._message_size)
            self._judge_count()
            self._fragments += 1
            if final:
                self._message_size = self._fragments = 0
        if self._payload is not None and self._payload.opcode < OpcodeType.CLOSE:  # it arrives, and has been judged
            self._message_size += self._payload.length
            self._fragments += 1

    def discard(self) -> None:
        """Forget what arrived: the input is over."""
        self._buffer, self._position, self._payload, self._to_skip = b"", 0, None, 0

    def lone_text(self, data: bytes) -> str | None:
        """Return the text that ``data`` is, as one whole frame with nothing before it; else ``None``, and take nothing.

        That is what most reads bring. It saves most steps of `feed` and `next_frame`, which would say the same.

        Raises:
            FrameError: It is not UTF-8.
        """
        size = len(data)
        if size < _SHORT_HEADER or not self.is_exhausted:
            return None
        head, mask = _unpack_head(data)
        if head == _SHORT_TEXT_LESS_SIZE + size and head < _MEDIUM_TEXT:
            payload = data[_SHORT_HEADER:]
        elif head == _MEDIUM_TEXT and size >= _LEAST_MEDIUM:
            length, mask = _unpack_head(data, 2)
            if length != size - _MEDIUM_HEADER:
                return None
            payload = data[_MEDIUM_HEADER:]
        else:
            return None
        if size > self._lone_limit:
            return None
        try:
            return apply_mask(payload, mask).decode()
        except UnicodeDecodeError as error:
            raise not_utf8(error) from None

    def whole_frames(self, most: int, most_bytes: int) -> list[Frame]:
        """Return the next frames, as long as they are whole, masked, unfragmented data frames below 64 KiB.

        That is what a chat or an echo sees all day. For each it saves a `next_frame`, which would give the same.
        It stops before anything else, whether that is right or wrong.

        Args:
            most: How many frames to return at most.
            most_bytes: After how many bytes to begin no further frame.
        """
        frames: list[Frame] = []
        if self._is_client or self._payload is not None or self._message_opcode is not CONTINUATION or self._skips:
            return frames
        short_text, medium_text, short_binary, medium_binary = _WHOLE_FRAME_HEADS
        buffer, start, limit = self._buffer, self._position, self._short_limit
        available = len(buffer)
        last = min(available - _MEDIUM_HEADER, start + most_bytes)
        for _ in range(most):
            if start > last:
                break
            head, mask = _unpack_head(buffer, start)
            if short_text <= head < medium_text or short_binary <= head < medium_binary:
                payload_at = start + _SHORT_HEADER
                size = head & _LENGTH
            elif head == medium_text or head == medium_binary:  # noqa: SIM109  # it would build a tuple each time
                payload_at = start + _MEDIUM_HEADER
                size, mask = _unpack_head(buffer, start + 2)
                if size < TWO_BYTES:
                    break
            else:
                break
            end = payload_at + size
            if end > available or size > limit:
                break
            payload = apply_mask(buffer[payload_at:end], mask)
            if head < short_binary:
                try:
                    frames.append((TEXT, payload.decode(), True))
                except UnicodeDecodeError:
                    break
            else:
                frames.append((BINARY, payload, True))
            start = end
        if start == available:
            self.is_exhausted = True
            self._buffer = b""  # else an idle connection would hold the last read that it got
            start = 0
        self._position = start
        return frames

    def skip_messages(self) -> None:
        """Judge data frames from now on by their headers only, and let their payloads go: nobody will be given them."""
        self._skips = True

    def next_frame(self) -> Frame | None:
        """Return the next complete frame, or ``None`` if more bytes are needed. Raises `FrameError`."""
        frame: Frame | None = _SKIPPED
        while frame is _SKIPPED:
            if self._payload is not None:
                return self._continue_payload(self._payload)
            if self._to_skip:
                self._skip_on()
            buffer, start = self._buffer, self._position
            if len(buffer) - start < 2:
                if start > _MAX_HELD:
                    self._let_go()
                return None
            frame = self._read_header(buffer[start], buffer[start + 1])
        return frame

    def _skip_on(self) -> None:
        """Let go of what has come of the payload that is skipped."""
        count = min(self._to_skip, len(self._buffer) - self._position)
        self._position += count
        self._to_skip -= count

    def _let_go(self) -> None:
        """Forget what was read: an idle connection would hold the last 64 KiB that it got."""
        self._buffer = self._buffer[self._position :]
        self._position = 0

    def _read_header(self, first: int, second: int) -> Frame | None:
        opcode = self._judge_first_byte(first)
        if (second & MASKED) != self._mask_bit:
            raise FrameError(
                CloseCode.PROTOCOL_ERROR,
                "a server's frame must not be masked" if self._is_client else "a client's frame must be masked",
            )
        head = self._read_length(opcode, second & _LENGTH)
        if head is None:
            return None
        length, header_size = head
        mask_at = self._position + header_size
        payload_at = mask_at + (4 if self._mask_bit else 0)
        if opcode < OpcodeType.CLOSE:
            self._judge_place_and_size(opcode, length)
        if payload_at > len(self._buffer):
            return None
        mask = self._buffer[mask_at:payload_at] if self._mask_bit else b""
        header = self._buffer[self._position : payload_at]
        self._position = payload_at
        if opcode < OpcodeType.CLOSE:
            self._message_size += length
            self._fragments += 1
            if self._skips:
                return self._skip(opcode, first, length)
        self._payload = self._new_payload(opcode, first, length, mask, header)
        return self._continue_payload(self._payload)

    def _skip(self, opcode: OpcodeType, first: int, length: int) -> Frame:
        self._to_skip = length
        if first & FIN:
            self._end_message()
        elif opcode is not CONTINUATION:
            self._message_opcode = opcode
        return _SKIPPED

    def _judge_first_byte(self, first: int) -> OpcodeType:
        opcode = _OPCODES.get(first & 0x0F)
        if opcode is None:
            raise FrameError(CloseCode.PROTOCOL_ERROR, f"opcode {first & 0x0F} is not defined")
        # RFC 7692 §6: RSV1 marks the first frame of a compressed message, and no other frame.
        may_have_rsv1 = self._deflate is not None and (opcode is TEXT or opcode is BINARY)
        if first & (_RSV & ~RSV1 if may_have_rsv1 else _RSV):
            raise FrameError(CloseCode.PROTOCOL_ERROR, "a reserved bit is set that no extension defined")
        # RFC 6455 §5.5: "All control frames [...] MUST NOT be fragmented."
        if opcode >= OpcodeType.CLOSE and not first & FIN:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "a control frame must not be fragmented")
        return opcode

    def _read_length(self, opcode: OpcodeType, length: int) -> tuple[int, int] | None:
        """Return the payload's length and the size of the header before the mask, or ``None`` for want of bytes."""
        if length < TWO_BYTES:
            return length, 2
        if opcode >= OpcodeType.CLOSE:
            raise FrameError(
                CloseCode.PROTOCOL_ERROR, f"a control frame must not be longer than {MAX_CONTROL_PAYLOAD} bytes"
            )
        field, least = (_UINT16, TWO_BYTES) if length == TWO_BYTES else (_UINT64, 0x10000)
        if len(self._buffer) < self._position + 2 + field.size:
            return None
        (length,) = field.unpack_from(self._buffer, self._position + 2)
        # RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length", "the most significant bit
        # MUST be 0".
        if length < least or length >> 63:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "the frame's length is not encoded as it must be")
        return length, 2 + field.size

    def _judge_place_and_size(self, opcode: OpcodeType, length: int) -> None:
        if opcode is CONTINUATION and not self._message_opcode:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "a continuation frame continues nothing")
        if opcode is not CONTINUATION and self._message_opcode:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "a new message began inside a fragmented one")
        self._judge_size(length, self._message_size + length)
        self._judge_count()

    def _judge_count(self) -> None:
        """Raise `FrameError` if the message under way must not have one more frame."""
        if self.reads_messages and self._fragments >= self._max_fragments:
            raise FrameError(CloseCode.POLICY_VIOLATION, f"a message of more than {self._max_fragments} frames")

    def _judge_size(self, frame_size: int, message_size: int) -> None:
        if frame_size > self._max_frame_size:
            raise FrameError(CloseCode.MESSAGE_TOO_BIG, f"a frame of more than {self._max_frame_size} bytes")
        if self.reads_messages and message_size > self._max_message_size:
            raise FrameError(CloseCode.MESSAGE_TOO_BIG, f"a message of more than {self._max_message_size} bytes")

    def _new_payload(self, opcode: OpcodeType, first: int, length: int, mask: bytes, header: bytes) -> Payload:
        if opcode < _CLOSE and (opcode is CONTINUATION or not first & FIN or first & RSV1):
            return self._new_part(opcode, first, length, mask, header)
        return Payload(opcode, True, length, mask, new_utf8_decoder() if opcode is TEXT else None, b"")

    def _new_part(self, opcode: OpcodeType, first: int, length: int, mask: bytes, header: bytes) -> Payload:
        """Begin a frame of a message that is fragmented, or compressed."""
        if opcode is not CONTINUATION:
            self._message_opcode = opcode
            self._inflates = bool(first & RSV1)
            # One for all frames of a message: a character may be split across them.
            self._utf8 = new_utf8_decoder() if opcode is TEXT else None
        is_final = bool(first & FIN)
        if self._inflates:
            return Payload(opcode, is_final, length, mask, None, header)
        return Payload(opcode, is_final, length, mask, self._utf8, b"")

    def _continue_payload(self, payload: Payload) -> Frame | None:
        start = self._position
        piece = self._buffer[start : start + payload.missing]
        self._position = start + len(piece)
        if piece or not payload.missing:  # the end of a text is judged where it is, also in an empty frame
            payload.add(piece)
        if payload.missing:
            self._let_go()
            return None
        self._payload = None
        opcode, is_final = payload.opcode, payload.is_final
        if opcode >= _CLOSE:
            return (opcode, payload.whole(), True)
        if payload.header:
            return self._read_compressed(payload)
        if is_final:
            self._end_message()
        return (opcode, payload.whole(), is_final)

    def _read_compressed(self, payload: Payload) -> Frame:
        assert self._deflate is not None  # else its first frame was refused
        if self._composite is None:
            self._composite = FrameDecoder(self._is_client, [self._deflate])
        self._deflate.limit = self._max_frame_size
        data = self._inflate(self._composite, payload)
        text = data if self._utf8 is None else decode(self._utf8, data, payload.is_final)
        if payload.is_final:
            self._end_message()
        return (payload.opcode, text, payload.is_final)

    def _inflate(self, decoder: FrameDecoder, payload: Payload) -> bytes:
        try:
            decoder.receive_bytes(payload.header)
            decoder.receive_bytes(payload.whole())
            frame = decoder.process_buffer()
        except ParseFailed as error:
            code = CloseCode(error.code)
            reason = "the compressed data is damaged" if code is CloseCode.INVALID_DATA else str(error)
            if code is CloseCode.MESSAGE_TOO_BIG:
                reason = f"a frame of more than {self._max_frame_size} bytes"
            raise FrameError(code, reason) from None
        assert frame is not None
        data = bytes(frame.payload)  # type: ignore[arg-type]  # a decoder's frame holds bytes
        self._message_size += len(data) - payload.length
        self._judge_size(len(data), self._message_size)
        return data

    def _end_message(self) -> None:
        self._message_opcode = CONTINUATION
        self._message_size = 0
        self._fragments = 0
        self._utf8 = None
