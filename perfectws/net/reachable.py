"""At which addresses a listener can be reached: for the log, which names what a terminal can open."""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

#: What a server listens on that listens on every interface, and the loopback interface of its kind.
_EVERYWHERE = {"0.0.0.0": ["127.0.0.1"], "::": ["::1"], "": ["127.0.0.1", "::1"]}
#: ioctl: the IPv4 address of an interface.
_SIOCGIFADDR = 0xC0206921 if sys.platform == "darwin" else 0x8915
#: The scope of an IPv6 address that is neither of a link nor of the machine, as Linux writes it.
_GLOBAL = "00"


def reachable_hosts(address: str) -> list[str]:
    """Return the host names and IP addresses at which who listens on ``address`` can be reached, a local one first."""
    if address not in _EVERYWHERE:
        return [address]
    hosts = list(_EVERYWHERE[address])
    if address != "::":
        hosts += _ipv4_addresses()
    if address != "0.0.0.0":
        hosts += _ipv6_addresses()
    return list(dict.fromkeys(hosts))


def url_of(scheme: str, host: str, port: int) -> str:
    """Return the URL of a server's root."""
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def _ipv4_addresses() -> list[str]:
    """Return the IPv4 addresses of this machine's interfaces, as far as the system tells without asking the network."""
    if sys.platform == "win32":
        with suppress(OSError):
            return socket.gethostbyname_ex(socket.gethostname())[2]
        return []
    import fcntl  # which Windows has not

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has none
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _ipv6_addresses() -> list[str]:
    """Return the global IPv6 addresses of this machine, where the system lists them (Linux)."""
    found = []
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            digits, _, _, scope, *_ = line.split()
            if scope == _GLOBAL:
                found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    return found
