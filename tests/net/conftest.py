from __future__ import annotations

import pytest

from .counting import counted_read, counted_write


@pytest.fixture(autouse=True)
def count_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what `SocketTransport` reads and writes."""
    monkeypatch.setattr("perfectws.net.socket_transport.read", counted_read)
    monkeypatch.setattr("perfectws.net.socket_transport.write", counted_write)
