"""Runs a coroutine on asyncio or on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from . import Settings


def run(main: Coroutine[Any, Any, None], settings: Settings) -> None:
    """Run ``main`` on the event loop that the settings ask for."""
    if settings.uvloop:
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)
