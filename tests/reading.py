"""Reading frames as a connection does."""

from __future__ import annotations

from collections.abc import Iterator

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame
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
