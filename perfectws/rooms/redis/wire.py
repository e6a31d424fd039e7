"""Redis's protocol on a pipe: commands go out together, answers come in their order, and between them what is *pushed*.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP 3). hiredis, the parser of Redis's own
clients, packs and parses; nothing else here loads it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Generator
from math import inf
from typing import TYPE_CHECKING, Any

import outcome

from ...suspension import Suspension
from .pipes import Pipe
from .signal import Signal

if TYPE_CHECKING:
    from trio import CancelScope

Command = tuple[bytes | int, ...]
#: Called with what is pushed: ``[b"message", channel, said]``.
Hear = Callable[[list[Any]], object]

#: What the parser says where an answer has not come whole.
_MORE = object()


class RedisFailure(Exception):
    """Redis does not do as it must. The connection is made anew then."""


def load_parser() -> None:
    """Load hiredis, which may not be there. Raises `ImportError`, with what to install."""
    try:
        import hiredis  # noqa: F401
    except ImportError as error:
        raise ImportError("RedisBroker needs hiredis: pip install 'perfectws[redis]'") from error


class Answer:
    """What Redis answers to a command. One task at a time may await it, and again after that was cancelled.

    Args:
        instead: What to ask instead where Redis does not know the script; empty for nothing.

    Attributes:
        instead: As above.
        is_here: Whether there is no more to wait for.
        error: Why there is no answer.
        then: Called when the answer is here, if there is one, before who waits is woken. What it raises ends the
            connection, and goes to who waits.
    """

    __slots__ = ("_suspension", "_value", "error", "instead", "is_here", "then")

    def __init__(self, instead: Command = ()) -> None:
        self.instead = instead
        self.is_here = False
        self._value: Any = None
        self.error: Exception | None = None
        self.then: Callable[[], object] | None = None
        self._suspension: Suspension | None = None

    def give(self, value: object) -> None:
        """Wake who waits, with what was answered."""
        self._value = value
        self.is_here = True
        try:
            if self.then is not None:
                self.then()
        except Exception as error:
            self.error = error
            raise
        finally:
            self._wake()

    def fail(self, error: Exception) -> None:
        """Wake who waits: there will be no answer."""
        self.error = error
        self._wake()

    def _wake(self) -> None:
        self.is_here = True
        if self._suspension is not None:
            self._suspension.resume(outcome.Value(None))

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        if not self.is_here:
            self._suspension = Suspension()
            try:
                await self._suspension.sleep()
            finally:
                self._suspension = None
        return self.take()

    def take(self) -> Any:
        """Return what was answered. Raises `RedisFailure` if it was an error, or the connection was lost."""
        if self.error is not None:
            raise RedisFailure("the connection is lost") from self.error
        if isinstance(self._value, Exception):  # one of hiredis's, which it returns
            raise RedisFailure(str(self._value))
        return self._value


class Wire:
    """Speaks the protocol.

    Args:
        pipe: What carries it.
        hear: Called with what is pushed.
    """

    __slots__ = (
        "_hear",
        "_is_sending",
        "_lost",
        "_output",
        "_pack",
        "_pending",
        "_pipe",
        "_push",
        "_quiet_until",
        "_reader",
        "_rest",
        "_signal",
    )

    def __init__(self, pipe: Pipe, hear: Hear) -> None:
        import hiredis

        self._pipe = pipe
        self._hear = hear
        self._pack: Callable[[Any], bytes] = hiredis.pack_command
        self._push = hiredis.PushNotification
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        #: What is to be sent, and what is to be answered.
        self._output: list[bytes] = []
        self._pending: deque[Answer] = deque()
        #: Whether the task that sends has something that did not go out at once.
        self._is_sending = False
        self._signal = Signal()
        #: Until when the task that reads rests, and what lets it.
        self._quiet_until = -inf
        self._rest: CancelScope | None = None
        #: It fails when the connection is lost.
        self._lost = Answer()

    def ask(self, command: Command, instead: Command = ()) -> Answer:
        """Let a command wait to be sent, and return its answer, which is to come."""
        answer = Answer(instead)
        if self._error is not None:
            answer.fail(self._error)
        else:
            self._output.append(self._pack(command))
            self._pending.append(answer)
        return answer

    def tell(self, command: Command) -> None:
        """Let a command wait to be sent that is not answered, since what it brings about is pushed."""
        self._output.append(self._pack(command))

    def send_soon(self) -> None:
        """Send what waits, when all tasks that are to run now have run."""
        self._signal.set()

    def send(self) -> None:
        """Send what waits, as far as it goes out at once; the rest follows."""
        if self._is_sending or not self._output or self._error is not None:
            return
        data = self._taken_output()
        try:
            sent = self._pipe.send_now(data)
        except Exception as error:
            self._fail(error)
            return
        if sent < len(data):
            self._output.append(data[sent:])
            self._is_sending = True
            self._signal.set()

    def _taken_output(self) -> bytes:
        data = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        return data

    async def run(self) -> None:
        """Send and receive, until cancelled. Never raises: who waits for an answer is told what went wrong."""
        from trio import open_nursery

        async with open_nursery() as nursery:
            nursery.start_soon(self._try, self._send)
            nursery.start_soon(self._try, self._receive)

    async def _try(self, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except Exception as error:
            self._fail(error)

    async def _send(self) -> None:
        while True:
            await self._signal.wait()
            self._is_sending = True
            while self._output:
                await self._pipe.send(self._taken_output())
            self._is_sending = False

    async def _receive(self) -> None:
        from trio import CancelScope, current_time, sleep_forever

        while True:
            self._take(await self._pipe.receive())
            if current_time() < self._quiet_until:
                with CancelScope(deadline=self._quiet_until) as self._rest:
                    await sleep_forever()
                self._rest = None

    def rest(self, seconds: float) -> None:
        """Wake no task for what comes within so short a time, if one had just read: `receive` is called before."""
        from trio import current_time

        self._quiet_until = current_time() + seconds
        if self._rest is not None:
            self._rest.deadline = self._quiet_until

    def receive(self) -> None:
        """Take what has come, if that can be told at once."""
        try:
            data = self._pipe.receive_now()
            if data is not None:
                self._take(data)
        except Exception as error:
            self._fail(error)

    def _take(self, data: bytes) -> None:
        if not data:
            raise RedisFailure("Redis has closed it")
        gets, push, hear = self._reader.gets, self._push, self._hear
        self._reader.feed(data)
        while (said := gets()) is not _MORE:
            if isinstance(said, push):
                hear(said)
            else:
                self._answer(said)

    def _answer(self, said: object) -> None:
        if not self._pending:
            raise RedisFailure(f"Redis answers what it was not asked: {said!r:.100}")
        answer = self._pending.popleft()
        if answer.instead and isinstance(said, Exception) and str(said).startswith("NOSCRIPT"):
            self._output.append(self._pack(answer.instead))
            self._pending.append(answer)
            self.send_soon()
        else:
            answer.give(said)

    @property
    def _error(self) -> Exception | None:
        return self._lost.error

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._lost.fail(error)
            for answer in self._pending:
                answer.fail(error)
            self._pending.clear()

    async def until_lost(self) -> None:
        """Wait until the connection is lost, which raises `RedisFailure`."""
        await self._lost
