"""The way to Redis for bytes: a socket, TCP's or Unix's, or TLS on one.

A plain socket is read and written here and now where the kernel allows it: a task that is woken for each step of a
stream costs more than the step.
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trio

#: The most bytes of one read.
READ_SIZE = 64 * 1024


class Pipe(ABC):
    """A way for bytes, both ways. One task reads, one at a time writes."""

    __slots__ = ()

    @abstractmethod
    async def receive(self) -> bytes:
        """Return what comes next, ``b""`` at the end. Raises `OSError` or what TLS raises, as all here."""

    @abstractmethod
    def receive_now(self) -> bytes | None:
        """Return what has come, ``b""`` at the end, ``None`` if nothing has, or only `receive` can tell."""

    @abstractmethod
    def send_now(self, data: bytes) -> int:
        """Send what can be sent at once; return how many bytes that were."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send all of it."""

    @abstractmethod
    async def close(self) -> None:
        """Close it at once."""


class SocketPipe(Pipe):
    """A plain socket.

    Args:
        connected: The socket, which does not block; it is owned.
    """

    __slots__ = ("_socket",)

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    async def receive(self) -> bytes:
        """Wait for something to come, and read it."""
        from trio.lowlevel import wait_readable

        while (data := self.receive_now()) is None:
            await wait_readable(self._socket)
        return data

    def receive_now(self) -> bytes | None:
        """Read what has come."""
        try:
            return self._socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return None

    def send_now(self, data: bytes | memoryview) -> int:
        """Send what the kernel takes."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    async def send(self, data: bytes) -> None:
        """Send all, as the kernel has room for it."""
        from trio.lowlevel import wait_writable

        rest = memoryview(data)
        while rest := rest[self.send_now(rest) :]:
            await wait_writable(self._socket)

    async def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class TLSPipe(Pipe):
    """TLS on a socket.

    Args:
        stream: What encrypts.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self._stream = stream

    async def receive(self) -> bytes:
        """Wait for something to come."""
        return bytes(await self._stream.receive_some(READ_SIZE))

    def receive_now(self) -> None:
        """Read nothing: a stream is waited for."""

    def send_now(self, data: bytes) -> int:
        """Send nothing: a stream is waited for."""
        return 0

    async def send(self, data: bytes) -> None:
        """Send all."""
        await self._stream.send_all(data)

    async def close(self) -> None:
        """Close the socket, without a word of TLS's: who has something to say has been answered."""
        from trio import aclose_forcefully

        await aclose_forcefully(self._stream)


async def open_unix_pipe(path: str) -> Pipe:
    """Connect to a Unix socket."""
    from trio import open_unix_socket

    return SocketPipe(_detached(await open_unix_socket(path)))


async def open_tcp_pipe(host: str, port: int, ssl_context: ssl.SSLContext | None) -> Pipe:
    """Connect to a port, with TLS where there is something to trust."""
    from trio import SSLStream, aclose_forcefully, open_tcp_stream

    stream = await open_tcp_stream(host, port)
    if ssl_context is None:
        return SocketPipe(_detached(stream))
    encrypted = SSLStream(stream, ssl_context, server_hostname=host)
    try:
        await encrypted.do_handshake()
    except BaseException:
        await aclose_forcefully(encrypted)
        raise
    return TLSPipe(encrypted)


def _detached(stream: trio.SocketStream) -> socket.socket:
    """Take trio's stream off a socket."""
    detached = socket.socket(fileno=stream.socket.detach())
    detached.setblocking(False)
    if detached.family != getattr(socket, "AF_UNIX", None) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # trio keeps the kernel's buffer at 16 KiB, where more than that is to be sent at once.
        detached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 0)
    return detached
