"""An application that does anything at any time: from callbacks, tasks and threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from perfectws import Future, OpcodeType, Promise, WebSocket
from perfectws.errors import ConnectionClosed, LocalProtocolError

from ..websocket.fakes import Cancelled
from .ledger import Entry, Kind, Ledger
from .watching import Boom
from .wire import Stage, WireLoop

CLOSE_CODES = [1000, 1001, 1011, 3000, 4999]
TIMEOUTS = [-1.0, 0.0, 0.5, 30.0]
TEXTS = ["", "a", "Hello", "é" * 70, "x" * 200, "no two " * 40]
SIZES = [0, 1, 125, 126, 5000, 40_000, 70_000, 300_000]

#: What may end a task.
ENDS_OF_TASKS = (ConnectionClosed, TimeoutError, LocalProtocolError, Boom, Cancelled)

#: One of an application's calls: which, and with what.
Action = tuple[int, int]


class Application:
    """Makes calls, and keeps what came of them.

    Attributes:
        ledger: What it was promised.
        plan: What its next callbacks do, one each.
        given: What it was given: frames by reads, or whole messages by handlers.
        accepted: The messages that it has sent, as long as none was sent in parts.
        closings: The codes with which it has closed an open socket, by itself or by an error.
        sends_in_parts, takes_messages: Whether it has ever tried to.
        sends_beside_others: Whether it has ever sent something while something waited.
    """

    def __init__(self, loop: WireLoop, socket: WebSocket) -> None:
        self.loop = loop
        self.socket: Any = socket
        self.ledger = Ledger(lambda: loop.wires[0].stage is Stage.CLOSED)
        self.plan: deque[Action] = deque()
        self.frames: list[tuple[object, OpcodeType, bool]] = []
        self.messages: list[str | bytes] = []
        self.accepted: list[str | bytes] = []
        self.closings: list[int] = []
        self.sends_in_parts = self.takes_messages = self.sends_beside_others = self.is_in_thread = False
        entry = self.ledger.add(Kind.ON_CLOSE)
        socket.on_close.when_complete(lambda result: self.called(entry))

    # What it is told

    def called(self, entry: Entry) -> None:
        """Take a callback, and do what is planned."""
        self.ledger.called(entry)
        self.go_on()

    def go_on(self) -> None:
        """Do what is planned for the next callback."""
        if self.plan:
            self.act(*self.plan.popleft(), in_callback=True)

    def act(self, which: int, much: int, in_callback: bool = False) -> None:
        """Make one call. It may be refused, and then has accepted nothing."""
        actions = ACTIONS if in_callback else ACTIONS[:-1]
        actions[which % len(actions)](self, much)

    def act_in_thread(self, which: int, much: int) -> None:
        """Make one call in another thread, and wait until it returns."""
        errors: list[BaseException] = []

        def work() -> None:
            try:
                THREADS_ACTIONS[which % len(THREADS_ACTIONS)](self, much)
            except BaseException as error:
                errors.append(error)

        self.is_in_thread = True
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.is_in_thread = False
        if errors:
            raise errors.pop()

    def attempt(self, kind: Kind, call: Callable[[Entry], object], is_certain: bool = True) -> bool:
        """Make a call that accepts a callback. Return whether it did."""
        entry = self.ledger.add(kind, is_certain)
        try:
            call(entry)
        except LocalProtocolError:
            self.ledger.refuse(entry)
            return False
        return True

    # Reading

    def read(self, much: int) -> None:
        is_certain, as_text = not self.is_in_thread, bool(much & 1)

        def call(entry: Entry) -> None:
            def received(data: object, opcode: OpcodeType, final: bool) -> object:
                if opcode is not OpcodeType.INVALID:
                    self.frames.append((data, opcode, final))
                self.called(entry)
                return self.pause() if much & 2 else None

            read = self.socket.read_string_message if as_text else self.socket.read_bytes_message
            read(received)
            self.ledger.read(entry, is_certain)

        self.attempt(Kind.READ, call, is_certain)

    async def pause(self) -> None:
        """Go on as a task."""
        await self.loop.checkpoint()
        self.go_on()

    def handle(self, much: int) -> None:
        self.takes_messages = True

        def received(socket: WebSocket, message: Any) -> object:
            self.messages.append(message)
            self.go_on()
            return self.pause() if much & 2 else None

        try:
            (self.socket.on_text if much & 1 else self.socket.on_binary)(received)
        except LocalProtocolError:
            pass

    def handle_controls(self, much: int) -> None:
        (self.socket.on_ping if much & 1 else self.socket.on_pong)(lambda socket, data: self.go_on())

    def receive(self, much: int) -> None:
        self.takes_messages = True

        def call(entry: Entry) -> None:
            self.socket.receive().when_complete(lambda result: self.called(entry))

        self.attempt(Kind.RECEIVE, call)

    def set_timeout(self, much: int) -> None:
        self.socket.read_timeout_seconds = TIMEOUTS[much % len(TIMEOUTS)]

    # Sending

    def attempt_to_send(self, kind: Kind, call: Callable[[Entry], object], is_certain: bool = True) -> bool:
        """Make a call that sends, and accepts a callback. Return whether it did."""
        self.note_send()
        return self.attempt(kind, call, is_certain)

    def note_send(self) -> None:
        """Remember whether something waits beside what is about to be sent; from a thread it may."""
        self.sends_beside_others |= self.is_in_thread or self.loop.wires[0].buffered_amount > 0

    def send(self, much: int) -> None:
        is_text = bool(much & 1)
        text, data = TEXTS[much // 2 % len(TEXTS)], bytes([much]) * SIZES[much // 2 % len(SIZES)]

        def call(entry: Entry) -> None:
            if is_text:
                self.socket.send_string_message(text, completion=lambda: self.called(entry))
            else:
                self.socket.send_binary_message(data, completion=lambda: self.called(entry))

        if self.attempt_to_send(Kind.COMPLETION, call, not (self.is_in_thread and self.sends_in_parts)):
            self.accepted.append(text if is_text else data)

    def send_with_promise(self, much: int) -> None:
        text = TEXTS[much % len(TEXTS)]

        def call(entry: Entry) -> None:
            promise = Promise[None](self.loop)
            promise.future_result.when_complete(lambda result: self.called(entry))
            self.socket.send(text, promise)

        if self.attempt_to_send(Kind.PROMISE, call, not (self.is_in_thread and self.sends_in_parts)):
            self.accepted.append(text)

    def send_part(self, much: int) -> None:
        self.sends_in_parts = True
        text, data, is_final = TEXTS[much // 4 % len(TEXTS)], bytes(SIZES[much // 4 % 5]), bool(much & 2)

        def call(entry: Entry) -> None:
            if much & 1:
                self.socket.send_string_message(text, is_final, lambda: self.called(entry))
            else:
                self.socket.send_binary_message(data, is_final, lambda: self.called(entry))

        self.attempt_to_send(Kind.COMPLETION, call, not self.is_in_thread)

    def send_control(self, much: int) -> None:
        send = self.socket.send_ping if much & 1 else self.socket.send_pong
        self.attempt_to_send(Kind.COMPLETION, lambda entry: send(lambda: self.called(entry), data=bytes(much % 127)))

    # The rest

    def close(self, much: int) -> None:
        code = CLOSE_CODES[much % len(CLOSE_CODES)]
        if self.socket.is_connected:
            self.closings.append(code)

        def call(entry: Entry) -> None:
            self.socket.close(code, "bye").when_complete(lambda result: self.called(entry))

        self.attempt(Kind.GONE, call)

    def call_later(self, much: int) -> None:
        def call(entry: Entry) -> None:
            self.socket.call_later(much % 8, lambda: self.called(entry))

        self.attempt(Kind.TIMER, call, is_certain=False)

    def set_ping_interval(self, much: int) -> None:
        self.socket.ping_interval = [None, 1, 20][much % 3]

    def start_task(self, much: int) -> None:
        self.takes_messages |= much % 5 in (2, 3)
        entry = self.ledger.add(Kind.GONE)  # which may end at any time
        self.loop.start_task(self.loop.owner, self.work(entry, much))

    async def work(self, entry: Entry, much: int) -> None:
        """Await something; how it ends is the network's affair."""
        try:
            match much % 5:
                case 0:
                    message = await self.socket.read_string_message()
                    self.frames.append(tuple(message))
                case 1:
                    self.note_send()
                    await self.socket.send("from a task")
                    self.go_on()
                case 2:
                    async for message in self.socket:
                        self.messages.append(message)
                case 3:
                    await self.result_of(self.socket.receive())
                case _:
                    await self.result_of(self.socket.on_close)
        except ENDS_OF_TASKS:
            pass
        finally:
            self.called(entry)

    async def result_of(self, future: Future[Any]) -> Any:
        """Wait for a future on a loop that is none of trio's."""
        suspension = self.loop.suspension()
        future.when_complete(suspension.resume)
        return await suspension.sleep()

    def cancel_task(self, much: int) -> None:
        tasks = [task for task in self.loop.started if task.is_asleep]
        if tasks:
            tasks[much % len(tasks)].cancel()

    def fail(self, much: int) -> None:
        if self.socket.is_connected:
            self.closings.append(1011)
        raise Boom


#: What a callback may do; the last, to raise, only a callback may.
ACTIONS: list[Callable[[Application, int], None]] = [
    Application.read,
    Application.read,
    Application.send,
    Application.handle,
    Application.send_with_promise,
    Application.receive,
    Application.send_control,
    Application.close,
    Application.call_later,
    Application.set_timeout,
    Application.send_part,
    Application.start_task,
    Application.handle_controls,
    Application.set_ping_interval,
    Application.cancel_task,
    Application.fail,
]
THREADS_ACTIONS: list[Callable[[Application, int], None]] = [
    Application.read,
    Application.send,
    Application.send_with_promise,
    Application.send_part,
    Application.send_control,
    Application.close,
    Application.call_later,
]
