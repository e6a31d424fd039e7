"""`TestServer`: a server in memory, for tests without ``async``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPMethod
from types import TracebackType
from typing import Any, TypeVar, Unpack

from ..checks.quantities import SECONDS_ABOVE_0
from ..errors import LocalProtocolError
from ..server.keywords import PlainServerKeywords
from ..server.server import HTTPServer
from .app import App, server_of
from .async_server import ADVANCE_TIMEOUT, TIMEOUT, AsyncTestServer
from .connecting import SocketKeywords
from .failures import raise_all, tell_all
from .loop_thread import LoopThread
from .opening import in_this_run
from .request import RequestKeywords
from .response import TestResponse
from .web_socket import TestWebSocket

T = TypeVar("T")


class TestServer:
    """A server in memory, without a port, for the length of a ``with`` block. ::

        with TestServer(routes) as server:
            ws = server.connect("/echo", subprotocols=["echo"])
            ws.send("hi")
            assert ws.receive() == "hi"

    It runs in a thread of its own, where callbacks run too, on a clock that stands still until `advance` is called: a
    test waits for no timer, and none fires on its own. At the end the server is stopped in order, and what callbacks
    have raised meanwhile is raised, so that a test of a handler that fails does not pass.

    Args:
        app: What to serve: `Routes`, or a list of `Route`; an `HTTPServer` that is configured, with its filters; a
            module as ``python -m perfectws serve`` takes it, or its name; ``"module:name"``, one of these in a module.
            It may be left out where the keywords say what is served.
        timeout: How long anything is waited for, in real seconds.
        raise_errors: Whether what callbacks have raised is raised at the end of the block.
        keep_cookies: Whether cookies that the server sets are sent from then on.
        **keywords: As for `HTTPServer.launch` (``request_filters=``, ``document_root=``, ``max_body_size=``), unless
            ``app`` is an `HTTPServer`, which has them.

    Raises:
        TypeError: ``app`` is nothing that can be served, or a keyword is unknown.
        LaunchFailure: There is no such module, or nothing in it to serve.
    """

    __test__ = False  # for pytest, which takes a class of this name for tests

    def __init__(
        self,
        app: App = None,
        *,
        timeout: float = TIMEOUT,
        raise_errors: bool = True,
        keep_cookies: bool = False,
        **keywords: Unpack[PlainServerKeywords],
    ) -> None:
        SECONDS_ABOVE_0.check("timeout", timeout)
        self._http_server = server_of(app, **keywords)
        self._timeout = timeout
        self._raises_errors = raise_errors
        #: What callbacks have raised.
        self._errors: list[Exception] = []
        opened = partial(in_this_run, self._http_server, self._errors, timeout, keep_cookies)
        self._thread: LoopThread[AsyncTestServer] = LoopThread(opened)
        self._running: AsyncTestServer | None = None
        self._is_closed = False

    def __enter__(self) -> TestServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        self._stop()
        tell_all(self._errors, error)

    def start(self) -> TestServer:
        """Begin to serve, and return this: what the beginning of the ``with`` block does.

        Raises:
            LocalProtocolError: It was started before.
            LaunchFailure: The `HTTPServer` runs already.
        """
        if self._running is not None:
            raise LocalProtocolError("a TestServer can be entered once: make another")
        self._running = self._thread.start()
        return self

    def close(self) -> None:
        """Stop the server: what the end of the ``with`` block does. Once it is, do nothing.

        Raises:
            Exception: What a callback has raised; an `ExceptionGroup` if they are several.
        """
        self._stop()
        if self._raises_errors:
            raise_all(self._errors)

    def _stop(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            try:
                self._call(self._server.close, self._timeout)
            finally:
                self._thread.stop()

    @property
    def _server(self) -> AsyncTestServer:
        if self._running is None:
            raise LocalProtocolError("this test server does not run yet: use it inside 'with TestServer(…) as server:'")
        return self._running

    # What is known of it

    @property
    def http_server(self) -> HTTPServer:
        """The server itself, an `HTTPServer`."""
        return self._http_server

    @property
    def errors(self) -> list[Exception]:
        """What callbacks have raised, in order. At the end that is raised; clear it where a test expects it."""
        return self._errors

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are sent with every request and every `connect`, by their names.

        With ``keep_cookies`` those that the server sets are kept here.
        """
        return self._server.cookies

    # WebSockets

    def connect(self, path: str = "/", **keywords: Unpack[SocketKeywords]) -> TestWebSocket:
        """Open a WebSocket, by the framework's own client.

        Args:
            path: The path, with a query perhaps.
            headers: More headers for the request, as a mapping or as pairs.
            subprotocols: The subprotocols that the client speaks, the preferred one first.
            cookies: Cookies besides those of the server's jar.
            follow_redirects: Whether to go where the server sends the client, as by default.
            remote_address: The IP address that the client connects from.
            timeout: How long opening it may take, and then each wait, in real seconds; the server's by default.
            **keywords: The above by name, and the limits and choices of `WebSocketOptions` for the client's end, such
                as ``compression``. It sends no keepalive pings unless ``ping_interval`` says so.

        Raises:
            ConnectionRejected: The server said no; it has the answer's ``status``, ``headers`` and ``body``.
            HandshakeError: The server answered nothing, or something that is no answer; or has stopped.
            TimeoutError: It did not answer.
        """
        seconds = keywords.get("timeout", self._timeout)
        SECONDS_ABOVE_0.check("timeout", seconds)
        server = self._server
        socket = self._call(lambda: server.connect(path, **keywords), seconds)
        return TestWebSocket(socket, self._thread, seconds)

    # Requests

    def request(self, method: HTTPMethod | str, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a request on a connection of its own, and return the answer.

        Args:
            method: The method.
            path: The path, with a query perhaps.
            headers: Headers of the request, as a mapping or as pairs.
            cookies: Cookies besides those of the server's jar.
            json: A value that is sent as JSON.
            data: A form, as a mapping or as pairs; or the body itself, a ``str`` or ``bytes``.
            files: Makes it a form with files, as a mapping or as pairs: each is ``bytes``, or ``(filename, bytes)``, or
                ``(filename, bytes, type)``.
            follow_redirects: Whether to return the answer of where the server sends the client, within itself.
            remote_address: The IP address that the client connects from.
            timeout: How long the whole answer may take, in real seconds; the server's by default.
            **keywords: The above by name.

        Raises:
            ConnectionError: The server ended the connection before the answer was whole, or has stopped.
            TimeoutError: The answer did not come, or did not end.
        """
        seconds = keywords.get("timeout", self._timeout)
        SECONDS_ABOVE_0.check("timeout", seconds)
        server = self._server
        return self._call(lambda: server.request(method, path, **keywords), seconds)

    def get(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a GET for ``path``: see `request` for the keywords."""
        return self.request("GET", path, **keywords)

    def post(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a POST for ``path``: see `request` for the keywords."""
        return self.request("POST", path, **keywords)

    def put(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a PUT for ``path``: see `request` for the keywords."""
        return self.request("PUT", path, **keywords)

    def patch(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a PATCH for ``path``: see `request` for the keywords."""
        return self.request("PATCH", path, **keywords)

    def delete(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a DELETE for ``path``: see `request` for the keywords."""
        return self.request("DELETE", path, **keywords)

    # Time

    @property
    def time(self) -> float:
        """The server's clock, in seconds: it moves by `advance` only."""
        return self._server.time

    def settle(self) -> None:
        """Wait until the server has come to rest: all is done that can be without time to pass.

        Threads in which the server does something are waited for, for a second at most.

        Raises:
            TimeoutError: It did not: callbacks call each other for ever, say.
        """
        self._call(self._server.settle, self._timeout)

    def advance(self, seconds: float) -> None:
        """Let time pass: timers, keepalive and timeouts that are due by then come one after the other.

        Returns once all has come to rest.

        Args:
            seconds: How much, in the server's seconds.

        Raises:
            TimeoutError: The server did not come to rest within a real minute.
        """
        server = self._server
        self._call(lambda: server.advance(seconds), ADVANCE_TIMEOUT)

    def stop(self) -> None:
        """Stop the server in its order: it closes every WebSocket with 1001. What came before can still be received.

        From then on nothing listens: who connects is refused.
        """
        self._call(self._server.stop, self._timeout)

    def _call(self, function: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
        return self._thread.call(seconds, function)
