"""uvicorn with httptools, its implementation on websockets, and uvloop."""

from __future__ import annotations

from typing import Any

import uvicorn

from . import BACKLOG, MAX_SIZE, Settings
from .asgi_app import app


def serve(settings: Settings) -> None:
    """Serve until killed."""
    options: dict[str, Any] = {}
    if settings.ping_interval is not None:
        options = {"ws_ping_interval": settings.ping_interval}
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=settings.port,
        loop="uvloop" if settings.uvloop else "asyncio",
        http="httptools",
        ws="auto",
        ws_max_size=MAX_SIZE,
        ws_per_message_deflate=settings.deflate,
        backlog=BACKLOG,
        log_level="warning",
        access_log=False,
        **options,
    )
