"""`Input`: what a connection has received and not consumed yet."""

from __future__ import annotations

import re

#: Where a head ends. RFC 9112 §2.2: "a recipient MAY recognize a single LF as a line terminator"; h11 does.
_BLANK_LINE = re.compile(rb"\n\r?\n")
_END = b"\r\n\r\n"


class Input(bytearray):
    """Received bytes in the order in which they came, which is the order in which they are consumed.

    They come in at the end, by ``+=``, and leave at the front; what was taken and not used goes back to the front. So
    no byte overtakes another, whatever waits meanwhile.
    """

    __slots__ = ("_searched",)

    def __init__(self) -> None:
        self._searched = 0  # how much of it holds no end of a head

    def first_look(self) -> bytes | None:
        """Return what ends with the first blank line, if nobody has looked for it before and its lines end with CRLF.

        It stays here. ``None`` says nothing; nor need it be a head, since another blank line may come before.
        """
        if self._searched:
            return None
        end = self.find(_END)
        if end == len(self) - len(_END):
            return bytes(self)
        return None if end < 0 else bytes(self[: end + len(_END)])

    def cut_head(self) -> bytes | None:
        """Take a request's head, from its first line to its blank line; ``None`` if it is not here as a whole.

        Empty lines before it are dropped. RFC 9112 §2.2: "SHOULD ignore at least one empty line (CRLF) received prior
        to the request-line."
        """
        if self.startswith((b"\r", b"\n")):
            del self[: len(self) - len(self.lstrip(b"\r\n"))]
        match = _BLANK_LINE.search(self, self._searched)
        if match is None:
            # A blank line has three bytes at most, and the input does not begin with one.
            self._searched = max(1, len(self) - 2) if self else 0
            return None
        self._searched = 0
        end = match.end()
        head = bytes(self[:end])
        del self[:end]
        return head

    def take(self) -> bytes:
        """Take all that is here."""
        data = bytes(self)
        self.clear()
        return data

    def drop(self, count: int) -> None:
        """Let go of the first bytes, which were looked at."""
        del self[:count]

    def put_back(self, rest: bytes) -> None:
        """Take back the end of what was taken last: it comes before all that has arrived since."""
        self[:0] = rest
