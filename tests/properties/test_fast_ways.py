"""What the fast ways take is read as the general way reads it, and they take nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame, FrameError
from perfectws.websocket.inflater import Inflater
from perfectws.websocket.opcodes import CloseCode

from ..peer import BINARY, CONTINUATION, PING, TEXT, frame_bytes
from ..reading import all_next_frames, frames_in, joined
from .streams import Role, byte_streams, chunks, roles

TEXT_OF_10 = b"\x81\x8a" + bytes(4) + b"0123456789"

#: What a server gets to see of one reading: a frame, why it was wrong, or nothing.
Outcome = list[Frame | tuple[int, str]]

lengths = st.sampled_from([0, 1, 2, 124, 125, 126, 127, 128, 200, 65535]) | st.integers(0, 400)


@st.composite
def segments(draw: st.DrawFn, is_client: bool) -> bytes:
    """What may come in one segment: mostly one text frame, or nearly one."""
    size = draw(lengths)
    text = draw(st.sampled_from([b"a", "ä".encode(), b"\xff", b"\x00"])) * (size + 1)
    first = draw(st.sampled_from([0x81] * 6 + [0x01, 0x80, 0x82, 0x89, 0x8A, 0xC1, 0x91]))
    form = draw(st.sampled_from([7] * 6 + [16] * 3 + [64]))
    is_masked = draw(st.sampled_from([not is_client] * 9 + [is_client]))
    mask_bit, mask = (0x80, bytes(4)) if is_masked else (0, b"")
    declared = max(0, size + draw(st.sampled_from([0] * 8 + [-1, 1, 7])))
    if form == 7 and declared > 125:
        form = 16
    field = b"" if form == 7 else declared.to_bytes(form // 8, "big") if declared < 1 << form else b"\xff\xff"
    second = mask_bit | (declared if form == 7 else 126 if form == 16 else 127)
    cut = draw(st.sampled_from([None] * 6 + [1, 2, 5, 6, 8, 20]))
    return (bytes((first, second)) + field + mask + text[:size])[:cut] + draw(st.sampled_from([b""] * 6 + [b"\x81"]))


def read(pieces: list[bytes], limit: int, is_client: bool, *, fast: bool) -> Outcome:
    reader = FrameReader(is_client, limit, limit, 100)
    outcome: Outcome = []
    try:
        for piece in pieces:
            outcome.extend(frames_in(reader, piece) if fast else all_next_frames(reader, piece))
    except FrameError as error:
        outcome.append((int(error.code), str(error)))
    return outcome


def reads(is_client: bool) -> st.SearchStrategy[bytes]:
    """What one read may bring: one segment, or several."""
    segment = segments(is_client)
    return (segment | st.lists(segment, min_size=2, max_size=5).map(b"".join)).filter(bool)


@given(st.data(), st.booleans(), st.sampled_from([100, 125, 1000, 1 << 20]))
def test_the_fast_ways_read_as_the_general_way(data: st.DataObject, is_client: bool, limit: int) -> None:
    pieces = data.draw(st.lists(reads(is_client), max_size=5))
    assert read(pieces, limit, is_client, fast=True) == read(pieces, limit, is_client, fast=False)


@pytest.mark.parametrize("form", [7, 16, 64])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("is_client", [False, True])
def test_every_length_in_every_form_of_the_header_is_read_as_the_general_way(
    form: int, times: int, is_client: bool
) -> None:
    mask_bit, mask = (0, b"") if is_client else (0x80, bytes(4))
    for size in range(126 if form == 7 else 300):
        second, field = (size, b"") if form == 7 else (126 if form == 16 else 127, size.to_bytes(form // 8, "big"))
        piece = (bytes((0x81, mask_bit | second)) + field + mask + b"a" * size) * times
        assert read([piece], 1 << 20, is_client, fast=True) == read([piece], 1 << 20, is_client, fast=False)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535])
def test_a_clients_whole_frames_are_taken_by_the_fast_ways(opcode: int, size: int) -> None:
    frame = frame_bytes(opcode, b"a" * size, mask=b"")
    reader = FrameReader(True, 1 << 20, 1 << 20, 100)
    assert reader.lone_frame(frame) == (opcode, "a" * size if opcode == TEXT else b"a" * size, True)
    reader.feed(frame * 3)
    assert len(reader.whole_frames(16, 1 << 20)) == (3 if size > 1 else 2)  # the last may be shorter than a header


def test_whole_frames_are_no_more_than_asked_for() -> None:
    reader = FrameReader(False, 1000, 1000, 100)
    reader.feed(TEXT_OF_10 * 5)
    assert len(reader.whole_frames(2, 1000)) == 2
    assert len(reader.whole_frames(16, len(TEXT_OF_10))) == 2  # a further one begins at the limit, none behind it
    assert not reader.is_exhausted
    assert len(reader.whole_frames(16, 1000)) == 1
    assert reader.is_exhausted


@pytest.mark.parametrize("is_client", [False, True])
@pytest.mark.parametrize("part", [b"01", b"0123456789", b"x" * 126, b"x" * 65535])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments_are_taken_by_a_fast_way(is_client: bool, part: bytes, opcode: int) -> None:
    mask = b"" if is_client else None
    parts = [(opcode, False), (CONTINUATION, False), (CONTINUATION, False), (CONTINUATION, True)]
    frames = [frame_bytes(each, part, is_final, mask=mask) for each, is_final in parts]
    data = part.decode() if opcode == TEXT else part
    reader = FrameReader(is_client, 1 << 20, 1 << 20, 100)
    reader.feed(b"".join(frames) * 2 + frames[0] + b"\x89")
    assert reader.whole_frames(16, 1 << 20) == []
    assert reader.fragments(3, 1 << 20) == [(each, data, is_final) for each, is_final in parts[:3]]
    assert not reader.is_exhausted
    assert reader.fragments(16, 0) == [(CONTINUATION, data, True)]
    assert reader.fragments(16, 1 << 20) == [(each, data, is_final) for each, is_final in [*parts, parts[0]]]
    assert reader.fragments(16, 1 << 20) == []
    reader.feed(b"\0" if is_client else b"\x80" + bytes(4))
    assert reader.next_frame() == (PING, b"", True)
    reader.feed(frames[3] + bytes(frames[1][:1]))
    assert reader.fragments(16, 1 << 20) == [(CONTINUATION, data, True)]
    assert not reader.is_exhausted


def test_a_message_in_fragments_leaves_nothing_behind() -> None:
    reader = FrameReader(False, 1000, 1000, 100)
    reader.feed(frame_bytes(TEXT, b"ab", False))
    assert len(reader.fragments(16, 1000)) == 1
    assert not reader.is_exhausted  # the rest is to come
    reader.feed(frame_bytes(CONTINUATION, b"bc"))
    assert len(reader.fragments(16, 1000)) == 1
    assert reader.is_exhausted
    assert reader._buffer == b""


def test_only_a_split_character_leaves_the_fast_way() -> None:
    reader = FrameReader(False, 1000, 1000, 100)
    euro = "€".encode()
    frames = [frame_bytes(TEXT, b"abc" + euro[:1], False)]
    frames += [frame_bytes(CONTINUATION, euro[1:] + b"abc", False), frame_bytes(CONTINUATION, b"abc")]
    reader.feed(b"".join(frames))
    assert reader.fragments(16, 1000) == []
    assert reader.next_frame() == (TEXT, "abc", False)
    assert reader.fragments(16, 1000) == []
    assert reader.next_frame() == (CONTINUATION, "€abc", False)
    assert reader.fragments(16, 1000) == [(CONTINUATION, "abc", True)]


def test_what_was_read_is_let_go_of() -> None:
    reader = FrameReader(False, 1000, 1000, 100)
    data = TEXT_OF_10 * 10_000
    reader.feed(data)
    assert len(reader.whole_frames(10_000, len(data))) == 10_000
    assert reader._buffer == b""


def test_a_client_takes_no_masked_frames() -> None:
    reader = FrameReader(True, 1000, 1000, 100)
    reader.feed(TEXT_OF_10)
    assert reader.whole_frames(16, 1000) == []


def test_a_client_takes_no_masked_text() -> None:
    assert FrameReader(True, 1000, 1000, 100).lone_frame(b"\x81\x81\x00\x00\x00\x00a") is None


@given(st.data(), roles, st.sampled_from([100, 200, 1000, 1 << 20]), st.booleans())
def test_any_stream_is_read_by_the_fast_ways_as_by_the_general_way(
    data: st.DataObject, role: Role, limit: int, reads_messages: bool
) -> None:
    pieces = data.draw(chunks(data.draw(byte_streams(role))))
    assert_read_alike(role, pieces, (limit, 2 * limit, 3), reads_messages)


def assert_read_alike(role: Role, pieces: list[bytes], limits: tuple[int, int, int], reads_messages: bool) -> None:
    """Fail unless the fast ways read as the general way; where messages are read, fragments may be joined."""

    def outcome(frames_of: Callable[[FrameReader, bytes], Iterator[Frame]]) -> Outcome:
        reader = FrameReader(role.is_client, *limits, role.new_deflate())
        reader.reads_messages = reads_messages
        outcome: Outcome = []
        try:
            for piece in filter(None, pieces):
                outcome.extend(frames_of(reader, piece))
        except FrameError as error:
            outcome.append((int(error.code), str(error)))
        return outcome

    by_fast_ways, by_general_way = outcome(frames_in), outcome(all_next_frames)
    if reads_messages:
        assert joined(by_fast_ways) == joined(by_general_way)
    else:
        assert by_fast_ways == by_general_way


@st.composite
def large_messages(draw: st.DrawFn, role: Role) -> tuple[bytes, int, int]:
    """A message in fragments that are mostly alike, perhaps with something wrong in it; its size; how many they are."""
    size, count = draw(st.sampled_from([126, 127, 200, 1000])), draw(st.integers(2, 40))
    unit = draw(st.sampled_from(["a", "ä", "€a", "😀", "a" * 500 + "ä"])).encode()
    payload = bytearray((unit * (size * count // len(unit) + 1))[: size * count])
    if draw(st.sampled_from([False, False, True])):
        payload[draw(st.integers(0, len(payload) - 1))] = 0xFF
    opcode = draw(st.sampled_from([TEXT, TEXT, BINARY]))
    mask = b"" if role.is_client else role.mask
    edges = [0, *draw(st.sampled_from([[], [1]])), *range(size, len(payload) + 1, size)]
    frames = [
        frame_bytes(CONTINUATION if start else opcode, bytes(payload[start:end]), end == len(payload), mask=mask)
        for start, end in pairwise(edges)
    ]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        odd = draw(
            st.sampled_from(
                [
                    frame_bytes(CONTINUATION, b"b" * 300, False, mask=mask),
                    frame_bytes(CONTINUATION, b"", False, mask=mask),
                    frame_bytes(PING, b"", mask=mask),
                    frame_bytes(TEXT, b"c" * size, False, mask=mask),
                ]
            )
        )
        frames.insert(draw(st.integers(0, len(frames))), odd)
    return b"".join(frames), len(payload), count


@given(st.data(), roles, st.booleans())
def test_large_messages_are_read_by_the_fast_ways_as_by_the_general_way(
    data: st.DataObject, role: Role, reads_messages: bool
) -> None:
    stream, size, count = data.draw(large_messages(role))
    limits = (
        data.draw(st.sampled_from([1 << 20, 1000, 999, 199])),
        size + data.draw(st.sampled_from([1 << 20, 1000, 1, 0, -1, -200])),
        max(1, count + data.draw(st.sampled_from([100, 1, 0, -1, -3, -10]))),
    )
    assert_read_alike(role, data.draw(chunks(stream)), limits, reads_messages)


def test_large_fragments_are_joined_where_messages_are_read() -> None:
    reader = FrameReader(False, 1 << 20, 1 << 20, 100)
    reader.reads_messages = True
    first, last = frame_bytes(TEXT, b"a" * 200, False), frame_bytes(CONTINUATION, b"c" * 200)
    middle = frame_bytes(CONTINUATION, "€".encode() * 66 + "€".encode()[:2], False)
    rest = frame_bytes(CONTINUATION, "€".encode()[2:] + b"b" * 199, False)
    reader.feed(first)
    assert reader.fragments(16, 65536) == [(TEXT, "a" * 200, False)]
    reader.feed((middle + rest) * 3 + middle)
    assert reader.fragments(16, 65536) == [(CONTINUATION, ("€" * 67 + "b" * 199) * 3 + "€" * 66, False)]
    reader.feed(rest + last)
    assert reader.fragments(16, 65536) == []
    assert reader.next_frame() == (CONTINUATION, "€" + "b" * 199, False)
    assert reader.fragments(16, 65536) == [(CONTINUATION, "c" * 200, True)]
    assert reader.is_exhausted


def test_a_character_that_does_not_end_behind_joined_fragments_is_found() -> None:
    reader = FrameReader(False, 1 << 20, 1 << 20, 100)
    reader.reads_messages = True
    reader.feed(frame_bytes(TEXT, b"abc", False))
    assert reader.fragments(16, 65536) == [(TEXT, "abc", False)]
    part = frame_bytes(CONTINUATION, "€".encode()[2:] + b"a" * 197 + "€".encode()[:2], False)
    first = frame_bytes(CONTINUATION, b"a" * 198 + "€".encode()[:2], False)
    reader.feed(first + part + frame_bytes(CONTINUATION, b"bbb", False))
    assert reader.fragments(16, 65536) == [(CONTINUATION, "a" * 198 + "€" + "a" * 197, False)]
    assert reader.fragments(16, 65536) == []
    with pytest.raises(FrameError, match="not UTF-8"):
        reader.next_frame()


def test_frames_that_are_alike_and_too_large_are_not_taken() -> None:
    reader = FrameReader(False, 199, 1 << 20, 100)
    reader.feed(frame_bytes(BINARY, b"abc", False) + frame_bytes(CONTINUATION, b"a" * 200, False) * 5)
    assert reader.fragments(16, 65536) == [(BINARY, b"abc", False)]
    assert reader.fragments(16, 65536) == []
    with pytest.raises(FrameError, match="more than 199 bytes"):
        reader.next_frame()


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """The payload of a compressed message, perhaps of several streams, perhaps with something wrong in it."""
    out = b""
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3, 17]))):
        compressor = zlib.compressobj(6, zlib.DEFLATED, -draw(st.sampled_from([9, 15])))
        end = draw(st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH]))
        out += compressor.compress(draw(st.sampled_from([b"", b"a", b"Hello", bytes(300), b"no two" * 60])))
        out += compressor.flush(end)
    out = out.removesuffix(b"\0\0\xff\xff")[: draw(st.sampled_from([None] * 6 + [1, 3, 10]))]
    return out + draw(st.sampled_from([b""] * 6 + [b"\0", b"\x03\0", b"\0\0\xff\xff", b"\xff" * 5]))


@given(st.lists(payloads(), max_size=4), st.sampled_from([100, 299, 300, 1 << 20]), st.booleans())
def test_a_message_is_inflated_in_one_step_as_in_parts(messages: list[bytes], limit: int, keeps_context: bool) -> None:
    def in_parts(inflater: Inflater, payload: bytes) -> bytes:
        inflater.begin_frame()
        return inflater.inflate(payload) + inflater.end_message()

    def outcome(inflate: Callable[[Inflater, bytes], bytes]) -> list[bytes | tuple[int, str]]:
        inflater = Inflater(15, keeps_context, limit)
        outcome: list[bytes | tuple[int, str]] = []
        try:
            outcome.extend(inflate(inflater, payload) for payload in messages)
        except FrameError as error:
            outcome.append((int(error.code), str(error)))
        return outcome

    ours, theirs = outcome(Inflater.inflate_message), outcome(in_parts)
    if ours != theirs:  # one that is too long, and damaged behind that: either may be told
        assert ours[:-1] == theirs[:-1]
        assert {result[0] for result in (ours[-1], theirs[-1])} == {CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG}
