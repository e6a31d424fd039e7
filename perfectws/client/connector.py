"""The life of a `connect`: one attempt, or one after the other, and what becomes of its future.

One trio task of the loop does it. Without ``reconnect`` it ends once the WebSocket is open; with it, it waits for the
connection's end, then for a while, and begins anew::

    attempt ──► the WebSocket is open ──the application closed it──► the end
      ▲    │            │
      └wait┴──failed────┘ it dropped
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from weakref import ReferenceType, ref

import outcome
import trio

from ..callbacks import CallbackOwner, context_in, logger
from ..errors import ConnectionRejected, HandshakeError, LocalProtocolError
from ..net.loop import Loop
from ..websocket.connecting import Backoff
from ..websocket.connection import WebSocketConnection
from ..websocket.socket import Connecting, WebSocket
from .attempt import Attempt
from .order import Order
from .url import WebSocketURL

#: The rejections of which another attempt may make an acceptance, besides those of the server's own (5xx).
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Connector(CallbackOwner):
    """One `connect`: its attempts, and what becomes of its future."""

    def __init__(self, loop: Loop, url: WebSocketURL, order: Order) -> None:
        super().__init__(context_in(loop))
        #: That of the first WebSocket, as long as anybody holds it.
        self._future: ReferenceType[Connecting] | None = None
        #: The same, held by us: the application has given callbacks, and need not hold it. ``None`` once it is
        #: resolved: an error in it has a traceback that refers to us.
        self._kept: Connecting | None = None
        self._loop = loop
        self._url = url
        self._order = order
        self._scope = trio.CancelScope()
        self._has_opened = False
        self._is_over = False

    def begin(self) -> Connecting:
        """Begin, from any thread, and return the future of the first WebSocket."""
        is_taken = self._order.on_upgrade is not None
        future = Connecting(self._loop, self, is_taken)
        self._future = ref(future)
        if is_taken:
            self._kept = future
        self._loop.call_soon(self, self._start)
        return future

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
        self._scope.cancel()
        if opened is not None:
            opened.close()

    def cancel(self) -> None:
        """Make no attempt any more. From any thread."""
        self._loop.call_soon(self, self._scope.cancel)

    def _start(self) -> None:
        try:
            self._loop.tasks.start_soon(self._run)
        except RuntimeError:
            self._is_over = True
            self._fail(HandshakeError(f"{self._url.text}: the event loop has ended"))
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
            with self._scope:
                if self._order.backoff is None:
                    await self._open()
                else:
                    await self._stay_open(self._order.backoff)
        except HandshakeError as error:
            self._fail(error)
        except Exception as error:
            self.callback_failed(error)
            self._fail(error)
        finally:
            if not self._has_opened:  # nor failed: it was cancelled, or its loop was
                self._fail(HandshakeError(f"{self._url.text}: given up before the WebSocket was open"))
            self._is_over = True
            self._loop.release()

    async def _open(self) -> WebSocketConnection:
        return await Attempt(self._loop, self._url, self._order, self._session_begins).open()

    def _session_begins(self, connection: WebSocketConnection) -> None:
        self._has_opened = True
        self._loop.hold()
        connection.on_close.when_complete(lambda _: self._loop.release())
        if self._order.on_upgrade is None:
            connection.start_without_session()
            if not self._succeed(connection):
                connection.socket.close()
            return
        if self._order.backoff is not None:
            connection.on_close_requested = self._scope.cancel
        connection.start(lambda: self._upgrade(connection), closes_after=False)

    def _upgrade(self, connection: WebSocketConnection) -> object:
        assert self._order.on_upgrade is not None
        try:
            return self._order.on_upgrade(connection.socket)
        finally:
            self._loop.call(connection, self._succeed, connection)

    def _succeed(self, connection: WebSocketConnection) -> bool:
        return self._resolve(outcome.Value(connection.socket))

    # One attempt after the other

    async def _stay_open(self, backoff: Backoff) -> None:
        delays = backoff.delays()
        while True:
            began = trio.current_time()
            try:
                connection = await self._open()
                await connection.gone
                reason = f"{self._url.text}: {connection.closed_error()}"
            except HandshakeError as error:
                if _is_final(error):
                    self._give_up(error)
                    return
                reason = str(error)
            else:
                if trio.current_time() - began >= backoff.longest:
                    delays = backoff.delays()
            delay = next(delays)
            logger.warning("%s; connecting again in %.1f seconds", reason, delay)
            await trio.sleep(delay)

    def _give_up(self, error: HandshakeError) -> None:
        if self._has_opened:
            logger.error("%s; not connecting again", error)
        self._fail(error)


def _is_final(error: HandshakeError) -> bool:
    """Tell whether another attempt would end the same way."""
    return isinstance(error, ConnectionRejected) and error.status < 500 and error.status not in _PASSING
