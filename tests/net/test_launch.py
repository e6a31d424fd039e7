"""`HTTPServer.launch` in a process of its own: signals, exit codes, and what its clients see."""

from __future__ import annotations

import signal
import socket as sockets
import subprocess
from collections.abc import Iterator

import pytest
import trio

from perfectws.net.signals import _numbers_to_take

from ..conftest import PATIENCE
from ..examples.running import RunningServer, running
from ..peer import Peer
from ..platforms import python

PROGRAM = """
import logging
from perfectws import HTTPServer, Routes, WebSocketHandler

class Session:
    socket_protocol = None
    def handle_session(self, request, socket):
        socket.read_string_message(lambda *args: socket.send_string_message(repr(args)))

logging.basicConfig(level=logging.INFO)
routes = Routes()
routes.add("GET", "/", WebSocketHandler(lambda request, protocols: Session()))
HTTPServer.launch(name="localhost", address="127.0.0.1", port={port}, routes=routes)
print("launch returned")
"""


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("-c", PROGRAM.format(port=0)) as server:
        yield server


async def connected(port: int) -> Peer:
    peer = Peer(await trio.open_tcp_stream("127.0.0.1", port))
    await peer.handshake()
    assert peer.status == 101
    return peer


async def stop(server: RunningServer, number: signal.Signals) -> int:
    return await trio.to_thread.run_sync(server.stop, number)


@pytest.mark.parametrize("number", _numbers_to_take(takes_sigterm=True))
async def test_a_signal_sends_1001_and_ends_with_exit_code_0(server: RunningServer, number: signal.Signals) -> None:
    codes: list[int] = []

    async def stop_server() -> None:
        codes.append(await stop(server, number))

    with trio.fail_after(PATIENCE):
        peer = await connected(server.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_server)
            assert (await peer.receive_close()).close_code == 1001
            await peer.send_close(1001)
            await peer.receive_eof()
            await peer.vanish()
    assert codes == [0]
    assert not [line for line in server.lines if not line.startswith("INFO:")]


async def test_a_second_sigint_ends_it_at_once(server: RunningServer) -> None:
    with trio.fail_after(PATIENCE / 4):  # close_timeout is longer
        peer = await connected(server.port)
        server.process.send_signal(signal.SIGINT)
        await peer.receive_close()  # and no answer
        assert await stop(server, signal.SIGINT) != 0
    await peer.vanish()


async def test_an_idle_server_ends_at_once(server: RunningServer) -> None:
    with trio.fail_after(PATIENCE / 4):
        assert await stop(server, signal.SIGTERM) == 0


def test_a_port_in_use_ends_the_program_with_a_launch_failure_that_names_it() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [*python(), "-c", PROGRAM.format(port=port)], capture_output=True, text=True, timeout=PATIENCE
        )
    assert ended.returncode == 1
    assert f"LaunchFailure: HTTP server 'localhost' cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "ExceptionGroup" not in ended.stderr
