"""Strategies: conversations, the bytes that they are on the wire, and where those are cut."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from perfectws.websocket.deflate import Deflate, DeflateOptions, answer_offers

from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame_bytes

RSV1 = 0x40


@dataclass(frozen=True)
class Message:
    """A message in fragments, with control frames before each of them."""

    payload: str | bytes
    cuts: tuple[float, ...] = ()
    is_compressed: bool = False
    controls: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True)
class Role:
    """Who reads: a server masked frames, a client plain ones."""

    is_client: bool
    mask: bytes
    with_deflate: bool

    def frame(self, opcode: int, payload: bytes, fin: bool = True, rsv: int = 0) -> bytes:
        return frame_bytes(opcode, payload, fin, rsv, b"" if self.is_client else self.mask)

    def new_deflate(self) -> Deflate | None:
        """Return our half of the compression, in the larger of all windows."""
        if not self.with_deflate:
            return None
        answer = answer_offers(["permessage-deflate"], DeflateOptions(window_bits=15))
        assert answer is not None
        return answer[1]


def encode(role: Role, messages: list[Message]) -> bytes:
    """Return what a peer puts on the wire for messages."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    out = []
    for message in messages:
        payload = message.payload
        opcode, raw = (TEXT, payload.encode()) if isinstance(payload, str) else (BINARY, payload)
        rsv = RSV1 if message.is_compressed else 0
        if rsv:
            raw = (compressor.compress(raw) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        edges = [0, *sorted(int(cut * len(raw)) for cut in message.cuts), len(raw)]
        controls = list(message.controls)
        for at, (start, end) in enumerate(pairwise(edges)):
            if controls:
                out.append(role.frame(*controls.pop()))
            is_last = at == len(edges) - 2
            out.append(role.frame(CONTINUATION if at else opcode, raw[start:end], is_last, 0 if at else rsv))
    return b"".join(out)


roles = st.builds(Role, is_client=st.booleans(), mask=st.binary(min_size=4, max_size=4), with_deflate=st.booleans())

#: What payloads are made of: fewer draws than characters one by one, and each is there for a reason.
_SNIPPETS = ["", "a", "Hello", "é", "€", "𐍈", "\0", "x" * 125, "x" * 126, "¢" * 63, "no two " * 30, "0123456789" * 700]
_BYTES = [
    b"",
    b"\0",
    b"\xff",
    b"\xe2",
    b"\x82",
    b"\xac",
    b"\xf0\x90",
    b"\xed\xa0\x80",
    b"y" * 126,
    bytes(range(256)) * 8,
]
texts = st.lists(st.sampled_from(_SNIPPETS), max_size=3).map("".join) | st.text(max_size=5)
binaries = st.lists(st.sampled_from(_BYTES), max_size=4).map(b"".join) | st.binary(max_size=20)
_controls = st.lists(st.tuples(st.sampled_from([PING, PONG]), st.sampled_from([b"", b"p", b"q" * 125])), max_size=3)
_cuts = st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.5, 0.9, 1.0]), max_size=4).map(tuple)


def conversations(role: Role, max_size: int = 6) -> st.SearchStrategy[list[Message]]:
    """Messages of any kind that the role may be sent."""
    compressed = st.booleans() if role.with_deflate else st.just(False)
    message = st.builds(Message, texts | binaries, _cuts, compressed, _controls.map(tuple))
    return st.lists(message, max_size=max_size)


@st.composite
def chunks(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Cut bytes anywhere: not at all, into single bytes, or at a few places."""
    way = draw(st.sampled_from(["whole", "bytes", "places", "places", "places"]))
    if way == "whole":
        return [data]
    if way == "bytes" and len(data) < 1000:
        return [data[at : at + 1] for at in range(len(data))]
    places = draw(st.lists(st.integers(0, len(data)), max_size=6))
    return [data[start:end] for start, end in pairwise([0, *sorted(places), len(data)])]


_CODES = [0, 999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1012, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535]
_closes = st.builds(close_payload, st.sampled_from(_CODES), texts.map(lambda text: text[:40])) | st.binary(max_size=5)
_opcodes = st.sampled_from(
    [CONTINUATION] * 6 + [TEXT] * 4 + [BINARY] * 4 + [PING] * 3 + [PONG, CLOSE, CLOSE, 3, 7, 11, 15]
)
_plain_bits = st.sampled_from([0] * 12 + [0x10, 0x20, 0x40, 0x70])
_deflate_bits = st.sampled_from([0] * 8 + [RSV1] * 6 + [0x10, 0x70])
#: What may be wrong with the second byte of a header.
_faults = st.sampled_from([None] * 12 + ["mask", "length 126", "length 127", "length"])


@st.composite
def odd_frames(draw: st.DrawFn, role: Role) -> bytes:
    """A frame of which anything may be wrong."""
    opcode = draw(_opcodes)
    payload = draw(_closes if opcode == CLOSE else st.one_of(binaries, texts.map(str.encode)))
    if opcode >= CLOSE and len(payload) > 125:
        payload = payload[: draw(st.sampled_from([125, 125, 125, 126]))]
    rsv = draw(_deflate_bits if role.with_deflate else _plain_bits)
    if rsv == RSV1 and role.with_deflate and draw(st.integers(0, 3)):
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        end = draw(st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FINISH]))
        payload = (compressor.compress(payload) + compressor.flush(end)).removesuffix(b"\0\0\xff\xff")
    frame = bytearray(role.frame(opcode, payload, draw(st.booleans()), rsv))
    match draw(_faults):
        case "mask":
            frame[1] ^= 0x80
        case "length 126":
            frame[1] = (frame[1] & 0x80) | 126
        case "length 127":
            frame[1] = (frame[1] & 0x80) | 127
        case "length":
            frame[1] = (frame[1] & 0x80) | draw(st.integers(0, 127))
    return bytes(frame)


@st.composite
def _mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    where, size = draw(st.floats(0, 1)), draw(st.integers(1, 8))
    noise = draw(st.binary(min_size=1, max_size=8))
    kind = draw(st.sampled_from(["flip", "insert", "delete", "repeat", "end"]))

    def mutate(data: bytes) -> bytes:
        at = int(where * len(data))
        before, these, after = data[:at], data[at : at + size], data[at + size :]
        match kind:
            case "flip":
                return before + bytes(byte ^ noise[0] for byte in these) + after
            case "insert":
                return before + noise + these + after
            case "delete":
                return before + after
            case "repeat":
                return before + these + these + after
            case _:
                return before

    return mutate


@st.composite
def byte_streams(draw: st.DrawFn, role: Role) -> bytes:
    """Any bytes: a conversation with something wrong in it, frames of any make, or mere noise."""
    match draw(st.sampled_from(["mutated", "odd", "noise"])):
        case "mutated":
            data = encode(role, draw(conversations(role, max_size=4))) + draw(st.just(b"") | odd_frames(role))
            for mutate in draw(st.lists(_mutations(), max_size=3)):
                data = mutate(data)
            return data
        case "odd":
            return b"".join(draw(st.lists(odd_frames(role), max_size=6)))
        case _:
            return draw(st.binary(max_size=200))
