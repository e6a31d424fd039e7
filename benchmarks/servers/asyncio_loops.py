"""Runs a coroutine on asyncio or on uvloop, and what servers on them have in common."""

from __future__ import annotations

import asyncio
import ssl
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


def server_context(certificate: str) -> ssl.SSLContext:
    """Return how TLS is done with the certificate, and its key, in a PEM file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context
