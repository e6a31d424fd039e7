"""Sockets whose system calls are counted."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any
from weakref import WeakValueDictionary

from perfectws.net.socket_transport import SocketTransport


class CountingSocket(socket.socket):
    """A socket that counts its reads and writes. `SocketTransport`, which has its descriptor, is counted below."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(fileno=descriptor)
        self.sends: list[int] = []
        #: How much each read asked for.
        self.reads: list[int] = []
        _counting[descriptor] = self

    def send(self, data: Any, flags: int = 0) -> int:
        sent = super().send(data, flags)
        self.sends.append(sent)
        return sent

    if sys.platform != "win32":

        def sendmsg(self, buffers: Any, *args: Any) -> int:
            sent = super().sendmsg(buffers, *args)
            self.sends.append(sent)
            return sent


_counting: WeakValueDictionary[int, CountingSocket] = WeakValueDictionary()


def counted_write(descriptor: int, data: bytes | memoryview) -> int:
    sent = os.write(descriptor, data)
    if descriptor in _counting:
        _counting[descriptor].sends.append(sent)
    return sent


def counted_read(descriptor: int, size: int) -> bytes:
    if descriptor in _counting:
        _counting[descriptor].reads.append(size)
    return os.read(descriptor, size)


def sends_of(transport: SocketTransport) -> list[int]:
    """Return how much each write has sent."""
    return transport._socket.sends  # type: ignore[attr-defined, no-any-return]


def reads_of(transport: SocketTransport) -> list[int]:
    """Return how much each read has asked for."""
    return transport._socket.reads  # type: ignore[attr-defined, no-any-return]
