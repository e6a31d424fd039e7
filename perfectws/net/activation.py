"""Sockets that listen already when the process begins: another has opened them, and passes them on.

``systemd:`` stands for those that systemd passes (*socket activation*), ``systemd:NAME`` for those of that name, and
``fd:3`` for the one that whoever has started this process has left at that descriptor. They stay open when a server
stops: they belong to whoever has opened them, and clients may wait there for the next server.

Source: sd_listen_fds(3), systemd.socket(5).
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from contextlib import ExitStack, suppress
from weakref import WeakValueDictionary

#: What stands before a name of systemd's, or before a descriptor.
SYSTEMD, DESCRIPTOR = "systemd:", "fd:"
#: The first descriptor that systemd passes.
_FIRST = 3
_IP = (socket.AF_INET, socket.AF_INET6)
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")

#: What systemd has passed, by descriptor: each one's name.
_passed: dict[int, str] = {}
#: The listeners that were made of descriptors, as long as they are open.
_listeners: WeakValueDictionary[int, socket.socket] = WeakValueDictionary()


def is_passed(address: object) -> bool:
    """Tell whether an address stands for sockets that listen already."""
    return isinstance(address, str) and address.startswith((SYSTEMD, DESCRIPTOR))


def passed_listeners(address: str) -> list[socket.socket]:
    """Return the sockets that an address stands for, not blocking. Closing them leaves open what was passed.

    Raises:
        OSError: There are none, or what was passed does not listen, or a server of this process listens there already.
    """
    if sys.platform == "win32":
        raise OSError("on Windows no socket is passed to a process: give an address and a port")
    if address.startswith(DESCRIPTOR):
        return [_listener(descriptor_of(address), address)]
    _take_over()
    with ExitStack() as made:  # closed if one of them will not do
        listeners = [
            made.enter_context(_listener(descriptor, f"the descriptor {descriptor} ({_passed[descriptor]!r})"))
            for descriptor in _find(address.removeprefix(SYSTEMD))
        ]
        made.pop_all()
    return listeners


def descriptor_of(address: str) -> int:
    """Return the descriptor in ``fd:3``. Raises `ValueError` if there is none."""
    number = address.removeprefix(DESCRIPTOR)
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"behind fd: comes the number of a descriptor, as in 'fd:3', not {number!r}")
    return int(number)


def _take_over() -> None:
    """Remember what systemd has passed to this process, and take the variables away, which no child is to find."""
    pid, count, names = (os.environ.get(name) for name in _VARIABLES)
    if count is None:
        return
    if not (count.isdigit() and pid is not None and pid.isdigit()):
        raise OSError(f"systemd passes sockets by numbers in LISTEN_FDS and LISTEN_PID: {count!r} and {pid!r} are none")
    if int(pid) != os.getpid():
        raise OSError(
            f"the sockets that systemd passes are meant for the process {pid} (LISTEN_PID), and this is {os.getpid()}: "
            "let ExecStart= run Python itself, or let what it runs end in exec"
        )
    for name in _VARIABLES:
        os.environ.pop(name, None)
    given = names.split(":") if names else []
    for number in range(int(count)):
        _passed[_FIRST + number] = given[number] if number < len(given) else "unknown"
        with suppress(OSError):  # nothing is open there: whoever asks for it is told so
            os.set_inheritable(_FIRST + number, False)


def _find(name: str) -> list[int]:
    """Return the descriptors of a name, all if it is empty. Raises `OSError` if there are none."""
    if not _passed:
        raise OSError(
            "systemd has passed no socket to this process (LISTEN_FDS): start it by its .socket unit, or to try it by "
            "systemd-socket-activate --listen=8181 python chat.py"
        )
    # systemd calls those of chat.socket so, unless the unit has a FileDescriptorName=.
    found = [descriptor for descriptor, given in _passed.items() if not name or given in (name, f"{name}.socket")]
    if not found:
        names = ", ".join(map(repr, dict.fromkeys(_passed.values())))
        raise OSError(f"systemd has passed no socket of the name {name!r}, but {names}: see FileDescriptorName=")
    return found


def _listener(descriptor: int, title: str) -> socket.socket:
    """Return a socket of its own for what a descriptor stands for. Raises `OSError` if that does not listen."""
    listening = _listeners.get(descriptor)
    if listening is not None and listening.fileno() >= 0:
        raise OSError(f"another server of this process listens by {title}")
    _check_kind(descriptor, title)
    os.set_inheritable(descriptor, False)
    listening = socket.socket(fileno=os.dup(descriptor))
    try:
        _check_listens(listening, title)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    if listening.family in _IP:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which accepted sockets inherit
    _listeners[descriptor] = listening
    return listening


def _check_kind(descriptor: int, title: str) -> None:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError as error:
        raise OSError(f"nothing is open at {title}: whoever starts this process has to pass a socket there") from error
    if not stat.S_ISSOCK(mode):
        raise OSError(f"{title} is no socket")


def _check_listens(passed: socket.socket, title: str) -> None:
    if passed.type != socket.SOCK_STREAM or passed.family not in (*_IP, getattr(socket, "AF_UNIX", None)):
        raise OSError(f"{title} is a socket of another kind: a server takes TCP and Unix sockets, as ListenStream= has")
    if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(f"{title} is a socket that does not listen: the .socket unit needs Accept=no, and not yes")
