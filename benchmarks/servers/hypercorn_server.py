"""hypercorn on trio."""

from __future__ import annotations

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as serve_hypercorn

from . import BACKLOG, MAX_SIZE, Settings
from .asgi_app import app


def serve(settings: Settings) -> None:
    """Serve until killed."""
    config = Config()
    config.bind = [f"127.0.0.1:{settings.port}"]
    config.websocket_max_message_size = MAX_SIZE
    config.websocket_ping_interval = settings.ping_interval
    config.backlog = BACKLOG
    config.loglevel = "WARNING"
    config.accesslog = None
    trio.run(serve_hypercorn, app, config)
