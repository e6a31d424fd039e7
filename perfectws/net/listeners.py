"""Listening sockets: bound by plain calls, before any loop runs and whatever accepts from them later."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence

import trio

from ..transport import UNIX, Address
from .activation import is_passed, passed_listeners
from .addresses import address_of
from .unix_sockets import EVERYBODY, BoundPath, listen_unix, unix_path

BACKLOG = 1024

#: What an address is that can be one.
_A_NAME = "a host name has 1 to 63 characters between two dots, and none that no name has"
_A_PATH = "a path holds no zero byte, and nothing that the file system cannot encode"

#: Returns the sockets that listen on an address and a port already: another process has left them to this one.
Inherit = Callable[[str, int], list[socket.socket]]


async def open_listeners(address: str, port: int) -> list[socket.socket]:
    """Listen on an address, as `listen` does."""
    return await trio.to_thread.run_sync(listen, address, port)


def listen(address: str, port: int, unix_mode: int | None = None) -> list[socket.socket]:
    """Listen on an address. It blocks while a host name is resolved.

    Args:
        address: A host name or IP address, with the zone of a link-local one (``fe80::1%eth0``); ``""`` or
            ``"0.0.0.0"`` for every interface; or ``unix:`` and a path; or what stands for sockets that listen already:
            see `perfectws.net.activation`.
        port: The port; 0 asks the kernel for one, which is the same for every address of the host.
        unix_mode: The mode of a Unix socket's file; ``None`` lets everybody connect.

    Raises:
        OSError: The address cannot be listened on.
    """
    if is_passed(address):
        return passed_listeners(address)
    path = unix_path(address)
    try:
        if path is not None:
            return [listen_unix(path, BACKLOG, EVERYBODY if unix_mode is None else unix_mode)]
        return _listen_ip(address, port)
    except ValueError as error:  # a UnicodeError too: what the system is not even asked for
        wanted = _A_NAME if path is None else _A_PATH
        raise OSError(wanted) from error


def _listen_ip(address: str, port: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    try:
        for family, _, _, _, name in _resolve(address, port):
            place = (name[0], port or (bound_port(listeners) if listeners else 0), *name[2:])
            listeners.append(_listen_tcp(family, place))
    except OSError:
        for listening in listeners:
            listening.close()
        raise
    return listeners


def _resolve(address: str, port: int) -> list[tuple[int, int, int, str, tuple[str | int, ...]]]:
    infos = socket.getaddrinfo(address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    has_ipv6 = socket.has_ipv6 and _can_open(socket.AF_INET6)
    usable = [info for info in dict.fromkeys(infos) if info[0] != socket.AF_INET6 or has_ipv6]
    return usable or infos  # type: ignore[return-value]  # the names of IP sockets are known


def _can_open(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _listen_tcp(family: int, place: tuple[str | int, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # On Linux accepted sockets inherit it, which saves a system call for each.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind(place)  # whole: a link-local address means nothing without its zone
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


class Listening:
    """The listening sockets of one server.

    Args:
        address, port, unix_mode: As for `listen`.
        inherited: Sockets that listen there already, from another process, which also removes the path of a Unix
            socket.

    Attributes:
        address, asked_port: As given.
        sockets: The sockets.
        port: The port that the kernel gave; 0 on a Unix socket.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(
        self, address: str, port: int, unix_mode: int | None = None, inherited: Sequence[socket.socket] = ()
    ) -> None:
        self.address = address
        self.asked_port = port
        self.sockets = list(inherited) or listen(address, port, unix_mode)
        for listening in inherited:
            listening.setblocking(False)
        self.port = bound_port(self.sockets)
        path = None if inherited else unix_path(address)
        self._bound_path = None if path is None else BoundPath(path)

    @property
    def places(self) -> list[Address]:
        """Where each socket listens: (host, port); of a Unix socket ``unix:`` with the path, and 0."""
        names = [(each.family, address_of(each.getsockname())) for each in self.sockets]
        return [name if family in (socket.AF_INET, socket.AF_INET6) else (UNIX + name[0], 0) for family, name in names]

    def close(self) -> None:
        """Listen no more."""
        for listening in self.sockets:
            listening.close()
        if self._bound_path is not None:
            self._bound_path.remove()


def bound_port(listeners: list[socket.socket]) -> int:
    """Return the port that the kernel gave."""
    return address_of(listeners[0].getsockname())[1]
