"""`connect` on a terminal, with prompt_toolkit: a line is edited below, and what comes is shown above it."""

from __future__ import annotations

import threading
from importlib.util import find_spec

from ..websocket.socket import WebSocket
from .incoming import Incoming
from .lines import Lines
from .screen import Screen


def has_prompt() -> bool:
    """Tell whether prompt_toolkit is installed: the extra ``cli``."""
    return find_spec("prompt_toolkit") is not None


class Prompt:
    """Sends what is typed, and shows what comes, until the connection is closed or there is no more to type.

    Args:
        socket: The open WebSocket.
        screen: Where messages are shown: on the standard output of the moment, which is above the prompt.
        lines: What a line says as a message.
    """

    def __init__(self, socket: WebSocket, screen: Screen, lines: Lines) -> None:
        from prompt_toolkit import PromptSession

        self._socket = socket
        self._screen = screen
        self._lines = lines
        self._session = PromptSession[str]()
        self._incoming = Incoming(socket)
        self._is_closed = threading.Event()

    def run(self) -> None:
        """Return when the connection is closed, or the input has ended (Ctrl-D), which closes it.

        Raises:
            KeyboardInterrupt: Ctrl-C. The connection is left open.
        """
        from prompt_toolkit.patch_stdout import patch_stdout

        receiving = threading.Thread(target=self._receive_all, name="perfectws connect")
        with patch_stdout(raw=True):
            receiving.start()
            try:
                self._send_all()
            finally:
                self._socket.close()
                receiving.join()

    def _send_all(self) -> None:
        while not self._is_closed.is_set():
            try:
                line = self._session.prompt("> ", pre_run=self._end_if_closed)
            except EOFError:
                return
            try:
                message = self._lines.message_of(line.encode(errors="surrogateescape"))
            except ValueError as error:
                self._screen.tell_wrong(str(error))
            else:
                self._socket.send(message)

    def _receive_all(self) -> None:
        for messages in self._incoming.batches():
            self._screen.received(messages)
        self._is_closed.set()
        loop = self._session.app.loop
        if loop is not None:
            loop.call_soon_threadsafe(self._end_if_closed)

    def _end_if_closed(self) -> None:
        """End the prompt, in its own thread, unless it has ended."""
        app = self._session.app
        if self._is_closed.is_set() and app.is_running and not app.is_done:
            app.erase_when_done = True
            app.exit(exception=EOFError())
