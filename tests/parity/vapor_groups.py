"""A protected group as a Vapor app has it: middleware in front of routes and of a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from perfectws import HTTPRequest, HTTPRequestFilter, HTTPResponse, RequestFilterResult, Routes, WebSocket


class UserAuthMiddleware(HTTPRequestFilter):
    """Lets those pass who know the token."""

    def filter(
        self, request: HTTPRequest, response: HTTPResponse, callback: Callable[[RequestFilterResult], object]
    ) -> None:
        """Look at the token."""
        if request.header("Authorization") != "Bearer sesame":
            response.status = HTTPStatus.UNAUTHORIZED
            response.set_body("who are you?")
            callback(RequestFilterResult.HALT(request, response))
            return
        request.scratch_pad["user"] = "Vapor"
        callback(RequestFilterResult.CONTINUE(request, response))


def make_routes() -> Routes:
    """Return the app's routes."""
    app = Routes()
    protected = app.grouped("users/:name", UserAuthMiddleware())

    @protected.get("hello")
    def hello(req: HTTPRequest, res: HTTPResponse) -> None:
        res.set_body(f"hello {req.url_variables['name']}, {req.scratch_pad['user']}").completed()

    @protected.web_socket("echo/:times")
    def echo(req: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.send(f"{req.url_variables['name']}: {text * int(req.url_variables['times'])}"))

    @app.get("users/:name/public")
    def public(req: HTTPRequest, res: HTTPResponse) -> None:
        res.set_body(f"public {req.url_variables['name']}").completed()

    return app
