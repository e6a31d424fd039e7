"""The way to Redis for bytes: a stream of trio's, over TCP, TLS or a Unix socket.

A plain socket is read and written here and now where the kernel allows it: a task that is woken for each step of a
stream costs more than the step.
"""

from __future__ import annotations

import os
import ssl
import sys
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


class StreamPipe(Pipe):
    """Any stream, TLS's for one, on any system.

    Args:
        stream: The stream, which is owned.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def receive(self) -> bytes:
        """Wait for something to come."""
        return bytes(await self._stream.receive_some(READ_SIZE))

    def receive_now(self) -> bytes | None:
        """Read nothing: a stream is waited for."""
        return None

    def send_now(self, data: bytes) -> int:
        """Send nothing: a stream is waited for."""
        return 0

    async def send(self, data: bytes) -> None:
        """Send all."""
        await self._stream.send_all(data)

    async def close(self) -> None:
        """Close it, without a word of TLS's: who has something to say has been answered."""
        from trio import aclose_forcefully

        await aclose_forcefully(self._stream)


class SocketPipe(StreamPipe):
    """A plain socket, where the system reads and writes one as it does a file: all but Windows.

    Args:
        stream: The socket's stream, which is owned.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__(stream)
        self._descriptor = stream.socket.fileno()

    async def receive(self) -> bytes:
        """Wait for something to come, and read it."""
        from trio.lowlevel import wait_readable

        while (data := self.receive_now()) is None:
            await wait_readable(self._descriptor)
        return data

    def receive_now(self) -> bytes | None:
        """Read what has come."""
        try:
            return os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return None

    def send_now(self, data: bytes | memoryview) -> int:
        """Send what the kernel takes."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0

    async def send(self, data: bytes) -> None:
        """Send all, as the kernel has room for it."""
        from trio.lowlevel import wait_writable

        rest = memoryview(data)
        while rest := rest[self.send_now(rest) :]:
            await wait_writable(self._descriptor)


async def open_unix_pipe(path: str) -> Pipe:
    """Connect to a Unix socket."""
    from trio import open_unix_socket

    return SocketPipe(await open_unix_socket(path))


async def open_tcp_pipe(host: str, port: int, ssl_context: ssl.SSLContext | None) -> Pipe:
    """Connect to a port, with TLS where there is something to trust."""
    from trio import SSLStream, aclose_forcefully, open_tcp_stream

    stream = await open_tcp_stream(host, port)
    if ssl_context is None:
        return StreamPipe(stream) if sys.platform == "win32" else SocketPipe(stream)
    encrypted = SSLStream(stream, ssl_context, server_hostname=host)
    try:
        await encrypted.do_handshake()
    except BaseException:
        await aclose_forcefully(encrypted)
        raise
    return StreamPipe(encrypted)
