"""A server as Perfect's session demos set it up: filters are set twice, the session's first, then the logger's."""

from __future__ import annotations

from http import HTTPStatus

from perfectws import (
    HTTPFilterPriority,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPRequestFilterResult,
    HTTPResponse,
    HTTPResponseFilter,
    HTTPResponseFilterResult,
    HTTPServer,
    Routes,
)
from perfectws.http.filters import RequestFilterCallback, ResponseFilterCallback


class SessionDriver(HTTPRequestFilter, HTTPResponseFilter):
    """Knows its visitors by a header, and lets nobody else in."""

    def filter(self, request: HTTPRequest, response: HTTPResponse, callback: RequestFilterCallback) -> None:
        """Look who it is."""
        request.scratch_pad["user"] = request.header("X-User")
        if request.scratch_pad["user"] is None:
            response.status = HTTPStatus.UNAUTHORIZED
            callback(HTTPRequestFilterResult.HALT(request, response))
        else:
            callback(HTTPRequestFilterResult.CONTINUE(request, response))

    def filter_headers(self, response: HTTPResponse, callback: ResponseFilterCallback) -> None:
        """Keep the session."""
        response.set_header("X-Session", "kept")
        callback(HTTPResponseFilterResult.CONTINUE)


class Logger(HTTPRequestFilter, HTTPResponseFilter):
    """Notes every request that has come so far, and its answer."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def filter(self, request: HTTPRequest, response: HTTPResponse, callback: RequestFilterCallback) -> None:
        """Note a request."""
        self.lines.append(f"{request.scratch_pad['user']} asks for {request.path}")
        callback(HTTPRequestFilterResult.CONTINUE(request, response))

    def filter_headers(self, response: HTTPResponse, callback: ResponseFilterCallback) -> None:
        """Note an answer."""
        self.lines.append(f"{response.status}, session {response.header('X-Session')}")
        callback(HTTPResponseFilterResult.CONTINUE)


def make_server(logger: Logger) -> HTTPServer:
    """Return the server, which is not launched."""
    server = HTTPServer()
    session_driver = SessionDriver()
    server.set_request_filters([(session_driver, HTTPFilterPriority.LOW)])
    server.set_response_filters([(session_driver, HTTPFilterPriority.LOW)])
    # Later in the same main: they come behind, whatever their priority.
    server.set_request_filters([(logger, HTTPFilterPriority.HIGH)])
    server.set_response_filters([(logger, HTTPFilterPriority.HIGH)])

    routes = Routes()
    routes.add("GET", "/", lambda request, response: response.set_body("in").completed())
    server.add_routes(routes)
    server.server_name = "sessions"
    server.server_address = "127.0.0.1"
    return server
