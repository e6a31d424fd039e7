"""A whole WebSocket connection, and the laws: anything that a peer, an application and a network may do to it.

The first byte says which kind of connection it is, the rest is a script. After each step nothing may wait past its
limit, and what was sent is given to wsproto. At the end everything that was promised must have been told, once and in
its order, the close code must have a cause, and nothing may be left.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from perfectws.websocket.connection import WebSocketConnection
from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame, FrameError, parse_close_payload
from perfectws.websocket.opcodes import CloseCode, OpcodeType
from perfectws.websocket.options import READ_AHEAD_BYTES, READ_AHEAD_FRAMES, WebSocketOptions
from perfectws.websocket.whole_inbox import Assembler

from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload
from ..properties.oracle import Oracle
from ..properties.streams import Role
from ..reading import all_next_frames
from .application import Application
from .data import Data
from .frames import HEADER
from .watching import Boom, watched
from .wire import Stage, Wire, WireLoop

LARGE = 1 << 30
#: Above the high-water mark, and below.
MAX_WRITE_BUFFERS = [150_000, 3000]
LIMITS: dict[str, Any] = {"max_frame_size": 1000, "max_message_size": 1500, "max_fragments": 4}
OPCODES = [TEXT, TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE]
SIZES = [0, 1, 5, 125, 126, 999, 1001]
SECONDS = [0.0, 0.0, 0.5, 5.0, 11.0, 21.0, 50.0]
ROOM = [0, 0, 1, 100, 60_000]

#: What the end is without a close frame: the peer vanished.
LOST = int(CloseCode.ABNORMAL_CLOSURE)


class World:
    """A connection, its application and its peer."""

    def __init__(self, is_client: bool, with_deflate: bool, max_write_buffer: int) -> None:
        self.loop = WireLoop()
        self.wire = Wire(self.loop)
        #: The peer's frames are as a reader in this role expects them.
        self.role = Role(is_client, b"\x01\x02\x03\x04", with_deflate)
        self.options = WebSocketOptions(**LIMITS, max_write_buffer=max_write_buffer)
        self.connection = WebSocketConnection(
            self.wire,
            self.loop,
            None,
            self.options,
            deflate=self.role.new_deflate(),
            is_client=is_client,
            session_name="Session",
        )
        self.wire.set_protocol(self.connection)
        self.app = Application(self.loop, self.connection.socket)
        self.connection.start_without_session()
        self.peer = Oracle(Role(not is_client, b"", with_deflate))
        self.seen = 0
        self.is_stopped = False

    def take(self, step: int, source: Data) -> None:
        """Take one step of the script."""
        which, much = source.number(), source.number()
        match step % 16:
            case 0:
                self.wire.bring(source.take(much))
                self.loop.run()
            case 1 | 2:
                self.bring_frame(which, much)
                self.loop.run()
            case 3:
                self.bring_frame(which, much)
            case 4 | 5:
                self.app.act(which, much)
            case 6 | 7:
                self.app.plan.append((which, much))
            case 8:
                self.app.act_in_thread(which, much)
            case 9 | 10:
                self.loop.run()
            case 11:
                self.loop.advance(SECONDS[much % len(SECONDS)])
            case 12:
                self.wire.stall(ROOM[much % len(ROOM)])
            case 13:
                self.wire.drain()
                self.loop.run()
            case 14:
                self.loop.turn()
            case _:
                self.interrupt(which)

    def bring_frame(self, which: int, much: int) -> None:
        """Let the peer send a frame that is mostly right."""
        opcode, size = OPCODES[which % len(OPCODES)], SIZES[which // 8 % len(SIZES)]
        payload = bytes([97 + much % 26]) * (size if opcode < CLOSE else min(size, 125))
        if opcode == CLOSE:
            payload = close_payload([1000, 1001, 3000, 1005, 4999][much % 5], "x" * (size % 100))
        self.wire.bring(self.role.frame(opcode, payload, opcode >= CLOSE or much % 4 > 0))

    def interrupt(self, which: int) -> None:
        """Let the server stop, or the peer end its side, or vanish."""
        match which % 8:
            case 0:
                self.wire.abort(ConnectionResetError())
            case 1 | 2:
                self.is_stopped = True
                self.connection.shut_down() if which % 8 == 1 else self.connection.retire()
            case _:
                self.wire.end()
        self.loop.run()

    # After each step

    def check(self) -> None:
        """Fail if more waits than may, or if the peer was sent what it must not be."""
        self.check_input()
        assert self.wire.buffered_amount <= self.options.max_write_buffer + self.wire.largest_write + 200
        if self.wire.stage is Stage.OPEN and not (self.wire.buffered_amount or self.loop.is_busy):
            assert not self.connection.outbox.has_waiting, "a completion waits, though there is room"
        assert self.loop.live_timers <= 8 + len(self.app.ledger.entries), "timers pile up"
        self.check_output()

    def check_input(self) -> None:
        reader, inbox = self.connection._frames, self.connection.inbox
        assert len(reader._buffer) - reader._position <= self.wire.largest_read + self.options.max_frame_size + HEADER
        waiting = [frame for frame in inbox._frames if frame[0] is not OpcodeType.PONG]
        assert len(waiting) <= READ_AHEAD_FRAMES, "more frames wait than are read ahead"
        size = sum(len(data) for _, data, _ in waiting)
        assert size < 2 * READ_AHEAD_BYTES + self.options.max_message_size, "more bytes wait than are read ahead"

    def check_output(self) -> None:
        """Let wsproto read what the peer has got."""
        new = bytes(self.wire.sent[self.seen :])
        if new:
            assert not self.has_been_closed, "something was sent behind our close frame"
            self.peer.feed(new)
            self.seen += len(new)
        assert self.peer.outcome.error is None, "what we sent breaks a rule"

    @property
    def has_been_closed(self) -> bool:
        """Whether the peer has got our close frame."""
        frames = self.peer.outcome.frames
        return bool(frames) and frames[-1][0] == CLOSE

    # At the end

    def finish(self) -> ref[Any]:
        """Let the peer vanish, and fail if anything is wrong in the end, or left."""
        self.app.plan.clear()
        self.loop.run()
        self.wire.abort()
        self.loop.run()
        self.loop.advance(0)  # pauses, which take no time
        assert not (self.connection.is_finished and self.loop.live_timers), "a timer runs on behind on_close"
        self.loop.advance(1000)
        for task in self.loop.started:
            if task.is_asleep:
                task.cancel()
        self.loop.run()
        self.check_output()
        self.app.ledger.settle()
        self.check_given()
        self.check_sent()
        assert not self.loop.live_timers, "a timer runs on"
        assert not self.loop.last_calls
        assert self.wire.stage is Stage.CLOSED
        connection = ref(self.app.socket)
        for task in self.loop.started:
            task.outcome = None  # an error holds what it has passed through, the task among it
        self.app.socket = None
        del self.connection
        return connection

    def peers_frames(self) -> tuple[list[Frame], int | None]:
        """Return the frames that the peer has sent, as another reader finds them, and the code that ends them."""
        reader = FrameReader(self.role.is_client, self.options.max_frame_size, LARGE, LARGE, self.role.new_deflate())
        frames: list[Frame] = []
        try:
            for frame in all_next_frames(reader, bytes(self.wire.read)):
                if frame[0] is OpcodeType.CLOSE:
                    assert isinstance(frame[1], bytes)
                    return frames, parse_close_payload(frame[1])[0]
                frames.append(frame)
        except FrameError as error:
            return frames, int(error.code)
        return frames, None

    def check_given(self) -> None:
        """Fail unless the application was given a beginning of what the peer has sent, and the close has a cause."""
        frames, code = self.peers_frames()
        data = [frame for frame in frames if frame[0] < OpcodeType.CLOSE]
        app = self.app
        if not app.messages:
            given = [frame for frame in app.frames if frame[1] is not OpcodeType.PONG]
            assert len(given) <= len(data)
            for (got, *how), (opcode, sent, is_final) in zip(given, data, strict=False):
                assert how == [opcode, is_final], "a read was given another frame"
                assert got is None or as_bytes(got) == as_bytes(sent)
        elif not app.frames and len(app.messages) > 0:
            whole = iter([as_bytes(message[1]) for message in Assembler().whole_of(data)])
            assert all(as_bytes(message) in whole for message in app.messages), "a message was given that was not sent"
        assert app.socket.close_code in self.causes(code), f"nobody closed with {app.socket.close_code}"

    def causes(self, code: int | None) -> set[int | None]:
        """Return the codes that the close may have, if ``code`` is what the peer's frames come to."""
        causes: set[int | None] = {*self.app.closings, code}
        if not self.has_been_closed:
            causes.add(LOST)
        if self.app.sends_beside_others and self.wire.most_buffered > self.options.max_write_buffer:
            causes.add(CloseCode.TRY_AGAIN_LATER)
        if self.is_stopped:
            causes |= {CloseCode.GOING_AWAY, CloseCode.SERVICE_RESTART}
        if self.app.takes_messages:  # which have limits of their own
            causes |= {CloseCode.MESSAGE_TOO_BIG, CloseCode.POLICY_VIOLATION}
        return causes

    def check_sent(self) -> None:
        """Fail unless the peer got a beginning of what was sent, and our close frame says what the application sees."""
        if self.peer.is_deaf:
            return
        *frames, last = self.peer.outcome.frames or [(-1, b"", True)]
        if last[0] == CLOSE:
            code = last[1][0]  # type: ignore[index]  # (code, reason)
            assert code == self.app.socket.close_code, "our close frame says something else"
        else:
            frames.append(last)
        if not self.app.sends_in_parts:
            got = [payload for opcode, payload, _ in frames if opcode in (TEXT, BINARY)]
            others = [each for each in got if each != "from a task"]
            assert others == [each for each in self.app.accepted if each != "from a task"][: len(others)]


def as_bytes(data: object) -> bytes:
    """Return the bytes that a payload is on the wire."""
    assert isinstance(data, str | bytes)
    return data.encode() if isinstance(data, str) else data


def target(data: bytes) -> None:
    """Play a script."""
    source = Data(data)
    with watched(Boom):
        kind = source.number()
        world = World(bool(kind & 1), bool(kind & 2), MAX_WRITE_BUFFERS[kind >> 2 & 1])
        while source:
            world.take(source.number(), source)
            world.check()
        socket = world.finish()
    assert socket() is None, "the socket is held by something that only the collector would find"
