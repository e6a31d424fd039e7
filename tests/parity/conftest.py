from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from perfectws import EventLoop
from perfectws.client import loop as client_loop
from perfectws.net.loop import open_loop
from perfectws.server import server


@pytest.fixture(params=["reactor", "streams"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use each transport in turn, on both ends."""
    name: str = request.param
    if name == "streams":
        monkeypatch.setattr(client_loop, "make_reactor", lambda: None)
        monkeypatch.setattr(server, "open_loop", partial(open_loop, with_reactor=False))
    return name


@pytest.fixture
def event_loop(transport: str) -> Iterator[EventLoop]:
    """Vapor's ``eventLoop``: one in a thread of its own."""
    with EventLoop() as loop:
        yield loop
