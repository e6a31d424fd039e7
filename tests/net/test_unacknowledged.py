"""What the kernel tells of how far the output has got; on Windows it tells nothing."""

from __future__ import annotations

import socket
import sys

from perfectws.net.unacknowledged import acknowledged, unacknowledged


def test_what_a_full_buffer_holds_is_told_where_the_kernel_tells_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as sender:
        sender.connect(listening.getsockname())
        assert unacknowledged(sender) == 0
        sender.setblocking(False)
        sent = 0
        try:
            while True:
                sent += sender.send(bytes(65536))
        except BlockingIOError:
            pass
        held, taken = unacknowledged(sender), acknowledged(sender)
    assert held == 0 if sys.platform == "win32" else 0 < held <= sent
    if sys.platform == "linux":
        assert taken is not None
        assert 0 < taken < sent
    else:
        assert taken is None


def test_a_socket_that_is_closed_has_nothing() -> None:
    closed = socket.socket()
    closed.close()
    assert unacknowledged(closed) == 0
    assert acknowledged(closed) is None
