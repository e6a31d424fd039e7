"""Clients that lose their connections again and again, from outside: two servers in threads of their own, one room."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice

from perfectws import EventLoop, HTTPRequest, HTTPServer, LaunchContext, Recovery, Room, RoomEntry, Routes, WebSocket

CLIENTS = 4
RECONNECTS = 12
PATIENCE = 60  # seconds; a bound for a machine under load, not a measure


def stamp(entry: RoomEntry) -> str:
    """Say what a client keeps: the position, and what was said."""
    return json.dumps({"position": entry.position, "said": int(entry.data)})


def serve(room: Room) -> LaunchContext:
    """Serve a room, in a thread of its own."""
    routes = Routes()

    @routes.web_socket("/room")
    def join(request: HTTPRequest, socket: WebSocket) -> None:
        def joined(recovery: Recovery) -> None:
            socket.send(json.dumps({"position": recovery.position, "recovered": recovery.recovered}))

        room.join(socket, after=request.param("after"), completion=joined)

    context = HTTPServer.launch(name="x", address="127.0.0.1", port=0, routes=routes, wait=False)
    assert isinstance(context, LaunchContext)
    return context


@contextmanager
def talking(room: Room) -> Iterator[None]:
    """Send numbers to a room from a thread, a few at a time, as long as the block runs."""
    is_over = threading.Event()

    def talk() -> None:
        numbers = count()
        while not is_over.wait(0.002):
            for number in islice(numbers, 3):
                room.send_string_message(str(number))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class Wanderer:
    """A client that goes from server to server.

    Attributes:
        said: The numbers it has, in the order in which they came.
        gaps: How often it was told of a gap.
    """

    def __init__(self, loop: EventLoop, ports: list[int]) -> None:
        self._loop = loop
        self._ports = ports
        self._position: str | None = None
        self.said: list[int] = []
        self.gaps = 0

    def wander(self) -> None:
        """Connect, read a few messages, lose the connection, and again."""
        for turn in range(RECONNECTS):
            query = "" if self._position is None else f"?after={self._position}"
            url = f"ws://127.0.0.1:{self._ports[turn % 2]}/room{query}"
            socket = WebSocket.connect(to=url, on=self._loop).wait(PATIENCE)
            for _ in range(turn % 5 + 4):
                self._take(json.loads(socket.receive().wait(PATIENCE)))
            socket.close()

    def _take(self, message: dict[str, object]) -> None:
        self._position = str(message["position"])
        self.gaps += message.get("recovered") is False
        if "said" in message:
            self.said.append(int(str(message["said"])))


def test_clients_that_go_from_server_to_server_miss_nothing_and_get_nothing_twice() -> None:
    room = Room(history=100_000, stamp=stamp)
    contexts = [serve(room) for _ in range(2)]
    with EventLoop() as loop, talking(room):
        wanderers = [Wanderer(loop, [context.port for context in contexts]) for _ in range(CLIENTS)]
        threads = [threading.Thread(target=wanderer.wander) for wanderer in wanderers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for context in contexts:
        context.terminate()
        assert context.wait(PATIENCE)
    for wanderer in wanderers:
        assert wanderer.gaps == 0
        assert len(wanderer.said) > RECONNECTS
        assert wanderer.said == list(range(wanderer.said[0], wanderer.said[0] + len(wanderer.said)))
    assert not room.groups
