"""A loop that has ended answers all the same: at once, in the calling thread (law 2)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from perfectws import ConnectionClosed, EventLoop, HTTPRequest, HTTPServer, OpcodeType, Promise, Routes, WebSocket

from ..calls import NOTHING
from .conftest import PATIENCE


@pytest.fixture(params=["client", "server"])
def ended(request: pytest.FixtureRequest) -> WebSocket:
    """Return a socket, a client's or a server's, whose loop has ended."""
    accepted: list[WebSocket] = []
    routes = Routes()

    @routes.web_socket("/")
    def accept(request: HTTPRequest, ws: WebSocket) -> None:
        accepted.append(ws)
        ws.read_string_message(lambda *_: None)  # so that it reads by frame

    context = HTTPServer.launch(wait=False, name="test", address="127.0.0.1", port=0, routes=routes, close_timeout=5)
    with EventLoop() as event_loop:
        socket = WebSocket.connect(to=f"ws://127.0.0.1:{context.port}/", on=event_loop).wait(PATIENCE)
    assert context.terminate().wait(PATIENCE)
    ended = socket if request.param == "client" else accepted[0]
    assert ended.is_closed
    return ended


def test_everything_is_answered_at_once_in_the_calling_thread(ended: WebSocket) -> None:
    called: list[object] = []
    ended.send_string_message("x", completion=lambda: called.append(threading.get_ident()))
    ended.read_string_message(lambda *got: called.append(got))
    ended.on_close.when_complete(lambda result: called.append(result.unwrap()))
    assert called == [threading.get_ident(), NOTHING, None]


def test_promises_fail(ended: WebSocket) -> None:
    sends: list[Callable[[Promise[None]], object]] = [
        lambda promise: ended.send("x", promise),
        lambda promise: ended.send_raw(b"x", OpcodeType.PING, promise=promise),
    ]
    for send in sends:
        promise: Promise[None] = Promise()
        send(promise)
        with pytest.raises(ConnectionClosed):
            promise.future_result.wait(0)


def test_a_close_is_done(ended: WebSocket) -> None:
    promise: Promise[None] = Promise()
    ended.close(promise=promise).wait(0)
    promise.future_result.wait(0)


def test_what_goes_on_for_ever_is_dropped_with_a_line_in_the_log(
    ended: WebSocket, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[None] = []

    def again() -> None:
        sent.append(None)
        ended.send_string_message("x", completion=again)

    again()
    assert 1000 <= len(sent) < 1_000_000
    assert "kept calling" in caplog.text


def test_callbacks_are_not_nested(ended: WebSocket) -> None:
    order: list[str] = []

    def first() -> None:
        order.append("first begins")
        ended.send_string_message("x", completion=lambda: order.append("second"))
        order.append("first ends")

    ended.send_string_message("x", completion=first)
    assert order == ["first begins", "first ends", "second"]


def test_from_many_threads_each_is_answered_once(ended: WebSocket) -> None:
    called: list[int] = []

    def send_all() -> None:
        for _ in range(100):
            ended.send_string_message("x", completion=lambda: called.append(1))

    threads = [threading.Thread(target=send_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(called) == 800


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_cannot_use_its_parents_loop() -> None:
    code = """
import os, sys, warnings
from perfectws import EventLoop, LocalProtocolError, Promise
warnings.simplefilter("ignore", DeprecationWarning)
with EventLoop() as event_loop:
    promise = event_loop.make_promise()
    promise.future_result.when_complete(print)
    child = os.fork()
    if not child:
        try:
            promise.succeed(1)
        except LocalProtocolError as error:
            os._exit(0 if "forked" in str(error) else 2)
        os._exit(1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
