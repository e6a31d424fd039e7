"""A process in which all of our code finds what another platform has, and nothing else.

`select`, `os`, `socket` and `signal` lack there what typeshed says that the platform lacks; so does the class of
sockets, and a module that it has not cannot be imported. `sys.platform` names it. What only that platform has is there
as far as our code asks for it (`STAND_INS`), with what comes nearest to it here.

This holds for `perfectws`, `examples`, `tests` and the script that is run: they are given views of these modules. trio,
the standard library and the tests' tools keep what they need: they have versions of their own for each platform.
"""

from __future__ import annotations

import builtins
import errno
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from importlib import import_module
from types import ModuleType
from typing import Any

import trio  # noqa: F401  # before anything is taken away: here it needs epoll

from . import VARIABLE
from .typeshed import is_missing, lacking, names

PLATFORMS = ("darwin", "win32")
MODULES: dict[str, ModuleType] = {module.__name__: module for module in (errno, os, select, signal, socket, sys)}

#: What a platform has and Linux has not: our code asks for it. The numbers do here what comes nearest.
STAND_INS: dict[str, dict[str, dict[str, int]]] = {
    "darwin": {},
    "win32": {
        "errno": {"WSAEMFILE": 10024},
        "signal": {"SIGBREAK": 21},  # which is SIGTTIN here
        "socket": {"SO_EXCLUSIVEADDRUSE": socket.SO_REUSEADDR},
    },
}

#: The level and the number of a socket's option that Apple has.
SO_NWRITE = (socket.SOL_SOCKET, 0x1024)

#: Whose imports are answered with what the platform has.
OURS = ("perfectws", "examples", "tests", "__main__")


class View(ModuleType):
    """A module as another platform has it.

    Args:
        module: The module as it is here.
        lacking: The names that are not there.
        own: The names that are different there.
    """

    def __init__(self, module: ModuleType, lacking: frozenset[str], own: Mapping[str, object]) -> None:
        super().__init__(module.__name__)
        vars(self).update(own, _module=module, _lacking=lacking, _patched={})

    def __getattr__(self, name: str) -> Any:
        if name in vars(self)["_lacking"]:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on this platform", name=name)
        return getattr(vars(self)["_module"], name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute of the module itself: a test that patches it means everybody."""
        module = vars(self)["_module"]
        vars(self)["_patched"].setdefault(name, getattr(module, name))
        setattr(module, name, value)

    def __delattr__(self, name: str) -> None:
        """Undo what was set: pytest, which finds nothing in our `__dict__`, deletes what it has patched."""
        setattr(vars(self)["_module"], name, vars(self)["_patched"].pop(name))


class _Lacking:
    """An attribute of a class that is not there."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}", name=self._name)


def emulate(platform: str) -> None:
    """Let our code, which must not have been imported yet, find itself on another platform; for good."""
    views = {name: _view(module, platform) for name, module in MODULES.items()}
    for method in lacking("_socket", platform, "socket"):
        setattr(socket.socket, method, _Lacking(method))
    if platform == "darwin":
        _tell_unacknowledged_as_apple_does()
    if not hasattr(views["socket"], "AF_UNIX"):
        vars(sys.modules["trio._highlevel_open_unix_stream"])["has_unix"] = False  # as trio finds it there
    os.environ[VARIABLE] = platform
    _answer_imports(platform, views)


def _view(module: ModuleType, platform: str) -> View:
    name = module.__name__
    own: dict[str, object] = dict(STAND_INS[platform].get(name, {}))
    if name == "sys":
        own = {"platform": platform}
    elif name == "os":
        own = {"name": "nt" if platform == "win32" else "posix"}
    elif name == "signal":
        own["Signals"] = _signals(platform)
    return View(module, lacking(name, platform), own)


def _signals(platform: str) -> object:
    """Return the signals that a platform has and that are here too, or stood in for."""
    there = {name: int(number) for name, number in signal.Signals.__members__.items()}
    there |= STAND_INS[platform].get("signal", {})
    known = names("signal", platform, "Signals")
    signals: Any = IntEnum
    return signals("Signals", {name: number for name, number in there.items() if name in known})


def _tell_unacknowledged_as_apple_does() -> None:
    """Let sockets have the option SO_NWRITE, which tells what Linux tells by an ioctl."""
    ask = socket.socket.getsockopt

    def getsockopt(self: socket.socket, level: int, option: int, *size: int) -> Any:
        if (level, option) == SO_NWRITE:
            ask(self, level, socket.SO_TYPE)  # which raises what a socket that is closed should
            return unacknowledged(self)
        return ask(self, level, option, *size)

    setattr(socket.socket, "getsockopt", getsockopt)  # noqa: B010  # which no type checker should believe


def unacknowledged(connected: socket.socket) -> int:
    """Return how many bytes the kernel holds that the peer has not acknowledged."""
    fcntl, termios = import_module("fcntl"), import_module("termios")  # which type checkers seek on Windows in vain
    return int.from_bytes(fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def _answer_imports(platform: str, views: Mapping[str, View]) -> None:
    import_for_others = builtins.__import__

    def import_for_all(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002  # the names that Python gives them
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        head = name.partition(".")[0]
        if level == 0 and _is_ours(globals or {}):
            if is_missing(head, platform):
                raise ModuleNotFoundError(f"No module named {head!r} on this platform", name=head)
            if head in views and (name == head or not fromlist):
                return views[head]
        return import_for_others(name, globals, locals, fromlist or (), level)

    builtins.__import__ = import_for_all


def _is_ours(importing: Mapping[str, Any]) -> bool:
    name: str = importing.get("__package__") or importing.get("__name__") or ""
    return name.partition(".")[0] in OURS
