"""The life of a `connect`: one attempt, or one after the other, and what becomes of its future.

One trio task of the loop does it. Without ``reconnect`` it ends once the WebSocket is open; with it, it waits for the
connection's end, then for a while, and begins anew::

    attempt ──► the WebSocket is open ──the application closed it──► the end
      ▲    │            │                                             ▲
      │    └─failed─────┴─it dropped──► shall it be tried again? ─no──┘
      └───────────────waits─────────────yes─┘
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from weakref import ReferenceType, ref

import outcome
import trio

from ..callbacks import CallbackOwner, context_in, logger
from ..errors import ConnectionClosed, HandshakeError, LocalProtocolError
from ..futures import Promise
from ..net.loop import Loop
from ..websocket.connection import WebSocketConnection, until_first_wait
from ..websocket.opcodes import CloseCode, OpcodeType
from ..websocket.socket import Connecting, WebSocket
from .asking import ask
from .attempt import Attempt
from .counted_transport import CountedTransport
from .order import Order
from .retrying import Retrying, Waits
from .send_queue import SendQueue
from .wake_up import wake_ups_of


class Connector(CallbackOwner):
    """One `connect`: its attempts, and what becomes of its future."""

    def __init__(self, loop: Loop, name: str, order: Order) -> None:
        super().__init__(context_in(loop))
        #: That of the first WebSocket, as long as anybody holds it.
        self._future: ReferenceType[Connecting] | None = None
        #: The same, held by us: the application has given callbacks, and need not hold it. ``None`` once it is
        #: resolved: an error in it has a traceback that refers to us.
        self._kept: Connecting | None = None
        self._loop = loop
        self._name = name
        self._order = order
        #: Of all attempts and the waits between them, where there may be more than one.
        self._scope = trio.CancelScope()
        self._is_given_up = False
        self._has_opened = False
        self._is_over = False
        #: The one under way, which refers to us.
        self._attempt: Attempt | None = None
        #: Of a client that connects again: what counts the output of the latest connection.
        self._transport: CountedTransport | None = None
        retrying = order.retrying
        self._queue = None if retrying is None else SendQueue(loop, self, retrying.queue, name)
        #: The latest, for what is sent after the end.
        self._connection: WebSocketConnection | None = None

    def begin(self) -> Connecting:
        """Begin, from any thread, and return the future of the first WebSocket."""
        is_taken = self._order.on_upgrade is not None
        future = self._order.kind_of_future(self._loop, self, is_taken)
        self._future = ref(future)
        if is_taken:
            self._kept = future
        if self._loop.has_begun and self._loop.is_here():
            self.run(self._start)
        else:
            self._loop.call_soon(self, self._start)
        return future

    # For the future

    def keep(self, future: Connecting) -> None:
        """Hold the future until it is resolved."""
        self._kept = future
        if future.is_done:  # meanwhile
            self._kept = None

    def abandon(self, opened: WebSocket | None) -> None:
        """Give up what nobody can get any more.

        This is called as the future is collected, perhaps in the middle of something else: so it only asks.
        """
        if not self._is_over or (opened is not None and not opened.is_closed):
            with suppress(LocalProtocolError):  # the loop was left behind by a fork
                self._loop.ask(self, self._abandon, opened)

    def _abandon(self, opened: WebSocket | None) -> None:
        self._break_off()
        if opened is not None:
            opened.close()

    def cancel(self) -> None:
        """Make no attempt any more. From any thread."""
        self._loop.call_soon(self, self._break_off)

    def _break_off(self) -> None:
        self._is_given_up = True
        if self._order.retrying is not None:
            self._scope.cancel()
        elif self._attempt is not None:
            self._attempt.give_up()

    def send(self, opcode: OpcodeType, payload: bytes, promise: Promise[None] | None) -> None:
        """Send a message over this connection, or the next. From any thread."""
        assert self._queue is not None
        if self._loop.is_here():
            self._queue.send(opcode, payload, promise)
        else:
            self._loop.ask(self, self._queue.send, opcode, payload, promise)

    @property
    def queued_amount(self) -> int:
        """How many bytes of messages wait for a connection."""
        return 0 if self._queue is None else self._queue.amount

    # The task

    def _start(self) -> None:
        try:
            self._loop.tasks.start_soon(self._run)
        except RuntimeError:
            self._is_over = True
            self._fail(HandshakeError(f"{self._name}: the event loop has ended"))
            self._end_queue()
            self._order.place.close_sock()
        else:
            self._loop.hold()

    def _fail(self, error: Exception) -> None:
        self._resolve(outcome.Error(error))

    def _resolve(self, result: outcome.Outcome[WebSocket]) -> bool:
        """Resolve the future, unless it is; tell whether there was anybody to hold it."""
        future = None if self._future is None else self._future()
        if future is not None:
            future._resolve(result)
        self._kept = None
        return future is not None

    async def _run(self) -> None:
        try:
            if self._order.retrying is None:
                if not self._is_given_up:
                    await self._open()
            else:
                with self._scope:
                    await self._stay_open(self._order.retrying)
        except HandshakeError as error:
            # Where in here it was raised tells nobody anything: the traceback begins where the future is asked.
            self._fail(error.with_traceback(None))
        except Exception as error:
            self.callback_failed(error)
            self._fail(error)
        finally:
            if not self._has_opened:  # nor failed: it was cancelled, or its loop was
                self._give_up_future()
                self._order.place.close_sock()
            self._is_over = True
            self._end_queue()
            self._loop.release()

    def _give_up_future(self) -> None:
        """Fail the future, if it is not resolved yet. Who wanted that need not ask why."""
        future = None if self._future is None else self._future()
        if future is not None and not future.is_done:
            future.excuse()
        self._fail(HandshakeError(f"{self._name}: given up before the WebSocket was open"))

    def _end_queue(self) -> None:
        if self._queue is not None and self._connection is not None:
            self._queue.end(self._connection.closed_error())
        elif self._queue is not None:
            self._queue.end(ConnectionClosed(CloseCode.ABNORMAL_CLOSURE, "no connection was ever open"))

    # One attempt

    async def _open(self) -> WebSocketConnection | None:
        self._attempt = attempt = Attempt(self._loop, self, self._order, self._session_begins)
        try:
            return await attempt.open()
        finally:
            self._name, self._attempt = attempt.name, None

    def _session_begins(self, connection: WebSocketConnection) -> None:
        assert self._attempt is not None
        self._has_opened = True
        self._connection, self._transport = connection, self._attempt.transport
        if self._order.on_upgrade is None:
            connection.start_without_session()
            if not self._succeed(connection):
                connection.socket.close()
            return
        if self._queue is not None:
            connection.on_close_requested = self._scope.cancel
        connection.start(lambda: self._upgrade(connection), closes_after=False)

    def _upgrade(self, connection: WebSocketConnection) -> object:
        assert self._order.on_upgrade is not None
        try:
            session = self._order.on_upgrade(connection.socket)
        finally:
            self._loop.call(connection, self._succeed, connection)
        if self._queue is None:
            return session
        if isinstance(session, Coroutine):
            return self._run_session(session, connection)
        self._connect_queue(connection)
        return None

    async def _run_session(self, session: Coroutine[Any, Any, object], connection: WebSocketConnection) -> None:
        await until_first_wait(session, lambda: self._connect_queue(connection))

    def _connect_queue(self, connection: WebSocketConnection) -> None:
        """Send what waits: behind what ``on_upgrade`` has sent, to say who we are perhaps."""
        assert self._queue is not None
        assert self._transport is not None
        self._queue.connect(connection, self._transport)

    def _succeed(self, connection: WebSocketConnection) -> bool:
        return self._resolve(outcome.Value(connection.socket))

    # One attempt after the other

    async def _stay_open(self, retrying: Retrying) -> None:
        waits = Waits(retrying.backoff)
        while True:
            error = await self._failure(retrying, waits)
            if waits.are_over or not await self._shall_retry(retrying, error):
                self._give_up(retrying, error)
                return
            seconds = waits.next_wait(error)
            self._tell(retrying.on_retry, waits.retries, seconds, error)
            logger.warning("%s; connecting again in %.1f seconds", self._told(error), seconds)
            await self._wait(seconds, waits)

    async def _failure(self, retrying: Retrying, waits: Waits) -> Exception:
        """Make an attempt, and return why it failed; or, if it succeeds, how the connection has dropped."""
        began = trio.current_time()
        try:
            connection = await self._open()
        except HandshakeError as error:
            waits.failures += 1
            return error.with_traceback(None)
        assert connection is not None  # who connects again gives up by the scope
        waits.opened()
        await self._until_gone(connection)
        waits.lasted(trio.current_time() - began)
        closed = connection.closed_error()
        self._tell(retrying.on_drop, closed.code, closed.reason)
        return closed

    async def _until_gone(self, connection: WebSocketConnection) -> None:
        assert self._queue is not None
        wake_ups, look = wake_ups_of(self._loop), connection.probe
        wake_ups.add(look)
        try:
            await connection.gone
        finally:
            wake_ups.discard(look)
        self._queue.disconnect()

    async def _wait(self, seconds: float, waits: Waits) -> None:
        """Wait for the next attempt; but who has slept has waited."""
        with trio.CancelScope() as waiting:

            def wake() -> None:
                waits.begin_anew()
                waiting.cancel()

            wake_ups_of(self._loop).add(wake)
            try:
                await trio.sleep(seconds)
            finally:
                wake_ups_of(self._loop).discard(wake)

    async def _shall_retry(self, retrying: Retrying, error: Exception) -> bool:
        return bool(await ask(self._loop, self, retrying.should_retry, error))

    def _give_up(self, retrying: Retrying, error: Exception) -> None:
        if self._has_opened:
            logger.error("%s; not connecting again", self._told(error))
        self._tell(retrying.on_give_up, error)
        self._fail(error)

    def _told(self, error: Exception) -> str:
        return str(error) if isinstance(error, HandshakeError) else f"{self._name}: {error}"

    def _tell(self, callback: Callable[..., object] | None, *args: object) -> None:
        if callback is not None:
            self._loop.call(self, callback, *args)
