"""Reading frames as a connection does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame
from perfectws.websocket.opcodes import OpcodeType
from perfectws.websocket.options import READ_AHEAD_BYTES, READ_AHEAD_FRAMES


def all_next_frames(reader: FrameReader, data: bytes) -> Iterator[Frame]:
    """Yield each frame that ``data`` completes, by the general way only. Raises `FrameError`."""
    reader.feed(data)
    while (frame := reader.next_frame()) is not None:
        yield frame


def frames_in(reader: FrameReader, data: bytes) -> Iterator[Frame]:
    """Yield each frame that ``data`` completes, the fast ways tried first. Raises `FrameError`."""
    if (lone := reader.lone_frame(data)) is not None:
        yield lone
        return
    reader.feed(data)
    while not reader.is_exhausted:
        if several := reader.next_frames(READ_AHEAD_FRAMES, READ_AHEAD_BYTES):
            yield from several
        elif (frame := reader.next_frame()) is not None:
            yield frame
        else:
            return


def joined(frames: Iterable[Any]) -> list[Any]:
    """Return frames with the fragments of each message as one, where the first of them stood, as far as they came."""
    whole: list[Any] = []
    begun: int | None = None
    for frame in frames:
        opcode, data, final = frame if len(frame) == 3 else (OpcodeType.INVALID, b"", True)
        if opcode == OpcodeType.CONTINUATION and begun is not None:
            first, before, _ = whole[begun]
            whole[begun] = (first, before + data, final)
        else:
            if opcode < OpcodeType.CLOSE:
                begun = len(whole)
            whole.append(frame)
        if final and opcode < OpcodeType.CLOSE:
            begun = None
    return whole
