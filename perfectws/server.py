"""`HTTPServer`: serves routes on a port.

How it stops: it accepts no more; every connection is told (a WebSocket sends 1001, a request under way is
answered); after ``close_timeout`` the rest is dropped; async callbacks are cancelled; everything that is still pending
is settled; the loop ends.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Unpack

import trio

from .errors import LaunchFailure, LocalProtocolError, lone_error
from .http.http11 import HTTPConnection
from .http.request import HTTPRequest
from .http.response import not_found
from .http.routing import Routes
from .http.service import HTTPService
from .net.listeners import bound_port, open_listeners, serve_listener
from .net.loop import Loop, open_loop
from .net.memory import keep_freed_memory
from .transport import Transport
from .websocket.options import WebSocketKeywords
from .websocket.socket import WebSocket
from .websocket.upgrader import ShouldUpgrade, WebSocketUpgrader, with_upgraders

logger = logging.getLogger("perfectws")

#: How long connections may take to end when the server stops, in seconds.
CLOSE_TIMEOUT = 10.0


class HTTPServer:
    """An HTTP/1.1 server for routes, and for the WebSockets behind them.

    Attributes:
        server_name: Its name, for the log and for ``request.server_name``.
        server_address: The address to listen on: a host name or an IP address.
        server_port: The port to listen on; 0 asks the kernel for one, which stands here once the server is bound.
        document_root: The directory of static files, for ``request.document_root``.
        close_timeout: How long connections may take to end when the server stops, in seconds.

    Source: Perfect-HTTPServer's ``HTTPServer``.
    """

    def __init__(self) -> None:
        self.server_name = ""
        self.server_address = "0.0.0.0"
        self.server_port = 0
        self.document_root = "./webroot"
        self.close_timeout = CLOSE_TIMEOUT
        self._routes = Routes()
        self._upgraders: list[WebSocketUpgrader] = []
        self._listeners: list[socket.socket] = []
        self._stop_requested: trio.Event | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread_id = 0

    @classmethod
    def launch(
        cls,
        *,
        name: str = "localhost",
        address: str = "0.0.0.0",
        port: int,
        routes: Routes,
        document_root: str = "./webroot",
        upgraders: Iterable[WebSocketUpgrader] = (),
    ) -> None:
        """Serve ``routes`` and block until SIGINT or SIGTERM.

        Args:
            name: The server's name.
            address: The address to listen on.
            port: The port to listen on; 0 asks the kernel for one, which the log tells.
            routes: What is served.
            document_root: The directory of static files.
            upgraders: What takes the WebSockets that no route does, each made by `web_socket_upgrader`.

        Raises:
            LaunchFailure: It cannot listen there: the port is in use, say.

        Source: Perfect's ``HTTPServer.launch(name:port:routes:)``.
        """
        server = cls()
        server.server_name = name
        server.server_address = address
        server.server_port = port
        server.document_root = document_root
        server.add_routes(routes)
        server.add_upgraders(upgraders)
        server.start()

    def add_routes(self, routes: Routes) -> None:
        """Serve ``routes`` too. To be called before the server starts."""
        self._routes.add(routes)

    def add_upgraders(self, upgraders: Iterable[WebSocketUpgrader]) -> None:
        """Offer the WebSockets that no route takes to ``upgraders`` too, in order, until one accepts.

        To be called before the server starts. A request that all of them refuse gets 404.

        Source: Vapor 3's ``HTTPServer.start(upgraders:)``.
        """
        self._upgraders += upgraders

    @staticmethod
    def web_socket_upgrader(
        should_upgrade: ShouldUpgrade | None = None,
        on_upgrade: Callable[[WebSocket, HTTPRequest], object] | None = None,
        **options: Unpack[WebSocketKeywords],
    ) -> WebSocketUpgrader:
        """Return what takes the WebSockets that no route does: for ``upgraders=``.

        Args:
            should_upgrade: Decides on each request; may be ``async def``. Without it, all are accepted.
            on_upgrade: Gets each WebSocket; may be ``async def``.
            **options: The limits and choices of `WebSocketOptions`, by name.

        Calls back:
            ``should_upgrade(request)`` once per valid handshake: a mapping of headers for the 101 accepts it, ``None``
            refuses it, and the request goes on to the next upgrader, or to 404.

            ``on_upgrade(socket, request)``, in Vapor 3's order, once it is accepted. Nothing is delivered before it has
            returned, or first waits; messages for which it sets no handler are dropped.

        Source: Vapor 3's ``HTTPServer.webSocketUpgrader(shouldUpgrade:onUpgrade:)``. There it comes before the routes.
        """
        if on_upgrade is None:
            raise TypeError("web_socket_upgrader needs on_upgrade, which is given each WebSocket and its request")
        return WebSocketUpgrader(should_upgrade, on_upgrade, **options)

    def start(self) -> None:
        """Serve, and block until `stop` is called, from a callback or another thread, or until SIGINT or SIGTERM.

        A second SIGINT ends it at once, with `KeyboardInterrupt`.

        Raises:
            LaunchFailure: It cannot listen on its address.

        Source: Perfect's ``start()``.
        """
        keep_freed_memory()
        try:
            trio.run(self._serve_until_signal)
        except BaseExceptionGroup as group:
            raise lone_error(group) from None

    async def _serve_until_signal(self) -> None:
        async with trio.open_nursery() as nursery:
            if threading.current_thread() is threading.main_thread():
                nursery.start_soon(self._stop_at_signal)
            await self.serve()
            nursery.cancel_scope.cancel()

    async def _stop_at_signal(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                logger.info("%s: stopping HTTP server %s", signal.Signals(number).name, self.server_name)
                self.stop()
                break
        # From here on a SIGINT is Python's own again: the second one is immediate.

    def stop(self) -> None:
        """Stop in an orderly way. From any thread; harmless when it is not running.

        Source: Perfect's ``stop()``.
        """
        event, token = self._stop_requested, self._token
        if event is None or token is None:
            return
        if threading.get_ident() == self._thread_id:
            event.set()
        else:
            try:
                token.run_sync_soon(event.set)
            except trio.RunFinishedError:
                pass

    async def bind(self) -> None:
        """Listen, so that clients can connect, but accept nobody yet.

        Raises:
            LaunchFailure: The address cannot be listened on.

        Source: Perfect's ``bind()``.
        """
        if self._listeners:
            return
        try:
            self._listeners = await open_listeners(self.server_address, self.server_port)
        except OSError as error:
            raise LaunchFailure(
                f"HTTP server {self.server_name!r} cannot listen on {self.server_address}:{self.server_port}: "
                f"{error.strerror or error}"
            ) from error
        self.server_port = bound_port(self._listeners)

    async def serve(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve inside a trio program until `stop` is called, or it is cancelled.

        Args:
            task_status: ``port = await nursery.start(server.serve)`` gives the port once connections are accepted.

        Raises:
            LaunchFailure: It cannot listen on its address.
            LocalProtocolError: It is running already.
        """
        if self._stop_requested is not None:
            raise LocalProtocolError("this server is running already")
        self._stop_requested = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread_id = threading.get_ident()
        try:
            await self.bind()
            logger.info("Starting HTTP server %s on %s:%s", self.server_name, self.server_address, self.server_port)
            await self._serve(self._stop_requested, task_status)
        finally:
            self._stop_requested = None
            self._close_listeners()

    async def _serve(self, stop_requested: trio.Event, task_status: trio.TaskStatus[int]) -> None:
        async with open_loop() as loop:
            make_protocol = self._protocol_factory(loop)
            try:
                async with trio.open_nursery() as accepting:
                    for listener in self._listeners:
                        accepting.start_soon(serve_listener, loop, listener, make_protocol)
                    task_status.started(self.server_port)
                    await stop_requested.wait()
                    accepting.cancel_scope.cancel()
            finally:
                await loop.end_connections(self.close_timeout)

    def _protocol_factory(self, loop: Loop) -> Callable[[Transport], HTTPConnection]:
        service = HTTPService(
            navigator=self._routes.navigator,
            server_name=self.server_name,
            document_root=self.document_root,
            not_found=with_upgraders(self._upgraders, not_found),
        )

        def make_protocol(transport: Transport) -> HTTPConnection:
            return HTTPConnection(transport, loop, service)

        return make_protocol

    def _close_listeners(self) -> None:
        for listening in self._listeners:
            listening.close()
        self._listeners = []
