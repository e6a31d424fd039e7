"""The clients that are measured, against a server that is the same for all: one file each, run by this one's `Load`.

Each keeps one message under way on every connection, or opens connections and closes them, as its documentation has it.
Messages are texts; what comes back is compared with what was sent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

#: The subprotocol of the servers.
SUBPROTOCOL = "echo"
#: How many different messages are sent in turn.
_MESSAGES = 64


@dataclass
class Load:
    """What a client is to do, and what it has done.

    Attributes:
        port: Of the server, on 127.0.0.1.
        connections: How many connections are open at once.
        size: The size of a message, in bytes.
        seconds: How long is counted.
        warmup: How long is waited before, in seconds.
        uvloop: Whether asyncio runs on uvloop.
        done: How many messages came back, or connections were closed.
        is_over: Whether nothing more is to be sent.
        texts: The messages to send, in turn.
    """

    port: int
    connections: int
    size: int
    seconds: float
    warmup: float
    uvloop: bool
    done: int = 0
    is_over: bool = False
    texts: list[str] = field(init=False)
    _began: tuple[int, float, float] = (0, 0.0, 0.0)
    _ended: tuple[int, float, float] = (0, 0.0, 0.0)

    def __post_init__(self) -> None:
        letters = "abcdefghijklmnopqrstuvwxyz" * (self.size // 26 + 1)
        self.texts = [(f"{number:012}" + letters)[: self.size] for number in range(_MESSAGES)]

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}/echo"

    def began(self) -> None:
        """Begin to count: all is open and warm."""
        self._began = (self.done, time.perf_counter(), time.process_time())

    def ended(self) -> None:
        """Count no more."""
        self._ended = (self.done, time.perf_counter(), time.process_time())
        self.is_over = True

    def report(self) -> dict[str, dict[str, float]]:
        """Return what was counted, as the load of servers reports it: the CPU time is the client's."""
        done, seconds, cpu_seconds = (end - begin for begin, end in zip(self._began, self._ended, strict=True))
        return {
            "window": {
                "messages": done,
                "seconds": seconds,
                "server_cpu_seconds": cpu_seconds,
                "busy": cpu_seconds / seconds,
            }
        }


class Exchange:
    """One connection's messages: what it sends next, and whether that came back.

    Args:
        load: The load of which it is a part.
        number: The number of the connection.
    """

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._next = number
        self.text = ""

    def next_text(self) -> str:
        """Return the text to send now."""
        self._next += 1
        self.text = self._load.texts[self._next % _MESSAGES]
        return self.text

    def came(self, text: object) -> bool:
        """Count what came back, and return whether to go on. Raises `AssertionError` if it is not what was sent."""
        if text != self.text:
            raise AssertionError(f"{text!r:.100} came back for {self.text!r:.100}")
        self._load.done += 1
        return not self._load.is_over
