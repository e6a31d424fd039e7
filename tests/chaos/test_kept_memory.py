"""Peers that send much once, and stay: what their connections keep of the memory that it took."""

from __future__ import annotations

import ssl
from contextlib import ExitStack

from .serving import exchange, memory_of, opened, serving

KIB = 1024
#: How many stay, and how much each has sent.
PEERS, MUCH = 40, 1024 * KIB
#: What the process keeps for whoever comes next, however many there are.
OF_THE_PROCESS = 6 * 1024 * KIB
#: What one connection may keep, over plain TCP and over TLS.
PLAIN, ENCRYPTED = 20 * KIB, 80 * KIB


def test_connections_that_have_carried_much_are_small_again(tls: str | None, trusting: ssl.SSLContext) -> None:
    context = None if tls is None else trusting
    with serving(certificate=tls) as server, ExitStack() as peers:
        connections = [peers.enter_context(opened(server.port, context)) for _ in range(PEERS)]
        before = memory_of(server.process.pid)
        for connection in connections:
            assert exchange(connection, bytes(MUCH)) == bytes(MUCH)
        kept = memory_of(server.process.pid) - before
        assert [exchange(connection, "still there") for connection in connections] == ["still there"] * PEERS
    assert kept < OF_THE_PROCESS + PEERS * (PLAIN if tls is None else ENCRYPTED)
