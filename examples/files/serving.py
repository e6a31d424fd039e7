"""The server of the files: takes them into a directory, and gives them out of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from perfectws import (
    CloseCode,
    HTTPRequest,
    OpcodeType,
    Routes,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
    run_in_thread,
)

from . import FRAGMENT, MAX_SIZE, SUBPROTOCOL, is_plain


def make_routes(directory: Path) -> Routes:
    routes = Routes()
    routes.add("GET", "/files", WebSocketHandler(lambda request, protocols: FilesHandler(directory)))
    return routes


class FilesHandler(WebSocketSessionHandler):
    """The session of one client: reads an order, carries it out, and reads the next."""

    socket_protocol = SUBPROTOCOL

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        read_next = partial(self.handle_session, request, socket)

        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if op is OpcodeType.INVALID:
                return
            match parse(string or ""):
                case {"put": str(name), "size": int(size)} if is_plain(name) and 0 <= size <= MAX_SIZE:
                    Upload(self.directory / name, size, socket, read_next).begin()
                case {"get": str(name)} if is_plain(name):
                    Download(self.directory / name, socket, read_next).begin()
                case _:
                    tell(socket, error='Send {"put": NAME, "size": BYTES} or {"get": NAME}, the name of a plain file.')
                    read_next()


class Upload:
    """One file that comes in. It gets its name only when it is whole; else nothing is left of it."""

    def __init__(self, path: Path, size: int, socket: WebSocket, completion: Callable[[], object]) -> None:
        self.path = path
        self.size = size
        self.received = 0
        self.socket = socket
        self.completion = completion
        self.part_path = path.with_name(f".{secrets.token_hex(8)}.part")
        self.part: IO[bytes]

    def begin(self) -> None:
        def opened(part: IO[bytes]) -> None:
            self.part = part
            tell(self.socket, ready=True)
            self.read_next()

        def failed(error: Exception) -> None:
            tell(self.socket, error=f"{self.path.name} can't be written here")
            self.completion()

        run_in_thread(lambda: self.part_path.open("xb"), opened).when_failure(failed)

    def read_next(self) -> None:
        @self.socket.read_bytes_message
        def received(data: bytes | None, op: OpcodeType, fin: bool) -> None:
            if data is None:
                self.discard()
            elif op is OpcodeType.TEXT or self.received + len(data) > self.size or (fin and self.is_short(data)):
                self.discard()
                self.socket.close(CloseCode.POLICY_VIOLATION, "this is not the file that was announced")
            else:
                writing = run_in_thread(partial(self.part.write, data), lambda count: self.written(count, fin))
                writing.when_failure(lambda error: self.fail())

    def is_short(self, data: bytes) -> bool:
        return self.received + len(data) < self.size

    def written(self, count: int, is_last: bool) -> None:
        self.received += count
        tell(self.socket, received=self.received)
        if is_last:
            run_in_thread(self.keep, lambda _: self.stored()).when_failure(lambda error: self.fail())
        else:
            # Only now: so the client can't send faster than the disk writes.
            self.read_next()

    def keep(self) -> None:
        """Give the file its name. In a thread."""
        self.part.close()
        self.part_path.replace(self.path)

    def stored(self) -> None:
        tell(self.socket, stored=self.path.name, size=self.received)
        self.completion()

    def fail(self) -> None:
        self.discard()
        self.socket.close(CloseCode.INTERNAL_ERROR, "the file can't be written")

    def discard(self) -> None:
        """Leave nothing. Not in a thread: this takes no time, and the server may be about to end."""
        self.part.close()
        self.part_path.unlink(missing_ok=True)


class Download:
    """One file that goes out."""

    def __init__(self, path: Path, socket: WebSocket, completion: Callable[[], object]) -> None:
        self.path = path
        self.socket = socket
        self.completion = completion

    def begin(self) -> None:
        def opened(file: IO[bytes]) -> None:
            size = self.path.stat().st_size
            tell(self.socket, name=self.path.name, size=size)
            send_file(self.socket, file, size, self.completion)

        def failed(error: Exception) -> None:
            tell(self.socket, error=f"There is no file {self.path.name}")
            self.completion()

        run_in_thread(lambda: self.path.open("rb"), opened).when_failure(failed)


def send_file(socket: WebSocket, file: IO[bytes], size: int, completion: Callable[[], object]) -> None:
    """Send ``size`` bytes of a file as one binary message, the next fragment when there is room for it, and close it.

    Calls back: ``completion()`` once all is sent, or the connection is lost.
    """

    def send_next(left: int) -> None:
        if not socket.is_connected:
            end()
            return

        def read(data: bytes) -> None:
            if len(data) < min(FRAGMENT, left):
                end()
                socket.close(CloseCode.INTERNAL_ERROR, "the file became shorter")
                return
            rest = left - len(data)
            socket.send_binary_message(data, rest == 0, completion=end if rest == 0 else partial(send_next, rest))

        run_in_thread(partial(file.read, min(FRAGMENT, left)), read)

    def end() -> None:
        run_in_thread(file.close, lambda _: completion())

    send_next(size)


def parse(string: str) -> Any:
    try:
        return json.loads(string)
    except (ValueError, RecursionError):
        return None


def tell(socket: WebSocket, **members: object) -> None:
    socket.send_string_message(json.dumps(members))
