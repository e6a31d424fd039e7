"""What the fast ways take is read as the general way reads it, and they take nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame, FrameError

from ..reading import frames_in

TEXT_OF_10 = b"\x81\x8a" + bytes(4) + b"0123456789"

#: What a server gets to see of one reading: a frame, why it was wrong, or nothing.
Outcome = list[Frame | tuple[int, str]]

lengths = st.sampled_from([0, 1, 2, 124, 125, 126, 127, 128, 200, 65535]) | st.integers(0, 400)


@st.composite
def segments(draw: st.DrawFn) -> bytes:
    """What may come in one segment: mostly one text frame, or nearly one."""
    size = draw(lengths)
    text = draw(st.sampled_from([b"a", "ä".encode(), b"\xff", b"\x00"])) * (size + 1)
    first = draw(st.sampled_from([0x81] * 6 + [0x01, 0x80, 0x82, 0x89, 0x8A, 0xC1, 0x91]))
    form = draw(st.sampled_from([7] * 6 + [16] * 3 + [64]))
    mask_bit = draw(st.sampled_from([0x80] * 9 + [0]))
    declared = max(0, size + draw(st.sampled_from([0] * 8 + [-1, 1, 7])))
    if form == 7 and declared > 125:
        form = 16
    field = b"" if form == 7 else declared.to_bytes(form // 8, "big") if declared < 1 << form else b"\xff\xff"
    second = mask_bit | (declared if form == 7 else 126 if form == 16 else 127)
    cut = draw(st.sampled_from([None] * 6 + [1, 2, 5, 6, 8, 20]))
    return (bytes((first, second)) + field + bytes(4) + text[:size])[:cut] + draw(
        st.sampled_from([b""] * 6 + [b"\x81"])
    )


def all_next_frames(reader: FrameReader, data: bytes) -> Iterator[Frame]:
    reader.feed(data)
    while (frame := reader.next_frame()) is not None:
        yield frame


def read(pieces: list[bytes], limit: int, *, fast: bool) -> Outcome:
    reader = FrameReader(False, limit, limit, 100)
    outcome: Outcome = []
    try:
        for piece in pieces:
            outcome.extend(frames_in(reader, piece) if fast else all_next_frames(reader, piece))
    except FrameError as error:
        outcome.append((int(error.code), str(error)))
    return outcome


reads = (segments() | st.lists(segments(), min_size=2, max_size=5).map(b"".join)).filter(bool)


@given(st.lists(reads, max_size=5), st.sampled_from([100, 125, 1000, 1 << 20]))
def test_the_fast_ways_read_as_the_general_way(pieces: list[bytes], limit: int) -> None:
    assert read(pieces, limit, fast=True) == read(pieces, limit, fast=False)


@pytest.mark.parametrize("form", [7, 16, 64])
@pytest.mark.parametrize("times", [1, 3])
def test_every_length_in_every_form_of_the_header_is_read_as_the_general_way(form: int, times: int) -> None:
    for size in range(126 if form == 7 else 300):
        second, field = (size, b"") if form == 7 else (126 if form == 16 else 127, size.to_bytes(form // 8, "big"))
        piece = (bytes((0x81, 0x80 | second)) + field + bytes(4) + b"a" * size) * times
        assert read([piece], 1 << 20, fast=True) == read([piece], 1 << 20, fast=False)


def test_whole_frames_are_no_more_than_asked_for() -> None:
    reader = FrameReader(False, 1000, 1000, 100)
    reader.feed(TEXT_OF_10 * 5)
    assert len(reader.whole_frames(2, 1000)) == 2
    assert len(reader.whole_frames(16, len(TEXT_OF_10))) == 2  # a further one begins at the limit, none behind it
    assert not reader.is_exhausted
    assert len(reader.whole_frames(16, 1000)) == 1
    assert reader.is_exhausted


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
    assert FrameReader(True, 1000, 1000, 100).lone_text(b"\x81\x81\x00\x00\x00\x00a") is None
