"""`FrameReader`: what it makes of any bytes, cut anywhere, within its limits.

The first bytes say who reads, within which limits, and where the rest is cut, which is what the peer sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame, FrameError
from perfectws.websocket.opcodes import OpcodeType

from ..properties.streams import Role
from ..properties.wsproto_differences import compare
from ..reading import all_next_frames, frames_in, joined
from .data import Data, cut

#: (max_frame_size, max_message_size, max_fragments)
LIMITS = [(1 << 20, 1 << 20, 4096), (100, 200, 3), (125, 125, 2), (1000, 300, 5), (70_000, 140_000, 8), (1, 1, 1)]

#: The longest header that may wait for its end.
HEADER = 14

FramesOf = Callable[[FrameReader, bytes], Iterator[Frame]]


@dataclass(frozen=True)
class Setting:
    """Who reads, and within which limits."""

    role: Role
    limits: tuple[int, int, int]
    reads_messages: bool

    @classmethod
    def of(cls, data: Data) -> Setting:
        bits = data.number()
        role = Role(is_client=bool(bits & 1), mask=b"\x01\x02\x03\x04", with_deflate=bool(bits & 2))
        return cls(role, data.choice(LIMITS), bool(bits & 4))

    def new_reader(self) -> FrameReader:
        reader = FrameReader(self.role.is_client, *self.limits, self.role.new_deflate())
        reader.reads_messages = self.reads_messages
        return reader

    def as_seen(self, frames: list[Frame]) -> list[Frame]:
        """Return frames as a session sees them: where it reads messages, in how many a message came is not told."""
        return joined(frames) if self.reads_messages else frames


def target(data: bytes) -> None:
    """Read what a peer sends in several ways, and compare."""
    source = Data(data)
    setting, places = Setting.of(source), source.places()
    stream = source.rest()
    pieces = cut(stream, places)
    outcome = read(setting, pieces, frames_in)
    assert outcome == read(setting, pieces, all_next_frames), "a fast way reads otherwise"
    assert outcome == read(setting, [stream] if stream else [], frames_in), "another cut is read otherwise"
    compare(setting.role, pieces)


def read(setting: Setting, pieces: Sequence[bytes], frames_of: FramesOf) -> tuple[list[Frame], tuple[int, str] | None]:
    """Return the frames, and what was wrong. Fails if a limit is passed."""
    reader, limits = setting.new_reader(), Limits(setting)
    frames: list[Frame] = []
    try:
        for piece in pieces:
            for frame in frames_of(reader, piece):
                limits.check(frame)
                frames.append(frame)
            limits.check_buffered(reader)
    except FrameError as error:
        return setting.as_seen(frames), (int(error.code), str(error))
    return setting.as_seen(frames), None


class Limits:
    """Counts what a reader gives, by itself."""

    def __init__(self, setting: Setting) -> None:
        self.max_frame_size, self.max_message_size, self.max_fragments = setting.limits
        self.reads_messages = setting.reads_messages
        self.size = self.count = 0

    def check(self, frame: Frame) -> None:
        opcode, payload, is_final = frame
        size = len(payload.encode() if isinstance(payload, str) else payload)
        if opcode >= OpcodeType.CLOSE:
            assert size <= 125
            return
        self.size += size
        self.count += 1
        if not self.reads_messages:  # else some may be joined
            # A character that is split across frames comes with the one that ends it.
            assert size <= self.max_frame_size + 3, "a frame is larger than may be"
        else:
            assert self.size <= self.max_message_size, "a message is larger than may be"
            assert self.count <= self.max_fragments, "a message has more frames than it may"
        if is_final:
            self.size = self.count = 0

    def check_buffered(self, reader: FrameReader) -> None:
        """Fail if more waits than one frame."""
        assert len(reader._buffer) - reader._position <= HEADER + 125, "more waits than a header"
        held = reader._payload
        assert held is None or held.length <= max(self.max_frame_size, 125)
