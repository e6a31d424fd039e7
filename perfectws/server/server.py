"""`HTTPServer`: what an application sets, launches, starts and stops.

What it is made of: sockets that listen (`perfectws.net.listeners`), what accepts from them on a loop
(`perfectws.server.accepting`) and the service that every connection is given (`perfectws.http.service`). How it is run,
and how it stops, stand in `perfectws.server.launch` and `perfectws.server.stopping`.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

import trio

from ..callbacks import CallbackLoop, logger, set_running_loop
from ..checks.quantities import SECONDS_OR_UNSET
from ..checks.signatures import check_callable
from ..checks.spelling import right_spelling, snake_case
from ..client.event_loop import Startable
from ..errors import LaunchFailure, LocalProtocolError
from ..http.filters import (
    REQUEST_FILTER,
    RESPONSE_FILTER,
    FilterGroups,
    HTTPRequestFilter,
    HTTPResponseFilter,
    RequestFilters,
    ResponseFilters,
    with_filters,
)
from ..http.forwarding import TrustedProxies
from ..http.limits import LIMITS, SettableLimits
from ..http.response import RequestHandler, not_found
from ..http.routing import Route, Routes
from ..http.service import DOCUMENT_ROOT, HTTPService
from ..http.several import Several
from ..net.listeners import Inherit, Listening
from ..net.loop import Loop, open_loop
from ..net.reachable import reachable_hosts, url_of
from ..net.unix_sockets import unix_path
from ..websocket.options import WebSocketKeywords
from ..websocket.upgrade_handler import OnUpgrade3, ShouldUpgrade, WebSocketUpgrader, with_upgraders
from .figures import NO_FIGURES, Census, FiguresOfOthers, ServerFigures
from .keywords import (
    PlainServerKeywords,
    ServerKeywords,
    check_keywords,
    check_one_form,
    check_place,
    check_root,
    checked_upgraders,
    flat,
    needs_port,
)
from .launch import LaunchContext, launch
from .served import Served
from .starting import Starting
from .stopping import StopRequest
from .workers.plan import make_plan

if TYPE_CHECKING:
    from .accepting import Accepting, Sharing
    from .certificates import Certificates
    from .tls_configuration import TLSConfiguration

#: What an application sets.
_SETTINGS = frozenset(
    {
        "server_name",
        "server_address",
        "server_port",
        "unix_mode",
        "ssl",
        "drain",
        "trusted_proxies",
        "document_root",
        *LIMITS,
    }
)

StartT = TypeVar("StartT", bound=Callable[[], object])


class HTTPServer(SettableLimits, Startable):
    """An HTTP/1.1 server for routes, and for the WebSockets behind them.

    Everything is set before it starts. Its limits are attributes as well, such as ``max_body_size`` and
    ``header_timeout``: see `perfectws.http.limits.HTTPLimits`.

    Attributes:
        server_name: Its name, for the log and for ``request.server_name``.
        server_address: The address to listen on: a host name or an IP address; or ``unix:`` and a path. By default
            ``0.0.0.0``, every interface, whatever its name is, as in Perfect; ``127.0.0.1`` is this machine alone.
            Where something else listens for the server: ``systemd:`` for all sockets that systemd passes,
            ``systemd:NAME`` for those of that name (``chat`` for those of ``chat.socket``), ``fd:3`` for what whoever
            has started this process has left at that descriptor.
        server_port: The port to listen on; 0 asks the kernel for one, which stands here once the server is bound.
        unix_mode: Who may connect to a Unix socket, as the mode of its file, such as ``0o660``; ``None`` is ``0o666``:
            whoever may enter its directory.
        ssl: Makes it an HTTPS server: a `TLSConfiguration`, or the paths of certificate and key.
        drain: Over how many seconds it closes its WebSockets when it stops, evenly, and answers the requests that are
            under way, or on their way; ``None`` tells all at once. With ``workers`` `launch` says it.
        trusted_proxies: The addresses and networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed;
            ``"unix:"`` stands for every proxy that connects through a Unix socket.

    Source: Perfect-HTTPServer's ``HTTPServer``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.server_name = ""
        self.server_address = "0.0.0.0"
        self.server_port = 0
        self.unix_mode: int | None = None
        self.ssl: TLSConfiguration | tuple[str, str] | None = None
        self.drain: float | None = None
        self.trusted_proxies: Several[str] = ()
        self._document_root: str | None = None
        self._routes = Routes()
        self._request_filters: FilterGroups[HTTPRequestFilter] = ()
        self._response_filters: FilterGroups[HTTPResponseFilter] = ()
        self._upgraders: list[WebSocketUpgrader] = []
        self._certificates: Certificates | None = None
        self._listening: Listening | None = None
        self._stop_request: StopRequest | None = None
        #: Held by the one run that it may have at a time.
        self._claim = threading.Lock()
        self._starting = Starting()
        self._census: Census | None = None
        self._figures_of_others: FiguresOfOthers = tuple

    if not TYPE_CHECKING:  # for which it would mean that anything can be set

        def __setattr__(self, name, value):
            # Else a setting in Swift's spelling, such as serverPort, would be set, and read by nobody.
            if name not in _SETTINGS and not name.startswith("_") and not hasattr(type(self), name):
                meant = right_spelling(name, _SETTINGS, 0.8)
                if meant or (type(self) is HTTPServer and snake_case(name) != name):
                    hint = f"write {meant}" if meant else f"what can be set are {', '.join(sorted(_SETTINGS))}"
                    raise AttributeError(f"an HTTPServer has no {name!r}: {hint}")
            super().__setattr__(name, value)

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
        server.unix_mode = keywords.get("unix_mode")
        server.ssl = keywords.get("tls_config")
        server.add_routes(keywords.get("routes", ()))
        server.add_upgraders(keywords.get("upgraders", ()))
        server.set_request_filters(keywords.get("request_filters", ()))
        server.set_response_filters(keywords.get("response_filters", ()))
        if "document_root" in keywords:
            server.document_root = os.fspath(keywords["document_root"])
        server.trusted_proxies = keywords.get("trusted_proxies", ())
        server._set_limits(keywords)
        return server

    @classmethod
    def secure_server(cls, tls_config: TLSConfiguration, **keywords: Unpack[PlainServerKeywords]) -> HTTPServer:
        """Return an HTTPS server for `launch`.

        Args:
            tls_config: Its certificate and key.
            **keywords: As for `launch`.

        Raises:
            TypeError: A keyword is unknown or missing, or has the wrong type.

        Source: Perfect's ``.secureServer(_:name:port:routes:)``.
        """
        server = cls.server(**keywords)
        server.ssl = tls_config
        return server

    @overload
    @classmethod
    def launch(
        cls,
        *,
        wait: bool = True,
        workers: int | Literal["auto"] = 1,
        drain: float | None = None,
        **keywords: Unpack[ServerKeywords],
    ) -> LaunchContext: ...
    @overload
    @classmethod
    def launch(
        cls,
        server: HTTPServer | Iterable[HTTPServer],
        /,
        *servers: HTTPServer,
        wait: bool = True,
        workers: int | Literal["auto"] = 1,
        drain: float | None = None,
    ) -> list[LaunchContext]: ...
    @overload
    @classmethod
    def launch(
        cls,
        *,
        wait: bool = True,
        workers: int | Literal["auto"] = 1,
        drain: float | None = None,
        configuration_data: Mapping[str, Any],
    ) -> list[LaunchContext]: ...
    @overload
    @classmethod
    def launch(
        cls,
        *,
        wait: bool = True,
        workers: int | Literal["auto"] = 1,
        drain: float | None = None,
        configuration_path: str | os.PathLike[str],
    ) -> list[LaunchContext]: ...
    @classmethod
    def launch(
        cls,
        *servers: HTTPServer | Iterable[HTTPServer],
        wait: bool = True,
        workers: int | Literal["auto"] = 1,
        drain: float | None = None,
        configuration_data: Mapping[str, Any] | None = None,
        configuration_path: str | os.PathLike[str] | None = None,
        **keywords: Any,
    ) -> LaunchContext | list[LaunchContext]:
        """Serve, and block until SIGINT or SIGTERM, or until all servers are stopped.

        One server is described by keywords; several by `server` and `secure_server`, or by configuration. All listen
        before the first accepts a connection, and if one can't, none does; they share one loop.

        With ``workers`` several processes serve, all of the servers each: this one forks them, replaces one that dies,
        and serves nothing itself. Connections are spread evenly over them. What the application holds in memory each
        has for itself, so a room with a name needs a broker. On SIGHUP the program is run again with the code that it
        has then, and takes over; nobody is refused meanwhile. What stands behind this call is done once, when all is
        over.

        Args:
            *servers: The servers.
            wait: Whether to block; else the servers run in a background thread, and signals are left alone.
            workers: How many processes serve; ``"auto"`` is one for each processor that this one may use. With 1 this
                process serves, as ever. A dictionary may have it too, and then counts.
            drain: Over how many seconds a server that stops closes its WebSockets (1001), evenly, and answers the
                requests that are under way, or on their way; ``None`` tells all at once, unless the server has a
                ``drain`` of its own. With ``workers``, over how many those of before a SIGHUP do so (1012), 5 unless
                said otherwise; SIGTERM stops them at once. A dictionary may have it too, and then counts.
            configuration_data: Describes the servers as Perfect's dictionary does: see
                `perfectws.server.configuration`.
            configuration_path: A JSON file with the same.
            name, address, port, unix_mode: As ``server_name``, ``server_address``, ``server_port`` and ``unix_mode`` of
                `HTTPServer`. The name is for people: ``name="localhost"`` listens on every interface too, unless
                ``address`` says otherwise.
            routes: What is served: a `Routes`, or a list of `Route`.
            document_root: A directory whose files are served at every path that no route takes.
            request_filters, response_filters: What each request and each response passes, as
                ``(filter, FilterPriority.HIGH)`` pairs.
            tls_config: Makes it an HTTPS server.
            upgraders: What takes the WebSockets that no route does, each made by `web_socket_upgrader`.
            trusted_proxies: As the attribute of `HTTPServer`.
            **keywords: Of one server, those above and the limits of `perfectws.http.limits.HTTPLimits`, by name.

        Returns:
            The server's context; a list of them unless it was described by keywords here.

        Raises:
            LaunchFailure: One of them cannot listen, is configured wrongly, runs already or is given twice; the message
                names it and says why. With ``workers``: the system cannot fork, this process has other threads, a room
                has a name and no broker, or a worker does not come to serve.
            TypeError: The arguments contradict each other, or describe no server.

        Source: Perfect's ``HTTPServer.launch(…)`` in all its forms.
        """
        check_one_form(servers, configuration_data, configuration_path, keywords)
        processes: dict[str, Any] = {"workers": workers, "drain": drain}
        if keywords:
            return launch([cls.server(**keywords)], wait=wait, plan=make_plan(**processes, wait=wait), drain=drain)[0]
        if servers:
            return launch(flat(servers, cls), wait=wait, plan=make_plan(**processes, wait=wait), drain=drain)
        from .configuration import read_configuration  # which brings all handlers and filters that there are

        described = read_configuration(configuration_data or {}, configuration_path)
        processes |= described.processes
        plan = make_plan(**processes, wait=wait)
        of_description = [cls.server(**each) for each in described.servers]
        return launch(of_description, wait=wait, plan=plan, drain=processes["drain"])

    # What it serves

    @property
    def document_root(self) -> str:
        """The directory of static files, for ``request.document_root``.

        To set it serves its files, at every path that neither a route nor an upgrader takes.
        """
        # Perfect differs: it adds a route for ``/**``, and creates a directory that is not there.
        return self._document_root or DOCUMENT_ROOT

    @document_root.setter
    def document_root(self, path: str) -> None:
        self._document_root = path

    def add_routes(self, routes: Routes | Iterable[Route | Routes]) -> None:
        """Serve ``routes`` too."""
        self._routes.add(routes)

    def set_request_filters(self, filters: RequestFilters) -> HTTPServer:
        """Let every request pass ``filters``, high priorities first, behind those that were set before.

        Args:
            filters: Pairs of an `HTTPRequestFilter` and its `FilterPriority`.

        Raises:
            TypeError: One of them is no such pair.

        Source: Perfect's ``setRequestFilters(_:)``.
        """
        self._request_filters = with_filters(self._request_filters, filters, REQUEST_FILTER)
        return self

    def set_response_filters(self, filters: ResponseFilters) -> HTTPServer:
        """Let every response pass ``filters``, high priorities first, behind those that were set before.

        Args:
            filters: Pairs of an `HTTPResponseFilter` and its `FilterPriority`.

        Raises:
            TypeError: One of them is no such pair.

        Source: Perfect's ``setResponseFilters(_:)``.
        """
        self._response_filters = with_filters(self._response_filters, filters, RESPONSE_FILTER)
        return self

    def add_upgraders(self, upgraders: Iterable[WebSocketUpgrader]) -> None:
        """Offer the WebSockets that no route takes to ``upgraders`` too, in order, until one accepts.

        To be called before the server starts. A request that all of them refuse gets 404.

        Raises:
            TypeError: They are no upgraders.

        Source: Vapor 3's ``HTTPServer.start(upgraders:)``.
        """
        self._upgraders += checked_upgraders(upgraders)

    @staticmethod
    def web_socket_upgrader(
        should_upgrade: ShouldUpgrade | None = None,
        on_upgrade: OnUpgrade3 | None = None,
        subprotocols: Several[str] = (),
        **options: Unpack[WebSocketKeywords],
    ) -> WebSocketUpgrader:
        """Return what takes the WebSockets that no route does: for ``upgraders=``.

        Args:
            should_upgrade: Decides on each request; may be ``async def``. Without it, all are accepted.
            on_upgrade: Gets each WebSocket; may be ``async def``.
            subprotocols: Those that we speak, the preferred one first.
            **options: The limits and choices of `WebSocketOptions`, by name.

        Calls back:
            ``should_upgrade(request)`` once per valid handshake: a mapping of headers for the 101 accepts it, ``None``
            refuses it, and the request goes on to the next upgrader, or to 404.

            ``on_upgrade(socket, request)``, in Vapor 3's order, once it is accepted. Nothing is delivered before it has
            returned, or first waits; messages for which it sets no handler are dropped.

        Raises:
            TypeError: There is no ``on_upgrade``, or one of the two cannot be called so.

        Source: Vapor 3's ``HTTPServer.webSocketUpgrader(shouldUpgrade:onUpgrade:)``. There it comes before the routes.
        """
        if on_upgrade is None:
            raise TypeError("web_socket_upgrader needs on_upgrade, which is given each WebSocket and its request")
        return WebSocketUpgrader(should_upgrade, on_upgrade, subprotocols, **options)

    @property
    def served(self) -> Served:
        """What it serves, for people to see; perfectws's own."""
        upgraders = tuple(each.handler for each in self._upgraders)
        filters = (*self._request_filters, *self._response_filters)
        return Served(self._routes, tuple(each for each, _ in filters), upgraders, self._document_root)

    # Running

    def on_start(self, callback: StartT) -> StartT:
        """Call ``callback()`` as soon as the server accepts connections; may be ``async def``. A decorator too.

        It is the place for what a server does from its first moment. As often as wanted; in the order in which they
        were given, and again if the server is started again. ::

            @server.on_start
            def started():
                call_every(1, lambda: room.send_string_message("tick"))

        Calls back:
            ``callback()`` in the server's event loop, once for each start. An exception is logged, and the server goes
            on.

        Raises:
            TypeError: ``callback`` cannot be called without arguments.
        """
        check_callable(callback, "on_start")
        self._starting.add(callback)
        return callback

    @property
    def loop(self) -> CallbackLoop:
        """The event loop that it runs on, for ``on=``. Raises `LocalProtocolError` unless it runs."""
        return self._starting.loop

    @property
    def known_loop(self) -> CallbackLoop | None:
        """The event loop that it runs on; ``None`` if it does not run yet; perfectws's own."""
        return self._starting.known_loop

    def call_when_running(
        self, function: Callable[[CallbackLoop], object], give_up: Callable[[LocalProtocolError], object]
    ) -> None:
        """Call ``function(loop)`` at once if it runs, else as soon as it does; perfectws's own."""
        self._starting.call_when_running(function, give_up)

    def stopped_elsewhere(self) -> None:
        """Take note that it has run in other processes, and has stopped; perfectws's own."""
        self._starting.end()

    @property
    def figures(self) -> ServerFigures:
        """What it has done so far, and is doing now: connections, messages, bytes, rooms, delays. From any thread.

        With workers, what all of them have done. After the end, what it did until then; the next start begins anew.
        """
        return ServerFigures.total([self.own_figures, *self._figures_of_others()])

    @property
    def has_room(self) -> bool:
        """Whether one more connection than there are would be served; perfectws's own."""
        most = self.max_connections
        return most is None or (self._census is not None and self._census.connections_everywhere < most)

    @property
    def own_figures(self) -> ServerFigures:
        """The figures of this process alone; perfectws's own."""
        return NO_FIGURES if self._census is None else self._census.figures

    def add_figures(self, of_others: FiguresOfOthers) -> None:
        """Count ``of_others()``, the figures of the other workers, into `figures` from now on; perfectws's own."""
        self._figures_of_others = of_others

    def start(self) -> None:
        """Serve, and block until `stop` is called, from a callback or another thread, or until SIGINT or SIGTERM.

        A second SIGINT interrupts what runs, at once, with `KeyboardInterrupt`; a second SIGTERM ends the process.

        Raises:
            LaunchFailure: It cannot listen on its address, or is configured wrongly.

        Source: Perfect's ``start()``.
        """
        launch([self], wait=True)

    def stop(self) -> None:
        """Stop in an orderly way. From any thread; harmless when it is not running.

        Source: Perfect's ``stop()``.
        """
        request = self._stop_request  # read once: the server's own thread takes it away
        if request is not None:
            request.make()

    def reload_certificates(self) -> None:
        """Read the files of its certificate again, now. From any thread; harmless where there are none.

        It does so by itself a few seconds after they have changed, and, where it was launched by `launch` or `start`
        without workers, on SIGHUP. If they cannot be used, that is logged, and it goes on with what it has.
        """
        if self._certificates is not None:
            self._certificates.read_again()

    @property
    def stop_request(self) -> StopRequest | None:
        """What tells it to stop, while it runs; perfectws's own."""
        return self._stop_request

    def bind(self, inherited: Inherit | None = None) -> None:
        """Listen, so that clients can connect, but accept no connection yet.

        Args:
            inherited: Returns the sockets that listen on an address and a port already; perfectws's own.

        Raises:
            LaunchFailure: The address cannot be listened on, or the server is configured wrongly.

        Source: Perfect's ``bind()``.
        """
        if self._listening is not None:
            return
        self._check()
        sockets = inherited(self.server_address, self.server_port) if inherited else ()
        try:
            self._listening = Listening(self.server_address, self.server_port, self.unix_mode, sockets)
        except OSError as error:
            reason = error.strerror or error
            raise LaunchFailure(f"{self._title} cannot listen on {self.listens_on}: {reason}") from error
        self.server_port = self._listening.port

    def unbind(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def claim(self) -> None:
        """Let the caller be the one to run it, until `release`; perfectws's own.

        Raises:
            LaunchFailure: It runs already, or is given twice.
        """
        if not self._claim.acquire(blocking=False):
            raise LaunchFailure(f"{self._title} on {self.listens_on} is launched already: one runs once at a time")
        self._figures_of_others = tuple  # of a launch before this one

    def release(self) -> None:
        """Listen no more, and let it be run again; perfectws's own."""
        self.unbind()
        self._claim.release()

    @property
    def listening(self) -> Listening:
        """What it listens by, once it is bound; perfectws's own."""
        assert self._listening is not None
        return self._listening

    @property
    def listens_on(self) -> str:
        """Its address and port, or its path, for people."""
        return f"{self.server_address}:{self.server_port}" if needs_port(self.server_address) else self.server_address

    def _places(self) -> list[str]:
        """Return where it can be reached: URLs that a terminal can open, or the path of its socket."""
        if needs_port(self.server_address):
            return self._urls(self.server_address, self.server_port)
        if unix_path(self.server_address) is not None:
            return [self.server_address]
        return [place for host, port in self.listening.places for place in (self._urls(host, port) if port else [host])]

    def _urls(self, host: str, port: int) -> list[str]:
        scheme = "http" if self._certificates is None else "https"
        return [url_of(scheme, reachable, port) for reachable in reachable_hosts(host)]

    @property
    def _title(self) -> str:
        return f"{'HTTP' if self.ssl is None else 'HTTPS'} server {self.server_name!r}"

    def _check(self) -> None:
        """Raise `LaunchFailure` if something is set that cannot be."""
        for error in self._errors():
            raise LaunchFailure(f"{self._title} on {self.listens_on}: {error}") from error

    def problems(self) -> list[str]:
        """Return what is set that cannot be, as far as that can be told without listening; perfectws's own."""
        return [str(error) for error in self._errors()]

    def _errors(self) -> Iterator[Exception]:
        for check in (self._check_place, self._check_root, self._check_drain, self._make_service, self._make_tls):
            try:
                check()
            except (TypeError, ValueError) as error:
                yield error

    def _check_place(self) -> None:
        check_place(self.server_address, self.server_port, self.unix_mode)

    def _check_root(self) -> None:
        check_root(self._document_root)

    def _check_drain(self) -> None:
        SECONDS_OR_UNSET.check("drain", self.drain)

    def _make_tls(self) -> None:
        from .certificates import Certificates  # asked for as the server is bound
        from .tls_configuration import configuration_of

        tls = configuration_of(self.ssl)
        self._certificates = None if tls is None else Certificates(tls, self._title)

    async def serve(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve inside a trio program until `stop` is called, or it is cancelled.

        Args:
            task_status: ``port = await nursery.start(server.serve)`` gives the port once connections are accepted.

        Raises:
            LaunchFailure: It cannot listen on its address, or is configured wrongly.
            LocalProtocolError: It is running already.
        """
        if not self._claim.acquire(blocking=False):
            raise LocalProtocolError("this server is running already")
        try:
            with self._stoppable(StopRequest(self.drain)) as stop:
                await trio.to_thread.run_sync(self.bind)
                async with open_loop() as loop:
                    try:
                        await self._accept(loop, stop, task_status)
                    finally:
                        await loop.end_connections(self.close_timeout)  # those that callbacks have opened as clients
        finally:
            self.release()

    async def serve_on(
        self, loop: Loop, sharing: Sharing | None, stop: StopRequest, *, task_status: trio.TaskStatus[int]
    ) -> None:
        """Serve as `serve` does, claimed and bound already, on a loop that others use too; perfectws's own.

        Args:
            loop: The loop.
            sharing: What it shares with other processes that do the same; `announce` is called in none of them.
            stop: What is to stop it.
        """
        with self._stoppable(stop):
            await self._accept(loop, stop, task_status, sharing)

    async def serve_in_memory(self, loop: Loop, *, task_status: trio.TaskStatus[Accepting]) -> None:
        """Serve as `serve_on` does, but listen nowhere, and use no TLS; perfectws's own, for `perfectws.testing`.

        Args:
            loop: The loop.
            task_status: Is told what takes connections.
        """
        set_running_loop(loop)
        with self._stoppable(StopRequest(self.drain)) as stop:
            accepting = self._make_accepting(loop, None, None)
            await self._run(loop, accepting, (), stop, lambda: task_status.started(accepting))

    @contextmanager
    def _stoppable(self, request: StopRequest) -> Iterator[StopRequest]:
        """Let `stop` make the request, which is given, and listen no more at the end."""
        self._stop_request = request
        try:
            yield request
        finally:
            self._stop_request = None
            self.unbind()

    def announce(self, by_whom: str = "") -> None:
        """Log where it can be reached, and who serves there if it is not this process; perfectws's own."""
        kind = "HTTP" if self._certificates is None else "HTTPS"
        logger.info("Starting %s server %s on %s%s", kind, self.server_name, ", ".join(self._places()), by_whom)

    async def _accept(
        self, loop: Loop, stop: StopRequest, task_status: trio.TaskStatus[int], sharing: Sharing | None = None
    ) -> None:
        assert self._listening is not None
        if sharing is None:
            self.announce()
        accepting = self._make_accepting(loop, self._certificates, sharing)
        loop.tasks.start_soon(loop.delay.beat)
        await self._run(loop, accepting, self._listening.sockets, stop, lambda: task_status.started(self.server_port))

    async def _run(
        self,
        loop: Loop,
        accepting: Accepting,
        sockets: Sequence[socket.socket],
        stop: StopRequest,
        begun: Callable[[], object],
    ) -> None:
        census = self._census = Census(loop, accepting.connections)

        def started() -> None:
            self._starting.begin(loop)
            begun()

        try:
            await accepting.run(sockets, stop, started)
        finally:
            self._starting.end()
            census.end()

    def _make_accepting(self, loop: Loop, certificates: Certificates | None, sharing: Sharing | None) -> Accepting:
        from .accepting import Accepting  # with all that serves a connection

        return Accepting(loop, self._make_service(), certificates, sharing)

    def _make_service(self) -> HTTPService:
        # For what callbacks and requests do (connect, call_later): loaded as the server is bound, not while it serves.
        import datetime  # noqa: F401
        import json  # noqa: F401

        from ..client import connect, threads, timing  # noqa: F401
        from ..rooms import room  # noqa: F401
        from . import accepting  # noqa: F401

        return HTTPService(
            navigator=self._routes.navigator,
            server_name=self.server_name,
            document_root=self.document_root,
            not_found=with_upgraders(self._upgraders, self._otherwise),
            request_filters=self._request_filters,
            response_filters=self._response_filters,
            proxies=TrustedProxies(self.trusted_proxies),
            server=self,
            **self._limits,
        )

    @property
    def _otherwise(self) -> RequestHandler:
        """What handles a request that neither a route nor an upgrader takes."""
        if self._document_root is None:
            return not_found
        from .static_files import files_or_not_found  # asked for as the server is bound, before it serves

        # As in Perfect, filters see the files of a server that has some.
        return files_or_not_found(self._document_root, bool(self._request_filters or self._response_filters))
