"""`HTTPServer`: serves routes on a port.

How it stops: it accepts no more; every connection is told (a WebSocket sends 1001, a request under way is
answered); after ``close_timeout`` the rest is dropped; async callbacks are cancelled; everything that is still pending
is settled; the loop ends.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Unpack, overload

import trio

from ..client import connect, timing  # noqa: F401  # for what callbacks do: connect, call_later
from ..errors import LaunchFailure, LocalProtocolError
from ..http.filters import OrderedRequestFilters, OrderedResponseFilters, RequestFilters, ResponseFilters, in_order
from ..http.forwarding import TrustedProxies
from ..http.http11 import HTTPConnection
from ..http.request import HTTPRequest
from ..http.response import RequestHandler, not_found
from ..http.routing import Route, Routes
from ..http.service import HTTPService
from ..net.acceptors import serve_listener
from ..net.listeners import Listening
from ..net.loop import Connections, Loop, open_loop
from ..net.unix_sockets import unix_path
from ..rooms import room  # noqa: F401  # likewise
from ..transport import Transport
from ..websocket.options import WebSocketKeywords
from ..websocket.socket import WebSocket
from ..websocket.upgrade_handler import ShouldUpgrade, WebSocketUpgrader, with_upgraders
from .keywords import (
    PlainServerKeywords,
    ServerKeywords,
    check_keywords,
    check_one_form,
    check_settings,
    flat,
    make_context,
)
from .launch import LaunchContext, launch
from .tls_configuration import TLSConfiguration

logger = logging.getLogger("perfectws")

#: How long connections may take to end when the server stops, in seconds.
CLOSE_TIMEOUT = 10.0

#: The attributes of a server that are keywords of `HTTPService` too.
_LIMITS = ("max_header_size", "max_headers", "max_body_size", "header_timeout", "keep_alive_timeout", "close_timeout")


class HTTPServer:
    """An HTTP/1.1 server for routes, and for the WebSockets behind them.

    Everything is set before it starts.

    Attributes:
        server_name: Its name, for the log and for ``request.server_name``.
        server_address: The address to listen on: a host name or an IP address; or ``unix:`` and a path.
        server_port: The port to listen on; 0 asks the kernel for one, which stands here once the server is bound.
        ssl: Makes it an HTTPS server: a `TLSConfiguration`, or the paths of certificate and key.
        max_header_size: Of a request's line and headers together, in bytes. Past it: 431, or 414 for the line alone.
        max_headers: How many headers a request may have. Past it: 431.
        max_body_size: Of a request's body, in bytes. Past it: 413.
        header_timeout: How long a request's head may take, in seconds, or ``None``. Past it: 408.
        keep_alive_timeout: How long a connection may lie idle between two requests, and a body may pause, in seconds,
            or ``None``. Past it: closed, or 408.
        close_timeout: How long connections may take to end when the server stops, in seconds.
        max_connections: How many connections it may have at once, or ``None``. Past it: 503.
        trusted_proxies: The addresses and networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed;
            ``"unix:"`` stands for whoever connects through a Unix socket.

    Source: Perfect-HTTPServer's ``HTTPServer``.
    """

    def __init__(self) -> None:
        self.server_name = ""
        self.server_address = "0.0.0.0"
        self.server_port = 0
        self.ssl: TLSConfiguration | tuple[str, str] | None = None
        self.max_header_size = 64 * 1024
        self.max_headers = 100
        self.max_body_size = 1024 * 1024
        self.header_timeout: float | None = 10.0
        self.keep_alive_timeout: float | None = 75.0
        self.close_timeout = CLOSE_TIMEOUT
        self.max_connections: int | None = None
        self.trusted_proxies: Iterable[str] = ()
        self._document_root: str | None = None
        self._routes = Routes()
        self._request_filters: OrderedRequestFilters = ()
        self._response_filters: OrderedResponseFilters = ()
        self._upgraders: list[WebSocketUpgrader] = []
        self._tls: ssl.SSLContext | None = None
        self._listening: Listening | None = None
        self._stop_requested: trio.Event | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread_id = 0

    # Launching

    @classmethod
    def server(cls, **keywords: Unpack[ServerKeywords]) -> HTTPServer:
        """Return a server for `launch`.

        Args:
            **keywords: As for `launch`.

        Raises:
            TypeError: A keyword is unknown or missing, or has the wrong type.

        Source: Perfect's ``.server(name:port:routes:)`` and ``.server(name:port:documentRoot:)``.
        """
        check_keywords(keywords)
        server = cls()
        server.server_name = keywords.get("name", "localhost")
        server.server_address = keywords.get("address", server.server_address)
        server.server_port = keywords.get("port", 0)
        server.ssl = keywords.get("tls_config")
        server.add_routes(keywords.get("routes", ()))
        server.add_upgraders(keywords.get("upgraders", ()))
        server.set_request_filters(keywords.get("request_filters", ()))
        server.set_response_filters(keywords.get("response_filters", ()))
        if "document_root" in keywords:
            server.document_root = os.fspath(keywords["document_root"])
        for name in (*_LIMITS, "max_connections", "trusted_proxies"):
            if name in keywords:
                setattr(server, name, keywords[name])  # type: ignore[literal-required]
        return server

    @classmethod
    def secure_server(cls, tls_config: TLSConfiguration, **keywords: Unpack[PlainServerKeywords]) -> HTTPServer:
        """Return an HTTPS server for `launch`. Otherwise as `server`.

        Source: Perfect's ``.secureServer(_:name:port:routes:)``.
        """
        server = cls.server(**keywords)
        server.ssl = tls_config
        return server

    @overload
    @classmethod
    def launch(cls, *, wait: bool = True, **keywords: Unpack[ServerKeywords]) -> LaunchContext: ...
    @overload
    @classmethod
    def launch(
        cls, server: HTTPServer | Iterable[HTTPServer], /, *servers: HTTPServer, wait: bool = True
    ) -> list[LaunchContext]: ...
    @overload
    @classmethod
    def launch(cls, *, wait: bool = True, configuration_data: Mapping[str, Any]) -> list[LaunchContext]: ...
    @overload
    @classmethod
    def launch(cls, *, wait: bool = True, configuration_path: str | os.PathLike[str]) -> list[LaunchContext]: ...
    @classmethod
    def launch(
        cls,
        *servers: HTTPServer | Iterable[HTTPServer],
        wait: bool = True,
        configuration_data: Mapping[str, Any] | None = None,
        configuration_path: str | os.PathLike[str] | None = None,
        **keywords: Any,
    ) -> LaunchContext | list[LaunchContext]:
        """Serve, and block until SIGINT or SIGTERM, or until all servers are stopped.

        One server is described by keywords; several by `server` and `secure_server`, or by configuration. All listen
        before the first accepts anybody, and if one can't, none does; they share one loop.

        Args:
            *servers: The servers.
            wait: Whether to block; else the servers run in a background thread, and signals are left alone.
            configuration_data: Describes the servers as Perfect's dictionary does: see
                `perfectws.server.configuration`.
            configuration_path: A JSON file with the same.
            name, address, port: As ``server_name``, ``server_address`` and ``server_port`` of `HTTPServer`.
            routes: What is served: a `Routes`, or a list of `Route`.
            document_root: A directory whose files are served at every path that no route takes.
            request_filters, response_filters: What each request and each response passes, as
                ``(filter, FilterPriority.HIGH)`` pairs.
            tls_config: Makes it an HTTPS server.
            upgraders: What takes the WebSockets that no route does, each made by `web_socket_upgrader`.
            **keywords: Of one server, those above and the limits among the attributes of `HTTPServer`.

        Returns:
            The server's context; a list of them unless it was described by keywords here.

        Raises:
            LaunchFailure: One of them cannot listen, or is configured wrongly; the message names it and says why.
            TypeError: The arguments contradict each other, or describe no server.

        Source: Perfect's ``HTTPServer.launch(…)`` in all its forms.
        """
        check_one_form(servers, configuration_data, configuration_path, keywords)
        if keywords:
            return launch([cls.server(**keywords)], wait=wait)[0]
        if servers:
            return launch(flat(servers, cls), wait=wait)
        from .configuration import parse_configuration  # which brings all handlers and filters that there are

        described = parse_configuration(configuration_data or {}, configuration_path)
        return launch([cls.server(**each) for each in described], wait=wait)

    # What it serves

    @property
    def document_root(self) -> str:
        """The directory of static files, for ``request.document_root``.

        To set it serves its files, at every path that neither a route nor an upgrader takes.
        """
        # Perfect differs: it adds a route for ``/**``, and creates a directory that is not there.
        return self._document_root or "./webroot"

    @document_root.setter
    def document_root(self, path: str) -> None:
        self._document_root = path

    def add_routes(self, routes: Routes | Iterable[Route | Routes]) -> None:
        """Serve ``routes`` too."""
        self._routes.add(routes)

    def set_request_filters(self, filters: RequestFilters) -> HTTPServer:
        """Let every request pass ``filters``, instead of those set before; high priorities first.

        Args:
            filters: Pairs of an `HTTPRequestFilter` and its `FilterPriority`.

        Raises:
            TypeError: One of them is no such pair.

        Source: Perfect's ``setRequestFilters(_:)``.
        """
        self._request_filters = in_order(filters, "filter")
        return self

    def set_response_filters(self, filters: ResponseFilters) -> HTTPServer:
        """Let every response pass ``filters``, instead of those set before; high priorities first.

        Args:
            filters: Pairs of an `HTTPResponseFilter` and its `FilterPriority`.

        Raises:
            TypeError: One of them is no such pair.

        Source: Perfect's ``setResponseFilters(_:)``.
        """
        self._response_filters = in_order(filters, "filter_headers", "filter_body")
        return self

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

    # Running

    def start(self) -> None:
        """Serve, and block until `stop` is called, from a callback or another thread, or until SIGINT or SIGTERM.

        A second SIGINT ends it at once, with `KeyboardInterrupt`.

        Raises:
            LaunchFailure: It cannot listen on its address, or is configured wrongly.

        Source: Perfect's ``start()``.
        """
        launch([self], wait=True)

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

    def bind(self) -> None:
        """Listen, so that clients can connect, but accept nobody yet.

        Raises:
            LaunchFailure: The address cannot be listened on, or the server is configured wrongly.

        Source: Perfect's ``bind()``.
        """
        if self._listening is not None:
            return
        self._check()
        try:
            self._listening = Listening(self.server_address, self.server_port)
        except OSError as error:
            reason = error.strerror or error
            raise LaunchFailure(f"{self._title} cannot listen on {self.listens_on}: {reason}") from error
        self.server_port = self._listening.port

    def unbind(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    @property
    def listens_on(self) -> str:
        """Its address and port, or its path, for people."""
        if unix_path(self.server_address) is not None:
            return self.server_address
        return f"{self.server_address}:{self.server_port}"

    @property
    def _title(self) -> str:
        return f"{'HTTP' if self.ssl is None else 'HTTPS'} server {self.server_name!r}"

    def _check(self) -> None:
        """Raise `LaunchFailure` if something is set that cannot be."""
        try:
            check_settings(self.server_address, self.server_port, self._document_root, self.max_connections)
            self._make_service()
            self._tls = make_context(self.ssl)
        except (TypeError, ValueError) as error:
            raise LaunchFailure(f"{self._title} on {self.listens_on}: {error}") from error

    async def serve(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve inside a trio program until `stop` is called, or it is cancelled.

        Args:
            task_status: ``port = await nursery.start(server.serve)`` gives the port once connections are accepted.

        Raises:
            LaunchFailure: It cannot listen on its address, or is configured wrongly.
            LocalProtocolError: It is running already.
        """
        with self._running() as stop_requested:
            await trio.to_thread.run_sync(self.bind)
            async with open_loop() as loop:
                try:
                    await self._accept(loop, stop_requested, task_status)
                finally:
                    await loop.end_connections(self.close_timeout)  # those that callbacks have opened as clients

    async def serve_on(self, loop: Loop, *, task_status: trio.TaskStatus[int]) -> None:
        """Serve as `serve` does, bound already, on a loop that others use too; perfectws's own."""
        with self._running() as stop_requested:
            await self._accept(loop, stop_requested, task_status)

    @contextmanager
    def _running(self) -> Iterator[trio.Event]:
        """Give what `stop` sets, and listen no more at the end."""
        if self._stop_requested is not None:
            raise LocalProtocolError("this server is running already")
        self._stop_requested = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread_id = threading.get_ident()
        try:
            yield self._stop_requested
        finally:
            self._stop_requested = None
            self.unbind()

    async def _accept(self, loop: Loop, stop_requested: trio.Event, task_status: trio.TaskStatus[int]) -> None:
        assert self._listening is not None
        kind = "HTTP" if self._tls is None else "HTTPS"
        logger.info("Starting %s server %s on %s", kind, self.server_name, self.listens_on)
        connections = Connections(loop)
        make_protocol = self._protocol_factory(loop, connections)
        try:
            async with trio.open_nursery() as accepting:
                for listener in self._listening.sockets:
                    accepting.start_soon(serve_listener, loop, listener, make_protocol, self._tls, connections)
                task_status.started(self.server_port)
                await stop_requested.wait()
                accepting.cancel_scope.cancel()
        finally:
            await connections.end(self.close_timeout)

    def _protocol_factory(self, loop: Loop, connections: Connections) -> Callable[[Transport], HTTPConnection]:
        service = self._make_service()
        most = self.max_connections

        def make_protocol(transport: Transport) -> HTTPConnection:
            connection = HTTPConnection(transport, loop, service)
            if most is not None and len(connections) > most:
                connections.refuse(transport)
                loop.call(connection, connection.refuse_full)
            return connection

        return make_protocol

    def _make_service(self) -> HTTPService:
        return HTTPService(
            navigator=self._routes.navigator,
            server_name=self.server_name,
            document_root=self.document_root,
            not_found=with_upgraders(self._upgraders, self._otherwise),
            request_filters=self._request_filters,
            response_filters=self._response_filters,
            proxies=TrustedProxies(self.trusted_proxies),
            **{name: getattr(self, name) for name in _LIMITS},
        )

    @property
    def _otherwise(self) -> RequestHandler:
        """What handles a request that neither a route nor an upgrader takes."""
        if self._document_root is None:
            return not_found
        from .static_files import files_or_not_found  # asked for as the server is bound, before it serves

        # As in Perfect, filters see the files of a server that has some.
        return files_or_not_found(self._document_root, bool(self._request_filters or self._response_filters))
