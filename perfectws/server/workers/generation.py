"""What a supervisor has to do with those that serve: workers of its own (`Crew`), or a `Successor` that has some."""

from __future__ import annotations

from typing import Protocol


class Generation(Protocol):
    """Some processes that serve, begin to, or end."""

    @property
    def serves(self) -> bool:
        """Whether all have begun to serve, once."""

    @property
    def is_over(self) -> bool:
        """Whether none is left, nor will be."""

    @property
    def is_stopped(self) -> bool:
        """Whether the application has stopped every server."""

    def descriptors(self) -> list[int]:
        """Return what is readable when there is something to look at."""

    def deadline(self) -> float:
        """Return when there is something to look at, whatever happens."""

    def look(self) -> None:
        """Look what has happened."""

    def retire(self) -> None:
        """Make way for another generation, gently."""

    def stop(self) -> None:
        """End in order; who takes too long is killed."""

    def kill(self) -> None:
        """End at once, and wait for that."""
