"""Laws 2, 5, 7 and 8: reading frame by frame."""

from __future__ import annotations

from typing import Any

import trio

from perfectws import HTTPRequest, OpcodeType, WebSocket

from ..conftest import Connect
from ..peer import CONTINUATION, TEXT


class Reads:
    """A session that reads on and on, and keeps what it got."""

    def __init__(self, binary: bool = False) -> None:
        self.binary = binary
        self.got: list[tuple[Any, OpcodeType, bool]] = []
        self.ended = trio.Event()

    def __call__(self, request: HTTPRequest, socket: WebSocket) -> None:
        def received(data: Any, op: OpcodeType, fin: bool) -> None:
            self.got.append((data, op, fin))
            if data is None and op is OpcodeType.INVALID:
                self.ended.set()
            else:
                read(received)

        read = socket.read_bytes_message if self.binary else socket.read_string_message
        read(received)


async def test_a_fragmented_message_arrives_frame_by_frame(connect: Connect) -> None:
    session = Reads()
    peer = await connect(session)
    await peer.send(TEXT, "one", fin=False)
    await peer.send(CONTINUATION, "two", fin=False)
    await peer.send(CONTINUATION, "three")
    await peer.close_handshake()
    await session.ended.wait()
    assert session.got == [
        ("one", OpcodeType.TEXT, False),
        ("two", OpcodeType.CONTINUATION, False),
        ("three", OpcodeType.CONTINUATION, True),
        (None, OpcodeType.INVALID, True),
    ]
