"""Bytes to frames, both roles.

What comes in is judged twice. A frame's *header* is judged as soon as it is complete, before anything of the payload is
kept: opcode, reserved bits, mask, minimal length, length against the limits, and its place in the message. Then its
*payload* is decoded one of three ways::

    control frame                     whole
    data frame of a plain message     piece by piece as it arrives: a text fails at its first bad byte
    data frame of a compressed one    whole: a fragment by wsproto's decoder (made when first needed)

What comes all day goes faster, with the same result: a message that came alone by `FrameReader.lone_frame`, all the
messages below 64 KiB of a read by `FrameReader.whole_frames`, and the fragments of others by `FrameReader.fragments`.

Once judged wrong, a connection's input is over: both raise `FrameError`, with the close code.

Source: RFC 6455 §5, RFC 7692 for compressed messages.
"""

from __future__ import annotations

import codecs
from codecs import utf_8_decode
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import repeat
from struct import Struct
from sys import maxsize
from typing import Any, ClassVar

from .deflate import Deflate
from .frames import BINARY, CONTINUATION, FIN, MASKED, RSV1, TEXT, TWO_BYTES, Frame, FrameError, not_utf8
from .inflater import FragmentDecoder
from .masking import apply_mask
from .opcodes import MAX_CONTROL_PAYLOAD, CloseCode, OpcodeType
from .payload import Payload, decode, new_utf8_decoder

#: The first control frame: a global is found faster than an enum's member.
_CLOSE = OpcodeType.CLOSE
_OPCODES = {int(opcode): opcode for opcode in OpcodeType if opcode is not OpcodeType.INVALID}

_RSV = 0x70
_LENGTH = 0x7F


#: What whole, unfragmented data frames begin with, as the fast ways meet them. A plain tuple is unpacked fastest.
_Heads = tuple[int, int, int, int, int, int, Callable[..., tuple[int, bytes]]]


def _heads(mask_bit: int) -> _Heads:
    """Return the heads of frames with this mask bit.

    Returns:
        (short_text, medium_text, short_binary, medium_binary, short_size, medium_size, unpack). The first four are the
        first two bytes of a frame, as one number: of a short one, to which its length is added, and of one whose length
        stands in the two bytes that follow. Then how long the header of each is, the mask included; and what gives such
        a number and the mask behind it, called with the data and an offset.
    """
    text, binary = (FIN | TEXT) << 8 | mask_bit, (FIN | BINARY) << 8 | mask_bit
    mask_size = 4 if mask_bit else 0
    unpack = Struct(f"!H{mask_size}s").unpack_from
    return (text, text + TWO_BYTES, binary, binary + TWO_BYTES, 2 + mask_size, 4 + mask_size, unpack)


#: What gives of a fragment, masked or not, the first two bytes as one number, a length that follows them, and a mask.
_UNPACK_PART = {mask_bit: Struct(f"!HH{4 if mask_bit else 0}s").unpack_from for mask_bit in (MASKED, 0)}


@lru_cache(maxsize=32)
def _cutting(size: int, mask_size: int) -> Callable[[memoryview], Iterator[tuple[bytes, bytes, bytes]]]:
    """Return what cuts frames with that long a payload, from 126 bytes on, each into its header, mask and payload."""
    return Struct(f"4s{mask_size}s{size}s").iter_unpack


#: The first byte of a fragment that begins a message, or that continues one: its opcode, and whether it is the last.
_FIRST_FRAGMENTS = {int(TEXT): (TEXT, False), int(BINARY): (BINARY, False)}
_NEXT_FRAGMENTS = {int(CONTINUATION): (CONTINUATION, False), FIN | CONTINUATION: (CONTINUATION, True)}
#: The first bytes of whole messages other than plain texts, which come in one frame.
_KINDS = frozenset({FIN | BINARY})
_KINDS_WITH_DEFLATE = _KINDS | {FIN | RSV1 | TEXT, FIN | RSV1 | BINARY}


#: By which of the fast ways a frame goes, by its first byte: 0 is none.
_WHOLE, _FRAGMENT = 1, 2
_WAYS = bytearray(256)
for _first in (FIN | TEXT, *_KINDS_WITH_DEFLATE):
    _WAYS[_first] = _WHOLE
for _first in (*_FIRST_FRAGMENTS, *_NEXT_FRAGMENTS):
    _WAYS[_first] = _FRAGMENT


def _lone_heads(heads: _Heads) -> tuple[int, int, int, int, Callable[..., tuple[int, bytes]]]:
    """Return those of a text that comes alone: of a short one the first two bytes, less the size of the frame."""
    short_text, medium_text, _, _, short_size, medium_size, unpack = heads
    return (short_text - short_size, medium_text, short_size, medium_size, unpack)


_FROM_CLIENT, _FROM_SERVER = _heads(MASKED), _heads(0)
_LONE_FROM_CLIENT, _LONE_FROM_SERVER = _lone_heads(_FROM_CLIENT), _lone_heads(_FROM_SERVER)

#: The most bytes that are held though they were read: letting go of few costs more than it saves.
_MAX_HELD = 4096
_UINT16 = Struct("!H")
_UINT64 = Struct("!Q")


#: Stands for a frame that was skipped.
_SKIPPED: Frame = (OpcodeType.INVALID, b"", True)


class FrameReader:
    """Turn the bytes of one direction of a connection into frames.

    Once it `reads_messages` nobody sees single frames, so what has come of a message in fragments may be one.

    Args:
        is_client: Whether we are the client, so that frames come unmasked.
        max_frame_size: The largest payload of one frame, in bytes, also after inflating.
        max_message_size: The largest whole message, in bytes, also after inflating. It counts once `reads_messages`.
        max_fragments: The most frames of one message. It counts once `reads_messages`.
        deflate: What inflates, if ``permessage-deflate`` was agreed on.
    """

    #: Whether fragments may be joined once only messages are asked for.
    _may_join: ClassVar[bool] = True

    __slots__ = (
        "_buffer",
        "_failure",
        "_fragment_decoder",
        "_fragments",
        "_heads",
        "_inflater",
        "_inflates",
        "_is_client",
        "_kinds",
        "_lone_heads",
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
        "_unpack_part",
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
        self._heads = _FROM_SERVER if is_client else _FROM_CLIENT
        #: Those that `lone_frame` needs for a text, and what else may come alone.
        self._lone_heads = _LONE_FROM_SERVER if is_client else _LONE_FROM_CLIENT
        self._unpack_part = _UNPACK_PART[self._mask_bit]
        self._kinds = _KINDS if deflate is None else _KINDS_WITH_DEFLATE
        #: The largest payload that the fast ways take, and the largest frame with a text that `lone_frame` does.
        self._short_limit = min(max_frame_size, max_message_size)
        short_size, medium_size = self._heads[4:6]
        self._lone_limit = self._short_limit + (short_size if self._short_limit < TWO_BYTES else medium_size)
        self._max_frame_size = max_frame_size
        self._max_message_size = max_message_size
        self._max_fragments = max_fragments
        self._inflater = None if deflate is None else deflate.inflater(is_client, max_frame_size)
        #: Whether it is certain that nothing is left of what was fed: of a frame, or of a message.
        self.is_exhausted = True
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
        self._fragment_decoder: FragmentDecoder | None = None
        #: What is wrong with the next frame, if that is known already.
        self._failure: FrameError | None = None
        #: Of the message under way: whether it is compressed, and what decodes it if it is a text.
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
            if opcode >= _CLOSE:
                continue
            self._message_size += len(data.encode() if isinstance(data, str) else data)
            self._judge_size(0, self._message_size)
            self._judge_count()
            self._fragments += 1
            if final:
                self._message_size = self._fragments = 0
        if self._payload is not None and self._payload.opcode < _CLOSE:  # it arrives, and has been judged
            self._message_size += self._payload.length
            self._fragments += 1

    def discard(self) -> None:
        """Forget what arrived: the input is over."""
        self._buffer, self._position, self._payload, self._to_skip = b"", 0, None, 0

    def lone_frame(self, data: bytes) -> Frame | None:
        """Return the message that ``data`` is, as one whole frame with nothing before it; else ``None``: take nothing.

        That is what most reads bring. It saves most steps of `feed` and `next_frame`, which would say the same.

        Raises:
            FrameError: The message is wrong.
        """
        size = len(data)
        short_text_less_size, medium_text, short_size, medium_size, unpack = self._lone_heads
        if size < short_size or not self.is_exhausted:
            return None
        head, mask = unpack(data)
        if head == short_text_less_size + size and head < medium_text:
            payload = data[short_size:]
        elif head == medium_text and size >= TWO_BYTES + medium_size:
            length, mask = unpack(data, 2)
            if length != size - medium_size:
                return None
            payload = data[medium_size:]
        else:
            return self._lone_other(data, head, mask)
        if size > self._lone_limit:
            return None
        try:
            return (TEXT, (apply_mask(payload, mask) if mask else payload).decode(), True)
        except UnicodeDecodeError as error:
            raise not_utf8(error) from None

    def _lone_other(self, data: bytes, head: int, mask: bytes) -> Frame | None:
        """Do the same for what is binary, or compressed."""
        if head >> 8 not in self._kinds:
            return None  # most often a fragment
        found = self._find_whole(data, 0, head, mask)
        if found is None or found[1] != len(data):
            return None
        start, _, mask = found
        return self._whole_frame(head >> 8, data[start:], mask)

    def _find_whole(self, data: bytes, at: int, head: int, mask: bytes) -> tuple[int, int, bytes] | None:
        """Return where the payload of a whole message begins and ends that is binary, or compressed; and its mask."""
        length = (head & 0xFF) - self._mask_bit
        if head >> 8 not in self._kinds:
            return None
        _, _, header_size, medium_size, unpack = self._lone_heads
        if length == TWO_BYTES and len(data) - at >= TWO_BYTES + medium_size:
            length, mask = unpack(data, at + 2)
            header_size = medium_size
            if length < TWO_BYTES:
                return None
        elif not 0 <= length < TWO_BYTES:
            return None
        start = at + header_size
        end = start + length
        return (start, end, mask) if length <= self._short_limit and end <= len(data) else None

    def _add_compressed(self, frames: list[Frame], at: int, head: int, mask: bytes) -> int:
        """Add the compressed message that lies in the buffer to ``frames``. Return where it ends: where it begins if it
        is none that is whole, or if it is wrong and will be found so behind what comes before. Raises `FrameError`.
        """
        found = self._find_whole(self._buffer, at, head, mask)
        if found is None:
            return at
        start, end, mask = found
        try:
            frames.append(self._whole_frame(head >> 8, self._buffer[start:end], mask))
        except FrameError as error:
            if not frames:
                raise
            self._failure = error
            return at
        return end

    def _whole_frame(self, first: int, payload: bytes, mask: bytes) -> Frame:
        """Return the frame that is a whole message, by its first byte. Raises `FrameError`."""
        if mask:
            payload = apply_mask(payload, mask)
        if first & RSV1:
            payload = self._inflated(payload)
        if first & 0x0F == BINARY:
            return (BINARY, payload, True)
        try:
            return (TEXT, payload.decode(), True)
        except UnicodeDecodeError as error:
            raise not_utf8(error) from None

    def _inflated(self, payload: bytes) -> bytes:
        """Return the compressed message whose payload came in one frame. Raises `FrameError`."""
        assert self._inflater is not None  # else it was refused
        message = self._inflater.inflate_message(payload)
        self._judge_size(len(message), len(message))
        return message

    def next_frames(self, most: int, most_bytes: int) -> list[Frame]:
        """Return the next frames by `whole_frames` or `fragments`, as they begin; none if neither takes them.

        Args:
            most, most_bytes: As for those.

        Raises:
            FrameError: As `whole_frames` does.
        """
        if self._position == len(self._buffer):
            return []
        way = _WAYS[self._buffer[self._position]]
        if way == _WHOLE:
            return self.whole_frames(most, most_bytes)
        return self.fragments(most, most_bytes) if way == _FRAGMENT else []

    def whole_frames(self, most: int, most_bytes: int) -> list[Frame]:
        """Return the next frames, as long as they are whole messages below 64 KiB.

        That is what a chat or an echo sees all day. For each it saves a `next_frame`, which would give the same.
        It stops before anything else, whether that is right or wrong.

        Args:
            most: How many frames to return at most.
            most_bytes: After how many bytes, inflated ones included, to begin no further frame.

        Raises:
            FrameError: The first of them is compressed, and wrong.
        """
        frames: list[Frame] = []
        if self._payload is not None or self._message_opcode is not CONTINUATION or self._skips:
            return frames
        if self._failure is not None:
            raise self._failure
        inflates = self._inflater is not None
        short_text, medium_text, short_binary, medium_binary, short_size, medium_size, unpack = self._heads
        buffer, start, limit = self._buffer, self._position, self._short_limit
        available = len(buffer)
        enough = start + most_bytes
        last = min(available - medium_size, enough)
        for _ in range(most):
            if start > last:
                break
            head, mask = unpack(buffer, start)
            if short_text <= head < medium_text or short_binary <= head < medium_binary:
                payload_at = start + short_size
                size = head & _LENGTH
            elif head == medium_text or head == medium_binary:  # noqa: SIM109  # it would build a tuple each time
                payload_at = start + medium_size
                size, mask = unpack(buffer, start + 2)
                if size < TWO_BYTES:
                    break
            else:
                end = self._add_compressed(frames, start, head, mask) if inflates else start
                if end == start:
                    break
                enough -= max(len(frames[-1][1]) - (end - start), 0)
                last = min(last, enough)
                start = end
                continue
            end = payload_at + size
            if end > available or size > limit:
                break
            payload = buffer[payload_at:end]
            if mask:
                payload = apply_mask(payload, mask)
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

    def fragments(self, most: int, most_bytes: int) -> list[Frame]:
        """Return the next frames, as long as they are whole fragments below 64 KiB of messages that are not compressed.

        For each it saves a `next_frame`, which would give the same; once only messages are asked for, large ones may be
        joined. It stops before anything else, whether that is right or wrong; before a character that is split across
        frames, too, unless they are joined.

        Args:
            most, most_bytes: As for `whole_frames`.
        """
        frames: list[Frame] = []
        if self._payload is not None or self._skips or self._inflates or self._utf8 is not None:
            return frames
        _, _, _, _, short_size, medium_size, _ = self._heads
        buffer, unpack, limit, mask_bit = self._buffer, self._unpack_part, self._short_limit, self._mask_bit
        largest, longest = (self._max_message_size, self._max_fragments) if self.reads_messages else (maxsize, maxsize)
        available = len(buffer)
        last = min(available - medium_size, self._position + most_bytes)
        if self._message_opcode and self._position <= last:
            self._take_alike(frames, most, last, largest, longest)
            if self._utf8 is not None:
                return frames
        opcode, message_size, count = self._message_opcode, self._message_size, self._fragments
        kinds = _NEXT_FRAGMENTS if opcode else _FIRST_FRAGMENTS
        start = self._position
        for _ in range(most - len(frames)):
            if start > last:
                break
            head, size, mask = unpack(buffer, start)
            kind = kinds.get(head >> 8)
            length = (head & 0xFF) - mask_bit
            if length == TWO_BYTES:
                payload_at = start + medium_size
                if size < TWO_BYTES:
                    break
            elif 0 <= length < TWO_BYTES:
                size = length
                payload_at = start + short_size
                mask = buffer[start + 2 : payload_at]
            else:
                break
            end = payload_at + size
            if kind is None or end > available or size > limit or message_size + size > largest or count >= longest:
                break
            frame_opcode, is_final = kind
            if not opcode:
                opcode, kinds = frame_opcode, _NEXT_FRAGMENTS
            payload = buffer[payload_at:end]
            if mask:
                payload = apply_mask(payload, mask)
            if opcode is TEXT:
                try:
                    frames.append((frame_opcode, payload.decode(), is_final))
                except UnicodeDecodeError:
                    if frame_opcode is TEXT:
                        opcode = CONTINUATION
                    break
            else:
                frames.append((frame_opcode, payload, is_final))
            start = end
            message_size += size
            count += 1
            if is_final:
                opcode, message_size, count, kinds = CONTINUATION, 0, 0, _FIRST_FRAGMENTS
        self._message_opcode, self._message_size, self._fragments = opcode, message_size, count
        if start == available:
            self.is_exhausted = opcode is CONTINUATION
            self._buffer = b""
            start = 0
        self._position = start
        return frames

    def _take_alike(self, frames: list[Frame], most: int, last: int, largest: int, longest: int) -> None:
        """Add the next frames to ``frames``, as long as their headers are the same, with a length in two bytes.

        That is what large messages are made of. Where only whole messages are asked for they are joined.

        Args:
            frames: Where to add them.
            most: How many to add at most.
            last: Where the last may begin.
            largest, longest: The most bytes, and frames, of the message.
        """
        buffer, start = self._buffer, self._position
        head, size, mask = self._unpack_part(buffer, start)
        header, step = buffer[start : start + 4], self._heads[5] + size
        if head != self._mask_bit | TWO_BYTES or size < TWO_BYTES or not buffer.startswith(header, start + step):
            return
        if size > self._short_limit:
            return
        joins = self.reads_messages and self._may_join
        count = min((last - start) // step + 1, (len(buffer) - start) // step, maxsize if joins else most)
        count = min(count, longest - self._fragments, (largest - self._message_size) // size)
        decodes = self._message_opcode is TEXT and not joins
        pieces: list[Any] = []  # all bytes or all str
        try:
            for each, key, payload in _cutting(size, len(mask))(memoryview(buffer)[start : start + count * step]):
                if each != header:
                    break
                if key:
                    payload = apply_mask(payload, key)
                pieces.append(payload.decode() if decodes else payload)
        except UnicodeDecodeError:
            pass  # or only a character is split
        count = len(pieces)
        if joins and count:
            data = self._joined(pieces)
            if data is None:
                return
            pieces = [data]
        frames.extend(zip(repeat(CONTINUATION), pieces, repeat(False)))
        self._position += count * step
        self._message_size += count * size
        self._fragments += count

    def _joined(self, payloads: list[bytes]) -> str | bytes | None:
        """Return what payloads hold in all; ``None`` for a text that is wrong, which is found frame by frame."""
        data = b"".join(payloads)
        if self._message_opcode is not TEXT:
            return data
        try:
            text, size = utf_8_decode(data, "strict", False)
        except UnicodeDecodeError:
            return None
        if size < len(data):
            self._utf8 = new_utf8_decoder()
            self._utf8.decode(data[size:])
        return text

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
        if opcode < _CLOSE:
            self._judge_place_and_size(opcode, length)
        if payload_at > len(self._buffer):
            return None
        mask = self._buffer[mask_at:payload_at] if self._mask_bit else b""
        if opcode >= _CLOSE and payload_at + length <= len(self._buffer):  # whole, as nearly all are that are so short
            self._position = payload_at + length
            data = self._buffer[payload_at : self._position]
            return (opcode, apply_mask(data, mask) if mask else data, True)
        header = self._buffer[self._position : payload_at]
        self._position = payload_at
        if opcode < _CLOSE:
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
        may_have_rsv1 = self._inflater is not None and (opcode is TEXT or opcode is BINARY)
        if first & (_RSV & ~RSV1 if may_have_rsv1 else _RSV):
            raise FrameError(CloseCode.PROTOCOL_ERROR, "a reserved bit is set that no extension defined")
        # RFC 6455 §5.5: "All control frames [...] MUST NOT be fragmented."
        if opcode >= _CLOSE and not first & FIN:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "a control frame must not be fragmented")
        return opcode

    def _read_length(self, opcode: OpcodeType, length: int) -> tuple[int, int] | None:
        """Return the payload's length and the size of the header before the mask, or ``None`` for want of bytes."""
        if length < TWO_BYTES:
            return length, 2
        if opcode >= _CLOSE:
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
        if self._message_opcode is TEXT and self._utf8 is None:
            # One for all frames of a message: a character may be split across them.
            self._utf8 = new_utf8_decoder()
        is_final = bool(first & FIN)
        if not self._inflates:
            return Payload(opcode, is_final, length, mask, self._utf8, b"")
        is_whole = is_final and opcode is not CONTINUATION
        return Payload(opcode, is_final, length, mask, None, b"" if is_whole else header)

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
        inflates = self._inflates
        if is_final:
            self._end_message()
        elif self._utf8 is not None and not self._utf8.getstate()[0]:
            self._utf8 = None  # no character is split here
        if inflates:
            return self._whole_frame(RSV1 | opcode, payload.whole(), b"")
        return (opcode, payload.whole(), is_final)

    def _read_compressed(self, payload: Payload) -> Frame:
        """Return a frame of a compressed message that comes in fragments."""
        assert self._inflater is not None  # else its first frame was refused
        if self._fragment_decoder is None:
            self._fragment_decoder = FragmentDecoder(self._is_client, self._inflater)
        data = self._fragment_decoder.decode(payload.header, payload.whole())
        self._message_size += len(data) - payload.length
        self._judge_size(len(data), self._message_size)
        text = data if self._utf8 is None else decode(self._utf8, data, payload.is_final)
        if payload.is_final:
            self._end_message()
        return (payload.opcode, text, payload.is_final)

    def _end_message(self) -> None:
        self._message_opcode = CONTINUATION
        self._message_size = 0
        self._fragments = 0
        self._inflates = False
        self._utf8 = None
