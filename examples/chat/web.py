"""The chat's routes: its page, with the headers that keep it safe, its images, and its WebSocket."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from perfectws import (
    FilterPriority,
    HTTPFilter,
    HTTPRequest,
    HTTPResponse,
    HTTPResponseFilter,
    Routes,
    StaticFileHandler,
)

from .bundle import Piece, script, style
from .chatroom import Chatrooms
from .entrance import DEFAULT_ROOM, chat_handler
from .hosts import Hosts
from .images import Images
from .rules import Refused, check_room

PAGE = Path(__file__).parent / "page"

HEADERS = {
    # Nothing comes from elsewhere, nothing in the page is a script or a style, and no other site may frame it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

#: What becomes of each response: a page that says what is missing, and fewer bytes.
FILTERS: list[tuple[HTTPResponseFilter, FilterPriority]] = [
    (HTTPFilter.custom_404({"path": PAGE / "missing.html"}), FilterPriority.HIGH),
    (HTTPFilter.content_compression(), FilterPriority.LOW),
]


def make_routes(chatrooms: Chatrooms, images: Images, hosts: Hosts, origins: list[str]) -> Routes:
    """Return the chat's routes.

    Args:
        chatrooms: Its rooms.
        images: Its images.
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
    files = StaticFileHandler(document_root=PAGE, allow_response_filters=True)
    routes.add("GET", "/chat", chat_handler(chatrooms, origins))
    routes.add("GET", "/page/chat.js", Piece(script(PAGE, "chat"), "text/javascript"))
    routes.add("GET", "/page/chat.css", Piece(style(PAGE, ["chat", "room", "narrow"]), "text/css"))
    routes.add("GET", "/page/**", files)
    routes.add("POST", "/images", images.take)
    routes.add("GET", "/images/{name}", images.serve)

    @routes.add("GET", "/")
    def start(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Location", f"rooms/{DEFAULT_ROOM}").completed(307)

    @routes.add("GET", "/rooms")
    def rooms_without_slash(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Location", "rooms/").completed(307)

    @routes.add("GET", "/rooms/")
    def all_rooms(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Location", f"{DEFAULT_ROOM}#all-rooms").completed(307)

    @routes.add("GET", "/rooms/{room}")
    def room(request: HTTPRequest, response: HTTPResponse) -> None:
        asked = request.url_variables["room"]
        try:
            name = check_room(asked)
        except Refused:
            response.completed(404)
            return
        if name != asked:
            # One room has one address: which letters are one, the server decides, not the reader's language.
            response.set_header("Location", quote(name)).completed(307)
            return
        request.path = "/index.html"
        files.handle_request(request, response)

    @routes.add("GET", "/icon/{count}")
    def icon(request: HTTPRequest, response: HTTPResponse) -> None:
        count = request.url_variables["count"]
        if not count.isascii() or not count.isdigit() or len(count) > 3:
            response.completed(404)
            return
        response.set_header("Content-Type", "image/svg+xml").set_header("Cache-Control", "max-age=604800")
        response.set_body(COUNTING_ICON.format(count if int(count) < 100 else "∞")).completed()

    return routes


#: The page's icon while something was not seen: a number where its two lines are.
COUNTING_ICON = re.sub(
    r'<path fill="none"[^>]*/>',
    '<text x="16" y="21" fill="#fff" font-family="sans-serif" font-size="16" font-weight="700" text-anchor="middle">'
    "{}</text>",
    (PAGE / "favicon.svg").read_text(encoding="utf-8"),
)
