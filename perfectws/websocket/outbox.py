"""What is sent: messages to frames to the transport, and completions that wait for room.

A completion means that the write buffer has taken the frame and stands below its high-water mark. Below the mark it is
queued at once; above it, it waits here until the transport has fallen below. So a sender that waits for its completions
cannot run out of memory; one that does not is cut off at ``max_write_buffer``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import outcome

from ..errors import LocalProtocolError
from ..futures import Promise, Suspension, checkpoint
from ..transport import HIGH_WATER, Parts, Transport
from .frames import CONTINUATION, TEXT, build_frame, build_text_frame, mask_frame
from .opcodes import CloseCode, OpcodeType

if TYPE_CHECKING:
    from ..callbacks import CallbackLoop
    from ..rooms.room import RoomGroup
    from .connection import WebSocketConnection
    from .deflate import Deflate

#: What a send may be given to learn that it was accepted.
Completion = Callable[[], object] | Promise[None] | None


class Drained:
    """What a send without a completion returns: ``await`` it to wait until the write buffer has room.

    There is one per socket, however often it sends. Not awaiting it costs nothing.

    Raises:
        ConnectionClosed: The socket is closed: what was sent may not have arrived.
    """

    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __await__(self) -> Generator[Any, Any, None]:
        return self._outbox.wait_until_drained().__await__()


class Outbox:
    """The sending half of one connection.

    Attributes:
        is_open: Whether frames are still sent. A send on a closed socket is no error: its completion is called.
        loop: The loop that the connection lives in.
        drained: What sends without a completion return.
        sends_plainly: Whether a whole message is sent as one frame, and that as it is: there is no compression, and no
            fragmented message under way.
        can_share: Whether besides a frame that was built for all can be sent here: a client's is masked.
    """

    __slots__ = (
        "_connection",
        "_deflate",
        "_deflates_message",
        "_groups",
        "_held",
        "_held_size",
        "_is_client",
        "_is_plain",
        "_mark",
        "_max_write_buffer",
        "_message_opcode",
        "_transport",
        "_waiting",
        "can_share",
        "drained",
        "is_open",
        "loop",
        "sends_plainly",
    )

    def __init__(
        self,
        connection: WebSocketConnection,
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
        self.is_open = True
        self._groups: tuple[RoomGroup, ...] = ()
        #: Whether a frame needs no mask, and neither it nor its completion waits for anything: see `_look_again`.
        self._is_plain = not is_client
        #: Below so many bytes with the transport no completion waits, and nothing overflows.
        self._mark = min(HIGH_WATER, max_write_buffer + 1)
        #: Messages of rooms that wait for the end of the fragmented message under way.
        self._held: list[tuple[OpcodeType, str | bytes, bytes]] | None = None
        self._held_size = 0
        #: The opcode of the fragmented message under way; CONTINUATION if there is none.
        self._message_opcode = CONTINUATION
        self.sends_plainly = deflate is None
        self.can_share = deflate is None and not is_client
        self._deflates_message = False
        #: Completions above the high-water mark, in order. Called with None, or with why it will never be.
        self._waiting: list[Callable[[Exception | None], object]] = []
        self.drained = Drained(self)

    @property
    def has_waiting(self) -> bool:
        """Whether completions wait."""
        return bool(self._waiting)

    def send_text(self, text: str, final: bool, completion: Completion) -> None:
        """Send a text message, or a part of one."""
        if final and self.sends_plainly:
            self._write(build_text_frame(text), completion)
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
        if self._groups:
            self._deliver_rooms()  # ahead of it: before it is compressed, and before it begins or ends a message
        self._send_fragment(opcode, data, final, completion)

    def _send_fragment(self, opcode: OpcodeType, data: bytes, final: bool, completion: Completion) -> None:
        is_first = opcode is not CONTINUATION
        if is_first == bool(self._message_opcode):
            raise LocalProtocolError(
                "a fragmented message is under way: its next frame is a CONTINUATION"
                if is_first
                else "no fragmented message is under way: a CONTINUATION has nothing to continue"
            )
        if is_first:
            self._deflates_message = self._deflate is not None and (
                not final or len(data) >= self._deflate.options.min_size
            )
            self._message_opcode = opcode
        if final:
            self._message_opcode = CONTINUATION
        self.sends_plainly = final and self._deflate is None
        self.can_share = self.sends_plainly and not self._is_client
        if self._deflates_message and self.is_open:
            assert self._deflate is not None
            data = self._deflate.compress(self._is_client, opcode, data, final)
        self._pass_on(build_frame(opcode, data, final, self._deflates_message and is_first), completion)
        if self._held is not None and final:
            self._release_held()

    def send_control(self, opcode: OpcodeType, data: bytes, completion: Completion = None) -> None:
        """Send a ping or a pong; a fragmented message under way stays as it is."""
        self._write(build_frame(opcode, data), completion)

    def close(self, payload: bytes) -> None:
        """Send the close frame, the last of all, whatever the write buffer holds."""
        self._deliver_rooms()
        self.shut()
        frame = build_frame(OpcodeType.CLOSE, payload)
        self._transport.write(mask_frame(frame) if self._is_client else frame)

    def _write(self, frame: bytes | Parts, completion: Completion) -> None:
        if isinstance(completion, Promise):
            self._write_in_turn(frame, completion)
        else:
            self.write(frame, completion)

    def write(self, frame: bytes | Parts, completion: Callable[[], object] | None = None) -> None:
        """Send a server's frame, masked if we are the client. The same frame may go to many sockets."""
        if not self._is_plain:
            self._write_in_turn(frame, completion)
            return
        transport = self._transport
        transport.write(frame)
        if transport.buffered_amount >= self._mark:
            self._written(completion)
        elif completion is not None:
            loop = self.loop
            loop.ready.append((self._connection, (completion,)))
            if loop.idle:
                loop.wake()

    def _write_in_turn(self, frame: bytes | Parts, completion: Completion) -> None:
        """Send a frame behind what comes before it, if anything is still sent."""
        if self._groups:
            self._deliver_rooms()
        self._pass_on(frame, completion)

    def _pass_on(self, frame: bytes | Parts, completion: Completion) -> None:
        """Send a frame now, if anything is still sent."""
        if not self.is_open:
            self._refuse(completion)
            return
        self._transport.write(mask_frame(frame) if self._is_client else frame)
        self._written(completion)

    def _written(self, completion: Completion) -> None:
        """Settle the completion of what the transport has taken, now or when there is room again."""
        amount = self._transport.buffered_amount
        if completion is not None:
            if amount >= HIGH_WATER or amount > self._max_write_buffer or self._waiting:
                self._wait(self._waiter(completion))
            else:
                self._waiter(completion)(None)
        if amount > self._max_write_buffer:
            self._overflow()

    # Rooms

    def join(self, group: RoomGroup) -> None:
        """Learn that the socket is in a room: what the room holds for it goes out before anything else."""
        self._groups = (*self._groups, group)
        self._look_again()

    def leave(self, group: RoomGroup) -> None:
        """Learn that the socket is no longer in a room."""
        self._groups = tuple(other for other in self._groups if other is not group)
        self._look_again()

    def _look_again(self) -> None:
        self._is_plain = self.is_open and not (self._groups or self._waiting or self._is_client)

    def would_overflow(self, size: int) -> bool:
        """Whether ``size`` more bytes are more than the write buffer may hold."""
        return self._transport.buffered_amount + self._held_size + size > self._max_write_buffer

    def write_shared(self, frames: bytes) -> None:
        """Send frames that were built, and joined, for all members of a room, at the end of the turn."""
        if self.is_open:
            transport = self._transport
            transport.write_at_once(frames)
            if transport.buffered_amount > self._max_write_buffer:
                self._overflow()

    def write_whole(self, opcode: OpcodeType, data: str | bytes, frame: bytes) -> None:
        """Send a whole message of a room: behind the fragmented message that is under way, if one is."""
        if self._message_opcode:
            if self._held is None:
                self._held = []
            self._held.append((opcode, data, frame))
            self._held_size += len(frame)
            if self.would_overflow(0):
                self._overflow()
        elif self._deflate is not None:
            self._send_fragment(opcode, data.encode() if isinstance(data, str) else data, True, None)
        else:
            self._pass_on(frame, None)

    def _deliver_rooms(self) -> None:
        """Send what the rooms hold for the socket, ahead of what it is about to be sent."""
        for group in self._groups:
            group.deliver_to(self._connection.socket)

    def _release_held(self) -> None:
        held, self._held, self._held_size = self._held, None, 0
        for opcode, data, frame in held or ():
            self.write_whole(opcode, data, frame)

    def call_when_drained(self, callback: Callable[[], object]) -> None:
        """Queue ``callback()`` once the write buffer has room, or the connection has ended."""
        if self._waiting or self._transport.buffered_amount >= HIGH_WATER:
            self._wait(self._waiter(callback))
        else:
            self.loop.call(self._connection, callback)  # below the mark no `resume` will come

    def shut(self) -> None:
        """Send nothing more, and leave every room."""
        self.is_open = False
        self._held, self._held_size = None, 0
        self._look_again()
        for group in self._groups:
            group.forget(self._connection.socket)

    # Completions

    def _refuse(self, completion: Completion) -> None:
        """Settle the completion of a send on a closed socket: in order, so behind those that wait."""
        if completion is None:
            return
        if self._waiting:
            self._wait(self._waiter(completion, is_refused=True))
        else:
            self._waiter(completion, is_refused=True)(None)

    def _wait(self, settle: Callable[[Exception | None], object]) -> None:
        self._waiting.append(settle)
        self._look_again()

    def _waiter(
        self, completion: Callable[[], object] | Promise[None], is_refused: bool = False
    ) -> Callable[[Exception | None], object]:
        def settle(error: Exception | None) -> None:
            if not isinstance(completion, Promise):
                self.loop.call(self._connection, completion)
            elif error is not None or is_refused:
                completion.future_result._resolve(outcome.Error(error or self._connection.closed_error()))
            else:
                completion.future_result._resolve(outcome.Value(None))

        return settle

    def _overflow(self) -> None:
        self._transport.discard_unsent()
        self._connection.close(CloseCode.TRY_AGAIN_LATER, "the write buffer is full")
        self._settle_waiting(self._connection.closed_error())  # what they wait for will not be sent

    def resume(self) -> None:
        """Learn that the transport has room again."""
        self._settle_waiting(None)

    def end(self, error: Exception) -> None:
        """Learn that the connection is gone."""
        self.shut()
        self._settle_waiting(error)

    def _settle_waiting(self, error: Exception | None) -> None:
        waiting, self._waiting = self._waiting, []
        self._look_again()
        for settle in waiting:
            settle(error)

    async def wait_until_drained(self) -> None:
        """Wait until the write buffer stands below its high-water mark.

        Raises:
            ConnectionClosed: The socket is closed.
        """
        self.loop.check_thread()
        if self.is_open and (self._waiting or self._transport.buffered_amount >= HIGH_WATER):
            suspension = Suspension()
            self._wait(lambda error: suspension.resume(outcome.Value(None) if error is None else outcome.Error(error)))
            await suspension.sleep()
        else:
            await checkpoint()
            if not self.is_open:
                raise self._connection.closed_error()
