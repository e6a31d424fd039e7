"""The monitor: a page, and the WebSocket that tells it what the server does, once a second.

It is a part that any server may have, under a path of its own::

    server = HTTPServer()
    server.add_routes(monitor_routes(Monitor(lambda: server.figures, lambda: [lobby], token), "/monitor"))

Whoever looks says the token first, as the first message: so it stands in no address and in no log. While nobody looks,
nothing is counted and no timer runs.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from hmac import compare_digest
from pathlib import Path
from typing import Any

from perfectws import (
    CloseCode,
    HTTPRequest,
    HTTPResponse,
    Room,
    Routes,
    ServerFigures,
    StaticFileHandler,
    Timer,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
    call_every,
)

from .samples import Sampler

PAGE = Path(__file__).parent / "page"
EVERY = 1.0  # seconds
#: How many samples a page is told that comes later.
KEPT = 120
#: How long somebody may take to say the token, in seconds.
PATIENCE = 5.0
MIN_TOKEN = 16  # characters

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Monitor:
    """Those who look, and what they are told.

    Args:
        figures: Returns the server's figures; with workers those of all.
        rooms: Returns the rooms to tell of: those of the process that is asked.
        token: What whoever looks has to say.

    Raises:
        ValueError: The token could be guessed.
    """

    def __init__(self, figures: Callable[[], ServerFigures], rooms: Callable[[], Iterable[Room]], token: str) -> None:
        if len(token) < MIN_TOKEN:
            raise ValueError(f"a token of fewer than {MIN_TOKEN} characters could be guessed")
        self._token = token
        self._sampler = Sampler(figures, rooms)
        self._samples: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._viewers = Room(slow="drop")
        self._timer: Timer | None = None

    def is_token(self, said: object) -> bool:
        """Return whether somebody said the token."""
        return isinstance(said, str) and compare_digest(said.encode("utf-8", "replace"), self._token.encode())

    def show(self, socket: WebSocket) -> None:
        """Tell a socket what was sampled by now, and each second what is."""
        if self._timer is None:
            self._samples.clear()
            self._sampler.begin()
            self._timer = call_every(EVERY, self._tick)
        socket.send_string_message(json.dumps({"type": "history", "every": EVERY, "samples": list(self._samples)}))
        self._viewers.join(socket)

    def _tick(self) -> None:
        if len(self._viewers) == 0:
            assert self._timer is not None
            self._timer.cancel()
            self._timer = None
            return
        sample = self._sampler.take()
        self._samples.append(sample)
        self._viewers.send_string_message(json.dumps({"type": "sample", "sample": sample}))


class MonitorHandler(WebSocketSessionHandler):
    """The session of somebody who looks."""

    socket_protocol = "perfectws-monitor"

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.has_said = False

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        timer = socket.call_later(PATIENCE, lambda: socket.close(CloseCode.POLICY_VIOLATION, "no token"))

        @socket.on_text
        def said(socket: WebSocket, text: str) -> None:
            timer.cancel()
            if not self.has_said and self.monitor.is_token(_token_in(text)):
                self.has_said = True
                self.monitor.show(socket)
            else:
                socket.close(CloseCode.POLICY_VIOLATION, "wrong token")


def _token_in(text: str) -> object:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said.get("token") if isinstance(said, dict) else None


def monitor_routes(monitor: Monitor, path: str) -> Routes:
    """Return the routes of the page, ``path/``, and of its WebSocket, ``path/figures``."""

    def check(request: HTTPRequest, response: HTTPResponse) -> None:
        for name, value in HEADERS.items():
            response.set_header(name, value)
        response.next()

    routes = Routes(path, handler=check)
    handler = WebSocketHandler(lambda request, protocols: MonitorHandler(monitor), max_message_size=4096)
    routes.add("GET", "/figures", handler)
    files = StaticFileHandler(document_root=PAGE)

    @routes.add("GET", "/")
    def page(request: HTTPRequest, response: HTTPResponse) -> None:
        request.path = "/index.html"
        files.handle_request(request, response)

    @routes.add("GET", "/page/{file}")
    def part(request: HTTPRequest, response: HTTPResponse) -> None:
        request.path = f"/{request.url_variables['file']}"
        files.handle_request(request, response)

    return routes
