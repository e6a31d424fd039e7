"""What a server does at a moment: its figures as numbers per second, and its rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import Any

from perfectws import Room, ServerFigures

#: A member is slow for whom so many bytes wait.
SLOW = 64 * 1024
#: How many rooms are told of: those with the most members.
MOST_ROOMS = 20

#: What is told as it is at the moment.
LEVELS = ("connections", "web_sockets", "rooms", "members", "workers", "uptime", "callback_errors", "drops", "refused")
#: What is told per second.
RATES = ("messages_received", "messages_sent", "bytes_received", "bytes_sent", "requests", "accepted")


class Sampler:
    """Takes samples, each of the time since the one before it.

    Args:
        figures: Returns the server's figures.
        rooms: Returns its rooms, those of this process.
    """

    def __init__(self, figures: Callable[[], ServerFigures], rooms: Callable[[], Iterable[Room]]) -> None:
        self._figures = figures
        self._rooms = rooms
        self._last: ServerFigures | None = None
        self._taken = 0.0

    def begin(self) -> None:
        """Count from now on."""
        self._last, self._taken = self._figures(), monotonic()

    def take(self) -> dict[str, Any]:
        """Return a sample: numbers by name, and the rooms."""
        now, figures = monotonic(), self._figures()
        last, seconds = self._last or figures, max(now - self._taken, 1e-3)
        self._last, self._taken = figures, now
        sample: dict[str, Any] = {"time": round(time() * 1000)}
        sample |= {name: getattr(figures, name) for name in LEVELS}
        # A server that was started anew, or whose worker has ended, counts from the start.
        sample |= {name: max(0.0, (getattr(figures, name) - getattr(last, name)) / seconds) for name in RATES}
        sample["loop_delay"] = 1000 * figures.loop_delay
        sample["max_loop_delay"] = 1000 * figures.max_loop_delay
        broker = figures.broker
        sample["broker"] = None if broker is None else {"connected": broker.is_connected, "queued": broker.queued}
        sample["by_room"] = [_told(room) for room in sorted(self._rooms(), key=len, reverse=True)[:MOST_ROOMS]]
        return sample


def _told(room: Room) -> dict[str, Any]:
    figures = room.figures
    return {
        "name": room.name or "without a name",
        "members": figures.members,
        "slow": sum(member.buffered_amount >= SLOW for member in room),
        "messages": figures.messages,
        "drops": figures.drops,
    }
