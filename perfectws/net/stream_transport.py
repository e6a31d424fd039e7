"""The transport over any trio `Stream`: the TLS of clients, memory streams, and every system without epoll.

Two tasks serve a connection: one reads, one writes. The protocol is called from the reader; what it sends is collected
until the end of the loop's turn and then handed to the writer, so that a turn is one write.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import TypeVarTuple, cast

import trio

from ..callbacks import report_failure
from ..patience import Patience
from ..transport import HIGH_WATER, NO_PROTOCOL, Address, FileSender, Parts, Protocol
from .half_close import has_ended
from .loop import Loop
from .output import count_first
from .tls_end import close_at_once, discard_received
from .unacknowledged import acknowledged, unacknowledged

Ts = TypeVarTuple("Ts")

#: How long a peer that takes nothing any more may take to say why, in seconds.
REASON_TIMEOUT = 1.0

#: The most bytes of one read.
READ_SIZE = 64 * 1024
#: The most bytes handed to the stream at once, so that `StreamTransport.buffered_amount` follows what the kernel takes.
#: Windows does not tell how far our output has got: there only what it takes, piece by piece, can show that a peer that
#: reads slowly gets on. So the pieces are small.
WRITE_SIZE = 16 * 1024 if sys.platform == "win32" else 256 * 1024
#: The same for TLS: a `trio.SSLStream` keeps room for the most that it has ever encrypted at once.
TLS_WRITE_SIZE = min(WRITE_SIZE, 64 * 1024)


class StreamTransport:
    """A `perfectws.transport.Transport` over a trio stream. `run` moves the bytes."""

    def __init__(
        self,
        loop: Loop,
        stream: trio.abc.Stream,
        remote_address: Address = ("", 0),
        local_address: Address = ("", 0),
        is_secure: bool = False,
    ) -> None:
        self.buffered_amount = 0
        self.abandoned_amount = 0
        self.remote_address = remote_address
        self.local_address = local_address
        self.is_secure = is_secure
        self.protocol: Protocol = NO_PROTOCOL
        self._loop = loop
        self._stream = stream
        self._write_size = TLS_WRITE_SIZE if isinstance(stream, trio.SSLStream) else WRITE_SIZE
        self._output: list[bytes] = []
        self._high_water = HIGH_WATER
        #: How many of the first of the output are not to be discarded; see `output`.
        self._kept = 0
        #: How many bytes the stream has taken in all.
        self._taken = 0
        #: Of a Unix socket: how many bytes the kernel held when last asked, and how many fewer it was seen to hold.
        self._held = self._gone = 0
        self._linger: Patience | None = None
        self._is_dirty = False
        self._is_closing = False
        #: Whether it ends without a word, though TLS has one for it.
        self._is_cut_off = False
        self._error: Exception | None = None
        self._may_read = trio.Event()
        self._may_read.set()
        self._may_write = trio.Event()
        self._scope = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._has_read = trio.Event()

    def set_high_water(self, amount: int) -> None:
        """Tell the protocol to go on once the output falls below so many bytes."""
        self._high_water = amount

    def set_protocol(self, protocol: Protocol) -> None:
        """Feed ``protocol`` from now on."""
        self.protocol = protocol
        self.keep()

    def keep(self) -> None:
        """Keep what was written so far, whatever is discarded."""
        self._kept = len(self._output)

    @property
    def file_sender(self) -> FileSender | None:
        """What sends a file: none, since a stream is given bytes."""
        return None

    # For the protocol

    def write(self, data: bytes | Parts) -> None:
        """Send ``data`` at the end of the turn."""
        if self._is_closing:
            return
        if self._loop.note_backlog is not None and self.buffered_amount and not self._output:
            self._loop.note_backlog(HIGH_WATER)  # the stream is busy with what came before
        self._output.append(bytes(data))
        self.buffered_amount += len(data)
        if not self._is_dirty:
            self._is_dirty = True
            self._loop.mark_dirty(self)

    def write_at_once(self, data: bytes) -> int:
        """Send ``data`` at the end of the turn."""
        self.write(data)
        return 0

    def flush(self) -> int:
        """Hand what the turn has written to the writing task, which counts what it sends."""
        self._is_dirty = False
        self._may_write.set()
        return 0

    def discard_unsent(self) -> None:
        """Forget what the writing task has not taken yet."""
        self.buffered_amount -= sum(map(len, self._output[self._kept :]))
        del self._output[self._kept :]

    def unsent_amount(self) -> int:
        """Return how many bytes were written that the peer has not acknowledged; without a kernel, taken."""
        connected = self._kernel_socket()
        return self.buffered_amount + (0 if connected is None else unacknowledged(connected))

    def progress(self) -> int:
        """Return a number that changes as the peer takes what was sent; without a kernel, as the stream does."""
        connected = self._kernel_socket()
        if connected is None:
            return self._taken
        count = acknowledged(connected)
        if count is not None:
            return count
        held = unacknowledged(connected)
        if sys.platform != "linux":
            return self._taken - held
        # Linux counts the memory that a Unix socket's bytes take, more than they are: only that it fell says anything.
        self._gone += max(self._held - held, 0)
        self._held = held
        return self._gone

    def peer_has_ended(self) -> bool:
        """Return whether the peer has ended its side; only a kernel can tell."""
        connected = self._kernel_socket()
        return connected is not None and has_ended(connected)

    def _kernel_socket(self) -> socket.socket | None:
        stream: object = self._stream
        while isinstance(stream, trio.SSLStream):  # inside that of an https: proxy there is another
            stream = stream.transport_stream
        # trio's own socket has what these ask: its descriptor and its options.
        return cast(socket.socket, stream.socket) if isinstance(stream, trio.SocketStream) else None

    def pause_reading(self) -> None:
        """Read nothing more for now."""
        if self._may_read.is_set() and not self._is_closing:
            self._may_read = trio.Event()

    def resume_reading(self) -> None:
        """Read again."""
        self._may_read.set()

    def close(self, linger: float) -> None:
        """Send what is buffered, end our side, discard input until the peer ends its own, then close."""
        if self._is_closing:
            return
        self._is_closing = True
        self._linger = Patience(self._loop, self._loop.owner, self, linger, self.abort)
        self._may_read.set()
        self._may_write.set()

    def abort(self, error: Exception | None = None) -> None:
        """Close at once, behind TLS's closure alert if there is room for it."""
        if self._error is None:
            self._error = error
        self._is_closing = True
        self._is_cut_off = self._is_cut_off or self.protocol.is_unfinished
        self._scope.cancel()

    def shut_down(self) -> None:
        """Tell the protocol that the server stops."""
        self._tell(self.protocol.shut_down)

    # The tasks

    async def run(self) -> None:
        """Move bytes until the connection is gone, then tell the protocol."""
        self._loop.connections.add(self)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write_all)
                    nursery.start_soon(self._read_all)
        finally:
            self._is_closing = True
            self.abandoned_amount = sum(map(len, self._output))  # what the stream was writing may have gone out
            self._output.clear()
            self.buffered_amount = 0
            if self._linger is not None:
                self._linger.cancel()
            try:
                await self._close_stream()
            finally:
                lost, self._error = self._error, None
                self._tell(self.protocol.connection_lost, lost)
                self.protocol = NO_PROTOCOL  # else it would take the collector of cycles to free what is over
                self._loop.connections.discard(self)

    async def _close_stream(self) -> None:
        if self._is_cut_off or self.protocol.is_unfinished:
            await trio.aclose_forcefully(self._stream)
        else:
            await close_at_once(self._stream)

    async def _read_all(self) -> None:
        try:
            with self._reading:
                while data := await self._stream.receive_some(READ_SIZE):
                    self._loop.counts.bytes_received += len(data)
                    await self._may_read.wait()
                    if not self._is_closing:
                        self._tell(self.protocol.data_received, bytes(data))
                        await self._may_read.wait()
                if not self._is_closing:
                    self._tell(self.protocol.eof_received)
        except Exception as error:
            self._fail(error)
        finally:
            self._has_read.set()

    def _fail(self, error: Exception) -> None:
        """Give the connection up: the peer is gone, or we are wrong, which must not cost the others anything."""
        if not isinstance(error, (trio.BrokenResourceError, trio.ClosedResourceError)):
            report_failure(self.protocol, error)
        self._is_cut_off = True  # the peer has done so, or TLS is broken
        self.abort(error)

    async def _write_all(self) -> None:
        try:
            while True:  # once even if it is closed before this begins: what was written goes out
                await self._may_write.wait()
                self._may_write = trio.Event()
                while self._output:
                    await self._write_some()
                if self._is_closing:
                    break
            await self._end_output()
        except Exception as error:
            await self._look_for_reason()
            self._fail(error)

    async def _look_for_reason(self) -> None:
        """Let the reading task find what the peer has said before it ended: with TLS 1.3, why it refuses us."""
        if isinstance(self._stream, trio.SSLStream) and not self._is_closing:
            with trio.move_on_after(REASON_TIMEOUT):
                await self._has_read.wait()

    async def _write_some(self) -> None:
        """Write the first frames, joined, or a piece at a time of one that is large."""
        size = self._write_size
        count = count_first(self._output, size)
        data = memoryview(b"".join(self._output[:count]))
        del self._output[:count]
        self._kept = max(self._kept - count, 0)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            await self._stream.send_all(piece)
            was_above = self.buffered_amount >= self._high_water
            self.buffered_amount -= len(piece)
            self._taken += len(piece)
            self._loop.counts.bytes_sent += len(piece)
            if was_above and self.buffered_amount < self._high_water:
                self._tell(self.protocol.resume_writing)

    async def _end_output(self) -> None:
        """Tell the peer that nothing more will come; the reading task then waits for its end."""
        if isinstance(self._stream, trio.SSLStream):
            await self._end_tls(self._stream)
        elif isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()
        else:
            self._scope.cancel()

    async def _end_tls(self, stream: trio.SSLStream[trio.abc.Stream]) -> None:
        """Say close_notify, then discard what comes: closing with unread input would take our last bytes along."""
        self._reading.cancel()  # unwrap() reads too
        await self._has_read.wait()
        raw = stream.transport_stream
        try:
            await discard_received(stream)
            await stream.unwrap()
        except trio.BrokenResourceError:
            pass  # the peer sent data behind our close_notify, or no close_notify: it ends in either case
        self._stream = raw  # for `run` to close: a TLS stream that is unwrapped does not
        if isinstance(raw, trio.abc.HalfCloseableStream):
            await raw.send_eof()
        while await raw.receive_some(READ_SIZE):
            pass

    def _tell(self, event: Callable[[*Ts], None], *args: *Ts) -> None:
        try:
            event(*args)
        except Exception as error:
            report_failure(self.protocol, error)
