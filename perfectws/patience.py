"""How long a peer may take for what was sent to it: as long as it gets on with it.

What bounds a peer is progress, not time: one that reads slowly but steadily is served to the end, one that takes
nothing for so many seconds is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .callbacks import CallbackLoop, CallbackOwner, Timer

#: How long after one look the next is taken while something is on its way, in parts of the peer's time: the first once
#: nearly every peer has all, and most connections are over, since a look costs two system calls; then each after twice
#: as long, up to the longest.
FIRST_LOOK, LONGEST_LOOK = 2**-10, 1 / 4


class Sending(Protocol):
    """What something is sent by: a transport."""

    def unsent_amount(self) -> int:
        """Return how many bytes were written that the peer has not acknowledged, as far as can be told."""

    def progress(self) -> int:
        """Return a number that changes as the peer takes what was sent."""


class Patience:
    """Calls when a peer has taken nothing of what was sent to it for a while, or has been silent since it had it all.

    Args:
        loop: The loop whose clock counts.
        owner: Whose callback it is.
        transport: What the peer is sent by.
        seconds: How long it may take nothing.
        given_up: What to call then.
        ends_when_sent: Whether there is nothing more to wait for once the peer has all.

    Calls back: ``given_up()`` from the loop's queue, once, unless it is cancelled before.
    """

    __slots__ = (
        "_deadline",
        "_ends_when_sent",
        "_gap",
        "_given_up",
        "_loop",
        "_owner",
        "_progress",
        "_seconds",
        "_timer",
        "_transport",
    )

    def __init__(
        self,
        loop: CallbackLoop,
        owner: CallbackOwner,
        transport: Sending,
        seconds: float,
        given_up: Callable[[], object],
        *,
        ends_when_sent: bool = False,
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._transport: Sending | None = transport
        self._seconds = seconds
        self._given_up: Callable[[], object] | None = given_up
        self._ends_when_sent = ends_when_sent
        self._deadline = loop.time() + seconds
        self._gap = seconds * FIRST_LOOK
        self._progress: int | None = None
        self._timer: Timer | None = loop.call_later(owner, self._gap, self._look)

    @property
    def is_over(self) -> bool:
        """Whether it waits for nothing any more."""
        return self._given_up is None

    def begin_anew(self, given_up: Callable[[], object]) -> None:
        """Wait as long again, and call ``given_up()`` then instead. To be called before it is over."""
        self._given_up = given_up
        self._deadline = self._loop.time() + self._seconds
        self._progress = None  # what was taken before does not count

    def cancel(self) -> None:
        """Wait no longer, and let go of what would have been called. Harmless when it is over."""
        self._given_up = self._transport = None
        self._owner = self._loop.owner
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> object:
        self._timer = None
        if self._transport is None:
            return None
        now, unsent, progress = self._loop.time(), self._transport.unsent_amount(), self._transport.progress()
        if self._progress is not None and progress != self._progress:
            self._deadline = now + self._seconds
        self._progress = progress
        if not unsent and self._ends_when_sent:
            self.cancel()
        elif now >= self._deadline:
            return self._give_up()
        else:
            left = self._deadline - now
            self._timer = self._loop.call_later(self._owner, min(left, self._gap) if unsent else left, self._look)
            self._gap = min(2 * self._gap, self._seconds * LONGEST_LOOK)
        return None

    def _give_up(self) -> object:
        given_up = self._given_up
        self.cancel()
        return None if given_up is None else given_up()


class Watch:
    """Calls when a peer has taken nothing of what was sent to it for a while, whenever that is, until it is cancelled.

    Nobody tells it that something was sent, so it costs nothing per message: it looks now and then whether anything is
    on its way, which takes up to a quarter of the peer's time longer. A `Patience` judges from then on.

    Args:
        loop, owner, transport, seconds, given_up: As for `Patience`.

    Calls back: ``given_up()`` from the loop's queue, once, unless it is cancelled before.
    """

    __slots__ = ("_given_up", "_loop", "_owner", "_patience", "_seconds", "_timer", "_transport")

    def __init__(
        self,
        loop: CallbackLoop,
        owner: CallbackOwner,
        transport: Sending,
        seconds: float,
        given_up: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._transport = transport
        self._seconds = seconds
        self._given_up = given_up
        self._patience: Patience | None = None
        self._timer = self._look_later()

    def cancel(self) -> None:
        """Watch no longer. Harmless when it is over."""
        self._timer.cancel()
        if self._patience is not None:
            self._patience.cancel()

    def _look_later(self) -> Timer:
        return self._loop.call_later(self._owner, self._seconds * LONGEST_LOOK, self._look)

    def _look(self) -> None:
        self._timer = self._look_later()
        if (self._patience is None or self._patience.is_over) and self._transport.unsent_amount():
            self._patience = Patience(
                self._loop, self._owner, self._transport, self._seconds, self._give_up, ends_when_sent=True
            )

    def _give_up(self) -> object:
        self._timer.cancel()
        return self._given_up()
