"""`RatedConnection`: a WebSocket whose peer may send only so fast (``message_rate``).

Past that nothing is lost: reading pauses until there is an allowance again, and TCP holds the peer back. Where nothing
limits a peer, its connection is a plain `WebSocketConnection`, and does not know of this.
"""

from __future__ import annotations

from collections.abc import Callable

from ..callbacks import Timer
from .connection import State, WebSocketConnection
from .deflate import Deflate
from .frame_reader import FrameReader
from .message_rate import Allowance, RatedFrameReader, rate_of
from .options import WebSocketOptions


class RatedConnection(WebSocketConnection):
    """The protocol object of one WebSocket with a ``message_rate``."""

    __slots__ = ("_allowance", "_on_rate_limited", "_rated", "_timer")

    def _make_reader(self, deflate: Deflate | None) -> FrameReader:
        options = self._options
        assert options.message_rate is not None
        self._timer: Timer | None = None
        self._on_rate_limited: Callable[..., object] | None = None
        self._allowance = Allowance(rate_of(options.message_rate), self._loop.time)
        self._rated = RatedFrameReader(
            self._allowance,
            self._is_client,
            options.max_frame_size,
            options.max_message_size,
            options.max_fragments,
            deflate,
        )
        return self._rated

    def set_on_rate_limited(self, callback: Callable[..., object]) -> None:
        """Call ``callback(socket)`` each time that the peer begins to send faster than it may."""
        self._on_rate_limited = callback

    def _input_read(self) -> None:
        """Go on when all that arrived is read, or all that may come now."""
        if not self._rated.is_withholding:
            super()._input_read()
        elif self._state is State.CLOSING:
            # The peer's close frame may be behind what is withheld, for which there is no time any more.
            self._rated.skip_messages()
            self.inbox.end()
            self.read_frames()
        else:
            self._withhold()

    def _withhold(self) -> None:
        self._pause_reading()
        if self._timer is None:
            self._timer = self._loop.call_later(self, self._allowance.seconds_to_wait(), self._read_on)
        if not self._allowance.is_exceeded:
            self._allowance.is_exceeded = True
            self._loop.call(self, self._tell_rate_limited)

    def _read_on(self) -> None:
        self._timer = None
        self.read_frames()

    def _tell_rate_limited(self) -> object:
        """Tell the application, which may have set the callback since: what came early belongs to it (law 9)."""
        return None if self._on_rate_limited is None else self._on_rate_limited(self.socket)

    def _close_input(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._on_rate_limited = None  # which may refer to the socket
        super()._close_input()


def connection_class(options: WebSocketOptions) -> type[WebSocketConnection]:
    """Return the class of a connection with these options."""
    return WebSocketConnection if options.message_rate is None else RatedConnection
