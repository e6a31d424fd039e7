"""What proxies say about the client: ``X-Forwarded-For`` and ``X-Forwarded-Proto``; and ``X-Request-ID``."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ..transport import UNIX
from .request import HTTPRequest


class TrustedProxies:
    """The proxies that are believed.

    Args:
        addresses: IP addresses and networks, such as ``"127.0.0.1"`` and ``"10.0.0.0/8"``; ``"unix:"`` stands for
            every proxy that connects through a Unix socket.

    Raises:
        ValueError: One is none of these.
    """

    __slots__ = ("_networks", "_trusts_unix")

    def __init__(self, addresses: Iterable[str]) -> None:
        if isinstance(addresses, str):
            raise ValueError(f"trusted_proxies is a list, such as [{addresses!r}], not one address alone")
        self._trusts_unix = False
        self._networks: list[IPv4Network | IPv6Network] = []
        for address in addresses:
            if address == UNIX:
                self._trusts_unix = True
            else:
                self._networks.append(_network(address))

    def __bool__(self) -> bool:
        return self._trusts_unix or bool(self._networks)

    def believe(self, request: HTTPRequest) -> None:
        """Give a request the address and the security of its client, and its ID, if a trusted proxy sends it.

        The addresses in ``X-Forwarded-For`` are read from the right, where the nearest proxy has added its own peer;
        the first that is not trusted itself is the client's. What stands further left, any client could have written.
        """
        if not request.remote_address or not self.trusts(request.remote_address[0]):
            return
        client = self._client(request.headers.get_all("X-Forwarded-For"))
        if client is not None:
            request.remote_address = (client, 0)
        request.identify(request.header("X-Request-ID"))
        schemes = ",".join(request.headers.get_all("X-Forwarded-Proto")).split(",")
        if schemes[-1].strip():
            request.is_secure = schemes[-1].strip().lower() in ("https", "wss")

    def _client(self, fields: list[str]) -> str | None:
        client = None
        for text in reversed(",".join(fields).split(",")):
            address = _address(text.strip())
            if address is None:
                break
            client = str(address)
            if not self._contains(address):
                break
        return client

    def trusts(self, host: str) -> bool:
        """Tell whether a peer with this address is believed."""
        address = _address(host)
        return self._trusts_unix if address is None else self._contains(address)

    def _contains(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"trusted_proxies holds IP addresses, networks and {UNIX!r}, not {text!r}: {error}") from None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in ``192.0.2.7``, ``192.0.2.7:80``, ``2001:db8::7`` or ``[2001:db8::7]:80``."""
    if text[:1] == "[":
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A dual-stack socket knows an IPv4 peer by its mapped address.
    return getattr(address, "ipv4_mapped", None) or address
