"""The chat's routes: its page, with the headers that keep it safe, and its WebSocket."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from perfectws import HTTPRequest, HTTPResponse, Routes, StaticFileHandler

from .chatroom import Chatrooms, Shelf
from .entrance import DEFAULT_ROOM, chat_handler
from .hosts import Hosts
from .rules import Refused, check_room

PAGE = Path(__file__).parent / "page"

HEADERS = {
    # Nothing comes from elsewhere, nothing in the page is a script or a style, and no other site may frame it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def make_routes(shelf: Shelf, hosts: Hosts, origins: list[str]) -> Routes:
    """Return the chat's routes.

    Args:
        shelf: Where its rooms are kept.
        hosts: The names that it answers to.
        origins: Whose pages may connect, besides the chat's own.
    """

    def check(request: HTTPRequest, response: HTTPResponse) -> None:
        """Set the headers of every response, then pass on who called the chat by a name of its own."""
        for name, value in HEADERS.items():
            response.set_header(name, value)
        if hosts.know(request.header("Host")):
            response.next()
        else:
            response.set_header("Content-Type", "text/plain; charset=utf-8")
            response.set_body(f"{request.header('Host')} is no name of this chat; --host gives it one.\n")
            # A page that says where it comes from is refused as one of another origin is.
            response.completed(421 if request.header("Origin") is None else 403)

    routes = Routes(handler=check)
    files = StaticFileHandler(document_root=PAGE)
    routes.add("GET", "/chat", chat_handler(Chatrooms(shelf), origins))
    routes.add("GET", "/page/**", files)

    @routes.add("GET", "/")
    def start(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Location", f"rooms/{DEFAULT_ROOM}").completed(307)

    @routes.add("GET", "/rooms/{room}")
    def room(request: HTTPRequest, response: HTTPResponse) -> None:
        asked = request.url_variables["room"]
        try:
            name = check_room(asked)
        except Refused as refusal:
            response.set_header("Content-Type", "text/plain; charset=utf-8")
            response.set_body(f"{refusal.text}\n").completed(404)
            return
        if name != asked:
            # One room has one address: which letters are one, the server decides, not the reader's language.
            response.set_header("Location", quote(name)).completed(307)
            return
        request.path = "/index.html"
        files.handle_request(request, response)

    return routes
