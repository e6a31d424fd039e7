"""``message_rate`` from outside: of a server, and of a client."""

from __future__ import annotations

from time import monotonic

from websockets.sync.client import connect

from perfectws import EventLoop, Routes, WebSocket
from tests.server.conftest import PATIENCE, Launch, url


def test_a_client_that_floods_is_answered_only_so_fast_and_as_often_as_it_asked(launch: Launch) -> None:
    routes = Routes()
    limited: list[WebSocket] = []

    @routes.web_socket("/echo", message_rate=(100, 10))
    def echo(request: object, socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: socket.send(text))
        socket.on_rate_limited(limited.append)

    context = launch(routes=routes)
    with connect(url(context, "/echo", "ws")) as client:
        began = monotonic()
        for number in range(30):
            client.send(str(number))
        assert [client.recv(PATIENCE) for _ in range(30)] == [str(number) for number in range(30)]
        assert monotonic() - began > 0.15
    assert len(limited) == 1


def test_a_server_that_floods_its_client_is_held_back_too(launch: Launch) -> None:
    routes = Routes()
    routes.web_socket("/flood", lambda request, socket: [socket.send(str(number)) for number in range(30)])
    context = launch(routes=routes)
    with EventLoop() as loop:
        to = url(context, "/flood", "ws")
        socket = WebSocket.connect(to, on=loop, message_rate=(100, 10)).wait(PATIENCE)
        began = monotonic()
        assert [socket.receive().wait(PATIENCE) for _ in range(30)] == [str(number) for number in range(30)]
        assert monotonic() - began > 0.15
