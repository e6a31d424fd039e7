"""Pings and their pongs: which pong answers what, and which peers are dead.

Where no pong is waited for, a peer is dead that takes nothing of what is sent to it, for ``write_timeout``.

Source: RFC 6455 §5.5.2 and §5.5.3: a pong carries the payload of the ping that it answers, and answers older pings too.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from os import urandom

from ..callbacks import CallbackLoop, Timer
from ..patience import Watch
from .contract import Connection
from .opcodes import OpcodeType

#: The most pings remembered for one socket. A peer that answers none of so many will not answer the older ones.
MAX_UNANSWERED_PINGS = 1000
#: Seconds that the pong to a probe may take: it is only asked for when the peer is likely to be gone.
PROBE_TIMEOUT = 3.0


class PingOrigin(Enum):
    """Where a ping that a pong answers came from."""

    KEEPALIVE = 0
    APPLICATION = 1


class Keepalive:
    """The unanswered pings of one connection, and the timer that sends and judges ours.

    One timer serves both. It costs nothing per message: only pings and pongs touch it.

    Args:
        connection: The connection.
        loop: Where it lives.
        interval: As below.
        timeout: Seconds that a pong may take; ``None`` judges nobody by pongs.
        write_timeout: Seconds that a peer that is not judged by pongs may take nothing of what waits for it; ``None``
            for ever.

    Attributes:
        interval: Seconds between pings, ``None`` for none.
    """

    __slots__ = (
        "_connection",
        "_loop",
        "_missing",
        "_next_ping_at",
        "_progress",
        "_timeout",
        "_timer",
        "_unanswered",
        "_verdict_at",
        "_watch",
        "_write_timeout",
        "interval",
        "was_reading_paused",
    )

    def __init__(
        self,
        connection: Connection,
        loop: CallbackLoop,
        interval: float | None,
        timeout: float | None,
        write_timeout: float | None = None,
    ) -> None:
        self._connection = connection
        self._loop = loop
        self.interval = interval
        self._timeout = timeout
        self._write_timeout = write_timeout
        #: What judges the peer where pongs do not.
        self._watch: Watch | None = None
        self._timer: Timer | None = None
        self._next_ping_at = 0.0
        #: When the connection is given up, unless our ping is answered before; ``None`` while no ping of ours is out.
        self._verdict_at: float | None = None
        #: How much of a frame was still to come when this was last looked at.
        self._missing = 0
        self._progress = 0
        #: Whether reading was paused since this was last looked at.
        self.was_reading_paused = False
        self._unanswered: deque[tuple[bytes, PingOrigin]] | None = None

    def start(self) -> None:
        """Begin to ping and to judge, or begin anew after `interval` was changed."""
        if self._timer is not None or self._watch is not None:
            self.stop()
        if self.interval is not None:
            self._timer = self._loop.call_later(self._connection, self.interval, self._tick)
            self._next_ping_at = self._timer.when
        if self._write_timeout is not None and (self.interval is None or self._timeout is None):
            self._watch = Watch(self._loop, self._connection, self._connection, self._write_timeout, self._took_nothing)

    def _took_nothing(self) -> None:
        self._connection.drop(f"the peer took nothing for {self._write_timeout} seconds")

    def probe(self) -> None:
        """Ping at once, and give the peer `PROBE_TIMEOUT` to answer, unless pongs judge nobody."""
        if self.interval is None or self._timeout is None:
            return
        now = self._loop.time()
        self._send_ping(now)
        verdict_at = now + min(self._timeout, PROBE_TIMEOUT)
        self._verdict_at = verdict_at if self._verdict_at is None else min(self._verdict_at, verdict_at)
        if self._timer is not None:
            self._timer.cancel()
        self._set_timer()

    def stop(self) -> None:
        """Ping no more, and judge nobody."""
        self._verdict_at = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def outlive(self, ended: Connection) -> None:
        """Ask ``ended`` from now on: the connection is over, and its end was told."""
        self._connection = ended

    def ping_sent(self, payload: bytes, origin: PingOrigin) -> None:
        """Remember a ping that was sent."""
        if self._unanswered is None:
            self._unanswered = deque(maxlen=MAX_UNANSWERED_PINGS)
        self._unanswered.append((payload, origin))

    def pong_received(self, payload: bytes) -> PingOrigin | None:
        """Return where the ping that a pong answers came from: ``None`` if it answers none.

        It is the application's, if the pong answers one of its own among others.

        Of several pings with the same payload it answers the oldest, and with it all that are older still.
        """
        unanswered = self._unanswered
        if unanswered is None:
            return None
        position = next((index for index, ping in enumerate(unanswered) if ping[0] == payload), None)
        if position is None:
            return None
        answered = [unanswered.popleft()[1] for _ in range(position + 1)]
        if not unanswered:
            self._unanswered = None  # an empty deque is 760 bytes that an idle socket need not have
        # One of ours that is no longer remembered was older than all that are.
        if PingOrigin.KEEPALIVE in answered or all(origin is not PingOrigin.KEEPALIVE for _, origin in unanswered):
            self._verdict_at = None
        return PingOrigin.APPLICATION if PingOrigin.APPLICATION in answered else PingOrigin.KEEPALIVE

    def _set_timer(self) -> None:
        if not self._connection.is_connected:
            return  # it has just ended: what rooms had for it went out ahead of the ping, and was too much
        due = self._next_ping_at if self._verdict_at is None else min(self._next_ping_at, self._verdict_at)
        self._timer = self._loop.call_later(self._connection, due - self._loop.time(), self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self.interval is None or not self._connection.is_connected:
            return
        now = self._loop.time()
        if self._verdict_at is not None and now >= self._verdict_at:
            if not (self._could_not_answer() or self._got_on()):
                self._connection.drop("no pong came in time")
                return
            self._verdict_at = now + (self._timeout or 0)
        if now >= self._next_ping_at:
            self._send_ping(now)
        self._set_timer()

    def _send_ping(self, now: float) -> None:
        assert self.interval is not None
        self._next_ping_at = now + self.interval
        payload = urandom(4)
        self.ping_sent(payload, PingOrigin.KEEPALIVE)
        self._connection.send_control(OpcodeType.PING, payload)
        if self._timeout is not None and self._verdict_at is None:
            self._verdict_at = now + self._timeout
            self._progress = self._connection.progress()

    def _got_on(self) -> bool:
        """Tell whether the peer has taken anything of what was sent since this was last asked: it reads, if slowly.

        While it is still to take what was sent before our ping, it cannot answer it.
        """
        before, self._progress = self._progress, self._connection.progress()
        return self._progress != before and self._connection.unsent_amount() > 0

    def _could_not_answer(self) -> bool:
        """Tell whether a pong may be on its way that a living peer could not get through to us.

        While the application reads slowly we do not read at all; and a pong cannot overtake the rest of a long frame.
        """
        missing, self._missing = self._missing, self._connection.missing
        was_paused, self.was_reading_paused = self.was_reading_paused, self._connection.is_reading_paused
        if self._missing > 0 and self._missing != missing:
            return True
        # While we do not read, the kernel tells whether the peer is there: it has taken our ping.
        return (was_paused or self.was_reading_paused) and self._connection.unsent_amount() == 0
