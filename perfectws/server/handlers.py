"""`HTTPHandler`: request handlers that are there already, made of a route's data.

Source: Perfect's ``HTTPHandler``. Each takes a dictionary with Perfect's keys, so that a configuration can name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from ..errors import LocalProtocolError
from ..http.paths import split_target
from ..http.request import HTTPRequest
from ..http.response import HTTPResponse, RequestHandler
from ..http.service import DOCUMENT_ROOT
from .data import ROUTE_KEYS, checked
from .readiness import why_not_ready
from .static_files import StaticFileHandler


class HTTPHandler:
    """A name space of functions that each return a request handler."""

    @staticmethod
    def static_files(data: Mapping[str, Any] | None = None) -> RequestHandler:
        """Serve the files of a directory, each at its path.

        Args:
            data: ``documentRoot`` is the directory, ``"./webroot"`` by default; ``allowResponseFilters`` lets response
                filters see the files.

        Raises:
            LocalProtocolError: It has another key.

        Source: Perfect's ``HTTPHandler.staticFiles(data:)``.
        """
        data = checked(data, "documentRoot", "allowResponseFilters", what="HTTPHandler.static_files", beside=ROUTE_KEYS)
        return StaticFileHandler(
            data.get("documentRoot", DOCUMENT_ROOT), bool(data.get("allowResponseFilters", False))
        ).handle_request

    @staticmethod
    def redirect(data: Mapping[str, Any] | None = None) -> RequestHandler:
        """Redirect every request, for good, to the same path and query of another server.

        Args:
            data: ``base`` is what comes before the path: ``"https://example.org"``.

        Raises:
            LocalProtocolError: There is no ``base``, or it has a scheme and no host; or there is another key.

        Source: Perfect's ``HTTPHandler.redirect(data:)``.
        """
        base = checked(data, "base", what="HTTPHandler.redirect", beside=ROUTE_KEYS).get("base")
        if not isinstance(base, str) or not base:
            raise LocalProtocolError(
                "HTTPHandler.redirect needs the key 'base': the server to redirect to, such as 'https://example.org'"
            )

        if not _is_base(base):
            raise LocalProtocolError(f"HTTPHandler.redirect: the base {base!r} names no server to redirect to")

        def redirect(request: HTTPRequest, response: HTTPResponse) -> None:
            path, query = split_target(request.uri)
            location = _below(base, path) + (f"?{query}" if query else "")
            response.set_header("Location", location).completed(HTTPStatus.MOVED_PERMANENTLY)

        return redirect

    @staticmethod
    def health(data: Mapping[str, Any] | None = None) -> RequestHandler:
        """Answer how the server is, for a load balancer or a monitor that asks: whether it lives, or is ready too.

        It *lives* if it answers at all: 200, and ``OK``. It is *ready* as long as it should be sent clients: 200, and
        ``{"ready": true}``. Else 503, and the reasons: ``{"ready": false, "because": ["stopping"]}``. They are
        ``stopping``: it was asked to stop, or to make way for another process; ``full``: there is no room for one more
        connection than there are (``max_connections``); ``broker``: one is not connected. Who does not live is started
        again, who is not ready is left alone for a while. ::

            routes.add("GET", "/live", HTTPHandler.health())
            routes.add("GET", "/ready", HTTPHandler.health({"ready": True}))

        Args:
            data: ``ready`` asks whether the server is ready; ``brokers`` whether the brokers of its rooms are connected
                too: without them it still serves its own members.

        Raises:
            LocalProtocolError: It has another key.
        """
        data = checked(data, "ready", "brokers", what="HTTPHandler.health", beside=ROUTE_KEYS)
        asks_brokers = bool(data.get("brokers", False))

        def live(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_header("Content-Type", "text/plain; charset=utf-8").set_header("Cache-Control", "no-store")
            response.set_body("OK\n").completed()

        def ready(request: HTTPRequest, response: HTTPResponse) -> None:
            reasons = why_not_ready(response.server, asks_brokers)
            response.set_header("Cache-Control", "no-store")
            response.set_body(json={"ready": False, "because": reasons} if reasons else {"ready": True})
            response.completed(HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK)

        return ready if data.get("ready", False) or asks_brokers else live

    @staticmethod
    def metrics(data: Mapping[str, Any] | None = None) -> RequestHandler:
        """Answer with the server's figures as Prometheus reads them: ``perfectws_connections`` and so on.

        They are those of `HTTPServer.figures`: with workers of all of them, whichever is asked. As prometheus-client's
        own, the answer comes in the format that is accepted, with gzip if that is, and ``?name[]=`` chooses from it.
        Whoever may reach the route may read it; a request filter can ask who it is. ::

            routes.add("GET", "/metrics", HTTPHandler.metrics())

        Args:
            data: ``registry`` is a ``prometheus_client.CollectorRegistry`` with the application's own metrics, to be
                told as well: ``REGISTRY``, say. They are those of the process that is asked.

        Raises:
            ImportError: prometheus-client is not installed: ``pip install 'perfectws[metrics]'``.
            LocalProtocolError: ``data`` has another key.
        """
        data = checked(data, "registry", what="HTTPHandler.metrics", beside=ROUTE_KEYS)
        from .metrics import metrics_handler  # few need it

        return metrics_handler(data.get("registry"))


def _is_base(base: str) -> bool:
    """Tell whether a base has a host wherever it seems to: else the path behind it would be read as one."""
    try:
        parts = urlsplit(base)
    except ValueError:
        return False
    return bool(parts.netloc) or not (parts.scheme or base.startswith("//"))


def _below(base: str, path: str) -> str:
    """Return where a path leads below a base: never to a host that the path names."""
    if base == "/":
        return "/" + path.lstrip("/\\")  # browsers take two slashes of either kind for the beginning of a host
    return base + path if path[:1] == "/" else f"{base}/{path}"
