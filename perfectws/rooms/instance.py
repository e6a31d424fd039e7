"""Who speaks: so that each knows its own messages when they come back, and hears each of others' once."""

from __future__ import annotations

import os
import secrets

#: How many bytes a name has.
INSTANCE_SIZE = 16

#: What stands for this process: another object in each child that it forks.
_process = object()


class Instance:
    """A name that nobody else has, neither in this process nor in another. From one thread at a time.

    It is random, and chosen when it is first asked for, so not before a fork; who is forked later chooses another.
    """

    __slots__ = ("_name", "_process")

    def __init__(self) -> None:
        self._name = b""
        self._process: object = None

    @property
    def name(self) -> bytes:
        """The name."""
        if self._process is not _process:
            self._name = secrets.token_bytes(INSTANCE_SIZE)
            self._process = _process
        return self._name


def _forget() -> None:
    """Let a forked child choose names of its own."""
    global _process
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
