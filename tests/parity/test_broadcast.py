"""Perfect's pattern of a broadcast: three completions each read again, and the newest read wins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..calls import quiet
from ..conftest import Connect
from ..peer import Peer
from .broadcast import BroadcastHandler, make_routes


@pytest.fixture(autouse=True)
def _nobody_is_there() -> Iterator[None]:
    """Begin with an empty chat."""
    BroadcastHandler.sockets.clear()
    yield
    BroadcastHandler.sockets.clear()


async def join(connect: Connect) -> Peer:
    peer = await connect.to(make_routes())
    await peer.handshake("/chat", [("Sec-WebSocket-Protocol", "chat")])
    await quiet()
    return peer


async def test_a_session_that_reads_again_in_each_completion_goes_on(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    peers = [await join(connect) for _ in range(3)]
    for number in range(20):
        for speaker in peers:
            await speaker.send_text(f"message {number}")
            assert [await peer.receive_text() for peer in peers] == [f"message {number}"] * 3
    assert all(socket.is_connected for socket in BroadcastHandler.sockets)
    for peer in peers:
        await peer.close_handshake(1000)
    await quiet()
    assert BroadcastHandler.sockets == []
    assert len([message for message in caplog.messages if message.startswith("BroadcastHandler")]) <= 1
