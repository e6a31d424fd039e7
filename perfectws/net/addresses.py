"""What sockets call their ends, as an `perfectws.transport.Address`."""

from __future__ import annotations

import os
import socket

import trio

from ..transport import Address


def stream_addresses(stream: trio.SocketStream) -> tuple[Address | None, Address]:
    """Return the peer's address, ``None`` if it is gone already, and our own."""
    try:
        return address_of(stream.socket.getpeername()), address_of(stream.socket.getsockname())
    except OSError:
        return None, ("", 0)


def address_of(name: object) -> Address:
    """Return what a socket calls its end, as (host, port); the host of a link-local address has its zone."""
    if isinstance(name, tuple):
        zone = f"%{_interface(name[3])}" if len(name) == 4 and name[3] else ""
        return (f"{name[0]}{zone}", int(name[1]))
    return (os.fsdecode(name) if isinstance(name, (str, bytes)) else "", 0)


def _interface(index: int) -> str:
    """Return the name of a network interface, its number if it is gone."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return str(index)
