"""How far a peer has got on a Unix socket: what we write into the kernel is no sign of its life, what it takes is."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from perfectws.net.loop import Loop, open_loop
from perfectws.net.socket_transport import SocketTransport
from perfectws.net.stream_transport import StreamTransport
from perfectws.transport import HIGH_WATER, NO_PROTOCOL

from ..calls import quiet

if sys.platform != "linux":
    pytest.skip("only Linux tells what a Unix socket holds", allow_module_level=True)
assert sys.platform == "linux"  # which type checkers understand

WITH_REACTOR = pytest.mark.parametrize("with_reactor", [True, False], ids=["reactor", "stream"])

Transport = SocketTransport | StreamTransport


def transport_over(loop: Loop, ours: socket.socket) -> Transport:
    """Return a started transport of either kind."""
    if loop.reactor is not None:
        over_socket = SocketTransport(loop, loop.reactor, ours, ("", 0))
        over_socket.start(NO_PROTOCOL)
        return over_socket
    over_stream = StreamTransport(loop, trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
    over_stream.set_protocol(NO_PROTOCOL)
    loop.tasks.start_soon(over_stream.run)
    return over_stream


@asynccontextmanager
async def unix_pair(with_reactor: bool) -> AsyncIterator[tuple[Transport, socket.socket]]:
    """Open a transport, and the socket of its peer."""
    ours, peer = socket.socketpair(socket.AF_UNIX)
    ours.setblocking(False)
    with peer:
        async with open_loop(with_reactor=with_reactor) as loop:
            transport = transport_over(loop, ours)
            await quiet()
            yield transport, peer
            transport.abort()
            await quiet()


@WITH_REACTOR
async def test_what_the_kernel_takes_while_it_has_room_is_none(with_reactor: bool) -> None:
    async with unix_pair(with_reactor) as (transport, _):
        seen = {transport.progress()}
        for size in (6, 6, HIGH_WATER + 1, 6):
            transport.write(bytes(size))
            seen.add(transport.progress())
            await quiet()
            seen.add(transport.progress())
        assert transport.buffered_amount == 0
        assert transport.unsent_amount() > 0
        assert len(seen) == 1


@WITH_REACTOR
async def test_what_the_peer_takes_is(with_reactor: bool) -> None:
    async with unix_pair(with_reactor) as (transport, peer):
        for _ in range(3):
            transport.write(bytes(6))
            await quiet()
        before = transport.progress()
        for _ in range(3):
            assert peer.recv(6) == bytes(6)
            before, after = transport.progress(), before
            assert after != before
        assert transport.unsent_amount() == 0


@WITH_REACTOR
async def test_so_is_what_a_full_kernel_takes(with_reactor: bool) -> None:
    async with unix_pair(with_reactor) as (transport, peer):
        transport.write(bytes(4 * 1024 * 1024))
        await quiet()
        before = transport.progress()
        transport.write(bytes(6))
        await quiet()
        assert transport.buffered_amount > 0
        assert transport.progress() == before
        left = 512 * 1024
        while left:
            left -= len(await trio.to_thread.run_sync(peer.recv, left))
        await quiet()
        assert transport.progress() != before
