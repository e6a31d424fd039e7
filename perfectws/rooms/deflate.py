"""A room's messages, compressed once for all members that compress alike.

With context takeover a message may refer to those before it, as far as the peer's window holds them (RFC 7692
§7.2.3.2). All who were sent the room's last messages, and nothing else that was compressed, have the same in their
windows, so one frame that refers to these serves them all. Who came later, was left out, or was sent something of its
own, gets a frame that refers to nothing, again one for all; once as much was said as a frame may refer to, it is like
the others::

    history              ├──── what a frame may refer to ────┤ this turn's messages ┤
    a member in a row  ┄┄┴───────────────────────────────────┤ referring to it      ┤
    who came later                       ┄┄├─────────────────┤ referring to nothing ┤
"""

from __future__ import annotations

from typing import NamedTuple

from ..websocket.deflate import Compression
from .message import RoomMessage

#: The most bytes that a room's message may refer to: more costs time to be prepared for each, and saves little.
MAX_HISTORY = 4 * 1024
#: From so many times the history on, what is sent in a turn refers to nothing before it: it has enough in itself.
_ENOUGH = 4


class Joined(NamedTuple):
    """The frames of a turn's messages, joined.

    Attributes:
        frames: The frames.
        is_compressed: Whether any of them is compressed.
        is_gapless: Whether all are that enter the history, so that the peer's window holds it.
    """

    frames: bytes
    is_compressed: bool
    is_gapless: bool


class History:
    """The last that a room has said to those of its members that compress alike, and had it compressed.

    Args:
        compression: How they compress.

    Attributes:
        position: Stands for the moment: who was sent anything else that was compressed is told apart by it.
        content: The last bytes that were said.
        end: How many were said in all.
    """

    __slots__ = ("_size", "compression", "content", "end", "position")

    def __init__(self, compression: Compression) -> None:
        self.compression = compression
        self._size = min(1 << compression.window_bits, MAX_HISTORY) if compression.context_takeover else 0
        self.position = object()
        self.content = b""
        self.end = 0

    def turn(self, messages: list[RoomMessage]) -> DeflatedTurn:
        """Let a turn's messages enter the history, and return what compresses them."""
        payloads = [message.payload for message in messages if self.compression.takes(message.payload)]
        size = sum(map(len, payloads))
        content = self.content if size < _ENOUGH * self._size else b""
        start, before = self.end, self.position
        if size:
            self.end += size
            self.position = object()
            if self._size:
                self.content = b"".join((self.content, *(each[-self._size :] for each in payloads)))[-self._size :]
        return DeflatedTurn(messages, self, content, start, before)


class DeflatedTurn:
    """A turn's messages for those who compress alike, as far as members have asked for them.

    Args:
        messages: The messages.
        history: What was said before, and they have entered.
        content: What they may refer to.
        start: Where they begin in the history.
        before: Its position before them.

    Attributes:
        start, before: As above.
        position, end: The history's, behind them.
        first: From where on a member must have the history to be sent what refers to it.
    """

    __slots__ = (
        "_apart",
        "_compression",
        "_content",
        "_in_a_row",
        "_may_refer",
        "_messages",
        "before",
        "end",
        "first",
        "position",
        "start",
    )

    def __init__(
        self, messages: list[RoomMessage], history: History, content: bytes, start: int, before: object
    ) -> None:
        self._messages = messages
        self._compression = history.compression
        self._content = content
        #: Whether there is anything before a message that it may refer to.
        self._may_refer = history.compression.context_takeover and (bool(content) or len(messages) > 1)
        self._in_a_row: Joined | None = None
        self._apart: Joined | None = None
        self.start, self.before = start, before
        self.end, self.position = history.end, history.position
        self.first = start - len(content)

    def joined(self, known_from: int) -> Joined:
        """Return the frames for a member that has the history from there on."""
        if known_from <= self.first and self._may_refer:
            if self._in_a_row is None:
                self._in_a_row = self._join(self._compress_in_a_row())
            return self._in_a_row
        if self._apart is None:
            self._apart = self._join([message.frame_for(self._compression) for message in self._messages])
        return self._apart

    def _compress_in_a_row(self) -> list[bytes]:
        """Compress messages that may refer to those before them."""
        compression = self._compression
        compressor = compression.compressor(self._content)
        frames = []
        for message in self._messages:
            frame = message.frame
            if compression.takes(message.payload):
                frame = message.compressed(compression.deflate(message.payload, compressor))
                if frame is message.frame:
                    compressor = compression.compressor()  # it would refer to what the peers do not get
            frames.append(frame)
        return frames

    def _join(self, frames: list[bytes]) -> Joined:
        is_compressed = [frame is not message.frame for frame, message in zip(frames, self._messages, strict=True)]
        enters = [self._compression.takes(message.payload) for message in self._messages]
        return Joined(b"".join(frames), any(is_compressed), is_compressed == enters)
