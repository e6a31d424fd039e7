"""A transport that counts what is written to it: so that it can be told what of it the kernel never took."""

from __future__ import annotations

from typing import Any

from ..transport import DialedTransport, Parts


class CountedTransport:
    """Counts what is written through it; all else the other transport does itself.

    Only a client that reconnects has one: the others need not pay for the count.

    Args:
        transport: What moves the bytes.

    Attributes:
        written: How many bytes were written, but for those that were discarded.
    """

    __slots__ = ("_cut", "_transport", "written")

    def __init__(self, transport: DialedTransport) -> None:
        self._transport = transport
        self.written = 0
        #: Where the output ended when some of it was discarded: what was written since takes the place of that.
        self._cut: int | None = None

    @property
    def taken(self) -> int:
        """How many bytes, from the first, are with the kernel."""
        transport = self._transport
        taken = self.written - transport.buffered_amount - transport.abandoned_amount
        return taken if self._cut is None else min(taken, self._cut)

    @property
    def buffered_amount(self) -> int:
        """Bytes written that are not yet with the kernel."""
        return self._transport.buffered_amount

    def write(self, data: bytes | Parts) -> None:
        """Send ``data``, and count it."""
        before = self._transport.buffered_amount
        self._transport.write(data)
        self.written += self._transport.buffered_amount - before  # nothing, once it is closed

    def write_at_once(self, data: bytes) -> int:
        """Send ``data`` at the end of the turn, and count it."""
        self.write(data)
        return 0

    def discard_unsent(self) -> None:
        """Forget what has not begun."""
        before = self._transport.buffered_amount
        self._transport.discard_unsent()
        self.written -= before - self._transport.buffered_amount
        self._cut = self.written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
