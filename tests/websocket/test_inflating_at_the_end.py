"""Law 5: limits hold to a connection's last byte. Nothing is read ahead, nor inflated, because the connection ends."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from perfectws import HTTPRequest, WebSocket
from perfectws.websocket.inflater import Inflater
from perfectws.websocket.options import READ_AHEAD_FRAMES

from ..calls import BINARY, INVALID, NOTHING, Calls, Reads, quiet
from ..conftest import Connect
from ..peer import BINARY as BINARY_FRAME
from ..peer import CLOSE as CLOSE_FRAME
from ..peer import Peer, close_payload, frame_bytes

OFFER = [("Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover")]
MIB = 1024 * 1024
RSV1 = 0x40
#: How many frames of 1 MiB each lie in what the peer sends last.
BOMBS = 100


def bomb() -> bytes:
    """Return a frame of about a thousand bytes that inflates to 1 MiB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = (compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")
    return frame_bytes(BINARY_FRAME, payload, rsv=RSV1)


@pytest.fixture
def inflated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note what is inflated, in bytes."""
    sizes: list[int] = []
    inflate = Inflater.inflate_message

    def noting(self: Inflater, data: bytes) -> bytes:
        message = inflate(self, data)
        sizes.append(len(message))
        return message

    monkeypatch.setattr(Inflater, "inflate_message", noting)
    return sizes


async def vanish(peer: Peer) -> None:
    await peer.vanish()


async def reset(peer: Peer) -> None:
    await quiet()
    peer.reset()


async def end(peer: Peer) -> None:
    await peer.end()  # over TLS it waits for the server's own end, which waits until all is read


async def close(peer: Peer) -> None:
    await peer.stream.send_all(frame_bytes(CLOSE_FRAME, close_payload(1000)))


ENDS = pytest.mark.parametrize("ending", [vanish, reset, end, close])
Ending = Callable[[Peer], Awaitable[None]]


@ENDS
async def test_of_an_unread_socket_only_what_may_be_read_ahead_is_inflated(
    connect: Connect, inflated: list[int], ending: Ending
) -> None:
    opened = Calls()
    peer = await connect(lambda _, socket: opened(socket), headers=OFFER, compression=True, close_timeout=0.2)
    await peer.stream.send_all(bomb() * BOMBS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ending, peer)
        await quiet()
        ((socket,),) = await opened.until(1)
        assert sum(inflated) <= 2 * MIB
        await socket.close()
        await socket.on_close
        assert sum(inflated) <= 3 * MIB
        nursery.cancel_scope.cancel()


@ENDS
async def test_a_session_that_reads_on_gets_all_that_arrived_one_after_the_other(
    network_connect: Connect, inflated: list[int], ending: Ending
) -> None:
    sizes: list[int | None] = []
    most_ahead = 0
    over = Calls()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        def read(data: bytes | None, opcode: int, final: bool) -> None:
            nonlocal most_ahead
            sizes.append(None if data is None else len(data))
            most_ahead = max(most_ahead, sum(inflated) // MIB - len(sizes))
            if opcode is not INVALID:
                socket.read_bytes_message(read)
            else:
                over()

        socket.read_bytes_message(read)

    peer = await network_connect(session, headers=OFFER, compression=True)
    await peer.stream.send_all(bomb() * 20)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ending, peer)
        await over.until(1)
        nursery.cancel_scope.cancel()
    assert sizes[-1] is None
    if ending is not reset:  # which may take along what was not read yet
        assert sizes[:-1] == [MIB] * 20
    assert most_ahead <= 3


async def test_what_finds_no_room_behind_our_close_frame_is_skipped_and_not_inflated(
    connect: Connect, inflated: list[int]
) -> None:
    opened = Calls()
    peer = await connect(lambda _, socket: opened(socket), headers=OFFER, compression=True)
    ((socket,),) = await opened.until(1)
    await peer.stream.send_all(bomb() * 3)
    await quiet()
    closing = socket.close()
    await peer.stream.send_all(bomb() * BOMBS)
    assert (await peer.close_handshake()).close_code == 1000
    await closing
    assert sum(inflated) <= 3 * MIB
    assert socket.close_code == 1000


async def test_a_close_frame_behind_what_is_unread_is_found_when_that_was_read(connect: Connect) -> None:
    peer, socket = await connect.socket()
    frames = b"".join(frame_bytes(BINARY_FRAME, bytes([number])) for number in range(READ_AHEAD_FRAMES + 5))
    await peer.stream.send_all(frames + frame_bytes(CLOSE_FRAME, close_payload(4001, "bye")))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end, peer)
        await quiet()
        reads = Reads(WebSocket.read_bytes_message)
        reads.session(socket.request, socket)  # type: ignore[arg-type]  # it is a server's, and has one
        expected: list[Any] = [(bytes([number]), BINARY, True) for number in range(READ_AHEAD_FRAMES + 5)]
        assert await reads.until_end() == [*expected, NOTHING]
        nursery.cancel_scope.cancel()
    assert (socket.close_code, socket.close_reason) == (4001, "bye")
