"""Connections through a proxy: by HTTP's ``CONNECT``, which needs nothing else, or by SOCKS, with python-socks.

Source: RFC 9110 §9.3.6 (``CONNECT``), RFC 1928 (SOCKS 5).
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from importlib.util import find_spec
from typing import NamedTuple

import h11
import trio

from ..errors import ConnectionRejected, HandshakeError
from .outgoing import encrypt, open_tcp
from .quoting import quoted
from .reasons import reason_of
from .tls_end import close_at_once

#: Of each kind of SOCKS, whether it is version 5, and whether the proxy looks the host's name up.
_SOCKS = {"socks4": (False, False), "socks4a": (False, True), "socks5": (True, False), "socks5h": (True, True)}
#: The schemes of proxies.
SCHEMES = frozenset({"http", "https", *_SOCKS})
#: The name of this package's extra that SOCKS needs.
_EXTRA = "perfectws[proxy]"

#: How long a proxy's answer may be, in bytes, and how much of it that is no 2xx is kept.
MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024
#: How much of an answer is read, in bytes: its body may be in chunks of a byte. What else there is (heads of the status
#: 1xx, extensions of chunks) need never end.
MAX_ANSWER = 256 * 1024
#: How long the rest of a refusal is waited for once its head is there, in seconds.
REFUSAL_TIMEOUT = 1.0


class Proxy(NamedTuple):
    """A proxy.

    Attributes:
        text: Its URL as it may be shown: without the password.
        scheme: One of `SCHEMES`.
        host: Its host.
        port: Its port.
        user, password: What it asks for; ``None`` if nothing was given.
    """

    text: str
    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, not HTTP."""
        return self.scheme in _SOCKS

    @property
    def is_secure(self) -> bool:
        """Whether the way to it is encrypted."""
        return self.scheme == "https"

    @property
    def lacks(self) -> str | None:
        """What has to be installed for it, if that is not there."""
        if not self.is_socks or find_spec("python_socks") is not None:
            return None
        return f"a SOCKS proxy needs python-socks: pip install '{_EXTRA}'"


async def dial_through(
    proxy: Proxy, host: str, port: int, ssl_context: ssl.SSLContext | None, local_address: str | None = None
) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """Open a connection to ``host`` and ``port`` through a proxy.

    Args:
        proxy: The proxy.
        host: Where it is to connect to, which it looks up itself, but for ``socks4:`` and ``socks5:``.
        port: The port there.
        ssl_context: Encrypts the way to an ``https:`` proxy; ``None`` for the others.
        local_address: Our own address; ``None`` leaves it to the system.

    Raises:
        ConnectionRejected: The proxy answered, and the answer was no.
        HandshakeError: It cannot be reached, or does not speak its protocol, or cannot reach the host.
    """
    try:
        if proxy.is_socks:
            return await _dial_through_socks(proxy, host, port, local_address)
        return await _dial_through_http(proxy, host, port, ssl_context, local_address)
    except (OSError, trio.BrokenResourceError) as error:
        raise HandshakeError(f"the proxy {proxy.text} cannot be reached: {reason_of(error)}") from error


async def _dial_through_socks(proxy: Proxy, host: str, port: int, local_address: str | None) -> trio.SocketStream:
    missing = proxy.lacks
    if missing is not None:
        raise HandshakeError(missing)
    from python_socks import ProxyError, ProxyType
    from python_socks.async_.trio.v2 import Proxy as Socks

    is_5, looks_up = _SOCKS[proxy.scheme]
    kind = ProxyType.SOCKS5 if is_5 else ProxyType.SOCKS4
    socks = Socks(kind, proxy.host, proxy.port, proxy.user, proxy.password, rdns=looks_up)
    try:
        connected = await socks.connect(host, port, timeout=float("inf"), local_addr=local_address)
    except (ProxyError, ValueError) as error:  # a ValueError where its protocol has no room for a name or a password
        raise HandshakeError(f"the proxy {proxy.text} does not connect to {host}:{port}: {error}") from error
    stream = connected.trio_stream
    assert isinstance(stream, trio.SocketStream)
    return stream


async def _dial_through_http(
    proxy: Proxy, host: str, port: int, ssl_context: ssl.SSLContext | None, local_address: str | None
) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    tcp = await open_tcp(proxy.host, proxy.port, local_address)
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = tcp
    try:
        if ssl_context is not None:
            stream = await encrypt(tcp, ssl_context, proxy.host)
        await _Tunnel(proxy, stream, f"[{host}]:{port}" if ":" in host else f"{host}:{port}").open()
    except BaseException:
        await close_at_once(stream)
        raise
    return stream


class _Tunnel:
    """A tunnel through an HTTP proxy that is being opened.

    Args:
        proxy: The proxy.
        stream: The connection to it.
        target: The host and the port that the tunnel is to lead to.
    """

    def __init__(self, proxy: Proxy, stream: trio.abc.Stream, target: str) -> None:
        self._proxy = proxy
        self._stream = stream
        self._target = target
        self._conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        #: How many bytes of the answer have come.
        self._received = 0

    async def open(self) -> None:
        """Ask for the tunnel. Raises `ConnectionRejected` or `HandshakeError` if there will be none."""
        await self._stream.send_all(self._request())
        try:
            response = await self._next_response()
        except h11.RemoteProtocolError as error:
            raise self._no_answer(str(error)) from error
        # RFC 9110 §9.3.6: "Any 2xx (Successful) response indicates that the sender [...] will switch to tunnel mode"
        if response.status_code // 100 != 2:
            raise self._rejection(response, await self._body())
        if self._conn.trailing_data[0]:
            raise self._no_answer("it sent more than its answer")

    def _request(self) -> bytes:
        headers = [("Host", self._target)]
        if self._proxy.user is not None:
            credentials = f"{self._proxy.user}:{self._proxy.password or ''}".encode()
            headers.append(("Proxy-Authorization", "Basic " + b64encode(credentials).decode("ascii")))
        request = h11.Request(method="CONNECT", target=self._target, headers=headers)
        return (self._conn.send(request) or b"") + (self._conn.send(h11.EndOfMessage()) or b"")

    async def _next_response(self) -> h11.Response:
        while True:
            match await self._next_event():
                case h11.Response() as response:
                    return response
                case h11.ConnectionClosed() | h11.PAUSED:
                    raise self._no_answer("it closed the connection")

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._conn.next_event()) is h11.NEED_DATA:
            if self._received > MAX_ANSWER:
                raise h11.RemoteProtocolError(f"it has more than {MAX_ANSWER} bytes, and no end")
            data = bytes(await self._stream.receive_some(4096))
            self._received += len(data)
            self._conn.receive_data(data)
        return event

    async def _body(self) -> bytes:
        """Return what comes of a refusal's body, which need not end."""
        body = b""
        with trio.move_on_after(REFUSAL_TIMEOUT):
            try:
                while len(body) < MAX_BODY and isinstance(event := await self._next_event(), h11.Data):
                    body += event.data
            except (h11.RemoteProtocolError, trio.BrokenResourceError):
                pass  # it is cut
        return body[:MAX_BODY]

    def _rejection(self, response: h11.Response, body: bytes) -> ConnectionRejected:
        reason, said = quoted(response.reason), quoted(body)
        return ConnectionRejected(
            f"the proxy {self._proxy.text} answered {response.status_code} {reason}".strip()
            + f" instead of connecting to {self._target}"
            + (f": {said}" if said else ""),
            response.status_code,
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw_items()],
            body,
        )

    def _no_answer(self, reason: str) -> HandshakeError:
        return HandshakeError(f"the proxy {self._proxy.text} does not answer CONNECT as HTTP does: {quoted(reason)}")
