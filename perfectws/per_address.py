"""`PerAddress`: how many connections each client's address has, where a server limits that."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from .log_limit import LogLimit

#: How many bits of an IPv6 address tell one customer from the other. RFC 6177 §2: an end site gets a /64 at the least.
PREFIX = 64


class PerAddress:
    """Counts connections by their clients' addresses; those of one IPv6 network of 64 bits count as one.

    A peer without an address, on a Unix socket, is not counted; nor is a trusted proxy, whose clients are, request by
    request.

    Args:
        most: How many each address may have.
        is_proxy: Tells whether an address is that of a trusted proxy.

    Attributes:
        refusals: How many were one too many.
    """

    def __init__(self, most: int, is_proxy: Callable[[str], bool]) -> None:
        self._most = most
        self._is_proxy = is_proxy
        self._counts: dict[object, int] = {}
        #: What each connection, by what stands for it, is counted for: its own address may change meanwhile.
        self._holders: dict[object, object] = {}
        self._log_limit = LogLimit()
        self.refusals = 0

    def admits(self, host: str) -> bool:
        """Tell whether an address may have one more; if it may not, that is counted, and logged now and then."""
        if self._counts.get(_network_of(host), 0) < self._most or self._is_proxy(host):
            return True
        self.refusals += 1
        self._log_limit.log(
            "address",
            "%s has max_connections_per_address=%d connections: no more are served; if it is a proxy, give it in "
            "trusted_proxies",
            host,
            self._most,
        )
        return False

    def add(self, holder: object, host: str) -> None:
        """Count a connection for an address, until `discard`, and for no other any more.

        Args:
            holder: What stands for it.
            host: The address.
        """
        self.discard(holder)
        network = _network_of(host)
        if network is not None and not self._is_proxy(host):
            self._holders[holder] = network
            self._counts[network] = self._counts.get(network, 0) + 1

    def discard(self, holder: object) -> None:
        """Count a connection no more. Harmless if it was not counted."""
        network = self._holders.pop(holder, None)
        if network is None:
            return
        left = self._counts[network] - 1
        if left:
            self._counts[network] = left
        else:
            del self._counts[network]

    def is_proxy(self, host: str) -> bool:
        """Tell whether connections from an address are those of its clients."""
        return self._is_proxy(host)


def _network_of(host: str) -> object:
    """Return what an address counts for: itself, or its network; ``None`` if it is none."""
    if ":" not in host:
        return host or None
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    # A dual-stack socket knows an IPv4 peer by its mapped address.
    return str(address.ipv4_mapped) if address.ipv4_mapped else int(address) >> (128 - PREFIX)
