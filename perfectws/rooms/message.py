"""A room's message: the frames that say it to all members, each built once."""

from __future__ import annotations

from ..websocket.deflate import Compression
from ..websocket.frames import build_frame, payload_of
from ..websocket.socket import WebSocket


class RoomMessage:
    """A message on its way through a room.

    Args:
        frame: The frame that says it to all but those who compress.
        exclude: A member that is not to get it.
    """

    __slots__ = ("_deflated", "exclude", "frame")

    def __init__(self, frame: bytes, exclude: WebSocket | None) -> None:
        self.frame = frame
        self.exclude = exclude
        #: Each frame that `frame_for` has compressed, by level and window.
        self._deflated: dict[tuple[int, int], bytes] | None = None

    @property
    def payload(self) -> memoryview:
        """What it says."""
        return payload_of(self.frame)

    def frame_for(self, compression: Compression) -> bytes:
        """Return the frame that says it to all who compress so, before it is masked.

        It refers to no message before it, so that it serves whoever gets it, and is the same object for all. One that
        is short, or would not get shorter, is not compressed. Loops of several threads may ask: at worst each builds
        it.
        """
        if not compression.takes(self.payload):
            return self.frame
        if self._deflated is None:
            self._deflated = {}
        parameters = (compression.level, compression.window_bits)
        frame = self._deflated.get(parameters)
        if frame is None:
            frame = self._deflated[parameters] = self.compressed(compression.deflate(self.payload))
        return frame

    def compressed(self, deflated: bytes) -> bytes:
        """Return the frame with the payload compressed to ``deflated``, or the plain frame if that is not longer."""
        frame = bytes(build_frame(self.frame[0] & 0x0F, deflated, is_compressed=True))
        return frame if len(frame) < len(self.frame) else self.frame
