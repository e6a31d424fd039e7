"""The steps of an outgoing connection: TCP or a Unix socket, and TLS over it.

What trio and the ``ssl`` module refuse before the system, or OpenSSL, is asked (a name that can be none, a path with a
zero byte) is an error of the system's kind here, as it is where that refuses: who connects has one kind to look for.
"""

from __future__ import annotations

import ssl
from typing import TypeVar

import trio

from .tls_end import strict

StreamT = TypeVar("StreamT", bound=trio.abc.Stream)


async def open_tcp(host: str, port: int, local_address: str | None) -> trio.SocketStream:
    """Connect to a host, trying its addresses as RFC 8305 says ("happy eyeballs"). Raises `OSError`."""
    try:
        return await trio.open_tcp_stream(host, port, local_address=local_address)
    except (ValueError, RuntimeError) as error:
        # Of a name, or of a local address that is of no use here; or the system gives no thread to look a name up in.
        raise OSError(str(error)) from error


async def open_unix(path: str) -> trio.SocketStream:
    """Connect to a Unix socket. Raises `OSError`."""
    try:
        return await trio.open_unix_socket(path)
    except (ValueError, RuntimeError) as error:  # a RuntimeError where there are no Unix sockets
        raise OSError(str(error)) from error


async def encrypt(stream: StreamT, context: ssl.SSLContext, name: str) -> trio.SSLStream[StreamT]:
    """Do a client's side of the TLS handshake.

    Args:
        stream: What it is done over. If it fails, the caller is to close it.
        context: How it is done.
        name: What the server's certificate must say.

    Raises:
        trio.BrokenResourceError, ssl.SSLError: It failed.
    """
    try:
        tls = trio.SSLStream(stream, strict(context), server_hostname=name)
    except (TypeError, ValueError) as error:  # of the name
        raise ssl.SSLError(str(error)) from error
    await tls.do_handshake()
    return tls
