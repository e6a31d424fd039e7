"""The sockets that a room is given: what is none is refused where it is given, with an error that says what is."""

from __future__ import annotations

from ..http.binary import named
from ..websocket.socket import WebSocket


def check_socket(socket: object, method: str) -> None:
    """Raise `TypeError` unless ``socket``, which ``method`` was given, is one."""
    if not isinstance(socket, WebSocket):
        raise TypeError(f"{method} takes a WebSocket, not {named(socket)}")


def wrong_exclude(exclude: object) -> TypeError:
    """Return what is wrong with an ``exclude`` that is no socket. It is looked at for each message: not by a call."""
    return TypeError(
        f"exclude is a WebSocket or None, not {named(exclude)}: to leave out several, send to each of the others, "
        "as in 'for member in room'"
    )
