"""The server of a soak: an honest application of everything that perfectws serves, and handlers that do not do well.

A program of its own: ``python -m benchmarks.soak.server --directory DIR --parent PID``. It prints its ports, and tells
what it holds on a Unix socket of which only the soak knows.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import TypeAlias
from weakref import WeakValueDictionary
from zlib import crc32

import trio

from perfectws import (
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    MimeReader,
    OpcodeType,
    Room,
    Routes,
    StaticFileHandler,
    TLSConfiguration,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
    call_later,
)
from perfectws.http.limits import LimitKeywords
from perfectws.net import tls
from perfectws.websocket.options import WebSocketKeywords

from ..servers.__main__ import die_with_parent
from .census import take_census, take_sample
from .faults import Faults, Intended
from .places import ALL, HOST, Place, Places
from .scene import NEVER

#: The rooms by name: each is there as long as somebody is in it.
Rooms: TypeAlias = WeakValueDictionary[str, Room]

_HTTP_LIMITS: dict[str, LimitKeywords] = {
    "patient": {
        "header_timeout": NEVER,
        "keep_alive_timeout": NEVER,
        "body_timeout": NEVER,
        "write_timeout": NEVER,
        "half_close_timeout": 5.0,  # no honest peer ends its side early
    },
    "strict": {
        "header_timeout": 2.0,
        "keep_alive_timeout": 2.0,
        "body_timeout": 3.0,
        "write_timeout": 3.0,
        "half_close_timeout": 2.0,
        "close_timeout": 1.0,
    },
}
_WEBSOCKET_LIMITS: dict[str, WebSocketKeywords] = {
    "patient": {"ping_interval": 8.0, "ping_timeout": NEVER, "close_timeout": 5.0},
    "strict": {"ping_interval": 1.0, "ping_timeout": 2.0, "close_timeout": 1.0, "max_write_buffer": 256 * 1024},
}


#: What is sent to many who do not take it is there once: memory is to tell of leaks, not of how much waits just now.
_TORRENT = b"torrent " * 16_384
_MUCH = b"much " * 3_000_000


class EchoByReads(WebSocketSessionHandler):
    """Sends back what comes, frame by frame, and reads on once that is sent: the recursion of Perfect's guide."""

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Read a frame and echo it."""

        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if op is OpcodeType.INVALID:
                socket.close()
            elif op is OpcodeType.PONG:
                self.handle_session(request, socket)
            else:
                text = "no text" if string is None else string
                socket.send_string_message(text, fin, completion=lambda: self.handle_session(request, socket))


class Silent(WebSocketSessionHandler):
    """Reads nothing, ever, and says nothing."""

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Do nothing."""


def add_web_sockets(routes: Routes, rooms: Rooms, options: WebSocketKeywords) -> None:
    """Add what WebSockets can be opened to."""
    routes.add("GET", "/echo", WebSocketHandler(lambda request, protocols: EchoByReads(), **options))
    routes.add("GET", "/silent", WebSocketHandler(lambda request, protocols: Silent(), **options))

    compressed: WebSocketKeywords = {**options, "compression": True}

    @routes.web_socket("/messages", **options)
    @routes.web_socket("/compressed", **compressed)
    def echo(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda ws, text: ws.send(text))
        socket.on_binary(lambda ws, data: ws.send(data))

    @routes.web_socket("/later", **options)
    def echo_late(request: HTTPRequest, socket: WebSocket) -> None:
        async def answer(ws: WebSocket, text: str) -> None:
            await trio.sleep(0.02)
            await ws.send_string_message(text)

        socket.on_text(answer)

    @routes.web_socket("/room/{name}", **options)
    def join(request: HTTPRequest, socket: WebSocket) -> None:
        name = request.url_variables["name"]
        room = rooms.setdefault(name, Room(name))
        room.join(socket)
        socket.on_text(lambda ws, text: room.send_string_message(text))
        socket.send("joined")

    @routes.web_socket("/torrent", **options)
    def pour(request: HTTPRequest, socket: WebSocket) -> None:
        for _ in range(16):  # without waiting: whoever reads slowly is cut off
            socket.send(_TORRENT)

    @routes.web_socket("/raising", **options)
    def raise_later(request: HTTPRequest, socket: WebSocket) -> None:
        def fail(ws: WebSocket, text: str) -> None:
            raise Intended(text)

        socket.on_text(fail)


def add_requests(routes: Routes, files: Path) -> None:
    """Add what requests are answered by, and by what they are not."""
    routes.add("GET", "/files/**", StaticFileHandler(files))

    @routes.add("GET", "/hello")
    def greet(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(f"hello {request.param('name', '')}").completed()

    @routes.add("POST", "/post")
    def send_back(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(request.post_body_bytes).completed()

    @routes.add("POST", "/upload")
    async def take_upload(request: HTTPRequest, response: HTTPResponse) -> None:
        sums = [f"{each.file_size} {await _checksum(each)}" for each in request.post_file_uploads or ()]
        response.set_body(", ".join(sums)).completed()

    @routes.add("GET", "/much")
    def answer_much(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(_MUCH).completed()

    @routes.add("GET", "/late")
    def answer_late(request: HTTPRequest, response: HTTPResponse) -> None:
        response.append_body("late ")
        response.push(lambda ok: None)

        def end() -> None:
            response.append_body(request.param("name", "") or "").completed()

        call_later(0.05, end)

    @routes.add("GET", "/async")
    async def answer_async(request: HTTPRequest, response: HTTPResponse) -> None:
        await trio.sleep(0.05)
        response.set_body(f"async {request.param('name', '')}").completed()

    pending: set[HTTPResponse] = set()

    def keep(response: HTTPResponse) -> None:
        pending.add(response)  # else it would be answered with 500, since nobody could complete it any more
        response.on_close.when_complete(lambda result: pending.discard(response))

    @routes.add("GET", "/dead")
    def never_answer(request: HTTPRequest, response: HTTPResponse) -> None:
        keep(response)

    @routes.add("GET", "/half")
    def never_end(request: HTTPRequest, response: HTTPResponse) -> None:
        keep(response)
        response.set_body("the first half").push(lambda ok: None)

    @routes.add("GET", "/raising")
    def fail(request: HTTPRequest, response: HTTPResponse) -> None:
        raise Intended("a handler")


async def _checksum(upload: MimeReader.BodySpec) -> int:
    assert upload.file is not None
    return crc32(await trio.to_thread.run_sync(upload.file.read))


def make_server(places: Places, place: Place, rooms: Rooms) -> HTTPServer:
    """Return the server of one place."""
    routes = Routes()
    add_web_sockets(routes, rooms, _WEBSOCKET_LIMITS[place.limits])
    add_requests(routes, places.files)
    limits = _HTTP_LIMITS[place.limits]
    if place.transport == "unix":
        return HTTPServer.server(name=place.name, address=f"unix:{places.socket_of(place)}", routes=routes, **limits)
    plain = HTTPServer.server(name=place.name, address=HOST, port=0, routes=routes, **limits)
    if place.transport == "tls":
        plain.ssl = TLSConfiguration(cert_path=places.certificate)
    return plain


def make_control(places: Places, faults: Faults) -> HTTPServer:
    """Return the server that tells what the process holds."""
    routes = Routes()

    @routes.add("GET", "/sample")
    def sample(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(json=take_sample().as_json()).completed()

    @routes.add("GET", "/census")
    def census(request: HTTPRequest, response: HTTPResponse) -> None:
        found = take_census()
        found.objects["files being uploaded"] = len(list(places.uploads.iterdir()))
        response.set_body(json=found.as_json()).completed()

    @routes.add("GET", "/collect")
    def collect(request: HTTPRequest, response: HTTPResponse) -> None:
        gc.collect()
        response.set_body("collected").completed()

    @routes.add("GET", "/faults")
    def log(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(json=faults.as_json()).completed()

    return HTTPServer.server(name="control", address=f"unix:{places.control}", routes=routes)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak.server")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    os.nice(5)
    tls.HANDSHAKE_TIMEOUT = NEVER  # it is the same for all servers, also for the patient ones
    faults = Faults()
    logging.getLogger().addHandler(faults)
    places = Places(arguments.directory, {})
    tempfile.tempdir = str(places.uploads)
    rooms: Rooms = WeakValueDictionary()
    servers = {place.name: make_server(places, place, rooms) for place in ALL}
    control = make_control(places, faults)
    for server in (*servers.values(), control):
        server.bind()
    sys.stdout.write(json.dumps({name: server.server_port for name, server in servers.items()}) + "\n")
    sys.stdout.flush()
    HTTPServer.launch(*servers.values(), control)


if __name__ == "__main__":
    main()
