"""How TLS ends. The peer ends it by its closure alert, without which it was cut off; a stream that is closed at once is
ended by ours, for which nobody waits. On the reactor `perfectws.net.tls_transport` sees to that.

Source: RFC 8446 §6.1: "Each party MUST send a "close_notify" alert before closing its write side of the connection,
unless it has already sent some error alert."
"""

from __future__ import annotations

import ssl
import sys
from contextlib import suppress
from typing import Any

import trio

#: The most bytes that are decrypted at once to be discarded.
_READ_SIZE = 64 * 1024


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a connection of a context that ends without a closure alert be cut off, and not ended.

    RFC 8446 §6.1: it tells "the recipient that the sender will not send any more messages on this connection"; whoever
    is between the two can end TCP. From Python 3.11.3 on that is so by itself (python/cpython#95494).
    """
    if sys.version_info < (3, 11, 3):
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


class _Unwaiting(trio.abc.Stream):
    """A stream that takes what it has room for at once, and gives nothing.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send ``data`` if there is room for it.

        Raises:
            trio.BrokenResourceError: There is not; a part of it may have been sent.
        """
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time()  # it has passed once anything is waited for, and not before
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for nothing."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Tell that nothing more is given; what is above it stays usable."""
        raise trio.WouldBlock

    async def aclose(self) -> None:
        """Close the stream at once."""
        await trio.aclose_forcefully(self._stream)


async def close_at_once(stream: trio.abc.Stream) -> None:
    """Close a stream that nobody uses any more; TLS on it is ended before, where that can be done without waiting.

    It cannot where a record is half sent, or where the handshake is not over.
    """
    if not isinstance(stream, trio.SSLStream) or not _has_begun(stream):
        await trio.aclose_forcefully(stream)
        return
    lowest = _lowest(stream)
    lowest.transport_stream = _Unwaiting(lowest.transport_stream)
    with trio.CancelScope(shield=True):
        with suppress(trio.BrokenResourceError):
            await _discard_received(stream)
        await stream.aclose()


async def discard_received(stream: trio.SSLStream[Any]) -> None:
    """Discard what has come and is not decrypted yet: OpenSSL would end by an error at it, and trio say no alert.

    Raises:
        trio.BrokenResourceError: It is no TLS.
    """
    lowest = _lowest(stream)
    below = lowest.transport_stream
    lowest.transport_stream = _Unwaiting(below)
    try:
        await _discard_received(stream)
    finally:
        lowest.transport_stream = below


async def _discard_received(stream: trio.SSLStream[Any]) -> None:
    with suppress(trio.WouldBlock):
        while await stream.receive_some(_READ_SIZE):
            pass


def _has_begun(stream: trio.SSLStream[Any]) -> bool:
    """Tell whether the handshake is over."""
    try:
        stream.version()
    except trio.NeedHandshakeError:
        return False
    return True


def _lowest(stream: trio.SSLStream[Any]) -> trio.SSLStream[Any]:
    """Return the TLS stream below which there is no other: to an ``https:`` proxy."""
    while isinstance(stream.transport_stream, trio.SSLStream):
        stream = stream.transport_stream
    return stream
