"""Frames are the same wherever the bytes are cut, and hold what was sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame
from perfectws.websocket.opcodes import OpcodeType

from ..reading import frames_in
from .streams import Message, Role, chunks, conversations, encode, roles

LARGE = 1 << 30


def read(role: Role, pieces: list[bytes]) -> list[Frame]:
    reader = FrameReader(role.is_client, LARGE, LARGE, LARGE, role.new_deflate())
    frames: list[Frame] = []
    for piece in pieces:
        frames += frames_in(reader, piece)
    assert reader.missing == 0
    return frames


def whole_messages(frames: list[Frame]) -> list[str | bytes]:
    """Put data frames together."""
    messages: list[str | bytes] = []
    parts: list[str | bytes] = []
    for opcode, payload, is_final in frames:
        if opcode >= OpcodeType.CLOSE:
            continue
        assert (opcode is OpcodeType.CONTINUATION) == bool(parts)
        parts.append(payload)
        if is_final:
            messages.append("".join(parts) if isinstance(payload, str) else b"".join(parts))  # type: ignore[arg-type]
            parts = []
    assert not parts
    return messages


def controls_of(message: Message) -> list[tuple[int, bytes]]:
    """Return the control frames of a message that are sent, in order: as many as it has fragments."""
    return list(message.controls)[::-1][: len(message.cuts) + 1]


@given(st.data(), roles)
def test_a_stream_gives_the_same_frames_wherever_it_is_cut(data: st.DataObject, role: Role) -> None:
    stream = encode(role, data.draw(conversations(role)))
    assert read(role, data.draw(chunks(stream))) == read(role, [stream])


@given(st.data(), roles)
def test_frames_hold_the_messages_and_control_frames_that_were_sent(data: st.DataObject, role: Role) -> None:
    messages = data.draw(conversations(role))
    frames = read(role, data.draw(chunks(encode(role, messages))))
    assert whole_messages(frames) == [message.payload for message in messages]
    controls = [(opcode, payload) for opcode, payload, _ in frames if opcode >= OpcodeType.CLOSE]
    assert controls == [control for message in messages for control in controls_of(message)]
