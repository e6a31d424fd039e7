"""`connect` in a pipe, or on a terminal without prompt_toolkit: a thread reads lines, this one writes messages."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from ..errors import ConnectionClosed
from ..futures import Promise
from ..transport import HIGH_WATER
from ..websocket.socket import WebSocket
from .incoming import Incoming
from .lines import Lines
from .output import OutputEnded, OutputFailure
from .screen import Screen

#: The most that is read at once, in bytes.
READ_SIZE = 64 * 1024
#: How many lines are sent before it is waited for room: this thread is ahead of the one that sends them.
MOST_UNSENT = 100


def lines_of(descriptor: int) -> Iterator[bytes]:
    """Yield the lines of a file, without their ends. The last one need not have one.

    Not by `sys.stdin`: at the end of the process a thread that reads there would hold a lock that Python needs.
    """
    begun: list[bytes] = []  # the parts of a line: joined once it has an end, for it may be long
    while data := _read(descriptor):
        first, *others = data.split(b"\n")
        begun.append(first)
        if others:
            *lines, last = b"".join(begun), *others
            begun = [last]
            yield from (line.removesuffix(b"\r") for line in lines)
    if rest := b"".join(begun):
        yield rest


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, READ_SIZE)
    except OSError:  # it is closed
        return b""


class Piped:
    """Sends each line of the input, and shows what comes until the connection is closed.

    Args:
        socket: The open WebSocket.
        screen: Where messages are shown.
        lines: What a line says as a message.
        wait: How long to wait for more messages once the input has ended, in seconds, before we close.
        input: The input's descriptor.
    """

    def __init__(self, socket: WebSocket, screen: Screen, lines: Lines, wait: float, input: int = 0) -> None:  # noqa: A002
        self._socket = socket
        self._screen = screen
        self._lines = lines
        self._wait = wait
        self._input = input
        self._incoming = Incoming(socket)
        self._is_closed = threading.Event()
        #: How many lines were sent since room was last waited for.
        self._unsent = 0

    def run(self) -> None:
        """Return when the connection is closed, by us if nobody reads the messages.

        Raises:
            KeyboardInterrupt: Ctrl-C. The connection is left open.
            OutputFailure: They cannot be written.
        """
        threading.Thread(target=self._send_all, name="perfectws connect", daemon=True).start()
        try:
            for messages in self._incoming.batches():
                self._screen.received(messages)
        except OutputEnded:
            self._socket.close().wait()
        except OutputFailure:
            self._socket.close().wait()
            raise
        finally:
            self._is_closed.set()

    def _send_all(self) -> None:
        for line in lines_of(self._input):
            if not self._send(line):
                return
        count = -1
        while count != self._incoming.count and not self._is_closed.is_set():
            count = self._incoming.count
            self._is_closed.wait(min(self._wait, threading.TIMEOUT_MAX))
        self._socket.close()

    def _send(self, line: bytes) -> bool:
        """Send a line, and wait if there is no room for more; tell whether the connection is still open."""
        try:
            message = self._lines.message_of(line)
        except ValueError as error:
            self._screen.tell_wrong(str(error))
            return True
        self._unsent += 1
        if self._unsent < MOST_UNSENT and self._socket.buffered_amount < HIGH_WATER:
            self._socket.send(message)
            return self._socket.is_connected
        sent, self._unsent = Promise[None](), 0
        self._socket.send(message, sent)
        try:
            sent.future_result.wait()
        except ConnectionClosed:
            return False
        return True
