"""Reading frames as a connection does."""

from __future__ import annotations

from collections.abc import Iterator

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import TEXT, Frame
from perfectws.websocket.options import READ_AHEAD_BYTES, READ_AHEAD_FRAMES


def frames_in(reader: FrameReader, data: bytes) -> Iterator[Frame]:
    """Yield each frame that ``data`` completes, the fast ways tried first. Raises `FrameError`."""
    if (text := reader.lone_text(data)) is not None:
        yield (TEXT, text, True)
        return
    reader.feed(data)
    while not reader.is_exhausted:
        if whole := reader.whole_frames(READ_AHEAD_FRAMES, READ_AHEAD_BYTES):
            yield from whole
        elif (frame := reader.next_frame()) is not None:
            yield frame
        else:
            return
