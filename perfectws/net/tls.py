"""A server's TLS handshake: how a client is judged by its first byte, what is logged, and the handshake on a stream.

On the reactor the handshake is the first stage of `perfectws.net.tls_transport`. A client's own is in `dialing`.
"""

from __future__ import annotations

import re
import ssl

import trio

from ..log_limit import LogLimit
from ..transport import TLS_HANDSHAKE, Address
from .tls_end import strict

#: How long a client may take for its handshake, in seconds.
HANDSHAKE_TIMEOUT = 10.0
#: How long a client that does not speak TLS may take to read what we tell it, in seconds.
REFUSAL_LINGER = 1.0

#: What clients say of the certificate that they are shown, in OpenSSL's words, and in others.
_OF_OURS = {
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "to the client our certificate has expired",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not know who has signed our certificate",
}
_PLAIN_HTTP = re.compile(rb"[A-Z]")
_REFUSAL_TEXT = b"400 Bad Request: this port speaks TLS; use https:// or wss://\n"
_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b" % (len(_REFUSAL_TEXT), _REFUSAL_TEXT)
)


def refusal_of(first: bytes, remote: Address, log_limit: LogLimit) -> bytes | None:
    """Judge a client by the first byte that it sends.

    Args:
        first: The byte; nothing if there is none.
        remote: The client's address.
        log_limit: Logs that a client does not speak TLS.

    Returns:
        What to answer before the connection is closed, which may be nothing; ``None`` if the client speaks TLS.
    """
    if first == TLS_HANDSHAKE:
        return None
    if first:
        log_limit.log("plain", "%s speaks no TLS on a port that does: a client with http:// or ws://?", remote[0])
    return _REFUSAL if _PLAIN_HTTP.match(first) else b""


def log_slow_handshake(log_limit: LogLimit, remote: Address) -> None:
    """Log that a handshake took longer than `HANDSHAKE_TIMEOUT`."""
    log_limit.log("slow", "The TLS handshake with %s took too long", remote[0])


def log_failed_handshake(log_limit: LogLimit, remote: Address, error: BaseException | None) -> None:
    """Log that a handshake failed, with the reason of OpenSSL's if ``error`` is one of its."""
    reason = getattr(error, "reason", None) or "the connection was lost"
    meaning = f" ({_OF_OURS[reason]})" if reason in _OF_OURS else ""
    log_limit.log(reason, "The TLS handshake with %s failed: %s%s", remote[0], reason, meaning)


async def accept_tls(
    stream: trio.SocketStream, context: ssl.SSLContext, remote: Address, log_limit: LogLimit
) -> trio.SSLStream[trio.SocketStream] | None:
    """Do a server's side of the TLS handshake.

    Returns:
        The encrypted stream; ``None`` if there will be none, and then ``stream`` is closed.
    """
    try:
        with trio.fail_after(HANDSHAKE_TIMEOUT):
            if not await _speaks_tls(stream, remote, log_limit):
                return None
            tls = trio.SSLStream(stream, strict(context), server_side=True)
            await tls.do_handshake()
            return tls
    except trio.TooSlowError:
        log_slow_handshake(log_limit, remote)
    except (trio.BrokenResourceError, OSError) as error:
        log_failed_handshake(log_limit, remote, error.__cause__)
    await trio.aclose_forcefully(stream)
    return None


async def _speaks_tls(stream: trio.SocketStream, remote: Address, log_limit: LogLimit) -> bool:
    """Look at the first byte without taking it. A client that does not speak TLS is told so, and its stream closed."""
    refusal = refusal_of(await stream.socket.recv(1, trio.socket.MSG_PEEK), remote, log_limit)
    if refusal is None:
        return True
    if refusal:
        await _refuse(stream, refusal)
    await trio.aclose_forcefully(stream)
    return False


async def _refuse(stream: trio.SocketStream, answer: bytes) -> None:
    with trio.move_on_after(REFUSAL_LINGER):
        await stream.send_all(answer)
        await stream.send_eof()
        while await stream.receive_some(65536):
            pass  # closing with unread input would take our answer along
