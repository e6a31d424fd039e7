"""tornado, as its documentation has it."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tornado.web import Application
from tornado.websocket import WebSocketHandler

from . import BACKLOG, MAX_SIZE, SUBPROTOCOL, Settings


class Echo(WebSocketHandler):  # type: ignore[misc]  # tornado may not be there to tell its types
    """Sends back what comes."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Agree to the subprotocol of the load."""
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def get_compression_options(self) -> dict[str, int] | None:
        """Compress if that is measured."""
        return {} if self.settings["deflate"] else None

    def open(self, *_: str, **__: str) -> None:
        """Send small messages at once."""
        self.set_nodelay(True)

    def on_message(self, message: str | bytes) -> None:
        """Echo a message."""
        self.write_message(message)


class Member(Echo):
    """Sends what comes to everyone in the room."""

    members: ClassVar[set[Member]] = set()

    def open(self, *_: str, **__: str) -> None:
        """Let it in."""
        super().open()
        self.members.add(self)

    def on_message(self, message: str | bytes) -> None:
        """Pass a message on."""
        for member in self.members:
            member.write_message(message)

    def on_close(self) -> None:
        """Let it out."""
        self.members.discard(self)


async def main(settings: Settings) -> None:
    """Serve for ever."""
    options: dict[str, Any] = {}
    if settings.ping_interval is not None:
        options["websocket_ping_interval"] = settings.ping_interval
    app = Application(
        [("/echo", Echo), ("/parts", Echo), ("/room", Member)],
        websocket_max_message_size=MAX_SIZE,
        log_function=lambda handler: None,
        deflate=settings.deflate,
        **options,
    )
    app.listen(settings.port, "127.0.0.1", backlog=BACKLOG)
    await asyncio.Event().wait()


def serve(settings: Settings) -> None:
    """Serve until killed."""
    asyncio.run(main(settings))
