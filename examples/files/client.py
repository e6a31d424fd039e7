"""The command line's side: sends a file, or fetches one."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from perfectws import OpcodeType, WebSocket, run, run_in_thread

from . import SUBPROTOCOL
from .progress import Progress
from .serving import send_file, tell


class Failed(Exception):
    """Why a file was not sent or fetched."""


class Transfer:
    """What both directions have in common.

    Attributes:
        failure: Why it failed; ``None`` once it is done.
    """

    def __init__(self) -> None:
        self.failure: str | None = "the server went away"

    def run(self, url: str) -> None:
        """Connect, and return when all is done. Raises `Failed`."""

        def begin(nursery: object) -> None:
            connecting = WebSocket.connect(to=url, subprotocols=[SUBPROTOCOL], on_upgrade=self.connected)
            connecting.when_failure(self.fail)

        run(begin)
        if self.failure is not None:
            raise Failed(self.failure)

    def connected(self, socket: WebSocket) -> None:
        raise NotImplementedError

    def fail(self, error: object) -> None:
        self.failure = str(error)

    def end(self, socket: WebSocket, failure: str | None = None) -> None:
        self.failure = failure
        socket.close()

    def read(self, socket: WebSocket, completion: Callable[[dict[str, Any]], object]) -> None:
        """Read what the server tells; an error, or the connection's end, ends the transfer."""

        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                self.failure = self.failure and (socket.close_reason or self.failure)
                return
            message = json.loads(string)
            if "error" in message:
                self.end(socket, message["error"])
            else:
                completion(message)


class Upload(Transfer):
    """Sends a file, and shows how much of it the server has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.size = path.stat().st_size
        self.progress = Progress(path.name, self.size)

    def connected(self, socket: WebSocket) -> None:
        tell(socket, put=self.path.name, size=self.size)
        self.read(socket, lambda message: self.ready(socket))

    def ready(self, socket: WebSocket) -> None:
        def opened(file: IO[bytes]) -> None:
            # Sending and reading go on side by side.
            send_file(socket, file, self.size, lambda: None)
            self.read_progress(socket)

        def failed(error: Exception) -> None:
            self.end(socket, str(error))

        run_in_thread(lambda: self.path.open("rb"), opened).when_failure(failed)

    def read_progress(self, socket: WebSocket) -> None:
        def told(message: dict[str, Any]) -> None:
            if "stored" in message:
                self.end(socket)
            else:
                self.progress.show(message["received"])
                self.read_progress(socket)

        self.read(socket, told)


class Download(Transfer):
    """Fetches a file into a directory, and shows how much of it is here."""

    def __init__(self, name: str, directory: Path) -> None:
        super().__init__()
        self.name = name
        self.path = directory / name
        self.part_path = directory / f".{name}.part"
        self.received = 0
        self.part: IO[bytes]
        self.progress: Progress

    def connected(self, socket: WebSocket) -> None:
        tell(socket, get=self.name)
        self.read(socket, lambda message: self.begin(socket, message["size"]))

    def begin(self, socket: WebSocket, size: int) -> None:
        def opened(part: IO[bytes]) -> None:
            self.part = part
            self.progress = Progress(self.name, size)
            self.read_next(socket)

        def failed(error: Exception) -> None:
            self.end(socket, str(error))

        run_in_thread(lambda: self.part_path.open("wb"), opened).when_failure(failed)

    def read_next(self, socket: WebSocket) -> None:
        @socket.read_bytes_message
        def received(data: bytes | None, op: OpcodeType, fin: bool) -> None:
            if data is None:
                self.fail(socket.close_reason or "the server went away")
                self.discard()
                return
            writing = run_in_thread(partial(self.part.write, data), lambda count: self.written(count, fin, socket))
            writing.when_failure(lambda error: self.end(socket, str(error)))

    def written(self, count: int, is_last: bool, socket: WebSocket) -> None:
        self.received += count
        self.progress.show(self.received)
        if is_last:
            run_in_thread(self.keep, lambda _: self.end(socket))
        else:
            self.read_next(socket)

    def keep(self) -> None:
        """Give the file its name. In a thread."""
        self.part.close()
        self.part_path.replace(self.path)

    def discard(self) -> None:
        """Leave nothing of a file that is not whole."""
        self.part.close()
        self.part_path.unlink(missing_ok=True)
