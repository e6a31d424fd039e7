"""A loop that is turned by hand, and a transport that reads, writes and is lost at the end of a turn, as a socket's."""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Any

from perfectws.callbacks import CallbackOwner
from perfectws.net.output import drop_sent
from perfectws.patience import Patience
from perfectws.transport import HIGH_WATER, NO_PROTOCOL, FileSender, Parts, Protocol

from ..websocket.fakes import FakeTask, TaskLoop

#: No run of a target takes so many turns to come to rest.
MOST_TURNS = 20_000


class Stage(IntEnum):
    """Where a wire stands, as a `SocketTransport` does."""

    OPEN = 0
    FLUSHING = 1
    DRAINING = 2
    CLOSED = 3


class Wire:
    """The transport of one connection, and the peer's hands on it.

    Attributes:
        sent: What the peer has got.
        read: What the protocol was given.
        largest_read, largest_write: The longest piece that came, and that was written.
        most_buffered: How much has waited at most.
    """

    def __init__(self, loop: WireLoop) -> None:
        self.loop = loop
        loop.wires.append(self)
        self.protocol: Protocol = NO_PROTOCOL
        self.remote_address = ("192.0.2.7", 50000)
        self.local_address = ("192.0.2.1", 8181)
        self.is_secure = False
        self.file_sender: FileSender | None = None
        self.sent = bytearray()
        self.read = bytearray()
        self.buffered_amount = 0
        self.largest_write = self.most_buffered = 0
        self.largest_read = 0
        self.stage = Stage.OPEN
        self.is_paused = False
        self._output: list[Any] = []
        self._kept = 0
        self._high_water = HIGH_WATER
        self._room: int | None = None
        self._incoming: deque[bytes] = deque()
        self._peer_has_ended = self._was_told = False
        self._linger: Patience | None = None
        self._error: Exception | None = None
        self._linger_owner = CallbackOwner()

    # For the protocol

    def set_protocol(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.keep()

    def set_high_water(self, amount: int) -> None:
        self._high_water = amount

    def write(self, data: bytes | Parts) -> None:
        if self.stage is not Stage.OPEN:
            return
        self._output.append(data)
        self.buffered_amount += len(data)
        self.largest_write = max(self.largest_write, len(data))
        self.most_buffered = max(self.most_buffered, self.buffered_amount)

    def write_at_once(self, data: bytes) -> int:
        self.write(data)
        return 0

    def keep(self) -> None:
        self._kept = len(self._output)

    def discard_unsent(self) -> None:
        del self._output[self._kept :]
        self.buffered_amount = sum(map(len, self._output))

    def unsent_amount(self) -> int:
        return self.buffered_amount

    def progress(self) -> int:
        return len(self.sent)

    def peer_has_ended(self) -> bool:
        return self._peer_has_ended

    def pause_reading(self) -> None:
        assert not self.is_paused or self.stage is Stage.CLOSED, "paused twice"
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self, linger: float) -> None:
        if self.stage is Stage.OPEN:
            self.stage = Stage.FLUSHING
            self._linger = Patience(self.loop, self._linger_owner, self, linger, self.abort)
            self.is_paused = False

    def abort(self, error: Exception | None = None) -> None:
        if self.stage is Stage.CLOSED:
            return
        self.stage = Stage.CLOSED
        self._error = error
        if self._linger is not None:
            self._linger.cancel()
        self._output.clear()
        self.buffered_amount = 0

    # The peer's

    def bring(self, data: bytes) -> None:
        """Let the peer send something; it is read once it is its turn."""
        if data and not self._peer_has_ended:
            self._incoming.append(data)
            self.largest_read = max(self.largest_read, len(data))

    def end(self) -> None:
        """Let the peer end its side."""
        self._peer_has_ended = True

    def stall(self, room: int) -> None:
        """Let the peer take so many bytes more, and then nothing."""
        self._room = room

    def drain(self) -> None:
        """Let the peer take everything."""
        self._room = None

    # The loop's

    @property
    def is_dirty(self) -> bool:
        """Whether a turn would get on with something."""
        can_write = bool(self._output) and self._room != 0
        ends_output = self.stage is Stage.FLUSHING and not self._output
        is_lost = self.stage is Stage.CLOSED and self.protocol is not NO_PROTOCOL
        return self._can_read or can_write or ends_output or is_lost

    @property
    def _can_read(self) -> bool:
        has_input = bool(self._incoming) or (self._peer_has_ended and not self._was_told)
        return has_input and not self.is_paused and self.stage is not Stage.CLOSED

    def end_turn(self) -> None:
        """Write, read once, and be lost, as far as that is due."""
        self._flush()
        if self._can_read:
            self._read()
        if self.stage is Stage.CLOSED and self.protocol is not NO_PROTOCOL:
            protocol, self.protocol = self.protocol, NO_PROTOCOL
            error, self._error = self._error, None
            self._incoming.clear()
            protocol.connection_lost(error)

    def _flush(self) -> None:
        amount = self.buffered_amount
        data = b"".join(map(bytes, self._output))[: self._room]
        self.sent += data
        if self._room is not None:
            self._room -= len(data)
        self.buffered_amount -= len(data)
        if not self.buffered_amount:
            self._output.clear()
            self._kept = 0
        elif data:
            self._kept = drop_sent(self._output, self._kept, len(data))
        if self.stage is Stage.FLUSHING and not self._output:
            self.stage = Stage.DRAINING
            if self._was_told:
                self.abort()
        elif amount >= self._high_water > self.buffered_amount and self.stage is Stage.OPEN:
            self.protocol.resume_writing()

    def _read(self) -> None:
        if self._incoming:
            data = self._incoming.popleft()
            if self.stage is Stage.OPEN:
                self.read += data
                self.protocol.data_received(data)
            return
        self._was_told = True
        if self.stage is Stage.DRAINING:
            self.abort()
        elif self.stage is Stage.OPEN:
            self.protocol.eof_received()


class WireLoop(TaskLoop):
    """A loop whose turns end as those of perfectws's own do.

    Attributes:
        started: The tasks that were started.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wires: list[Wire] = []
        self.started: list[FakeTask] = []

    def _step_tasks(self) -> None:
        tasks, self.tasks = self.tasks, []
        self.started += [FakeTask(self, owner, work) for owner, work in tasks]

    def turn(self) -> None:
        """Take one turn."""
        while self._from_threads:
            self.call(*self._from_threads.popleft())
        self.run_ready()
        self.run_before_writing()
        self._step_tasks()
        for wire in self.wires:
            wire.end_turn()

    @property
    def is_busy(self) -> bool:
        """Whether a turn would find something to do."""
        return bool(self._from_threads or self.has_ready or self.tasks or any(wire.is_dirty for wire in self.wires))

    def run(self) -> None:
        """Take turns until nothing is ready."""
        for _ in range(MOST_TURNS):
            if not self.is_busy:
                return
            self.turn()
        raise AssertionError("it does not come to rest")
