"""The transports of plain TCP and Unix sockets on the reactor: any, and those that a server has accepted.

::

    OPEN ──close()──► FLUSHING ──all is sent──► DRAINING ──the peer ended──► CLOSED
      │                  │                         │                          ▲
      └──abort(), reset──┴──linger is over, reset──┴──────────────────────────┘

FLUSHING sends what is buffered; DRAINING has ended our side and discards what comes, since closing with unread input
would reset the connection and the peer would lose our last bytes.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from enum import IntEnum
from os import read, write  # cheaper than a socket's recv and send, which parse their arguments the old way
from typing import Any

import trio

from ..callbacks import report_failure
from ..patience import Patience
from ..transport import HIGH_WATER, NO_PROTOCOL, Address, FileSender, Parts, Protocol
from .addresses import address_of
from .half_close import has_ended
from .loop import Connections, Loop
from .output import Output, Write, count_first, drop_sent
from .reactor import PAUSED, READABLE, WRITABLE, Reactor
from .unacknowledged import acknowledged, unacknowledged

if sys.platform != "win32":
    from .files import send_file

#: The most bytes of one read, which grow while the peer fills them and begin anew when it sends little. A large buffer
#: costs time to be cut down when little comes, a small one more reads of what is large (docs/performance.md).
FIRST_READ_SIZE, READ_SIZE, LAST_READ_SIZE = 4 * 1024, 64 * 1024, 256 * 1024
#: The most bytes joined for one write.
WRITE_SIZE = 256 * 1024


class Stage(IntEnum):
    """How far a transport has come; see above."""

    OPEN = 0
    FLUSHING = 1
    DRAINING = 2
    CLOSED = 3


#: Linux knows it.
_MSG_MORE: int = getattr(socket, "MSG_MORE", 0)
#: A global is found faster than an enum's member.
_OPEN = Stage.OPEN


def _no_memory() -> OSError:
    return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


class SocketTransport:
    """A `perfectws.transport.Transport` over a connected, non-blocking socket, which it owns."""

    __slots__ = (
        "_adapts_from",
        "_descriptor",
        "_error",
        "_events",
        "_has_ended",
        "_held",
        "_high_water",
        "_is_paused",
        "_kept",
        "_linger",
        "_loop",
        "_output",
        "_peer_has_ended",
        "_reactor",
        "_read_size",
        "_socket",
        "_stage",
        "_taken",
        "_waits_for_room",
        "abandoned_amount",
        "buffered_amount",
        "is_secure",
        "protocol",
        "remote_address",
    )

    def __init__(
        self,
        loop: Loop,
        reactor: Reactor,
        connected: socket.SocketType,
        remote_address: Address,
    ) -> None:
        self.buffered_amount = 0
        self.abandoned_amount = 0
        self.remote_address = remote_address
        self.is_secure = False
        self.protocol: Protocol
        self._loop = loop
        self._reactor = reactor
        self._socket = connected
        self._descriptor = connected.fileno()
        self._read_size = self._adapts_from = FIRST_READ_SIZE
        self._stage = Stage.OPEN
        self._events = READABLE
        #: What `_events` says: whether reading is paused, or the peer's end was seen; and whether output waits.
        self._is_paused = False
        self._high_water = HIGH_WATER
        self._waits_for_room = False
        #: What is not with the kernel. If it is anything, a flush will come: at the turn's end, or when there is room.
        self._output: Output = []
        #: How many of the first of the output are not to be discarded; see `output`.
        self._kept = 0
        #: Of a Unix socket: how many bytes the peer was seen to take, and how many the kernel held when last asked.
        self._taken = 0
        self._held = 0
        self._has_ended = self._peer_has_ended = False
        self._error: Exception | None = None
        self._linger: Patience | None = None

    def start(self, protocol: Protocol) -> None:
        """Feed ``protocol`` from now on with what arrives.

        Raises:
            OSError: That cannot be; the socket is closed, and the protocol told nothing.
        """
        self.protocol = protocol
        try:
            self._reactor.add(self._descriptor, self)
        except OSError:  # the kernel watches no more descriptors
            self._stage = Stage.CLOSED
            self._socket.close()
            raise
        self._loop.connections.add(self)

    def set_high_water(self, amount: int) -> None:
        """Tell the protocol to go on once the output falls below so many bytes."""
        self._high_water = amount

    def set_protocol(self, protocol: Protocol) -> None:
        """Feed another protocol from now on."""
        self.protocol = protocol
        self.keep()

    def keep(self) -> None:
        """Keep what was written so far, whatever is discarded."""
        self._kept = len(self._output)

    @property
    def local_address(self) -> Address:
        """Our own address. The kernel is asked each time, since it is seldom wanted."""
        try:
            return address_of(self._socket.getsockname())
        except OSError:
            return ("", 0)

    @property
    def file_sender(self) -> FileSender | None:
        """What sends a file: none here, since only servers send any."""
        return None

    # For the protocol

    def write(self, data: bytes | Parts) -> None:
        """Send ``data`` at the end of the turn."""
        if self._stage is not _OPEN:
            return
        output = self._output
        if not output:
            loop = self._loop
            loop.dirty.append(self)
            if loop.idle:
                loop.wake()
        output.append(data)
        self.buffered_amount += len(data)

    def write_at_once(self, data: bytes) -> int:
        """Send ``data`` now, unless something waits to be sent before it: its writer has waited for the turn's end.

        With nothing to join there is nothing to collect either, and no need to come back for it.
        """
        if self._output or self._stage is not _OPEN:
            self.write(data)
            return 0
        try:
            sent = write(self._descriptor, data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self.abort(error)
            return 0
        if sent < len(data):
            self._output.append(memoryview(data)[sent:])
            self._kept = 1 if sent else 0
            self.buffered_amount = len(data) - sent
            self._wait_for_room()
        return sent

    def discard_unsent(self) -> None:
        """Forget every write that has not begun."""
        del self._output[self._kept :]
        self.buffered_amount = sum(map(len, self._output))

    def unsent_amount(self) -> int:
        """Return how many bytes were written that the peer has not acknowledged."""
        return self.buffered_amount + unacknowledged(self._socket)

    def progress(self) -> int:
        """Return a number that changes as the peer takes what was sent.

        Of a Unix socket the kernel tells only what it holds. That this grew is our own doing, a ping's for one; that it
        fell, or that a kernel which was full takes more, is the peer's.
        """
        count = acknowledged(self._socket)
        if count is not None:
            return count
        before, self._held = self._held, unacknowledged(self._socket)
        self._taken += max(before - self._held, 0)
        return self._taken

    def peer_has_ended(self) -> bool:
        """Return whether the peer has ended its side."""
        return has_ended(self._socket)

    def pause_reading(self) -> None:
        """Read nothing more for now."""
        if self._stage is Stage.OPEN:
            self._wait_for(PAUSED | (self._events & WRITABLE))

    def resume_reading(self) -> None:
        """Read again."""
        if self._stage is not Stage.CLOSED and not self._peer_has_ended:
            self._wait_for(READABLE | (self._events & WRITABLE))

    def close(self, linger: float) -> None:
        """Send what is buffered, end our side, discard input until the peer ends its own, then close."""
        if self._stage is not Stage.OPEN:
            return
        if self._peer_has_ended and not self._output:
            self.abort()  # there is nothing to send, nor to wait for
            return
        self._stage = Stage.FLUSHING
        self._linger = Patience(self._loop, self._loop.owner, self, linger, self.abort)
        self.resume_reading()
        if not self._output:
            self._loop.mark_dirty(self)

    def abort(self, error: Exception | None = None) -> None:
        """Close at once; what is buffered is lost."""
        if self._stage is Stage.CLOSED:
            return
        self._stage = Stage.CLOSED
        self._error = error
        if self._linger is not None:
            self._linger.cancel()
        self._output.clear()
        self.abandoned_amount, self.buffered_amount = self.buffered_amount, 0
        self._reactor.remove_later(self._descriptor, self)
        self._loop.wake_if_idle()

    def shut_down(self) -> None:
        """Tell the protocol that the server stops."""
        try:
            self.protocol.shut_down()
        except Exception as error:
            report_failure(self.protocol, error)

    # From the reactor

    def on_readable(self) -> int:
        """Read once. Return how many bytes that were."""
        try:
            data = read(self._descriptor, self._read_size)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self.abort(error)
            return 0
        except MemoryError:
            self._read_less()
            return 0
        size = len(data)
        try:
            if not size:
                self._end_input()
            elif self._stage is _OPEN:  # else it is discarded: only the peer's end is waited for
                if size >= self._adapts_from:
                    self._adapt_read_size(size)
                self.protocol.data_received(data)
        except Exception as error:
            report_failure(self.protocol, error)
        return size

    def _adapt_read_size(self, size: int) -> None:
        """Read more at once when the last read was filled, and less again when it brought little."""
        if size < FIRST_READ_SIZE:
            self._read_size = self._adapts_from = FIRST_READ_SIZE
        elif size == self._read_size:
            self._read_size = READ_SIZE if size == FIRST_READ_SIZE else LAST_READ_SIZE
            self._adapts_from = 0  # whatever comes next

    def _read_less(self) -> None:
        """Find room for less of what waits in the kernel, next time; where there is none even for that, give up."""
        if self._read_size == FIRST_READ_SIZE:
            self.abort(_no_memory())
        self._read_size = self._adapts_from = FIRST_READ_SIZE

    def on_events(self, events: int) -> int:
        """Write if there is room again, and read once. Return how many bytes were read."""
        if events & WRITABLE and self._stage < Stage.DRAINING:
            self._flush_on()
        if events & ~WRITABLE and not self._is_paused:
            return self.on_readable()
        if events & ~WRITABLE:
            self._look_for_reset()
        return 0

    def _flush_on(self) -> None:
        """Write what has waited for room, and wait no more if that was all."""
        sent = self.flush()
        self._loop.counts.bytes_sent += sent
        if self._waits_for_room and not self._output:
            self._taken += sent
            self._wait_for(self._events & ~WRITABLE)

    def _look_for_reset(self) -> None:
        """End a paused connection that was reset. That a peer merely ended its side will be seen when it is read."""
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.abort(OSError(error, os.strerror(error)))

    def _end_input(self) -> None:
        self._peer_has_ended = True
        if self._stage >= Stage.DRAINING:
            self.abort()
            return
        try:
            if self._stage is Stage.OPEN:
                self.protocol.eof_received()
        finally:
            if self._stage is not Stage.CLOSED:
                self._wait_for(PAUSED | (self._events & WRITABLE))  # an end of input is readable for ever

    # Writing

    def flush(self) -> int:
        """Write what is buffered, once. Return how many bytes the kernel has taken."""
        output: list[Any] = self._output  # below its high water it holds bytes only: `Parts` are longer than that
        amount = self.buffered_amount
        try:
            if amount < self._high_water and self._stage is _OPEN:
                sent = write(self._descriptor, output[0] if len(output) == 1 else b"".join(output))
                if sent == amount:
                    # All that `_all_sent` would do here; if it had waited for room, `_flush_on` does the rest.
                    output.clear()
                    self.buffered_amount = self._kept = 0
                    return sent
                tried = amount
            else:
                data = self._joined_output()
                tried = len(data)
                sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            sent, tried = 0, amount
        except OSError as error:
            self.abort(error)
            return 0
        except MemoryError:  # there is no room to join what is to be sent
            self.abort(_no_memory())
            return 0
        self._drop_sent(sent, tried)
        if amount >= self._high_water > self.buffered_amount and self._stage is _OPEN:
            try:
                self.protocol.resume_writing()
            except Exception as error:
                report_failure(self.protocol, error)
        return sent

    def _joined_output(self) -> Write:
        """Return as much of the output as one write may take."""
        if len(self._output) == 1:
            return self._output[0]
        first = self._output[: count_first(self._output, WRITE_SIZE)]
        return first[0] if len(first) == 1 else b"".join(map(bytes, first))

    if sys.platform == "win32":  # which has no reactor yet, nor `sendmsg`

        def _send(self, data: Write) -> int:
            """Send a large piece, or the last."""
            return self._socket.send(bytes(data)) if data else 0
    else:

        def _send(self, data: Write) -> int:
            """Send a large piece, or the last: that one waits for the end of our side, to leave in the same segment."""
            flags = 0 if self._stage is _OPEN else _MSG_MORE
            if isinstance(data, Parts):
                return self._socket.sendmsg((data.head, data.body), (), flags)
            return self._socket.send(data, flags) if data else 0

    def _drop_sent(self, sent: int, tried: int) -> None:
        """Keep the rest. A short write waits for room; more than one write can take goes on in the next turn."""
        self.buffered_amount -= sent
        if self._waits_for_room:
            self._taken += sent
        if not self.buffered_amount:
            self._all_sent()
            return
        self._kept = drop_sent(self._output, self._kept, sent)
        if sent < tried:
            self._wait_for_room()
        else:
            self._loop.mark_dirty(self)

    def _wait_for_room(self) -> None:
        """Flush again when the kernel has room, and at the end of no turn before."""
        if self._loop.note_backlog is not None and not self._waits_for_room:
            self._loop.note_backlog(HIGH_WATER)  # it is told what comes above that
        self._wait_for(self._events | WRITABLE)

    def _all_sent(self) -> None:
        self._output.clear()
        self._kept = 0
        if self._stage is Stage.CLOSED:
            return
        if self._waits_for_room:
            self._wait_for(self._events & ~WRITABLE)
        if self._stage is Stage.FLUSHING:
            self._end_output()

    def _end_output(self) -> None:
        self._stage = Stage.DRAINING
        if self._peer_has_ended:
            self.abort()
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
            self._has_ended = True
        except OSError:
            self.abort()  # the peer is gone

    @property
    def is_closed(self) -> bool:
        """Whether it is closed, though the protocol may learn of it only at the end of the turn."""
        return self._stage is Stage.CLOSED

    def _wait_for(self, events: int) -> None:
        if events != self._events:
            self._events = events
            self._is_paused = events & PAUSED != 0
            self._waits_for_room = events & WRITABLE != 0
            self._reactor.modify(self._descriptor, events)

    def remove(self) -> None:
        """Close the socket, which is no longer registered, and tell the protocol."""
        if not (self._has_ended and self._peer_has_ended):
            try:
                self._socket.shutdown(socket.SHUT_RDWR)  # `close` alone ends nothing while a forked child has it too
            except OSError:
                pass  # it was reset
        self._socket.close()
        # Nothing here refers to the protocol any more, nor to what an error has passed through: else it would take the
        # collector of cycles to free a connection that is over.
        protocol, self.protocol = self.protocol, NO_PROTOCOL
        lost, self._error = self._error, None
        try:
            protocol.connection_lost(lost)
        except Exception as error:
            report_failure(protocol, error)
        self._loop.connections.discard(self)


class AcceptedSocket(SocketTransport):
    """The transport of a connection that a server has accepted.

    Args:
        loop, reactor, connected, remote: As for `SocketTransport`.
        connections: The server's, among which it counts from now on.
        local: Our own address; ``None`` asks the kernel.
    """

    __slots__ = ("_connections", "_local", "_sending")

    def __init__(
        self,
        loop: Loop,
        reactor: Reactor,
        connected: socket.SocketType,
        remote: Address,
        connections: Connections,
        local: Address | None = None,
    ) -> None:
        SocketTransport.__init__(self, loop, reactor, connected, remote)  # which costs half of `super`
        self._connections = connections
        self._local = local
        self._sending: trio.CancelScope | None = None
        connections.add(self)

    @property
    def local_address(self) -> Address:
        """Our own address."""
        return super().local_address if self._local is None else self._local

    if sys.platform != "win32":

        @property
        def file_sender(self) -> FileSender | None:
            """What lets the kernel send a part of a file, to be used while nothing is written."""
            return self._send_file

        async def _send_file(self, descriptor: int, part: range) -> bool:
            with trio.CancelScope() as self._sending:
                if await send_file(self._socket, descriptor, part, lambda: not self.buffered_amount, self._count_sent):
                    return True
                # The kernel tells of a reset once, and did so here: to a read the peer would merely have ended.
                self.abort(ConnectionResetError("the peer reset the connection while a file was sent"))
            return False

        def _count_sent(self, sent: int) -> None:
            self._loop.counts.bytes_sent += sent

    def remove(self) -> None:
        """Close the socket, which is no longer registered, and tell the protocol and the server."""
        SocketTransport.remove(self)
        if self._sending is not None:
            self._sending.cancel()
        self._connections.discard(self)
