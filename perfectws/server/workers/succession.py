"""Reloading: the program is run again, with the code that it has now, and serves on the same listeners.

::

    supervisor ──forks and executes──▶ its program, up to `launch`: a supervisor again, with workers of its own
        │  ◀──────"its listeners", "serves"─────┘
        │  ────────────"retire"──▶ the one before, which closes its connections evenly, and ends
        └── stays: its number is the one that systemd and the shell know, and the listeners are its own

A `Successor` is one as its predecessor sees it, `Heritage` is what it finds when it begins. They talk by a pair of
`perfectws.net.mailbox.Post`, whose end also tells a successor that its predecessor is gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from math import inf
from time import monotonic
from typing import NamedTuple

assert sys.platform != "win32"  # where there is no fork

from ...callbacks import logger
from ...net.mailbox import Letter, Post
from ...net.signals import Handling
from ..keywords import needs_port
from .child import fork
from .crew import GRACE
from .started import VARIABLE, Program

#: How long a program may take until its workers serve, in seconds.
START_SECONDS = 60.0

# What successors tell, and what they are told.
_LISTENER, _SERVES, _STOPPED, _RETIRE = b"listener ", b"serves", b"stopped", b"retire"


class Listener(NamedTuple):
    """Sockets that listen for a server.

    Attributes:
        address, port: What the server asked for.
        sockets: The sockets.
    """

    address: str
    port: int
    sockets: list[socket.socket]

    @property
    def title(self) -> str:
        """Where they listen, for people."""
        return f"{self.address}:{self.port}" if needs_port(self.address) else self.address

    @property
    def descriptors(self) -> list[int]:
        """The sockets' descriptors."""
        return [each.fileno() for each in self.sockets]

    def close(self) -> None:
        """Let go of the sockets, in this process."""
        for each in self.sockets:
            each.close()


class Heritage:
    """What a program finds that was started to succeed another; nothing, if it was not.

    Args:
        line: Where its predecessor listens, and talks; ``None`` if there is none.
        listeners: What listens already.
    """

    def __init__(self, line: Post | None = None, listeners: Sequence[Listener] = ()) -> None:
        self.line = line
        self._listeners = list(listeners)
        self._taken: list[Listener] = []

    @staticmethod
    def is_left() -> bool:
        """Tell whether this process was started to succeed another, and has not claimed what that has left."""
        text = os.environ.get(VARIABLE)
        return text is not None and bool(json.loads(text)["predecessor"] == os.getppid())

    @classmethod
    def claim(cls) -> Heritage:
        """Return what this process was given. There is nothing left the second time."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            return cls()
        given = json.loads(text)
        if given["predecessor"] != os.getppid():  # it was meant for who has started this process
            return cls()
        listeners = [
            Listener(address, port, [socket.socket(fileno=each) for each in descriptors])
            for address, port, descriptors in given["listeners"]
        ]
        for each in (given["line"], *(each for listener in listeners for each in listener.descriptors)):
            os.set_inheritable(each, False)
        return cls(Post.of_descriptor(given["line"]), listeners)

    def take(self, address: str, port: int) -> list[socket.socket]:
        """Return the sockets that listen already where a server is to; there may be none."""
        for listener in self._listeners:
            if (listener.address, listener.port) == (address, port):
                self._listeners.remove(listener)
                self._taken.append(listener)
                return listener.sockets
        return []

    def has(self, listener: Listener) -> bool:
        """Return whether a listener was inherited."""
        return listener in self._taken

    def close_rest(self) -> None:
        """Let go of what no server has taken: else clients would wait there in vain."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []


class Predecessor:
    """Who has started this process, to be succeeded by it.

    Args:
        line: Where it listens, and talks.
        heritage: What it has left.
    """

    def __init__(self, line: Post, heritage: Heritage) -> None:
        self._line = line
        self._heritage = heritage

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to look at."""
        return self._line.fileno()

    def tell_serving(self, listeners: Sequence[Listener]) -> None:
        """Tell that the workers serve, and by which listeners: those are kept for the next successor, and no others."""
        for listener in listeners:
            name = json.dumps([listener.address, listener.port]).encode()
            self._line.send(_LISTENER + name, [] if self._heritage.has(listener) else listener.descriptors)
        self._line.send(_SERVES)

    def tell_stopped(self) -> None:
        """Tell that the application has stopped every server."""
        self._line.send(_STOPPED)

    def wants_us_to_retire(self) -> bool:
        """Tell whether it has said so. Raises `EOFError` once it is gone."""
        letter = self._line.receive()
        return letter is not None and letter.message == _RETIRE

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()


class Successor:
    """A program that was started to take over.

    Args:
        program: The program.
        listeners: What it is given to listen.
        stop_seconds: How long it may take to stop, in seconds.
        ignored: The signals that it is not to end by until it handles them itself: its group is sent them, and its
            predecessor acts.

    Attributes:
        serves: Whether its workers do.
        is_stopped: Whether the application has stopped every server.
        since: When it began.
        ended: How it has ended; ``None`` while it runs.
    """

    def __init__(
        self, program: Program, listeners: Sequence[Listener], stop_seconds: float, ignored: Iterable[int]
    ) -> None:
        self._listeners: list[Listener] = []
        self.serves = False
        self.is_stopped = False
        self.since = monotonic()
        self._stop_seconds = stop_seconds
        self._is_leaving = False
        self._line, theirs = Post.pair()
        self._child = fork(lambda: _execute(program, theirs, listeners), _handlers(ignored))
        theirs.close()
        self.ended: str | None = None

    @property
    def title(self) -> str:
        """Who it is, for people."""
        return f"the new code (process {self._child.pid})"

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.ended is not None

    def descriptors(self) -> list[int]:
        """Return what is readable when there is something to look at."""
        return [] if self._line_is_closed else [self._line.fileno()]

    @property
    def _line_is_closed(self) -> bool:
        return self._line.fileno() < 0

    def deadline(self) -> float:
        """Return when there is something to look at, whatever happens."""
        return min(self._child.kill_at, inf if self.serves else self.since + START_SECONDS)

    def look(self) -> None:
        """Read what it has told, and look whether it runs."""
        self._read()
        self.ended = self.ended or self._child.ended()
        if not (self.serves or self._is_leaving) and monotonic() >= self.since + START_SECONDS:
            logger.error("%s has not begun to serve within %g s: it is ended", self.title, START_SECONDS)
            self.kill()

    def _read(self) -> None:
        try:
            while not self._line_is_closed and (letter := self._line.receive()) is not None:
                self._hear(letter)
        except EOFError:
            self._line.close()

    def _hear(self, letter: Letter) -> None:
        if letter.message.startswith(_LISTENER):
            address, port = json.loads(letter.message.removeprefix(_LISTENER))
            sockets = [socket.socket(fileno=each) for each in letter.descriptors]
            self._listeners.append(Listener(address, port, sockets))
        elif letter.message == _SERVES:
            self.serves = True
        elif letter.message == _STOPPED:
            self.is_stopped = True

    def take_listeners(self, ours: Sequence[Listener]) -> list[Listener]:
        """Return by what it listens: some of ours, and some of its own. The rest of ours is closed.

        Args:
            ours: By what those before it listen.
        """
        rest = list(ours)
        told, self._listeners = self._listeners, []
        kept = [each if each.sockets else _taken_out(rest, each) for each in told]
        for listener in rest:
            listener.close()  # nobody accepts there any more
        return kept

    def retire(self) -> None:
        """Let it make way for another, gently: it knows how long that may take, and ends what takes longer."""
        self._is_leaving = True
        if not self._line_is_closed:
            self._line.send(_RETIRE)

    def stop(self) -> None:
        """Let it end in order; kill it if it takes too long."""
        self._is_leaving = True
        self._child.stop(self._stop_seconds + GRACE)

    def kill(self) -> None:
        """End it at once, and wait for that: its workers end with it."""
        self._child.kill()
        self.ended = self.ended or self._child.ended()

    def close(self) -> None:
        """Let go of what is ours of it."""
        self._line.close()
        for listener in self._listeners:
            listener.close()
        self._listeners = []


def _taken_out(listeners: list[Listener], named: Listener) -> Listener:
    """Take the listener out of a list that has the same name."""
    found = next(each for each in listeners if (each.address, each.port) == (named.address, named.port))
    listeners.remove(found)
    return found


def _handlers(ignored: Iterable[int]) -> dict[int, Handling]:
    return {signal.SIGTERM: signal.SIG_DFL, **dict.fromkeys(ignored, signal.SIG_IGN)}


def _execute(program: Program, line: Post, listeners: Sequence[Listener]) -> None:
    """Become the program, from its beginning, with the code that there is now."""
    given = {
        "predecessor": os.getppid(),
        "line": line.fileno(),
        "listeners": [[each.address, each.port, each.descriptors] for each in listeners],
    }
    for descriptor in (line.fileno(), *(each for listener in listeners for each in listener.descriptors)):
        os.set_inheritable(descriptor, True)
    os.chdir(program.directory)
    os.execve(program.command[0], program.command, {**os.environ, VARIABLE: json.dumps(given)})
