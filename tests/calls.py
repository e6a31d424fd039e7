"""Callbacks that tests give to what they test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from perfectws import HTTPRequest, OpcodeType, WebSocket

TEXT, BINARY, CONTINUATION = OpcodeType.TEXT, OpcodeType.BINARY, OpcodeType.CONTINUATION
PONG, INVALID = OpcodeType.PONG, OpcodeType.INVALID

#: What a read that cannot be served gets.
NOTHING = (None, INVALID, True)


class Calls:
    """A callback that keeps what it was called with, then does ``then``."""

    def __init__(self, then: Callable[..., object] | None = None) -> None:
        self.got: list[Any] = []
        self._then = then
        self._called = trio.lowlevel.ParkingLot()

    def __call__(self, *args: Any) -> object:
        self.got.append(args)
        self._called.unpark_all()
        return None if self._then is None else self._then(*args)

    async def until(self, count: int) -> list[Any]:
        """Wait until there were ``count`` calls, and return what they were called with."""
        while len(self.got) < count:
            await self._called.park()
        return self.got


class Reads(Calls):
    """A session that reads on and on, from its continuation, until there is nothing to read."""

    def __init__(self, read: Callable[..., object] = WebSocket.read_string_message) -> None:
        super().__init__(self._read_on)
        self._read = read

    def session(self, request: HTTPRequest, socket: WebSocket) -> None:
        self.socket = socket
        self._read(socket, self)

    def _read_on(self, data: Any, opcode: OpcodeType, final: bool) -> None:
        if opcode is not INVALID:
            self._read(self.socket, self)

    async def until_end(self) -> list[Any]:
        while NOTHING not in self.got:
            await self._called.park()
        return self.got


async def quiet() -> None:
    """Wait until nothing happens any more. With sockets the kernel has its say too."""
    await wait_all_tasks_blocked(0 if is_time_virtual() else 0.01)


def is_time_virtual() -> bool:
    """Tell whether time passes only when nothing else happens: then there is no kernel to wait for either."""
    return isinstance(trio.lowlevel.current_clock(), MockClock)


def stack_depth() -> int:
    """Return how many frames the caller's stack has."""
    depth, frame = 0, sys._getframe()
    while (outer := frame.f_back) is not None:
        depth, frame = depth + 1, outer
    return depth
