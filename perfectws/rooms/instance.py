"""Which process speaks: so that each knows its own messages when they come back, and hears each of others' once."""

from __future__ import annotations

import os
import secrets
from time import monotonic_ns

#: How many bytes name a process.
INSTANCE_SIZE = 16

_instance = b""


def instance() -> bytes:
    """Return the name of this process: random, and chosen when it is first asked for, so not before a fork."""
    global _instance
    if not _instance:
        _instance = secrets.token_bytes(INSTANCE_SIZE)
    return _instance


def first_sequence() -> int:
    """Return where a room begins to number: above all that one of its name has numbered before in this process."""
    return monotonic_ns() // 1000


def _forget() -> None:
    """Let a forked child choose a name of its own."""
    global _instance
    _instance = b""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
