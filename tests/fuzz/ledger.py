"""What an application was promised: each callback that was accepted, and whether it came once and in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a callback was accepted for."""

    READ = "a read"
    COMPLETION = "a completion"
    PROMISE = "a promise"
    RECEIVE = "a receive"
    TASK = "a task"
    TIMER = "a timer"
    GONE = "the future of a close"
    ON_CLOSE = "on_close"


@dataclass(eq=False)
class Entry:
    """One callback that was accepted, or was to be.

    Attributes:
        number: The how manieth it is.
        is_late: Whether the connection was gone already: such are told at once, and on_close waits for none of them.
        is_due, may_come: Whether it is to be called, and may be: a read that a later one has replaced is not, nor what
            was refused.
        calls: How often it was called.
    """

    number: int
    kind: Kind
    is_late: bool
    is_due: bool = True
    may_come: bool = True
    calls: int = 0


class Ledger:
    """All that was accepted on one socket, in order.

    Args:
        is_gone: Tells whether the connection is gone.
    """

    def __init__(self, is_gone: Callable[[], bool]) -> None:
        self._is_gone = is_gone
        self.entries: list[Entry] = []
        self._last_completion = -1
        self._pending_read: Entry | None = None
        self._has_closed = False

    def add(self, kind: Kind, is_certain: bool = True) -> Entry:
        """Accept a callback; one that is not ``is_certain`` may come or not."""
        entry = Entry(len(self.entries), kind, self._is_gone(), is_certain)
        self.entries.append(entry)
        return entry

    def read(self, entry: Entry, is_certain: bool) -> None:
        """Let a read take the place of the one that is pending (law 5)."""
        pending = self._pending_read
        if pending is not None and not pending.calls:
            pending.is_due = False
            pending.may_come = not is_certain  # another thread's read takes its place a little later
        self._pending_read = entry

    def refuse(self, entry: Entry) -> None:
        """Take one back: the call has raised, and so has accepted nothing."""
        entry.is_due = entry.may_come = False

    def called(self, entry: Entry) -> None:
        """Count a call. Fails where it must not be."""
        entry.calls += 1
        assert entry.calls == 1, f"{entry.kind.value} was told twice"
        assert entry.may_come, f"{entry.kind.value} was told that was refused, or replaced"
        if entry.kind is Kind.COMPLETION:
            assert entry.number > self._last_completion, "completions are called out of order"
            self._last_completion = entry.number
        if entry.kind is Kind.ON_CLOSE:
            self._has_closed = True
        elif entry.kind is not Kind.GONE:
            assert entry.is_late or not self._has_closed, f"{entry.kind.value} came after on_close"

    def settle(self) -> None:
        """Fail if anything was not told."""
        for entry in self.entries:
            assert entry.calls or not entry.is_due, f"{entry.kind.value} was never told"
