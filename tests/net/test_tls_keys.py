"""New keys, which a peer may ask for at any time: on the reactor. Python's `ssl` never asks; tlslite does.

Source: RFC 8446 §4.6.3.
"""

from __future__ import annotations

import socket
import sys
import warnings
from functools import partial
from typing import Any

import pytest
import trio

from perfectws.net import tls_transport
from perfectws.net.listeners import bound_port

from ..conftest import PATIENCE
from .tls_server import Server

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Python 3.11's asyncore, which it extends
    from tlslite.api import TLSConnection
    from tlslite.constants import KeyUpdateMessageType

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a reactor")


def connect(port: int, room: int = 65536) -> Any:
    """Connect with room for so many bytes, and do the handshake; what is sent then waits for `flush`."""
    plain = socket.socket()
    plain.settimeout(PATIENCE)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    plain.connect(("127.0.0.1", port))
    connection = TLSConnection(plain)
    connection.handshakeClientCert()
    assert connection.version == (3, 4)
    connection.sock.buffer_writes = True
    return connection


def ask_for_keys(connection: Any, count: int = 1) -> None:
    for _ in range(count):
        for _ in connection.send_keyupdate_request(KeyUpdateMessageType.update_requested):
            pass


async def test_they_are_made_in_the_midst_of_much_and_both_sides_go_on(server: Server) -> None:
    server.begin()
    peer = await trio.to_thread.run_sync(partial(connect, bound_port(server.listening)))
    transport, recorder = await server.until_made()

    def talk() -> None:
        for number in range(20):
            peer.write(b"%02d" % number * 10_000)
            ask_for_keys(peer)
        peer.sock.flush()

    await trio.to_thread.run_sync(talk)
    expected = b"".join(b"%02d" % number * 10_000 for number in range(20))
    while sum(map(len, recorder.events)) < len(expected):
        await recorder.changed.wait()
    assert b"".join(recorder.events) == expected
    transport.write(b"with the last of them")
    assert await trio.to_thread.run_sync(partial(peer.read, min=1)) == b"with the last of them"
    peer.sock.close()


async def test_one_who_asks_again_and_again_and_reads_nothing_is_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_transport, "PIECE", 1024)  # what waits may be twice that; else this takes a minute
    server.begin()
    peer = await trio.to_thread.run_sync(partial(connect, bound_port(server.listening), room=2048))
    transport, recorder = await server.until_made()
    transport._lower._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)

    def ask() -> None:
        ask_for_keys(peer, 2000)
        peer.sock.flush()

    await trio.to_thread.run_sync(ask)
    await recorder.until(("lost", ConnectionAbortedError))
    assert recorder.events == [("lost", ConnectionAbortedError)]
    peer.sock.close()
