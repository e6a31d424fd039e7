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
from .static_files import StaticFileHandler


class HTTPHandler:
    """A name space of functions that each return a request handler."""

    @staticmethod
    def static_files(data: Mapping[str, Any] | None = None) -> RequestHandler:
        """Serve the files of a directory, each at its path.

        Args:
            data: ``documentRoot`` is the directory, ``"./webroot"`` by default; ``allowResponseFilters`` lets response
                filters see the files.

        Source: Perfect's ``HTTPHandler.staticFiles(data:)``.
        """
        data = data or {}
        return StaticFileHandler(
            data.get("documentRoot", DOCUMENT_ROOT), bool(data.get("allowResponseFilters", False))
        ).handle_request

    @staticmethod
    def redirect(data: Mapping[str, Any] | None = None) -> RequestHandler:
        """Redirect every request, for good, to the same path and query of another server.

        Args:
            data: ``base`` is what comes before the path: ``"https://example.org"``.

        Raises:
            LocalProtocolError: There is no ``base``, or it has a scheme and no host.

        Source: Perfect's ``HTTPHandler.redirect(data:)``.
        """
        base = (data or {}).get("base")
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
        """Answer that the server is there: 200, for a load balancer or a monitor that asks.

        Args:
            data: The route's dictionary, of which nothing is asked.
        """

        def healthy(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_header("Content-Type", "text/plain; charset=utf-8").set_header("Cache-Control", "no-store")
            response.set_body("OK\n").completed()

        return healthy


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
