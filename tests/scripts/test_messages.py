"""``for message in socket.messages():`` in a script's thread."""

from __future__ import annotations

import pytest

from perfectws import ConnectionClosed, EventLoop, LocalProtocolError, Promise, WebSocket

from .conftest import PATIENCE


def connect(port: int, path: str, event_loop: EventLoop) -> WebSocket:
    return WebSocket.connect(to=f"ws://127.0.0.1:{port}{path}", on=event_loop).wait(PATIENCE)


def test_they_come_in_order_until_the_connection_closes(server_port: int) -> None:
    with EventLoop(close_timeout=1) as event_loop:
        ws = connect(server_port, "/echo", event_loop)
        for number in range(100):
            ws.send(str(number))
        ws.send(b"\xff")
        got: list[str | bytes] = []
        for message in ws.messages():
            got.append(message)
            if message == b"\xff":
                ws.close()
        assert got == [*map(str, range(100)), b"\xff"]


def test_another_close_is_raised(server_port: int) -> None:
    with EventLoop(close_timeout=1) as event_loop:
        ws = connect(server_port, "/drop", event_loop)
        with pytest.raises(ConnectionClosed, match="1012"):
            next(ws.messages())


def test_a_timeout_is_raised_and_one_may_go_on(server_port: int) -> None:
    with EventLoop(close_timeout=1) as event_loop:
        ws = connect(server_port, "/echo", event_loop)
        ws.read_timeout_seconds = 0.01
        with pytest.raises(TimeoutError):
            next(ws.messages())
        ws.read_timeout_seconds = -1
        ws.send("hello")
        assert next(ws.messages()) == "hello"
        ws.send("again")
        assert next(ws.messages()) == "again"


def test_what_is_broken_off_takes_no_message(server_port: int) -> None:
    with EventLoop(close_timeout=1) as event_loop:
        ws = connect(server_port, "/echo", event_loop)
        ws.send("one")
        ws.send("two")
        for message in ws.messages():
            assert message == "one"
            break
        assert ws.receive().wait(PATIENCE) == "two"


def test_in_a_callback_it_raises_at_once_instead_of_hanging(server_port: int) -> None:
    with EventLoop(close_timeout=1) as event_loop:
        raised = Promise[object](event_loop.loop)

        def upgraded(ws: WebSocket) -> None:
            try:
                ws.messages()
            except LocalProtocolError as error:
                raised.succeed(error)

        WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop, on_upgrade=upgraded)
        assert "here use on_text" in str(raised.future_result.wait(PATIENCE))
