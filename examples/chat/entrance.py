"""The chat's WebSocket: whose pages may connect, and in which language."""

from __future__ import annotations

from collections.abc import Callable

from perfectws import HTTPRequest, HTTPResponse, WebSocketHandler, WebSocketSessionHandler

from .chatroom import Chatrooms
from .handlers import MAX_MESSAGE_SIZE, ChatHandler, PerfectChatHandler, PlainHandler
from .hosts import allowed_origins
from .page_handler import PageHandler
from .rate import FRAMES
from .rules import Refused, check_room

DEFAULT_ROOM = "lobby"

#: The sessions by their subprotocols. A client that offers several gets what it names first.
SESSIONS: dict[str, type[ChatHandler]] = {
    handler.socket_protocol: handler for handler in (PerfectChatHandler, PlainHandler, PageHandler)
}


def chat_handler(chatrooms: Chatrooms, origins: list[str]) -> Callable[[HTTPRequest, HTTPResponse], None]:
    """Return the request handler of ``/chat`` and ``/chat?room=NAME``.

    Args:
        chatrooms: The rooms.
        origins: Whose pages may connect, besides those that come from the host itself.

    Source: ``chatHandler(data:)`` of Perfect's chat demo.
    """

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        try:
            room = check_room(dict(request.query_params).get("room", DEFAULT_ROOM))
        except Refused as refusal:
            response.set_header("Content-Type", "text/plain; charset=utf-8")
            response.set_body(f"{refusal.text}\n").completed(400)
            return

        def producer(request: HTTPRequest, protocols: list[str]) -> WebSocketSessionHandler | None:
            offered = [SESSIONS[protocol] for protocol in protocols if protocol in SESSIONS]
            return offered[0](chatrooms, room) if offered else None

        WebSocketHandler(
            handler_producer=producer,
            origins=allowed_origins(request, origins),
            max_frame_size=MAX_MESSAGE_SIZE,
            message_rate=FRAMES,
        ).handle_request(request, response)

    return handle
