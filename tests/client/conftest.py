"""The harness of clients: servers of ours, servers held in the hand, and both transports.

A test that takes ``transport`` runs once per transport, for the client and for our server alike.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio

from perfectws.client import loop as client_loop
from perfectws.net.loop import open_loop
from perfectws.server import server

from .raw_server import RawServer

#: No test waits longer for anything, in seconds.
PATIENCE = 30


@pytest.fixture(params=["reactor", "streams"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use each transport in turn."""
    name: str = request.param
    if name == "streams":
        monkeypatch.setattr(client_loop, "make_reactor", lambda: None)
        monkeypatch.setattr(server, "open_loop", partial(open_loop, with_reactor=False))
    return name


@pytest.fixture
async def raw_server() -> AsyncIterator[RawServer]:
    """Serve connections that the test answers byte by byte."""
    with trio.fail_after(PATIENCE):
        async with RawServer.listen() as raw:
            yield raw
