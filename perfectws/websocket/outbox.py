"""What is sent: messages to frames to the transport, and completions that wait for room.

A completion means that the write buffer has taken the frame and stands below its high-water mark. Below the mark it is
queued at once; above it, it waits here until the transport has fallen below. So a sender that waits for its completions
cannot run out of memory; one that does not is cut off at ``max_write_buffer``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from codecs import IncrementalDecoder
from collections.abc import Callable, Generator
from enum import Enum
from functools import partial
from typing import Any

import outcome

from ..callbacks import CallbackLoop, report_failure
from ..errors import LocalProtocolError
from ..futures import Promise
from ..transport import HIGH_WATER, Parts, Transport
from .arguments import check_utf8
from .contract import Connection, Membership
from .deflate import Compression, Deflate, Deflater
from .frames import BINARY, CONTINUATION, TEXT, build_frame, encoded, is_compressed, mask_frame
from .framing import BuildBinary, BuildText, framing_of
from .opcodes import MAX_CONTROL_PAYLOAD, CloseCode, OpcodeType
from .payload import new_utf8_decoder

#: The most bytes that a control frame takes, with a header of two and a mask of four.
MAX_CONTROL_FRAME = MAX_CONTROL_PAYLOAD + 6

#: What a send may be given, to be called or resolved when it was accepted.
Completion = Callable[[], object] | Promise[None] | None


class Drained(ABC):
    """What a send without a completion returns: ``await`` it to wait until the write buffer has room.

    There is one per socket, however often it sends: its outbox. Not awaiting it costs nothing.

    Raises:
        ConnectionClosed: The socket is closed: what was sent may not have arrived.
    """

    __slots__ = ()

    @abstractmethod
    async def wait_until_drained(self) -> None:
        """Wait until the write buffer stands below its high-water mark. Raises `ConnectionClosed`."""

    def __await__(self) -> Generator[Any, Any, None]:
        return self.wait_until_drained().__await__()


class Sending(Enum):
    """How a whole message is sent at this moment.

    ::

        PLAIN ◄──nothing waits any more, and the socket is in no room──► IN_TURN     DEFLATED       MASKED
          ▲                                                                 ▲       by a server    by a client
          └──────────────────a fragmented message ends───────────────── COMPOSED ────────┴──────────────┘

        (any) ──our close frame is sent, or the connection has ended──► CLOSED
    """

    #: As one frame, the same for every receiver, at once.
    PLAIN = 0
    #: As such a frame, behind what the rooms hold for the socket, or the completions that wait.
    IN_TURN = 1
    #: Compressed: a room's as the frame that all get who compress alike.
    DEFLATED = 2
    #: As a frame that is masked, compressed or not, so that nobody else can get it.
    MASKED = 3
    #: Behind the fragmented message under way.
    COMPOSED = 4
    #: Not at all. A send is no error then: its completion is called.
    CLOSED = 5


#: Read for each message: a global is found faster than an enum's member.
PLAIN, IN_TURN, DEFLATED, MASKED, _COMPOSED, _CLOSED = Sending


class Outbox(Drained):
    """The sending half of one connection.

    Args:
        connection: The connection of which it is a half.
        loop: The loop that the connection lives in.
        transport: What the frames are written to.
        max_write_buffer: How many bytes may wait there, for a sender that waits for no completion.
        is_client: Whether frames are masked.
        deflate: What compresses; ``None`` if messages are sent as they are.

    Attributes:
        loop: As above.
        sending: How a whole message is sent at this moment.
        build_text, build_binary: What makes a whole message the frame for `write_whole_message`; ``None`` while
            something is in its way.
    """

    __slots__ = (
        "_connection",
        "_counts",
        "_deflater",
        "_delayed",
        "_framing",
        "_held",
        "_held_size",
        "_is_client",
        "_mark",
        "_max_write_buffer",
        "_memberships",
        "_message_deflater",
        "_message_opcode",
        "_transport",
        "_utf8",
        "_waiting",
        "_watched_above",
        "build_binary",
        "build_text",
        "loop",
        "sending",
    )

    def __init__(
        self,
        connection: Connection,
        loop: CallbackLoop,
        transport: Transport,
        max_write_buffer: int,
        is_client: bool,
        deflate: Deflate | None,
    ) -> None:
        self._connection = connection
        self.loop = loop
        self._counts = loop.counts
        self._transport = transport
        self._max_write_buffer = max_write_buffer
        self._is_client = is_client
        self._deflater = None if deflate is None else deflate.deflater(is_client)
        self._framing = framing_of(is_client, self._deflater)
        self.build_text: BuildText | None = None
        self.build_binary: BuildBinary | None = None
        #: Below so many bytes with the transport no completion waits, and nothing overflows.
        self._mark = min(HIGH_WATER, max_write_buffer + 1)
        if self._mark < HIGH_WATER:
            transport.set_high_water(self._mark)
        #: What is added above this is looked at: what is too much, and where a server limits all buffers, what is much.
        self._watched_above = max_write_buffer if loop.note_backlog is None else self._mark - 1
        self._memberships: tuple[Membership, ...] = ()
        #: The opcode of the fragmented message under way, CONTINUATION if there is none; and what compresses it.
        self._message_opcode = CONTINUATION
        self._message_deflater: Deflater | None = None
        #: What holds a text made by hand against UTF-8, once a part of it was sent: that may have cut a character.
        self._utf8: IncrementalDecoder | None = None
        #: Messages of rooms that wait for the end of that message, each as its frame before it is masked.
        self._held: list[bytes] | None = None
        self._held_size = 0
        #: What `send_own_control` keeps until there is room: the payload of the last of each kind.
        self._delayed: dict[OpcodeType, bytes] | None = None
        #: Completions above the high-water mark, in order, and `_send_delayed`. Called with None, or with why it will
        #: never be.
        self._waiting: list[Callable[[Exception | None], object]] = []
        self.sending = PLAIN
        self._update_sending()

    def _update_sending(self) -> None:
        if self.sending is _CLOSED:
            return
        is_in_turn = bool(self._memberships or self._waiting)
        if self._message_opcode:
            self.sending = _COMPOSED
        elif self._is_client:
            self.sending = MASKED
        elif self._deflater is not None:
            self.sending = DEFLATED
        else:
            self.sending = IN_TURN if is_in_turn else PLAIN
        if is_in_turn or self._message_opcode:
            self.build_text = self.build_binary = None
        else:
            self.build_text, self.build_binary = self._framing

    @property
    def is_open(self) -> bool:
        """Whether frames are still sent."""
        return self.sending is not _CLOSED

    @property
    def is_inside_message(self) -> bool:
        """Whether a fragmented message is under way."""
        return bool(self._message_opcode)

    @property
    def has_waiting(self) -> bool:
        """Whether completions, or pings and pongs of our own, wait for room."""
        return bool(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether the write buffer stands below its high-water mark: if not, `call_when_drained` tells when it does."""
        return self._transport.buffered_amount < self._mark

    @property
    def compression(self) -> Compression | None:
        """How messages are compressed; ``None`` if they are sent as they are."""
        return None if self._deflater is None else self._deflater.compression

    # Messages

    def write_whole_message(self, frame: bytes | Parts, completion: Callable[[], object] | None) -> None:
        """Send the frame that `build_text` or `build_binary` has made, which was there."""
        transport = self._transport
        transport.write(frame)
        self._counts.messages_sent += 1
        if transport.buffered_amount >= self._mark:
            self._settle(completion, len(frame))
        elif completion is not None:
            loop = self.loop
            loop.ready.append((self._connection, (completion,)))
            if loop.idle:
                loop.wake()

    def send_text(self, text: str, final: bool, completion: Completion) -> None:
        """Send a text message, or a part of one. Raises as `send_data`."""
        if final and not self._message_opcode and self.is_open:
            self._deliver_rooms()  # ahead of it: before it is compressed
            self._counts.messages_sent += 1
            self._send(self._framing.text(text), completion)
        else:
            self.send_data(TEXT, encoded(text), final, completion)

    def send_data(self, opcode: OpcodeType, data: bytes, final: bool, completion: Completion) -> None:
        """Send a message, or a part of one: inside a fragmented message its opcode becomes CONTINUATION.

        Raises:
            LocalProtocolError: The fragmented message under way is of the other kind.
        """
        begun = self._message_opcode
        if final and opcode is BINARY and not begun and self.is_open:
            self._deliver_rooms()  # ahead of it: before it is compressed
            self._counts.messages_sent += 1
            self._send(self._framing.binary(data), completion)
            return
        if begun and opcode is not begun:
            raise LocalProtocolError(
                f"a fragmented {begun.name} message is under way: end it with final=True before sending {opcode.name}"
            )
        self.send_fragment(CONTINUATION if begun else opcode, data, final, completion)

    def send_fragment(
        self, opcode: OpcodeType, data: bytes, final: bool, completion: Completion, is_unchecked: bool = False
    ) -> None:
        """Send a data frame with the opcode given, which must fit the message under way.

        Args:
            opcode, data, final, completion: As of `WebSocket.send_raw`.
            is_unchecked: Whether the data, if it is text, is still to be held against UTF-8.

        Raises:
            LocalProtocolError: CONTINUATION outside a fragmented message, or TEXT or BINARY inside one; or a text that
                is not UTF-8.
        """
        is_first = opcode is not CONTINUATION
        if is_first == bool(self._message_opcode):
            raise LocalProtocolError(
                "a fragmented message is under way: its next frame is a CONTINUATION"
                if is_first
                else "no fragmented message is under way: a CONTINUATION has nothing to continue"
            )
        if is_unchecked or self._utf8 is not None:
            self._check_text(opcode, data, final)
        self._deliver_rooms()  # ahead of it: before it is compressed, and before it begins or ends a message
        self._compose(opcode, data, final, completion)
        if final:
            self._release_held()

    def _check_text(self, opcode: OpcodeType, data: bytes, final: bool) -> None:
        """Hold a frame's data, if it is text, against UTF-8: a part may end within a character, the message may not."""
        if (self._message_opcode or opcode) is TEXT:
            utf8 = self._utf8 or new_utf8_decoder()
            check_utf8(utf8, data, final)
            self._utf8 = None if final else utf8

    def _compose(self, opcode: OpcodeType, data: bytes, final: bool, completion: Completion) -> None:
        """Send a data frame as it has to be for this receiver alone."""
        is_first = opcode is not CONTINUATION
        if is_first:
            self._message_deflater = self._deflater_for(data, final)
        deflater = self._message_deflater
        if is_first or final:
            self._message_opcode = CONTINUATION if final else opcode
            self._update_sending()
        if self.sending is _CLOSED:
            self._refuse(completion)
            return
        self._counts.messages_sent += final
        if deflater is not None:
            data = deflater.compress(data, final)
        self._send(build_frame(opcode, data, final, deflater is not None and is_first, self._is_client), completion)

    def _deflater_for(self, data: bytes, final: bool) -> Deflater | None:
        """Return what compresses a message that begins with ``data``: short ones are sent as they are."""
        deflater = self._deflater
        return None if deflater is None or (final and not deflater.compression.takes(data)) else deflater

    def send_control(self, opcode: OpcodeType, payload: bytes, completion: Completion = None) -> None:
        """Send a ping or a pong; a fragmented message under way stays as it is."""
        self._deliver_rooms()
        self._send(build_frame(opcode, payload, is_masked=self._is_client), completion)

    def send_own_control(self, opcode: OpcodeType, payload: bytes) -> None:
        """Send a ping or a pong that the application knows nothing of, and is not to be cut off for.

        Where the write buffer cannot hold it, it waits for room, and the last of its kind takes its place.

        Source: RFC 6455 §5.5.3: an endpoint may answer the last ping only.
        """
        self._deliver_rooms()
        if not self.is_open:
            return
        if self.has_room or self._transport.buffered_amount + MAX_CONTROL_FRAME <= self._max_write_buffer:
            self._send(build_frame(opcode, payload, is_masked=self._is_client), None)
        elif self._delayed is None:
            self._delayed = {opcode: payload}
            self._wait(self._send_delayed)
        else:
            self._delayed[opcode] = payload

    def _send_delayed(self, error: Exception | None) -> None:
        """Send what `send_own_control` has kept, unless an ``error`` says that there will never be room."""
        delayed, self._delayed = self._delayed, None
        if delayed is not None and error is None:
            for opcode, payload in delayed.items():
                self.send_own_control(opcode, payload)

    def close(self, payload: bytes) -> None:
        """Send the close frame, the last of all, whatever the write buffer holds."""
        if self._memberships:
            self._deliver_rooms()
        self.shut()
        self._transport.write(build_frame(OpcodeType.CLOSE, payload, is_masked=self._is_client))

    def shut(self) -> None:
        """Send nothing more, and leave every room."""
        self._close_sending()
        self._held, self._held_size = None, 0
        for membership in self._memberships:
            membership.forget()

    def _close_sending(self) -> None:
        self.sending = _CLOSED
        self.build_text = self.build_binary = None

    def _send(self, frame: bytes | Parts, completion: Completion) -> None:
        """Give a frame to the transport, if anything is still sent."""
        if self.sending is _CLOSED:
            self._refuse(completion)
        else:
            self._transport.write(frame)
            self._settle(completion, len(frame))

    # Completions

    def _settle(self, completion: Completion, size: int) -> None:
        """Settle the completion of the ``size`` bytes that the transport has taken, now or when there is room again."""
        amount = self._transport.buffered_amount
        if completion is not None:
            if amount >= self._mark or self._waiting:
                self._wait(partial(self._complete, completion))
            else:
                self._complete(completion, None)
        if amount > self._watched_above:
            self._look_at(amount - size, size)

    def _look_at(self, before: int, size: int, count: int = 1) -> None:
        """Look at ``count`` messages of ``size`` bytes in all that were added above what is watched."""
        if self.loop.note_backlog is not None:
            self.loop.note_backlog(size)
        if self._transport.buffered_amount > self._max_write_buffer:
            self._bear(before if count == 1 else self._mark)

    def _bear(self, before: int) -> None:
        """Bear what is more than the write buffer may hold, if it is one message that found it below its high water."""
        if before < self._mark:
            self._transport.keep()  # whatever follows: nothing waited before it, so it goes out whole
        else:
            self._overflow()

    def _refuse(self, completion: Completion) -> None:
        """Settle the completion of a send on a closed socket: in order, so behind those that wait."""
        if completion is not None:
            if self._waiting:
                self._wait(partial(self._complete_refused, completion))
            else:
                self._complete_refused(completion, None)

    def _wait(self, settle: Callable[[Exception | None], object]) -> None:
        self._waiting.append(settle)
        self._update_sending()

    def _complete(self, completion: Callable[[], object] | Promise[None], error: Exception | None) -> None:
        """Settle a completion: a promise fails with the ``error``, if there is one."""
        if not isinstance(completion, Promise):
            self.loop.call(self._connection, completion)
        elif error is not None:
            completion.fail(error)
        else:
            completion.succeed()

    def _complete_refused(self, completion: Callable[[], object] | Promise[None], error: Exception | None) -> None:
        """Settle the completion of a send on a closed socket."""
        self._complete(completion, error or self._connection.closed_error())

    def shed(self) -> None:
        """Be cut off, since all connections together have too much to send."""
        self._overflow("the write buffers of the server are full")

    def fail(self, error: Exception) -> None:
        """Take an error that what a room had for this socket has raised: the socket is closed with 1011."""
        report_failure(self._connection, error)

    def _overflow(self, reason: str = "the write buffer is full") -> None:
        self._transport.discard_unsent()
        self._close_sending()  # so that nothing but the close frame follows, not even what rooms hold
        self._connection.close(CloseCode.TRY_AGAIN_LATER, reason)
        self._settle_waiting(self._connection.closed_error())  # what they wait for will not be sent

    def resume(self) -> None:
        """Settle the completions that wait: the transport has room again."""
        self._settle_waiting(None)

    def end(self, error: Exception) -> None:
        """Send nothing more, and settle the completions that wait: the connection is gone."""
        self.shut()
        self._settle_waiting(error)

    def outlive(self, ended: Connection) -> None:
        """Ask ``ended`` from now on: the connection is over, and its end was told."""
        self._connection = ended

    def _settle_waiting(self, error: Exception | None) -> None:
        waiting, self._waiting = self._waiting, []
        self._update_sending()
        for settle in waiting:
            settle(error)

    def call_when_drained(self, callback: Callable[[], object]) -> None:
        """Queue ``callback()`` once the write buffer has room, or the connection has ended."""
        if self._waiting or not self.has_room:
            self._wait(partial(self._complete, callback))
        else:
            self.loop.call(self._connection, callback)  # no `resume` will come

    async def wait_until_drained(self) -> None:
        """Wait until the write buffer stands below its high-water mark.

        Raises:
            ConnectionClosed: The socket is closed.
        """
        if not self.loop.is_here():  # a task of another loop, asyncio's perhaps
            drained = Promise[None](self.loop, self._connection)
            self.loop.ask(self._connection, self._resolve_when_drained, drained)
            await drained.future_result
        elif self.is_open and (self._waiting or not self.has_room):
            suspension = self.loop.suspension()
            self._wait(lambda error: suspension.resume(outcome.Value(None) if error is None else outcome.Error(error)))
            await suspension.sleep()
        else:
            await self.loop.checkpoint()
            if not self.is_open:
                raise self._connection.closed_error()

    def _resolve_when_drained(self, drained: Promise[None]) -> None:
        if not self.is_open:
            drained.fail(self._connection.closed_error())
        elif self._waiting or not self.has_room:
            self._wait(partial(self._complete, drained))
        else:
            drained.succeed()

    # Rooms

    def join(self, membership: Membership) -> None:
        """Be in a room: what it holds for the socket goes out before anything else."""
        self._memberships = (*self._memberships, membership)
        self._update_sending()

    def leave(self, membership: Membership) -> None:
        """Be in that room no longer."""
        self._memberships = tuple(other for other in self._memberships if other is not membership)
        self._update_sending()

    def _deliver_rooms(self) -> None:
        """Send what the rooms hold for the socket, ahead of what it is about to be sent."""
        for membership in self._memberships:
            membership.deliver()

    def would_overflow(self, size: int, count: int) -> bool:
        """Whether ``count`` more messages of ``size`` bytes in all are more than the write buffer may hold.

        One message alone is not, whatever its size, if it finds the buffer below its high water.
        """
        before = self._transport.buffered_amount + self._held_size
        return before + size > self._max_write_buffer and (count > 1 or before >= self._mark)

    def write_shared(self, frames: bytes, count: int) -> int:
        """Send the frames of ``count`` messages, joined, that were built for all members of a room.

        It is the end of a turn, and `sending` is IN_TURN, or DEFLATED and none of them is compressed.

        Returns:
            How many bytes the kernel has taken, which the room counts: once for all members, as it does the messages.
        """
        transport = self._transport
        sent = transport.write_at_once(frames)
        if transport.buffered_amount > self._watched_above:
            self._look_at(transport.buffered_amount - len(frames), len(frames), count)
        return sent

    def write_shared_deflated(self, frames: bytes, count: int, context: object) -> int:
        """Send such frames of which one is compressed at least. It is the end of a turn, and `sending` is DEFLATED.

        Args:
            frames, count: As above.
            context: Stands for what the peer's window ends with behind them, for `is_in`.

        Returns:
            As above.
        """
        assert self._deflater is not None
        self._deflater.replaced(context)
        return self.write_shared(frames, count)

    def is_in(self, context: object) -> bool:
        """Tell whether nothing was compressed for this peer since `write_shared_deflated` was given ``context``."""
        return self._deflater is not None and self._deflater.context is context

    def write_whole(self, frame: bytes) -> None:
        """Send a whole message of a room: behind the fragmented message that is under way, if one is.

        Args:
            frame: The frame that says it to all who compress as `compression` says, not masked yet; if it is
                compressed, it refers to no message before it.

        The room counts it.
        """
        if self.sending is IN_TURN:
            self._send(frame, None)
        elif self._message_opcode and self.sending is not _CLOSED:
            self._hold(frame)
        else:
            self._send_whole(frame)

    def _send_whole(self, frame: bytes) -> None:
        if self._deflater is not None and is_compressed(frame):
            self._deflater.replaced(None)
        self._send(mask_frame(frame) if self._is_client else frame, None)

    def _hold(self, frame: bytes) -> None:
        if self._held is None:
            self._held = []
        self._held.append(frame)
        self._held_size += len(frame)
        if self._transport.buffered_amount + self._held_size > self._max_write_buffer:
            self._overflow()

    def _release_held(self) -> None:
        held, self._held, self._held_size = self._held, None, 0
        for frame in held or ():
            self._send_whole(frame)
