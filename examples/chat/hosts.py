"""By which names the chat may be called, and whose pages may connect to it.

A page of another site can make its own name lead to this machine (DNS rebinding). Its requests then come from an origin
that is the host they go to, so that the two agree, and still it is a stranger's page. So a chat answers to its own
names only. An IP address is no name that somebody could have turned, and always goes where it says.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from perfectws import HTTPRequest

_HOST = re.compile(r"(?:\[(?P<ipv6>[^]]*)\]|(?P<name>[^:]*))(?::\d*)?")


class Hosts:
    """The names of this chat: loopback's, the machine's, and those that it is told.

    Args:
        more: Such as ``"chat.example.org"``.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        machine = socket.gethostname()
        self.names = {_plain(name) for name in ("localhost", machine, f"{machine}.local", *more)}

    def know(self, host: str | None) -> bool:
        """Return whether a ``Host`` header names this chat. A request without one is no browser's."""
        if host is None:
            return True
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = _plain(match["ipv6"] or match["name"] or "")
        return name in self.names or name.endswith(".localhost") or _is_address(name)


def allowed_origins(request: HTTPRequest, more: list[str]) -> list[str] | None:
    """Return whose pages may connect: those of the host and port that they connect to, and those of ``more``.

    A browser always says whose page it is that connects, and no page can hinder it. Who doesn't say is no browser. That
    the host is this chat's own, and none that somebody made lead here, `Hosts` has seen to.
    """
    if request.header("Origin") is None:
        return None
    host = (request.header("Host") or "").lower()
    return [f"http://{host}", f"https://{host}", *more]


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
