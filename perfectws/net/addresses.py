"""What sockets call their ends, as an `perfectws.transport.Address`."""

from __future__ import annotations

import os

import trio

from ..transport import Address


def stream_addresses(stream: trio.SocketStream) -> tuple[Address | None, Address]:
    """Return the peer's address, ``None`` if it is gone already, and our own."""
    try:
        return address_of(stream.socket.getpeername()), address_of(stream.socket.getsockname())
    except OSError:
        return None, ("", 0)


def address_of(name: object) -> Address:
    """Return what a socket calls its end, as (host, port)."""
    if isinstance(name, tuple):
        return (str(name[0]), int(name[1]))
    return (os.fsdecode(name) if isinstance(name, (str, bytes)) else "", 0)
