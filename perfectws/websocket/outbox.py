"""What is sent: messages to frames to the transport, and completions that wait for room.

A completion means that the write buffer has taken the frame and stands below its high-water mark. Below the mark it is
queued at once; above it, it waits here until the transport has fallen below. So a sender that waits for its completions
cannot run out of memory; one that does not is cut off at ``max_write_buffer``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from enum import Enum
from typing import Any

import outcome

from ..callbacks import CallbackLoop
from ..errors import LocalProtocolError
from ..futures import Promise
from ..transport import HIGH_WATER, Parts, Transport
from .contract import Connection, Membership
from .deflate import Compression, Deflate
from .frames import CONTINUATION, TEXT, build_frame, build_text_frame, is_compressed, mask_frame
from .opcodes import CloseCode, OpcodeType

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

        PLAIN ◄──nothing waits any more, and the socket is in no room──► IN_TURN      DEFLATED, with compression
          ▲                                                                 ▲            ▲
          └──────────────────a fragmented message ends───────────────── COMPOSED, for good with a mask

        (any) ──our close frame is sent, or the connection has ended──► CLOSED
    """

    #: As one frame, the same for every receiver, at once.
    PLAIN = 0
    #: As such a frame, behind what the rooms hold for the socket, or the completions that wait.
    IN_TURN = 1
    #: Compressed: a room's as the frame that all get who compress alike.
    DEFLATED = 2
    #: Masked, or behind the fragmented message under way: as no frame that others get too.
    COMPOSED = 3
    #: Not at all. A send is no error then: its completion is called.
    CLOSED = 4


#: Read for each message: a global is found faster than an enum's member.
PLAIN, IN_TURN, DEFLATED, _COMPOSED, _CLOSED = Sending


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
    """

    __slots__ = (
        "_connection",
        "_deflate",
        "_held",
        "_held_size",
        "_is_client",
        "_mark",
        "_max_write_buffer",
        "_memberships",
        "_message_deflate",
        "_message_opcode",
        "_transport",
        "_waiting",
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
        self._transport = transport
        self._max_write_buffer = max_write_buffer
        self._is_client = is_client
        self._deflate = deflate
        #: Below so many bytes with the transport no completion waits, and nothing overflows.
        self._mark = min(HIGH_WATER, max_write_buffer + 1)
        self._memberships: tuple[Membership, ...] = ()
        #: The opcode of the fragmented message under way, CONTINUATION if there is none; and what compresses it.
        self._message_opcode = CONTINUATION
        self._message_deflate: Deflate | None = None
        #: Messages of rooms that wait for the end of that message, each as its frame before it is masked.
        self._held: list[bytes] | None = None
        self._held_size = 0
        #: Completions above the high-water mark, in order. Called with None, or with why it will never be.
        self._waiting: list[Callable[[Exception | None], object]] = []
        self.sending = PLAIN
        self._update_sending()

    def _update_sending(self) -> None:
        if self.sending is _CLOSED:
            return
        if self._is_client or self._message_opcode:
            self.sending = _COMPOSED
        elif self._deflate is not None:
            self.sending = DEFLATED
        elif self._memberships or self._waiting:
            self.sending = IN_TURN
        else:
            self.sending = PLAIN

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
        """Whether completions wait."""
        return bool(self._waiting)

    @property
    def compression(self) -> Compression | None:
        """How messages are compressed; ``None`` if they are sent as they are."""
        return None if self._deflate is None else self._deflate.compression(self._is_client)

    # Messages

    def write_plain(self, frame: bytes | Parts, completion: Callable[[], object] | None) -> None:
        """Send a whole message as the frame that every receiver gets, where `sending` is PLAIN."""
        transport = self._transport
        transport.write(frame)
        if transport.buffered_amount >= self._mark:
            self._settle(completion, len(frame))
        elif completion is not None:
            loop = self.loop
            loop.ready.append((self._connection, (completion,)))
            if loop.idle:
                loop.wake()

    def send_text(self, text: str, final: bool, completion: Completion) -> None:
        """Send a text message, or a part of one. Raises as `send_data`."""
        if final and (self.sending is PLAIN or self.sending is IN_TURN):
            self._deliver_rooms()
            self._send(build_text_frame(text), completion)
        else:
            self.send_data(TEXT, text.encode(), final, completion)

    def send_data(self, opcode: OpcodeType, data: bytes, final: bool, completion: Completion) -> None:
        """Send a message, or a part of one: inside a fragmented message its opcode becomes CONTINUATION.

        Raises:
            LocalProtocolError: The fragmented message under way is of the other kind.
        """
        begun = self._message_opcode
        if begun and opcode is not begun:
            raise LocalProtocolError(
                f"a fragmented {begun.name} message is under way: end it with final=True before sending {opcode.name}"
            )
        self.send_fragment(CONTINUATION if begun else opcode, data, final, completion)

    def send_fragment(self, opcode: OpcodeType, data: bytes, final: bool, completion: Completion) -> None:
        """Send a data frame with the opcode given, which must fit the message under way.

        Raises:
            LocalProtocolError: CONTINUATION outside a fragmented message, or TEXT or BINARY inside one.
        """
        is_first = opcode is not CONTINUATION
        if is_first == bool(self._message_opcode):
            raise LocalProtocolError(
                "a fragmented message is under way: its next frame is a CONTINUATION"
                if is_first
                else "no fragmented message is under way: a CONTINUATION has nothing to continue"
            )
        self._deliver_rooms()  # ahead of it: before it is compressed, and before it begins or ends a message
        self._compose(opcode, data, final, completion)
        if final:
            self._release_held()

    def _compose(self, opcode: OpcodeType, data: bytes, final: bool, completion: Completion) -> None:
        """Send a data frame as it has to be for this receiver alone."""
        is_first = opcode is not CONTINUATION
        if is_first:
            self._message_deflate = self._deflate_for(data, final)
        deflate = self._message_deflate
        self._message_opcode = CONTINUATION if final else opcode if is_first else self._message_opcode
        self._update_sending()
        if self.sending is _CLOSED:
            self._refuse(completion)
            return
        if deflate is not None:
            data = deflate.compress(self._is_client, data, final)
        self._send(build_frame(opcode, data, final, deflate is not None and is_first, self._is_client), completion)

    def _deflate_for(self, data: bytes, final: bool) -> Deflate | None:
        """Return what compresses a message that begins with ``data``: short ones are sent as they are."""
        deflate = self._deflate
        return None if deflate is None or (final and len(data) < deflate.options.min_size) else deflate

    def send_control(self, opcode: OpcodeType, payload: bytes, completion: Completion = None) -> None:
        """Send a ping or a pong; a fragmented message under way stays as it is."""
        self._deliver_rooms()
        self._send(build_frame(opcode, payload, is_masked=self._is_client), completion)

    def close(self, payload: bytes) -> None:
        """Send the close frame, the last of all, whatever the write buffer holds."""
        self._deliver_rooms()
        self.shut()
        self._transport.write(build_frame(OpcodeType.CLOSE, payload, is_masked=self._is_client))

    def shut(self) -> None:
        """Send nothing more, and leave every room."""
        self.sending = _CLOSED
        self._held, self._held_size = None, 0
        for membership in self._memberships:
            membership.forget()

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
            settle = self._settler(completion)
            if amount >= self._mark or self._waiting:
                self._wait(settle)
            else:
                settle(None)
        if amount > self._max_write_buffer:
            self._bear(amount - size)

    def _bear(self, before: int) -> None:
        """Bear what is more than the write buffer may hold, if it is one message that found it below its high water."""
        if before < self._mark:
            self._transport.keep()  # whatever follows: nothing waited before it, so it goes out whole
        else:
            self._overflow()

    def _refuse(self, completion: Completion) -> None:
        """Settle the completion of a send on a closed socket: in order, so behind those that wait."""
        if completion is not None:
            settle = self._settler(completion, is_refused=True)
            if self._waiting:
                self._wait(settle)
            else:
                settle(None)

    def _wait(self, settle: Callable[[Exception | None], object]) -> None:
        self._waiting.append(settle)
        self._update_sending()

    def _settler(
        self, completion: Callable[[], object] | Promise[None], is_refused: bool = False
    ) -> Callable[[Exception | None], object]:
        def settle(error: Exception | None) -> None:
            if not isinstance(completion, Promise):
                self.loop.call(self._connection, completion)
            elif error is not None or is_refused:
                completion.fail(error or self._connection.closed_error())
            else:
                completion.succeed()

        return settle

    def _overflow(self) -> None:
        self._transport.discard_unsent()
        self.sending = _CLOSED  # so that nothing but the close frame follows, not even what rooms hold
        self._connection.close(CloseCode.TRY_AGAIN_LATER, "the write buffer is full")
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
        if self._waiting or self._transport.buffered_amount >= HIGH_WATER:
            self._wait(self._settler(callback))
        else:
            self.loop.call(self._connection, callback)  # below the mark no `resume` will come

    async def wait_until_drained(self) -> None:
        """Wait until the write buffer stands below its high-water mark.

        Raises:
            ConnectionClosed: The socket is closed.
        """
        self.loop.check_thread()
        if self.is_open and (self._waiting or self._transport.buffered_amount >= HIGH_WATER):
            suspension = self.loop.suspension()
            self._wait(lambda error: suspension.resume(outcome.Value(None) if error is None else outcome.Error(error)))
            await suspension.sleep()
        else:
            await self.loop.checkpoint()
            if not self.is_open:
                raise self._connection.closed_error()

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

    def write_shared(self, frames: bytes, count: int) -> None:
        """Send the frames of ``count`` messages, joined, that were built for all members of a room.

        It is the end of a turn, and `sending` is IN_TURN, or DEFLATED and none of them is compressed.
        """
        transport = self._transport
        transport.write_at_once(frames)
        if transport.buffered_amount > self._max_write_buffer:
            self._bear(transport.buffered_amount - len(frames) if count == 1 else self._mark)

    def write_shared_deflated(self, frames: bytes, count: int, context: object) -> None:
        """Send such frames of which one is compressed at least. It is the end of a turn, and `sending` is DEFLATED.

        Args:
            frames, count: As above.
            context: Stands for what the peer's window ends with behind them, for `is_in`.
        """
        assert self._deflate is not None
        self._deflate.replaced(context)
        self.write_shared(frames, count)

    def is_in(self, context: object) -> bool:
        """Tell whether nothing was compressed for this peer since `write_shared_deflated` was given ``context``."""
        return self._deflate is not None and self._deflate.context is context

    def write_whole(self, frame: bytes) -> None:
        """Send a whole message of a room: behind the fragmented message that is under way, if one is.

        Args:
            frame: The frame that says it to all who compress as `compression` says, not masked yet; if it is
                compressed, it refers to no message before it.
        """
        if self.sending is IN_TURN:
            self._send(frame, None)
        elif self._message_opcode and self.sending is not _CLOSED:
            self._hold(frame)
        else:
            self._send_whole(frame)

    def _send_whole(self, frame: bytes) -> None:
        if self._deflate is not None and is_compressed(frame):
            self._deflate.replaced(None)
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
