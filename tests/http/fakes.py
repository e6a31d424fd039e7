"""A transport in memory and a loop with a clock of its own: HTTP without a network, step by step."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVarTuple

import h11

from perfectws.callbacks import CallbackLoop, CallbackOwner, Timer
from perfectws.http.http11 import HTTPConnection
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse, RequestHandler
from perfectws.http.routing import Routes
from perfectws.http.service import HTTPService
from perfectws.transport import HIGH_WATER, FileSender, Parts, Protocol

Ts = TypeVarTuple("Ts")


class FakeTimer(Timer):
    def __init__(self, when: float, call: tuple[Any, ...]) -> None:
        self.when = when
        self.call: tuple[Any, ...] | None = call

    def cancel(self) -> None:
        self.call = None

    def fire(self) -> object:
        """Make the call, unless it was cancelled while it stood in the queue, as a `HeapTimer` does."""
        call, self.call = self.call, None
        return None if call is None else call[1](*call[2:])


class FakeLoop(CallbackLoop):
    """Runs its queue when told to, and its clock stands still between two calls of `advance`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.timers: list[tuple[float, int, FakeTimer]] = []
        self.timers_started = 0
        self.tasks: list[tuple[CallbackOwner, Coroutine[Any, Any, object]]] = []
        self._from_threads: deque[tuple[Any, ...]] = deque()

    def wake(self) -> None:
        self.idle = False

    def time(self) -> float:
        return self.now

    def call_later(self, owner: CallbackOwner, seconds: float, function: Callable[[*Ts], object], *args: *Ts) -> Timer:
        timer = FakeTimer(self.now + seconds, (owner, function, *args))
        self.timers_started += 1
        heapq.heappush(self.timers, (timer.when, self.timers_started, timer))
        return timer

    def call_from_thread(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        self._from_threads.append((owner, function, *args))

    def start_task(
        self,
        owner: CallbackOwner,
        coroutine: Coroutine[Any, Any, object],
        done: Callable[[], object] | None = None,
    ) -> None:
        self.tasks.append((owner, coroutine))

    def run(self) -> None:
        """Run until nothing is ready."""
        while self._from_threads or self.has_ready or self.tasks:
            while self._from_threads:
                self.call(*self._from_threads.popleft())
            self.run_ready()
            self.run_before_writing()
            self._step_tasks()

    def advance(self, seconds: float) -> None:
        """Let time pass, with every timer at its moment."""
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            self.now, _, timer = heapq.heappop(self.timers)
            if timer.call is not None:
                self.call(timer.call[0], timer.fire)
                self.run()
        self.now = end

    @property
    def live_timers(self) -> int:
        return sum(timer.call is not None for _, _, timer in self.timers)

    def _step_tasks(self) -> None:
        tasks, self.tasks = self.tasks, []
        for owner, coroutine in tasks:
            try:
                coroutine.send(None)
            except StopIteration:
                pass
            except Exception as error:
                owner.callback_failed(error)
            else:
                self.tasks.append((owner, coroutine))


class FakeTransport:
    """Keeps what is written; `stall` and `drain` play a peer that reads slowly."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.writes = 0
        self.buffered_amount = 0
        self.remote_address = ("192.0.2.7", 50000)
        self.local_address = ("192.0.2.1", 8181)
        self.is_secure = False
        self.file_sender: FileSender | None = None
        self.protocol: Protocol | None = None
        self.high_water = HIGH_WATER
        self.is_stalled = False
        self.is_paused = False
        self.linger: float | None = None
        self.is_aborted = False
        #: What the kernel would tell of the peer's end.
        self.has_ended = False

    def set_protocol(self, protocol: Protocol) -> None:
        self.protocol = protocol

    def set_high_water(self, amount: int) -> None:
        self.high_water = amount

    def write(self, data: bytes | Parts) -> None:
        if self.linger is not None or self.is_aborted:
            return
        self.writes += 1
        self.sent += bytes(data)
        if self.is_stalled:
            self.buffered_amount += len(data)

    def write_at_once(self, data: bytes) -> int:
        self.write(data)
        return 0

    def keep(self) -> None:
        raise AssertionError("HTTP never takes anything back, so nothing need be kept")

    def discard_unsent(self) -> None:
        raise AssertionError("HTTP never takes anything back")

    def unsent_amount(self) -> int:
        return self.buffered_amount

    def progress(self) -> int:
        return -self.buffered_amount

    def peer_has_ended(self) -> bool:
        return self.has_ended

    def pause_reading(self) -> None:
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self) -> None:
        assert self.is_paused
        self.is_paused = False

    def close(self, linger: float) -> None:
        self.linger = linger

    def abort(self, error: Exception | None = None) -> None:
        self.is_aborted = True

    @property
    def is_open(self) -> bool:
        return self.linger is None and not self.is_aborted

    def drain(self) -> None:
        """Let the peer read everything."""
        was_full = self.buffered_amount >= self.high_water
        self.is_stalled, self.buffered_amount = False, 0
        if was_full:
            assert self.protocol is not None
            self.protocol.resume_writing()


class Server:
    """A connection to a server in memory, and the peer's hands and eyes."""

    def __init__(
        self,
        routes: Routes | None = None,
        *,
        loop: FakeLoop | None = None,
        context: Context | None = None,
        **limits: Any,
    ) -> None:
        self.loop = loop or FakeLoop()
        self.transport = self.make_transport()
        self.service = HTTPService((routes or Routes()).navigator, **limits)
        self.connection = HTTPConnection(self.transport, self.loop, self.service, context)
        self.transport.set_protocol(self.connection)

    def make_transport(self) -> FakeTransport:
        return FakeTransport()

    @property
    def protocol(self) -> Protocol:
        assert self.transport.protocol is not None
        return self.transport.protocol

    def receive(self, data: bytes) -> None:
        """Let bytes arrive, without running a callback."""
        self.protocol.data_received(data)

    def ask(self, data: bytes, *methods: str) -> list[Answer]:
        """Let bytes arrive, run what is ready, and return the responses that are here now."""
        self.receive(data)
        self.loop.run()
        return self.answers(*methods)

    def answers(self, *methods: str) -> list[Answer]:
        """Return the responses sent so far; ``methods`` are those of the requests, GET where none is given."""
        return parse_answers(bytes(self.transport.sent), list(methods))

    def lose(self) -> None:
        self.protocol.connection_lost(ConnectionResetError())
        self.loop.run()


class Answer:
    """One response as the peer reads it."""

    def __init__(self, head: h11.Response) -> None:
        self.status = head.status_code
        self.reason = bytes(head.reason).decode()
        self.headers = [(name.decode(), value.decode()) for name, value in head.headers]
        self.body = b""
        self.is_complete = False

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name.lower())


def parse_answers(data: bytes, methods: list[str]) -> list[Answer]:
    """Read responses with h11 in the client's role."""
    answers: list[Answer] = []
    while data:
        client = h11.Connection(h11.CLIENT)
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        answer = _read_answer(client)
        if answer is None:
            break
        answers.append(answer)
        data = client.trailing_data[0] if answer.is_complete else b""
    return answers


def _read_answer(client: h11.Connection) -> Answer | None:
    answer = None
    while True:
        event = client.next_event()
        match event:
            case h11.Response():
                answer = Answer(event)
            case h11.Data():
                assert answer is not None
                answer.body += event.data
            case h11.EndOfMessage():
                assert answer is not None
                answer.is_complete = True
                return answer
            case h11.InformationalResponse():
                continue
            case _:
                return answer


def get(path: str, *headers: str) -> bytes:
    """Return the bytes of a GET request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: example.com", *headers, "", ""]).encode()


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Return the bytes of a POST request with a body of known length."""
    head = [f"POST {path} HTTP/1.1", "Host: example.com", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def echo_path(request: HTTPRequest, response: HTTPResponse) -> None:
    """Answer with the method, the URI and the body."""
    response.set_body(f"{request.method} {request.uri} ").append_body(request.post_body_bytes).completed()


def everything(handler: RequestHandler) -> Routes:
    """Return routes that give every request to one handler."""
    routes = Routes()
    routes.add(uri="/**", handler=handler)
    return routes
