"""The transport of TLS connections on the reactor: no task, and one write per turn, as plain sockets have it.

::

    GREETING ──hello──► HANDSHAKE ──done──► OPEN ──close()──► FLUSHING ──close_notify──► CLOSED
       │                    │                │                   │                         ▲
       └──no TLS, too slow──┴──failed, slow──┴──abort(), reset, a bad record, linger over──┘

RFC 8446 §6.1: "Each party MUST send a "close_notify" alert before closing its write side of the connection, unless it
has already sent some error alert." So abort() tries to, in OPEN. Before, OpenSSL has none; in FLUSHING it waits behind
what the peer does not take. Who has cut us off, or broken TLS, is cut off.

It is the protocol of the `SocketTransport` below it and the transport of the protocol above it, which is made when the
handshake is done. Between them OpenSSL turns one kind of bytes into the other::

    socket ── data_received ─► incoming ─► SSLObject ────── data_received ─► protocol
    socket ◄─ write_at_once ── outgoing ◄─ SSLObject ◄─ flush ◄─ output ◄─ write ──┘

What is encrypted can never be taken back, since the records are numbered. So what is written waits as it is, and can be
discarded, until the socket has room for it; only then is it encrypted. In CLOSED the socket lingers and ends by itself.

A `MemoryBIO` keeps room for the most that it has ever held, as long as the connection is there. So it holds a record's
length at a time, in either direction, whatever the socket reads and writes at once.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from enum import IntEnum

from ..callbacks import Timer, report_failure
from ..log_limit import LogLimit
from ..patience import Patience
from ..transport import HIGH_WATER, NO_PROTOCOL, Address, FileSender, Parts, Protocol, Transport
from . import tls
from .loop import Connections, Loop
from .output import count_first, drop_sent
from .socket_transport import SocketTransport
from .tls_end import strict

#: The most bytes that a record holds, and that a `MemoryBIO` is given at once. RFC 8446 §5.1: "The length MUST NOT
#: exceed 2^14 bytes."
RECORD_SIZE = 16 * 1024
#: The bytes before what a record holds: its type, a version, and in the last two how many follow.
HEADER_SIZE = 5
#: The most bytes that a record takes: its header, and what is encrypted. RFC 5246 §6.2.3, which allows more of it than
#: RFC 8446 does: "The length MUST NOT exceed 2^14 + 2048."
MAX_RECORD_SIZE = HEADER_SIZE + RECORD_SIZE + 2048
#: The most bytes encrypted for one write.
PIECE = 256 * 1024


class Stage(IntEnum):
    """How far a transport has come; see above."""

    GREETING = 0
    HANDSHAKE = 1
    OPEN = 2
    FLUSHING = 3
    CLOSED = 4


class Input(IntEnum):
    """Where the reading stands: the peer's close_notify is told when the protocol reads again."""

    FLOWING = 0
    PAUSED = 1
    ENDING = 2
    ENDED = 3


_OPEN, _FLUSHING = Stage.OPEN, Stage.FLUSHING


def _end_of_record(data: memoryview, start: int, after: int) -> int:
    """Return where the record at ``start`` ends: at least a byte, and at most a record's length, behind ``after``.

    If there is none at ``start``, it is another place: OpenSSL takes data that is cut anywhere. But it tells that a
    record is not whole by an error, which costs a third of what it takes to decrypt one.
    """
    after_header = start + HEADER_SIZE
    end = after_header + int.from_bytes(data[after_header - 2 : after_header], "big")
    return min(end, after + MAX_RECORD_SIZE) if end > after else after + RECORD_SIZE


class TLSTransport(Protocol):
    """A `perfectws.transport.Transport`, for servers, over a `SocketTransport` that it is the protocol of.

    Args:
        loop: The loop that drives it.
        lower: The socket. `SocketTransport.start` is to be given this object.
        ssl_context: Has the server's certificate.
        make_protocol: Makes the protocol above, once the handshake is done.
        connections: The server's, among which it counts from now on.
        log_limit: Logs handshakes that fail.
    """

    __slots__ = (
        "_below",
        "_connections",
        "_high_water",
        "_incoming",
        "_input",
        "_is_blocked",
        "_is_dirty",
        "_kept",
        "_linger",
        "_linger_seconds",
        "_log_limit",
        "_loop",
        "_lower",
        "_make_protocol",
        "_outgoing",
        "_output",
        "_ssl_context",
        "_stage",
        "_timer",
        "_tls",
        "_unencrypted",
        "is_secure",
        "protocol",
        "remote_address",
    )

    def __init__(
        self,
        loop: Loop,
        lower: SocketTransport,
        ssl_context: ssl.SSLContext,
        make_protocol: Callable[[Transport], Protocol],
        connections: Connections,
        log_limit: LogLimit,
    ) -> None:
        super().__init__(loop.owner.context)
        self.remote_address = lower.remote_address
        self.is_secure = True
        self.protocol: Protocol = NO_PROTOCOL
        self._loop = loop
        self._lower = lower
        self._ssl_context = ssl_context
        self._make_protocol = make_protocol
        self._connections = connections
        self._log_limit = log_limit
        self._stage = Stage.GREETING
        self._input = Input.FLOWING
        self._tls: ssl.SSLObject  # made once the client has begun its handshake
        self._incoming: ssl.MemoryBIO
        self._outgoing: ssl.MemoryBIO
        self._output: list[bytes | memoryview] = []
        self._high_water = HIGH_WATER
        self._unencrypted = 0
        self._is_dirty = False
        #: How many of the first of the output are not to be discarded; see `output`. Encryption is their beginning.
        self._kept = 0
        #: What the socket had not sent when the last flush was over, in bytes. Only a flush adds to it.
        self._below = 0
        #: Whether OpenSSL must hear from the peer before it encrypts more: TLS 1.2 may negotiate again.
        self._is_blocked = False
        self._timer: Timer = loop.call_later(loop.owner, tls.HANDSHAKE_TIMEOUT, self._handshake_timed_out)
        self._linger: Patience | None = None
        self._linger_seconds = 0.0
        connections.add(self)

    # The handshake

    def _greet(self, data: bytes) -> None:
        """Begin the handshake, unless the first byte tells that no TLS is spoken."""
        refusal = tls.refusal_of(data[:1], self.remote_address, self._log_limit)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._stage = Stage.HANDSHAKE
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = strict(self._ssl_context).wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._go_on(data)

    def _go_on(self, data: bytes) -> None:
        """Go on with the handshake; what the protocol is to read may come with its end."""
        self._incoming.write(data[:RECORD_SIZE])
        self._shake_hands()
        if self._incoming.pending and self._stage is _OPEN:
            self._read(b"")
        if len(data) > RECORD_SIZE:
            self.data_received(data[RECORD_SIZE:])

    def _refuse(self, answer: bytes) -> None:
        if not answer:
            self.abort()
            return
        self._end()
        self._lower.write(answer)
        self._lower.close(tls.REFUSAL_LINGER)

    def _shake_hands(self) -> None:
        """Go on with the handshake as far as the input reaches."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send_outgoing()
        except ssl.SSLError as error:
            self._handshake_failed(error)
        else:
            self._send_outgoing()
            self._begin()

    def _begin(self) -> None:
        """Let the protocol begin."""
        self._timer.cancel()
        self._stage = _OPEN
        try:
            self.protocol = self._make_protocol(self)
        except Exception as error:
            report_failure(self._loop.owner, error)
            self.abort()

    def _handshake_failed(self, error: Exception) -> None:
        """Tell the peer why, if OpenSSL has an alert for it, and close."""
        tls.log_failed_handshake(self._log_limit, self.remote_address, error)
        self._end()
        self._send_outgoing()
        self._lower.close(tls.REFUSAL_LINGER)

    def _handshake_timed_out(self) -> None:
        tls.log_slow_handshake(self._log_limit, self.remote_address)
        self.abort()

    # From the socket

    def data_received(self, data: bytes) -> None:
        """Take what the peer has sent; after `close` it is discarded."""
        stage = self._stage
        if stage is _OPEN:
            self._read(data)
        elif stage is Stage.GREETING:
            self._greet(data)
        elif stage is Stage.HANDSHAKE:
            self._go_on(data)

    def _read(self, data: bytes) -> None:
        """Give the protocol what can be decrypted now, as one piece."""
        pieces: list[bytes] = []
        failure = None
        try:
            if len(data) <= RECORD_SIZE:
                has_ended = self._decrypt(data, pieces) is None
            else:
                has_ended = self._decrypt_much(memoryview(data), pieces)
        except ssl.SSLError as error:
            has_ended, failure = False, error
        if pieces:
            self.protocol.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if failure is not None:
            self._fail(failure)
        elif has_ended:
            self._end_input()
        if self._is_blocked or self._outgoing.pending:
            self._answer()

    def _decrypt_much(self, data: memoryview, pieces: list[bytes]) -> bool:
        """Decrypt a record's length at a time. Return whether the peer said close_notify."""
        start, end = 0, MAX_RECORD_SIZE
        while start < len(data):
            begun = self._decrypt(data[start:end], pieces)
            if begun is None:
                return True
            if self._outgoing.pending:
                self._answer()
            start, end = end, _end_of_record(data, end - begun, end)
        return False

    def _decrypt(self, data: bytes | memoryview, pieces: list[bytes]) -> int | None:
        """Decrypt the records that are whole with ``data``.

        Returns:
            How many bytes of another have come; ``None`` if the peer said close_notify.
        """
        incoming, read = self._incoming, self._tls.read
        incoming.write(data)
        try:
            # OpenSSL takes no byte of a record before the one at hand is read, and a read takes all of one.
            while begun := incoming.pending:
                piece = read(RECORD_SIZE)
                if not piece:
                    return None
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            return None
        return begun

    def _answer(self) -> None:
        """Send what OpenSSL says by itself: the peer has asked for a new key, or for a negotiation."""
        self._is_blocked = False
        self._send_outgoing()
        self._mark_dirty()

    def _end_input(self) -> None:
        """Tell the protocol that the peer said close_notify, and read nothing behind it."""
        if self._stage is not _OPEN:
            return
        self._lower.pause_reading()
        if self._input is Input.FLOWING:
            self._tell_end()
        else:
            self._input = Input.ENDING

    def _tell_end(self) -> None:
        self._input = Input.ENDED
        if self._stage is _OPEN:
            self.protocol.eof_received()

    def _fail(self, error: Exception) -> None:
        """Give the connection up, with OpenSSL's alert to the peer if there is one."""
        self._send_outgoing()
        self._cut_off(error)

    def eof_received(self) -> None:
        """Take the end of the peer's output without close_notify: it may be forged, so the connection is cut off."""
        if self._stage is Stage.GREETING:
            self.abort()
        elif self._stage is Stage.HANDSHAKE:
            self._incoming.write_eof()
            self._shake_hands()
        elif self._stage is _OPEN:
            self._cut_off(ConnectionAbortedError("the connection was cut off: TLS was not ended before it"))

    def resume_writing(self) -> None:
        """Encrypt more at the end of this turn: the socket has room again."""
        self._mark_dirty()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the protocol that the connection is gone, and log a handshake that it has cut off."""
        if self._stage < _OPEN and error is not None:
            tls.log_failed_handshake(self._log_limit, self.remote_address, error)
        self._end()
        protocol, self.protocol = self.protocol, NO_PROTOCOL
        try:
            protocol.connection_lost(error)
        finally:
            self._connections.discard(self)

    def shut_down(self) -> None:
        """Tell the protocol that the server stops; a handshake is broken off."""
        if self._stage < _OPEN:
            self.abort()
            return
        try:
            self.protocol.shut_down()
        except Exception as error:
            report_failure(self, error)

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of our own, or of the protocol's: either costs this connection and no other."""
        self.protocol.callback_failed(error)
        if self.protocol is NO_PROTOCOL:
            self.abort(error)

    # For the protocol

    @property
    def buffered_amount(self) -> int:
        """Bytes that are not with the kernel yet: as they were written, or encrypted."""
        return self._unencrypted + self._lower.buffered_amount

    @property
    def local_address(self) -> Address:
        """Our own address."""
        return self._lower.local_address

    @property
    def file_sender(self) -> FileSender | None:
        """What sends a file: none, since its bytes are to be encrypted."""
        return None

    def set_high_water(self, amount: int) -> None:
        """Tell the protocol to go on once the output falls below so many bytes."""
        self._high_water = amount
        self._lower.set_high_water(amount)

    def set_protocol(self, protocol: Protocol) -> None:
        """Feed another protocol from now on."""
        self.protocol = protocol
        self.keep()

    def keep(self) -> None:
        """Keep what was written so far, whatever is discarded."""
        self._kept = len(self._output)

    def write(self, data: bytes | Parts) -> None:
        """Send ``data`` at the end of the turn."""
        if self._stage is not _OPEN or not data:
            return
        self._output.append(bytes(data))
        self._unencrypted += len(data)
        if not self._is_dirty:
            self._is_dirty = True
            loop = self._loop
            loop.dirty.append(self)
            if loop.idle:
                loop.wake()

    def write_at_once(self, data: bytes) -> int:
        """Send ``data`` at the end of the turn."""
        self.write(data)
        return 0

    def _mark_dirty(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            self._loop.mark_dirty(self)

    def discard_unsent(self) -> None:
        """Forget every write of which nothing is encrypted."""
        del self._output[self._kept :]
        self._unencrypted = sum(map(len, self._output))

    def unsent_amount(self) -> int:
        """Return how many bytes were written that the peer has not acknowledged."""
        return self._unencrypted + self._lower.unsent_amount()

    def progress(self) -> int:
        """Return a number that changes as the peer takes what was sent."""
        return self._lower.progress()

    def peer_has_ended(self) -> bool:
        """Return whether the peer has ended its side, by close_notify or without."""
        return self._input >= Input.ENDING or self._lower.peer_has_ended()

    def pause_reading(self) -> None:
        """Read nothing more for now."""
        if self._input is Input.FLOWING and self._stage is _OPEN:
            self._input = Input.PAUSED
            self._lower.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._input is Input.PAUSED:
            self._input = Input.FLOWING
            self._lower.resume_reading()
        elif self._input is Input.ENDING:
            self._input = Input.ENDED
            self._loop.call(self, self._tell_end)

    def close(self, linger: float) -> None:
        """Send what is buffered, say close_notify, discard input until the peer ends its side, then close."""
        if self._stage is not _OPEN:
            return
        self._stage = _FLUSHING
        self._linger_seconds = linger
        self._linger = Patience(self._loop, self._loop.owner, self, linger, self.abort)
        self._lower.resume_reading()
        self._mark_dirty()

    def abort(self, error: Exception | None = None) -> None:
        """Close at once, with close_notify if the socket takes it now; what is buffered is lost."""
        # Behind a record that is half sent it could only be read as a part of that.
        if self._stage is _OPEN and not self._lower.buffered_amount and not self.protocol.is_unfinished:
            self._say_close_notify()
        self._cut_off(error)

    def _cut_off(self, error: Exception | None) -> None:
        """Close at once."""
        self._end()
        self._lower.abort(error)

    def _end(self) -> None:
        """Enter CLOSED."""
        self._stage = Stage.CLOSED
        self._timer.cancel()
        if self._linger is not None:
            self._linger.cancel()
        self._output.clear()
        self._unencrypted = 0

    # Writing

    def flush(self) -> int:
        """Encrypt what was written, if the socket has room for it, and send it at once; it is counted where it is sent.

        Returns:
            How much of it is still to be counted: nothing.
        """
        amount = self._unencrypted + self._below
        records: Sequence[bytes] = ()
        try:
            if self._unencrypted and self._lower.buffered_amount < HIGH_WATER and not self._is_blocked:
                records = self._encrypt()
            if self._stage is _FLUSHING and not self._unencrypted:
                self._end_output(records)
            else:
                self._send_outgoing(records)
        except ssl.SSLError as error:
            self._cut_off(error)
        self._is_dirty = False  # not before: the socket may have told meanwhile that it has room, which is seen here
        self._below = below = self._lower.buffered_amount
        if self._unencrypted and below < HIGH_WATER and not self._is_blocked:
            self._mark_dirty()
        if below > 2 * PIECE:  # more than we encrypt ahead
            self.abort(ConnectionAbortedError("the peer asked for new keys again and again, and read nothing"))
        if amount >= self._high_water > self._unencrypted + below and self._stage is _OPEN:
            self._room_made()
        return 0

    def _encrypt(self) -> list[bytes]:
        """Encrypt the first of the output, up to a piece. Return the records but for the last, which OpenSSL holds."""
        data = self._first_output()
        size, done = len(data), 0
        records: list[bytes] = []
        try:
            done = self._tls.write(data if size <= RECORD_SIZE else memoryview(data)[:RECORD_SIZE])
            while done < size:
                records.append(self._outgoing.read())
                done += self._tls.write(memoryview(data)[done : done + RECORD_SIZE])
        except ssl.SSLWantReadError:
            self._is_blocked = True
        self._drop_encrypted(done)
        return records

    def _first_output(self) -> bytes | memoryview:
        """Return as much of the output as may be encrypted now, joined."""
        output = self._output
        count = len(output) if self._unencrypted <= PIECE else count_first(output, PIECE)
        data = output[0] if count == 1 else b"".join(output[:count])
        return data if len(data) <= PIECE else memoryview(data)[:PIECE]

    def _drop_encrypted(self, done: int) -> None:
        self._unencrypted -= done
        if self._unencrypted:
            self._kept = drop_sent(self._output, self._kept, done)
        else:
            self._output.clear()
            self._kept = 0

    def _send_outgoing(self, before: Sequence[bytes] = ()) -> None:
        """Send what OpenSSL has for the peer, and the records before it."""
        data = self._outgoing.read()
        if before:
            data = b"".join((*before, data))
        if data:
            self._loop.counts.bytes_sent += self._lower.write_at_once(data)

    def _end_output(self, records: Sequence[bytes]) -> None:
        """Say close_notify behind ``records``, and let the socket end."""
        self._end()
        self._say_close_notify(records)
        self._lower.close(self._linger_seconds)

    def _say_close_notify(self, records: Sequence[bytes] = ()) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the peer's own close_notify has not come, or data has come that will not be read
        self._send_outgoing(records)

    def _room_made(self) -> None:
        if self._lower.is_closed:
            return  # what waited was not sent, but lost
        try:
            self.protocol.resume_writing()
        except Exception as error:
            report_failure(self, error)
