"""A text that comes alone is read as the general way reads it, and nothing else is taken for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfectws.websocket.frames import Frame, FrameError, FrameReader
from perfectws.websocket.opcodes import OpcodeType

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


def read(pieces: list[bytes], limit: int, *, by_itself: bool) -> Outcome:
    reader = FrameReader(False, limit, limit, 100)
    outcome: Outcome = []
    try:
        for piece in pieces:
            text = reader.lone_text(piece) if by_itself else None
            if text is not None:
                outcome.append((OpcodeType.TEXT, text, True))
                continue
            reader.feed(piece)
            while (frame := reader.next_frame()) is not None:
                outcome.append(frame)
    except FrameError as error:
        outcome.append((int(error.code), str(error)))
    return outcome


@given(st.lists(segments().filter(bool), max_size=5), st.sampled_from([100, 125, 1000, 1 << 20]))
def test_a_text_by_itself_is_read_as_any_other_way(pieces: list[bytes], limit: int) -> None:
    assert read(pieces, limit, by_itself=True) == read(pieces, limit, by_itself=False)


def test_a_client_takes_no_masked_text() -> None:
    assert FrameReader(True, 1000, 1000, 100).lone_text(b"\x81\x81\x00\x00\x00\x00a") is None
