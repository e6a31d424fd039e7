"""One WebSocket connection as a protocol: frames in, frames out, and how it ends.

::

                 close(), shut_down(): our close frame goes out
        OPEN ───────────────────────────────────────────────────► CLOSING
          │   │                                                      │
          │   │ the peer's close frame, a broken rule                │
          │   ▼                                                      │
          │  ANSWERING    the session answers what came before       │
          │   │                                                      │
          │   │ it has, or not at once: our close frame goes out     │ the peer's close frame,
          │   │                                                      │ a broken rule, close_timeout,
          │   │ the peer vanished, no pong                           │ the peer vanished
          ▼   ▼                                                      ▼
        ENDING ◄──────────────────────────────────────────────────────
          │ connection_lost                 nothing more is sent
          ▼
        LOST ──► FINISHED     completions, the pending read, then on_close, each once

In ANSWERING nothing more is read, and what the session sends still goes out: ahead of our close frame, which waits for
the end of the turn in which the last frame was delivered. A session that may still be about to answer, since it is
async, reads late, or has more to do than fits into a turn, has `MAX_PAUSES` pauses for each frame, in which the loop
turns and tasks run. Whoever has not answered then does not answer at once.

Source: RFC 6455 §5.5.1 and §7.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from enum import Enum, IntEnum
from functools import partial
from operator import itemgetter
from types import coroutine
from typing import Any, TypeVar

from ..callbacks import CallbackLoop, CallbackOwner, logger
from ..checks.signatures import explain_call
from ..checks.spelling import explain_misspelling
from ..counts import Counts
from ..errors import ConnectionClosed
from ..futures import Future, Promise
from ..http.request import HTTPRequest
from ..log_limit import LogLimit
from ..patience import Patience
from ..transport import Address, Parts, Protocol, Transport
from .contract import Connection, EndedConnection
from .deflate import Deflate
from .frame_inbox import FrameInbox
from .frame_reader import FrameReader
from .frames import FrameError, build_close_payload, parse_close_payload, shorten_reason
from .inbox import MAX_PAUSES
from .keepalive import Keepalive, PingOrigin
from .message_inbox import MessageInbox
from .opcodes import CloseCode, OpcodeType
from .options import CONTROL_FRAME_SECONDS, MAX_CONTROL_FRAMES, READ_AHEAD_BYTES, WebSocketOptions
from .outbox import Outbox
from .receive_inbox import ReceiveInbox
from .session_counts import SessionCounts, messages_in
from .socket import SocketConnection, WebSocket

InboxT = TypeVar("InboxT", MessageInbox, ReceiveInbox)

#: Any thread may be the first to ask for `on_close` or `gone`.
_futures_lock = threading.Lock()

_NO_MEMORY = "There is no memory for what is sent to %s (%s): it is closed with 1009"
#: What one peer sends too much of, another may lack: so a shortage comes to many at once.
_memory_log = LogLimit(logging.ERROR, interval=60)

PING, PONG, CLOSE = OpcodeType.PING, OpcodeType.PONG, OpcodeType.CLOSE
_ABNORMAL = CloseCode.ABNORMAL_CLOSURE


class State(IntEnum):
    """Where a connection stands; see the diagram above."""

    OPEN = 0
    CLOSING = 1
    ANSWERING = 2
    ENDING = 3
    LOST = 4
    FINISHED = 5


_OPEN, _CLOSING, _ANSWERING, _ENDING, _LOST, _FINISHED = State


class Input(Enum):
    """Where the reading stands."""

    #: More may come.
    FLOWING = 0
    #: Nothing more comes: what is left is read as the session makes room for it.
    ENDED = 1
    #: Nothing is read any more: it was all, or the peer closed, or broke a rule.
    OVER = 2


_FLOWING, _ENDED, _OVER = Input

_is_final = itemgetter(2)


class WebSocketConnection(SocketConnection, Protocol):
    """The protocol object of one WebSocket, and the owner of its callbacks.

    Attributes:
        socket: What the session holds.
        inbox, outbox, keepalive: What arrived and waits, what is sent, and the pings.
        close_code, close_reason: The first close frame's, whoever sent it.
        session_name: What the log calls the session.
    """

    __slots__ = (
        "_close_timer",
        "_control_times",
        "_counts",
        "_ended",
        "_frames",
        "_gone",
        "_has_peer_ended",
        "_input",
        "_is_client",
        "_is_close_requested",
        "_is_gone",
        "_loop",
        "_lost_reason",
        "_on_close",
        "_options",
        "_parting",
        "_pauses_left",
        "_state",
        "_transport",
        "_undelivered",
        "close_code",
        "close_reason",
        "inbox",
        "is_reading_paused",
        "keepalive",
        "on_close_requested",
        "outbox",
        "session_name",
        "socket",
    )

    def __init__(
        self,
        transport: Transport,
        loop: CallbackLoop,
        request: HTTPRequest | None,
        options: WebSocketOptions,
        *,
        context: Context | None = None,
        subprotocol: str | None = None,
        deflate: Deflate | None = None,
        is_client: bool = False,
        session_name: str,
    ) -> None:
        CallbackOwner.__init__(self, context)  # which costs half of `super`
        self.session_name = session_name
        self._transport = transport
        self._loop = loop
        self._options = options
        self._state = _OPEN
        self._is_client = is_client
        self._frames = self._make_reader(deflate)
        self.inbox: FrameInbox | MessageInbox | ReceiveInbox = FrameInbox(self, loop)
        self.outbox = Outbox(self, loop, transport, options.max_write_buffer, is_client, deflate)
        self.keepalive = Keepalive(self, loop, options.ping_interval, options.ping_timeout, options.write_timeout)
        self.socket: Any = WebSocket(self, loop, transport, request, subprotocol)
        self._counts: Counts = loop.counts
        self._counts.web_sockets += 1
        self.on_ping: Callable[[WebSocket, bytes], object] | None = None
        self.on_pong: Callable[[WebSocket, bytes], object] | None = None
        self.close_code: int | None = None
        self.close_reason = ""
        #: Called when we are asked to close, whatever the state: a client that reconnects ends then.
        self.on_close_requested: Callable[[], object] | None = None
        self.is_reading_paused = False
        self._control_times: list[float] | None = None
        self._close_timer: Patience | None = None
        #: For ANSWERING: the payload of our close frame, and whether it replies to one; how many frames were left to be
        #: delivered when this was last looked at, and how many pauses there may yet be.
        self._parting = (b"", False)
        self._undelivered = self._pauses_left = 0
        self._input = _FLOWING
        #: Whether the peer sends nothing more, as the transport says.
        self._has_peer_ended = False
        #: Why the connection is lost, once its input has ended.
        self._lost_reason = ""
        #: Whether the application, or the end of its loop, has asked for the close.
        self._is_close_requested = False
        self._gone: Promise[None] | None = None
        self._is_gone = False
        self._on_close: Promise[None] | None = None
        #: What stands for this connection once its end was told.
        self._ended: Connection | None = None
        if is_client:
            loop.hold()  # until the end is told

    def _make_reader(self, deflate: Deflate | None) -> FrameReader:
        options = self._options
        return FrameReader(
            self._is_client, options.max_frame_size, options.max_message_size, options.max_fragments, deflate
        )

    # The session

    def start(self, session: Callable[[], object], *, closes_after: bool) -> None:
        """Queue the session's beginning; nothing is delivered before it has returned, or waited for the first time.

        Args:
            session: Calls the user's ``handle_session`` or ``on_upgrade`` and returns what that returned.
            closes_after: Whether the end of an async session that reads nothing closes the socket (law 10). Else, once
                the session has returned without choosing how it reads, messages without a handler are dropped.
        """
        self.keepalive.start()
        self._loop.call(self, self._begin, session, closes_after)

    def start_without_session(self) -> None:
        """Let frames wait for the first read, or the first handler."""
        self.keepalive.start()
        self.inbox.open()

    def _begin(self, session: Callable[[], object], closes_after: bool) -> object:
        try:
            result = session()
        except BaseException:
            self._open_inbox()
            raise
        if result is not None and isinstance(result, Coroutine):
            return self._run_session(result, closes_after)
        if not closes_after:
            self._drop_unhandled()
        self._open_inbox()
        return None

    def _open_inbox(self) -> None:
        self.inbox.open()

    async def _run_session(self, session: Coroutine[Any, Any, object], closes_after: bool) -> None:
        await until_first_wait(session, self._open_inbox)
        if not closes_after:
            self._drop_unhandled()
        elif not self.inbox.has_reader and self.on_ping is None and self.on_pong is None:
            self.close()

    def _drop_unhandled(self) -> None:
        """Take messages from now on, and drop those that have no handler, unless the session reads frame by frame."""
        if isinstance(self.inbox, FrameInbox) and not self.inbox.is_chosen:
            self.choose_messages()

    def choose_messages(self) -> MessageInbox:
        """Put together from now on whatever arrives, what waits included. Raises `LocalProtocolError` beside a read."""
        return self._choose(MessageInbox)

    def choose_receiving(self) -> ReceiveInbox:
        """Do the same, for who asks for each message. Raises `LocalProtocolError` beside a read, or handlers."""
        return self._choose(ReceiveInbox)

    def _choose(self, kind: type[InboxT]) -> InboxT:
        former = self.inbox
        if isinstance(former, kind):
            return former
        waiting = former.give_up()
        self.inbox = inbox = kind(self._ended or self, self._loop, former)
        if self._ended is None:
            self.socket.inbox = inbox
        try:
            if isinstance(former, FrameInbox):
                self._frames.begin_messages(waiting)
        except FrameError as error:
            waiting = []
            self._fail(error.code, str(error))
        inbox.take_over(waiting, are_whole=not isinstance(former, FrameInbox))
        return inbox

    # From the transport

    def data_received(self, data: bytes) -> None:
        """Take bytes that arrived."""
        if self._state is _OPEN and not self.inbox.is_full:
            try:
                frame = self._frames.lone_frame(data)
            except FrameError as error:
                self._fail(error.code, str(error))
                return
            except MemoryError:
                self._refuse_for_memory()
                return
            if frame is not None:
                self._counts.messages_received += 1
                self.inbox.add(frame)
                return
        if self._input is _FLOWING:
            try:
                self._frames.feed(data)
            except MemoryError:
                self._refuse_for_memory()
                return
            self.read_frames()

    def read_frames(self) -> None:
        """Take frames out of what arrived, as long as there is room for them.

        So it goes to the last byte: what is left when the connection ends waits for room as well. But once we have sent
        our close frame the peer's may be hidden behind messages: those that find no room are let go.
        """
        if self._input is _OVER:
            return
        inbox, frames = self.inbox, self._frames
        try:
            while not inbox.is_full or self._state is _CLOSING:
                if frames.is_exhausted:
                    self._input_read()
                    return
                if inbox.is_full or inbox.has_ended:
                    frames.skip_messages()
                    inbox.end()  # else the session would see a gap
                elif several := frames.next_frames(inbox.room, READ_AHEAD_BYTES):
                    self._counts.messages_received += sum(map(_is_final, several))
                    inbox.add_all(several)
                    continue
                frame = frames.next_frame()
                if frame is None:
                    self._input_read()
                    return
                if frame[0] < CLOSE:
                    self._counts.messages_received += frame[2]
                    inbox.add(frame)
                elif self._control_received(frame[0], frame[1]):  # type: ignore[arg-type]  # it holds bytes
                    return
        except FrameError as error:
            self._fail(error.code, str(error))
            return
        except MemoryError:
            self._refuse_for_memory()
            return
        self._pause_reading()

    def _pause_reading(self) -> None:
        if not self.is_reading_paused:
            self.is_reading_paused = self.keepalive.was_reading_paused = True
            self._transport.pause_reading()

    def _input_read(self) -> None:
        """Go on when all that arrived is read: with what comes, or with the end of the input."""
        if self._input is _FLOWING:
            self._resume_reading()
            return
        self._end(CloseCode.ABNORMAL_CLOSURE, self._lost_reason)
        self._close_input()
        self._transport.abort()

    def _close_input(self) -> None:
        """Read nothing more. What waits is still delivered."""
        self._input = _OVER
        self._frames.discard()
        if self.is_reading_paused:
            self._resume_reading()
        self.inbox.end()

    def _resume_reading(self) -> None:
        if self.is_reading_paused:
            self.is_reading_paused = False
            self._transport.resume_reading()

    def eof_received(self) -> None:
        """Take the end of the peer's output: its close frame may be among what is still to be read."""
        self._has_peer_ended = True
        if self._state is _ANSWERING:
            return  # our close frame is still to go out, and closes
        if self._input is _OVER:
            self._close_transport()
        else:
            self._end_input("the peer ended the connection without a close frame")

    def _end_input(self, reason: str) -> None:
        """Read what is left, as there is room for it; then the connection is lost for ``reason``."""
        if self._input is _FLOWING:
            self._input = _ENDED
            self._lost_reason = reason
        self.read_frames()

    def resume_writing(self) -> None:
        """Let the completions that wait for room be called."""
        self.outbox.resume()
        self.inbox.settle()

    def connection_lost(self, error: Exception | None) -> None:
        """Settle everything that is pending, in the order of law 12: the connection is gone."""
        self._counts.web_sockets -= 1
        if self._input is not _OVER:
            self._end_input(str(error) if error is not None else "")
        if self._state < _ENDING:
            self._end(CloseCode.ABNORMAL_CLOSURE, self._lost_reason)
        self._state = _LOST
        if self._is_close_requested:
            self.inbox.abandon()
        self._settle_sends()
        self._loop.call(self, self._tell_gone)  # behind `on_close`, where that waits for nothing
        if self._state is _LOST:
            # The session may be busy with an earlier frame; if it never reads again, on_close must come all the same.
            self._set_close_timer(self._finish)
            self._loop.last_calls[self] = self._finish

    def _settle_sends(self) -> None:
        """Settle the completions that wait for room: behind the frames that are on their way to the session.

        They wait for no frame that a read is still to ask for, or a handler at work to make room for: that read, or
        that handler, may wait for a completion.
        """
        if self.inbox.is_delivering:
            self._loop.call(self, self._settle_sends)
            return
        if self.outbox.has_waiting:
            self.outbox.end(self.closed_error())
        self.inbox.settle()

    def shut_down(self) -> None:
        """Close because the server stops."""
        self.close_by_request(CloseCode.GOING_AWAY, "")

    def retire(self) -> None:
        """Close because another process takes over: who connects again is served at once."""
        self.close_by_request(CloseCode.SERVICE_RESTART, "")

    def count_apart(self) -> SessionCounts:
        """Count what arrives here for this connection alone, too, and return where that stands."""
        self._counts = counts = SessionCounts(self._counts)
        return counts

    def messages_in(self, data: bytes | Parts) -> int:
        """Return how many messages end in what is written to the transport."""
        return messages_in(data)

    def shed(self) -> None:
        """Close with 1013: too much waits in all connections together."""
        self.outbox.shed()

    def set_on_rate_limited(self, callback: Callable[..., object]) -> None:
        """Do nothing: nothing limits how fast this peer sends."""

    def is_failure(self, error: Exception) -> bool:
        """Tell whether it is one: a `ConnectionClosed` that leaves an async callback of a closed connection is not."""
        return self._state is _OPEN or not _is_closed_error(error)

    def callback_failed(self, error: Exception) -> None:
        """Close with 1011, because a callback of this socket raised ``error``."""
        if not self.is_failure(error):
            return
        if self._ended is not None:
            self._ended.callback_failed(error)
            return
        _log_failure(self.session_name, self.socket.request, self._transport.remote_address, error)
        self.inbox.discard()
        self.close(CloseCode.INTERNAL_ERROR, "")

    # Control frames

    def _control_received(self, opcode: OpcodeType, payload: bytes) -> bool:
        """Obey a control frame. Return whether it ended the reading."""
        if opcode is not CLOSE or self._control_times is not None:  # the first is never one too many
            self._count_control_frame()
        if opcode is CLOSE:
            self._close_received(payload)
            return True
        if opcode is PING:
            self.send_control(PONG, payload)
            if self.on_ping is not None or self.inbox.is_held:
                self._loop.call(self, self._tell_ping, payload)
        else:
            self._pong_received(payload)
        return False

    def _tell_ping(self, payload: bytes) -> object:
        """Tell `on_ping`, which the session may have set since the ping came: what came early belongs to it (law 9)."""
        return None if self.on_ping is None else self.on_ping(self.socket, payload)

    def send_control(self, opcode: OpcodeType, payload: bytes) -> None:
        """Send a ping or a pong of our own."""
        self.outbox.send_own_control(opcode, payload)

    def _count_control_frame(self) -> None:
        now = self._loop.time()
        if self._control_times is None:
            self._control_times = []  # a deque of one is 760 bytes, and an idle socket has answered a ping a while ago
        times = self._control_times
        del times[: bisect_right(times, now - CONTROL_FRAME_SECONDS)]
        times.append(now)
        if len(times) > MAX_CONTROL_FRAMES:
            raise FrameError(
                CloseCode.POLICY_VIOLATION,
                f"more than {MAX_CONTROL_FRAMES} control frames in {CONTROL_FRAME_SECONDS} seconds",
            )

    def _pong_received(self, payload: bytes) -> None:
        origin = self.keepalive.pong_received(payload)
        if origin is None:
            return
        if self.on_pong is not None:
            self._loop.call(self, self.on_pong, self.socket, payload)
        elif origin is PingOrigin.APPLICATION:
            self.inbox.add((PONG, payload, True))

    def _close_received(self, payload: bytes) -> None:
        code, reason = parse_close_payload(payload)
        if self._state is _OPEN:
            # RFC 6455 §5.5.1: "the endpoint typically echos the status code it received"
            self._begin_answering(payload, code, reason, is_reply=True)
            return
        if self._state is _LOST:  # it was among what was left to be read
            self.close_code, self.close_reason = code, reason
        self._end(code, reason)
        self._close_input()
        self._hang_up()

    # The end

    @property
    def is_connected(self) -> bool:
        """Whether neither side has sent a close frame yet, nor vanished."""
        return self._state is _OPEN

    @property
    def is_finished(self) -> bool:
        """Whether the connection is gone and all that was pending has been settled."""
        return self._state is _FINISHED

    @property
    def missing(self) -> int:
        """How many bytes of the frame that is arriving are still to come."""
        return self._frames.missing

    @property
    def has_unfinished_sends(self) -> bool:
        """Whether our close frame, or a completion, is due before the pending read may be told of the end."""
        return self._state is _ANSWERING or self.outbox.has_waiting

    def closed_error(self) -> ConnectionClosed:
        """Return the error that tells an ``await`` how this connection closed."""
        return ConnectionClosed(*self._closed)

    @property
    def _closed(self) -> tuple[int, str]:
        """The code and the reason that it closed with."""
        return (_ABNORMAL if self.close_code is None else self.close_code, self.close_reason)

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Send a close frame and wait for the peer's. Does nothing on a socket that is closing already.

        While the session answers what came before the peer's close, it says that there is no more to be answered.
        """
        if self._state is _ANSWERING:
            self._part()
        if self._state is not _OPEN:
            return
        self._send_close(build_close_payload(code, reason), code, reason)
        self._set_close_timer(self._close_timed_out)
        self._loop.call(self, self.read_frames)  # what waits may hide the peer's close frame
        self._resume_reading()

    def close_by_request(self, code: int, reason: str) -> None:
        """Close because the application asks for it, or its loop ends: not because something went wrong."""
        self._is_close_requested = True
        if self.on_close_requested is not None:
            self.on_close_requested()
        self.close(code, reason)

    def _set_close_timer(self, passed: Callable[[], object]) -> None:
        """Call ``passed`` after ``close_timeout``, counted anew while the peer takes what was sent before.

        It takes the place of what was to be called before.
        """
        if self._close_timer is None or self._close_timer.is_over:
            self._close_timer = Patience(self._loop, self, self._transport, self._options.close_timeout, passed)
        else:
            self._close_timer.begin_anew(passed)

    def _send_close(self, payload: bytes, code: int, reason: str) -> None:
        """Enter CLOSING: our close frame goes out, and with it the code and the reason that hold from now on."""
        self._state = _CLOSING
        self.close_code, self.close_reason = int(code), reason
        self._stop_timers()
        self.outbox.close(payload)

    def _begin_answering(self, payload: bytes, code: int, reason: str, *, is_reply: bool) -> None:
        """Enter ANSWERING: the code and the reason hold from now on; our close frame goes out as soon as it may."""
        self._state = _ANSWERING
        self.close_code, self.close_reason = int(code), reason
        self._stop_timers()
        self._parting = (payload, is_reply)
        self._close_input()
        self._undelivered, self._pauses_left = self.inbox.waiting, MAX_PAUSES
        self._loop.call_before_writing(self._part_if_answered)

    def _part_if_answered(self) -> None:
        """Send our close frame at the end of a turn, unless the session may be about to answer what it was given."""
        if self._state is not _ANSWERING:
            return
        waiting = self.inbox.waiting
        if waiting != self._undelivered:
            self._undelivered, self._pauses_left = waiting, MAX_PAUSES
        if (self.inbox.is_answered and not self._loop.is_behind) or not self._pauses_left:
            self._part()
            return
        self._pauses_left -= 1
        self._loop.call_later(self, 0, self._loop.call_before_writing, self._part_if_answered)

    def _part(self) -> None:
        """Send our close frame in answer to the peer's, or to the rule that it broke, and let the connection end."""
        payload, is_reply = self._parting
        self._state = _CLOSING  # before rooms are asked for what they hold, which may be more than there is room for
        self.outbox.close(payload)
        self._end(CloseCode.ABNORMAL_CLOSURE, "")  # which do not count: a close frame does
        if is_reply:
            self._hang_up()
        else:
            self._close_transport()
        self.inbox.settle()  # the pending read may be told now

    def _hang_up(self) -> None:
        """End the transport once both close frames are on their way."""
        if self._is_client and self._state is not _LOST and not self._has_peer_ended:
            # RFC 6455 §7.1.1: "The underlying TCP connection, in most normal cases, SHOULD be closed first by the
            # server"
            self._set_close_timer(self._transport.abort)
        else:
            self._close_transport()

    def _close_transport(self) -> None:
        self._transport.close(self._options.close_timeout)

    def _close_timed_out(self) -> None:
        if self._state is _CLOSING:
            self.drop("the peer did not answer the close frame in time")

    def _fail(self, code: CloseCode, reason: str) -> None:
        """End a connection whose peer broke a rule. Source: RFC 6455 §7.1.7."""
        if self._state is _OPEN:
            payload = build_close_payload(code, shorten_reason(reason))
            self._begin_answering(payload, code, reason, is_reply=False)
            return
        self._end(code, reason)
        self._close_input()
        self._close_transport()

    def _refuse_for_memory(self) -> None:
        """End a connection for whose messages there is no memory: it is not to cost the others what there is left."""
        self._frames.discard()  # first: it may hold most of it
        _memory_log.log("memory", _NO_MEMORY, self.session_name, self._describe())
        self._fail(CloseCode.MESSAGE_TOO_BIG, "there is no memory for it")

    def drop(self, reason: str) -> None:
        """Give the connection up: 1006, unless a close frame was seen before."""
        self._end(CloseCode.ABNORMAL_CLOSURE, reason)
        self._transport.abort()

    def _end(self, code: int, reason: str) -> None:
        """Enter ENDING: nothing more is sent. The code and reason hold unless earlier ones do."""
        if self._state >= _ENDING:
            return
        if self._state is _OPEN:  # else they were stopped before
            self._stop_timers()
        self._state = _ENDING
        self.outbox.shut()
        if self.close_code is None:
            self.close_code, self.close_reason = int(code), reason
        if self._close_timer is not None:
            self._close_timer.cancel()

    def _stop_timers(self) -> None:
        self.keepalive.stop()
        self.socket.end_timers()

    def inbox_drained(self) -> None:
        """Go on with the end: the session has been given all that arrived."""
        self._finish()

    def _finish(self) -> None:
        """Tell on_close, last and once. Queued, so that it comes behind the callbacks that are ready."""
        if self._state is not _LOST:
            return
        self._state = _FINISHED
        if self.outbox.has_waiting:
            self.outbox.end(self.closed_error())
        if self._input is not _OVER:
            self._close_input()  # a session that has not read it by now will not
        self._loop.last_calls.pop(self, None)
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._loop.call(self, self._tell_on_close)

    def _tell_on_close(self) -> None:
        report = partial(_log_failure, self.session_name, self.socket.request, self._transport.remote_address)
        ended = EndedConnection(self._closed, self.context, self.socket, self.session_name, report)
        with _futures_lock:
            on_close, self._ended = self._on_close, ended
        if on_close is not None:
            on_close.succeed()
            on_close.future_result.belong_to(ended)
        if self._gone is not None:
            self._gone.future_result.belong_to(ended)
        self._let_go(ended)
        if self._is_client:
            self._loop.release()

    def _tell_gone(self) -> None:
        with _futures_lock:
            self._is_gone = True
            gone = self._gone
        if gone is not None:
            gone.succeed()
            if self._ended is not None:
                gone.future_result.belong_to(self._ended)

    def _let_go(self, ended: Connection) -> None:
        """Refer to nothing that refers back here: from now on the socket's last reference frees all of it."""
        self.inbox.outlive(ended)
        self.outbox.outlive(ended)
        self.keepalive.outlive(ended)
        self.on_ping = self.on_pong = self.socket = None

    @property
    def gone(self) -> Future[None]:
        """The future of the transport's end, whatever the session is still to be told. Never fails."""
        with _futures_lock:
            if self._gone is None:
                self._gone = Promise(self._loop, self._ended or self)
                if self._is_gone:
                    self._gone.succeed()
            return self._gone.future_result

    @property
    def on_close(self) -> Future[None]:
        """The future of the connection's end. Never fails."""
        with _futures_lock:
            if self._on_close is None:
                self._on_close = Promise(self._loop, self._ended or self)
                if self._ended is not None:
                    self._on_close.succeed()
            return self._on_close.future_result

    def _describe(self) -> str:
        """Return which of the session's connections this is."""
        return _described(self.socket.request, self._transport.remote_address)

    def probe(self) -> None:
        """Find out soon whether the peer is still there, if pongs are to tell: the machine has slept."""
        if self.is_connected:
            self.keepalive.probe()

    def restart_keepalive(self) -> None:
        """Ping at the interval that is set now."""
        if self.is_connected:
            self.keepalive.start()

    def unsent_amount(self) -> int:
        """Return how many bytes were sent that the peer has not acknowledged."""
        return self._transport.unsent_amount()

    def progress(self) -> int:
        """Return a number that changes as the peer takes what was sent."""
        return self._transport.progress()


def _described(request: HTTPRequest | None, address: Address) -> str:
    """Return which of a session's connections it is that was opened by a request, or has this peer."""
    host, port = address
    peer = f"{host}:{port}" if port else host
    return f"{request.path} from {peer}" if request is not None else f"at {peer}"


def _log_failure(session_name: str, request: HTTPRequest | None, address: Address, error: Exception) -> None:
    explain_misspelling(error)
    explain_call(error, "A continuation is called with (data, opcode, final), a completion without arguments.")
    connection = _described(request, address)
    logger.error("A callback of %s (%s) raised %s", session_name, connection, type(error).__name__, exc_info=error)


def _is_closed_error(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return all(_is_closed_error(inner) for inner in error.exceptions)
    return isinstance(error, ConnectionClosed)


@coroutine
def until_first_wait(session: Coroutine[Any, Any, object], opened: Callable[[], None]) -> Generator[Any, Any, object]:
    """Run ``session`` as if it were awaited here, and call ``opened`` when it first waits, or ends before it does."""
    is_open = False
    send: Callable[[Any], Any] = session.send
    value: Any = None
    try:
        while True:
            try:
                trap = send(value)
            finally:
                if not is_open:
                    is_open = True
                    opened()
            try:
                value, send = (yield trap), session.send
            except BaseException as error:  # a cancellation or an error that trio throws in goes to the session
                value, send = error, session.throw
    except StopIteration as stop:
        return stop.value
    finally:
        value = None  # the error that leaves refers to this frame, which would refer to it
        session.close()
