"""Frames: what they are made of, and how they are built. `frame_reader` reads them.

Source: RFC 6455 §5, RFC 7692 for compressed messages.
"""

from __future__ import annotations

import os
from os import urandom
from struct import Struct

from ..transport import Parts
from .masking import apply_mask
from .opcodes import MAX_CLOSE_REASON, CloseCode, OpcodeType, is_sendable

#: (opcode, payload, whether it is the message's last frame). The payload of a text message is a ``str``.
Frame = tuple[OpcodeType, "str | bytes", bool]

CONTINUATION, TEXT, BINARY = OpcodeType.CONTINUATION, OpcodeType.TEXT, OpcodeType.BINARY

# The first byte of a frame, and the second.
FIN = 0x80
RSV1 = 0x40
MASKED = 0x80
#: What stands for the length where two bytes, or eight, follow that hold it.
TWO_BYTES, EIGHT_BYTES = 126, 127

#: A text of so many bytes is not remembered. So one that is has a header of four bytes at most.
_REMEMBERED = 64 * 1024
_UINT16 = Struct("!H")


class FrameError(Exception):
    """The peer broke a rule. ``code`` is the close code to send, the message its reason."""

    def __init__(self, code: CloseCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_utf8(error: UnicodeDecodeError) -> FrameError:
    """Return what is wrong with a text that cannot be decoded."""
    return FrameError(CloseCode.INVALID_DATA, f"a text that is not UTF-8: {error.reason}")


#: Why a text cannot be sent that holds half a character, and what to do.
LONE_SURROGATE = "surrogates not allowed: replace them first, as text.encode('utf-8', 'replace').decode() does"


def encoded(text: str) -> bytes:
    """Return a text as it is sent: as UTF-8. Raises `UnicodeEncodeError` if it holds a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        error.reason = LONE_SURROGATE
        raise


#: The first byte of a text frame that is a whole message.
_WHOLE_TEXT = FIN | TEXT
_SHORT_TEXT_HEADERS = [bytes((_WHOLE_TEXT, size)) for size in range(TWO_BYTES)]
_MASKED_SHORT_TEXT_HEADERS = [bytes((_WHOLE_TEXT, MASKED | size)) for size in range(TWO_BYTES)]
#: How long the header of a server's frame is, by its second byte; 2 where that is the length.
_SERVER_HEADER_SIZES = {TWO_BYTES: 4, EIGHT_BYTES: 10}
_pack_medium_header = Struct("!BBH").pack
_pack_long_header = Struct("!BBQ").pack


def build_frame(
    opcode: int, payload: bytes, is_final: bool = True, is_compressed: bool = False, is_masked: bool = False
) -> bytes | Parts:
    """Return a frame. A server's is not masked, so that it serves every receiver; from 64 KiB on it stays in parts."""
    first = opcode | (FIN if is_final else 0) | (RSV1 if is_compressed else 0)
    size = len(payload)
    if is_masked:
        mask = new_mask()
        header = _header(first, size, MASKED) + mask
        payload = apply_mask(payload, mask)
    else:
        header = _header(first, size)
    return header + payload if size < 0x10000 else Parts(header, payload)


def _header(first: int, size: int, mask_bit: int = 0) -> bytes:
    """Return what stands before the mask, or without one before the payload."""
    if size < TWO_BYTES:
        return bytes((first, mask_bit | size))
    if size < 0x10000:
        return _pack_medium_header(first, mask_bit | TWO_BYTES, size)
    return _pack_long_header(first, mask_bit | EIGHT_BYTES, size)


_last_text: tuple[str, bytes] = ("", _SHORT_TEXT_HEADERS[0])


def build_text_frame(text: str) -> bytes | Parts:
    """Return a server's frame for ``text``, whole.

    The last one built is remembered, by identity: a loop that sends one string to many sockets builds one frame.

    Raises:
        UnicodeEncodeError: ``text`` holds a lone surrogate.
    """
    global _last_text
    last, frame = _last_text
    if text is last:
        return frame
    try:  # as `encoded`, whose call would cost more than this
        payload = text.encode()
    except UnicodeEncodeError as error:
        error.reason = LONE_SURROGATE
        raise
    size = len(payload)
    if size < TWO_BYTES:
        frame = _SHORT_TEXT_HEADERS[size] + payload
    elif size < _REMEMBERED:
        frame = _pack_medium_header(_WHOLE_TEXT, TWO_BYTES, size) + payload
    else:
        return build_frame(TEXT, payload)
    _last_text = (text, frame)
    return frame


def build_masked_text_frame(text: str) -> bytes | Parts:
    """Return a client's frame for ``text``, whole.

    Raises:
        UnicodeEncodeError: ``text`` holds a lone surrogate.
    """
    try:  # as `encoded`, whose call would cost more than this
        payload = text.encode()
    except UnicodeEncodeError as error:
        error.reason = LONE_SURROGATE
        raise
    size = len(payload)
    if size >= TWO_BYTES:
        return build_frame(TEXT, payload, is_masked=True)
    mask = new_mask()
    return b"".join((_MASKED_SHORT_TEXT_HEADERS[size], mask, apply_mask(payload, mask)))


def build_binary_frame(data: bytes) -> bytes | Parts:
    """Return a server's frame for a whole binary message."""
    return build_frame(BINARY, data)


def build_masked_binary_frame(data: bytes) -> bytes | Parts:
    """Return a client's frame for a whole binary message."""
    return build_frame(BINARY, data, is_masked=True)


def mask_frame(frame: bytes | Parts) -> bytes:
    """Return a client's frame made of a server's: masked with a fresh key."""
    frame = bytes(frame)
    header_size = _SERVER_HEADER_SIZES.get(frame[1], 2)
    mask = new_mask()
    header = bytes((frame[0], frame[1] | MASKED)) + frame[2:header_size]
    return b"".join((header, mask, apply_mask(frame[header_size:], mask)))


#: Keys that no frame was masked with yet: the kernel gives a thousand at the price of two.
_masks: list[bytes] = []
_MASKS_AT_ONCE = 1024


def new_mask() -> bytes:
    """Return a fresh key. From any thread.

    Source: RFC 6455 §5.3: it "MUST be derived from a strong source of entropy".
    """
    try:
        return _masks.pop()
    except IndexError:
        keys = urandom(4 * _MASKS_AT_ONCE)
        _masks.extend([keys[at : at + 4] for at in range(4, len(keys), 4)])
        return keys[:4]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_masks.clear)  # else it would mask with the keys of its parent


def payload_of(frame: bytes) -> memoryview:
    """Return the payload of a server's frame."""
    return memoryview(frame)[_SERVER_HEADER_SIZES.get(frame[1], 2) :]


def is_compressed(frame: bytes) -> bool:
    """Tell whether a frame begins a compressed message."""
    return bool(frame[0] & RSV1)


def build_close_payload(code: int, reason: str = "") -> bytes:
    """Return the payload of a close frame; that of 1005, "no status", is empty."""
    if code == CloseCode.NO_STATUS_RCVD:
        return b""
    return _UINT16.pack(code) + reason.encode()


def parse_close_payload(payload: bytes) -> tuple[int, str]:
    """Return the close code and reason of a close frame. Raises `FrameError`.

    Source: RFC 6455 §5.5.1 and §7.4.
    """
    if not payload:
        return CloseCode.NO_STATUS_RCVD, ""
    if len(payload) == 1:
        raise FrameError(CloseCode.PROTOCOL_ERROR, "a close frame of one byte")
    (code,) = _UINT16.unpack_from(payload)
    if not is_sendable(code):
        raise FrameError(CloseCode.PROTOCOL_ERROR, f"close code {code} must not be sent")
    try:
        return code, str(payload[2:], "utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None


def shorten_reason(reason: str) -> str:
    """Cut ``reason`` to what a close frame has room for."""
    return reason.encode()[:MAX_CLOSE_REASON].decode("utf-8", "ignore")
