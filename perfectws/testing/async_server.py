"""`AsyncTestServer`: a server in memory, and its clients, for tests that are tasks."""

from __future__ import annotations

from http import HTTPMethod
from math import inf
from typing import Unpack
from weakref import WeakSet

from ..checks.quantities import FINITE_SECONDS, SECONDS, SECONDS_ABOVE_0
from ..client.connect import connect_by
from ..client.redirects import MAX_REDIRECTS
from ..net.loop import Loop
from ..server.server import HTTPServer
from .async_web_socket import AsyncTestWebSocket
from .at_home import AtHome, at_home
from .connecting import SocketKeywords, connect_keywords, url_of
from .cookies import encoded, keep_cookies
from .exchange import exchange
from .failures import WatchedLoop, explained
from .limits import limited, outer_limits
from .network import CLIENT_HOST, MemoryDial, Network
from .request import PlainRequest, RequestKeywords
from .response import TestResponse
from .virtual_time import advance, settle

#: How long a test waits for anything, in seconds.
TIMEOUT = 5.0
#: How long time that passes may keep a server busy, in real seconds.
ADVANCE_TIMEOUT = 60.0
#: What has a ``Location`` to go to. Source: RFC 9110 §15.4.
_REDIRECTS = (301, 302, 303, 307, 308)


class AsyncTestServer(AtHome):
    """A server in memory, for tests that are tasks. `open_test_server` makes it.

    Attributes:
        http_server: The server itself.
        errors: What callbacks have raised, in order. At the end that is raised; clear it where a test expects it.
        cookies: The cookies that are sent with every request and every `connect`. With ``keep_cookies`` those that the
            server sets are kept here.
    """

    __test__ = False

    def __init__(
        self,
        http_server: HTTPServer,
        loops: tuple[WatchedLoop, Loop],
        network: Network,
        timeout: float,
        keeps_cookies: bool,
    ) -> None:
        super().__init__(None, timeout)
        self._loop, self._client_loop = loops
        self.http_server = http_server
        self.errors = self._loop.errors
        self.cookies: dict[str, str] = {}
        self._network = network
        self._keeps_cookies = keeps_cookies
        self._web_sockets = WeakSet[AsyncTestWebSocket]()

    # WebSockets

    @at_home
    async def connect(self, path: str = "/", **keywords: Unpack[SocketKeywords]) -> AsyncTestWebSocket:
        """Open a WebSocket, by the framework's own client.

        Args:
            path: The path, with a query perhaps.
            headers: More headers for the request, as a mapping or as pairs.
            subprotocols: The subprotocols that the client speaks, the preferred one first.
            cookies: Cookies besides those of the server's jar.
            follow_redirects: Whether to go where the server sends the client, as by default.
            remote_address: The IP address that the client connects from.
            timeout: How long opening it may take, and then each wait, in seconds; the server's by default.
            **keywords: The above by name, and the limits and choices of `WebSocketOptions` for the client's end, such
                as ``compression``. It sends no keepalive pings unless ``ping_interval`` says so.

        Raises:
            ConnectionRejected: The server said no; it has the answer's ``status``, ``headers`` and ``body``.
            HandshakeError: The server answered nothing, or something that is no answer; or has stopped.
            TimeoutError: It did not answer.
        """
        given = connect_keywords(keywords, self.cookies)
        timeout = self._seconds(keywords)
        dial = MemoryDial(self._network, keywords.get("remote_address", CLIENT_HOST))
        given["on"] = self._client_loop  # type: ignore[typeddict-item]  # which stands for what has one
        with explained(self.errors), limited(timeout, f"{path} was not opened: the server did not answer"):
            socket = await connect_by(dial, url_of(path, self._network.is_secure), given)
        assert dial.transport is not None
        opened = AsyncTestWebSocket(socket, self._client_loop, self.errors, dial.transport, self.home, timeout)
        self._web_sockets.add(opened)
        if self._keeps_cookies:
            keep_cookies(self.cookies, opened.headers)
        return opened

    # Requests

    @at_home
    async def request(
        self, method: HTTPMethod | str, path: str = "/", **keywords: Unpack[RequestKeywords]
    ) -> TestResponse:
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
            timeout: How long the whole answer may take, in seconds; the server's by default.
            **keywords: The above by name.

        Raises:
            ConnectionError: The server ended the connection before the answer was whole, or has stopped.
            TimeoutError: The answer did not come, or did not end.
        """
        request = PlainRequest.of(method, path, keywords)
        in_vain = f"{request.method} {path} was not answered"
        with explained(self.errors), limited(self._seconds(keywords), in_vain):
            response = await self._exchange(request, keywords)
            for _ in range(MAX_REDIRECTS if keywords.get("follow_redirects") else 0):
                location = response.header("Location") if response.status in _REDIRECTS else None
                following = None if location is None else request.redirected(response.status, location)
                if following is None:
                    break
                request = following
                response = await self._exchange(request, keywords)
        return response

    async def _exchange(self, request: PlainRequest, keywords: RequestKeywords) -> TestResponse:
        cookies = encoded({**self.cookies, **keywords.get("cookies", {})})
        if cookies and "Cookie" not in request.headers:
            request.headers.add("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
        stream = self._network.open(self._network.address(keywords.get("remote_address", CLIENT_HOST)))
        response = await exchange(stream, request)
        if self._keeps_cookies:
            keep_cookies(self.cookies, response.headers)
        return response

    async def get(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a GET for ``path``: see `request` for the keywords."""
        return await self.request("GET", path, **keywords)

    async def post(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a POST for ``path``: see `request` for the keywords."""
        return await self.request("POST", path, **keywords)

    async def put(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a PUT for ``path``: see `request` for the keywords."""
        return await self.request("PUT", path, **keywords)

    async def patch(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a PATCH for ``path``: see `request` for the keywords."""
        return await self.request("PATCH", path, **keywords)

    async def delete(self, path: str = "/", **keywords: Unpack[RequestKeywords]) -> TestResponse:
        """Send a DELETE for ``path``: see `request` for the keywords."""
        return await self.request("DELETE", path, **keywords)

    def _seconds(self, keywords: RequestKeywords | SocketKeywords) -> float:
        seconds = keywords.get("timeout", self._timeout)
        SECONDS_ABOVE_0.check("timeout", seconds)
        return seconds

    # Time

    @property
    def time(self) -> float:
        """The server's clock, in seconds."""
        return self._loop.time()

    @at_home
    async def settle(self) -> None:
        """Wait until the server has come to rest: all is done that can be without time to pass.

        Threads in which the server does something are waited for, for a second at most.

        Raises:
            TimeoutError: It did not: callbacks call each other for ever, say.
        """
        with limited(self._timeout, "the server did not come to rest"):
            await settle()

    async def advance(self, seconds: float) -> None:
        """Let time pass: timers, keepalive and timeouts that are due by then come one after the other.

        Returns once all has come to rest. It needs a clock that can be moved, as pytest-trio's ``mock_clock`` and
        ``autojump_clock`` are.

        Args:
            seconds: How much, in seconds.

        Raises:
            LocalProtocolError: The clock cannot be moved.
        """
        SECONDS.check("seconds", seconds)
        FINITE_SECONDS.check("seconds", seconds)
        await self._advance(seconds, timeout=ADVANCE_TIMEOUT)

    @at_home
    async def _advance(self, seconds: float, *, timeout: float) -> None:
        # Where it is this clock that passes, it cannot tell how long that takes.
        with limited(inf if outer_limits.get() is None else timeout, f"{seconds:g} seconds of the server did not pass"):
            await advance(seconds, self._read_ahead)

    def _read_ahead(self) -> bool:
        return any(socket.read_ahead() for socket in self._web_sockets)

    # The end

    @at_home
    async def stop(self) -> None:
        """Stop the server in its order: it closes every WebSocket with 1001. What came before can still be received.

        From then on nothing listens: who connects is refused.
        """
        self.http_server.stop()
        await self.settle()

    @at_home
    async def close(self) -> None:
        """Stop the server, and cut what is left open; perfectws's own: the end of `open_test_server` does."""
        if self._network.is_closed:
            return
        self.http_server.stop()
        try:
            with limited(self._timeout, "the server did not come to rest"):
                await settle()
        except TimeoutError:
            pass  # what it is about is cut off
        finally:
            self._network.close()
