"""`EventLoop`: trio in a thread of its own, for scripts that wait for futures."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any

import pytest

from perfectws import (
    EventLoop,
    Future,
    HandshakeError,
    HTTPClient,
    InvalidURL,
    LocalProtocolError,
    OpcodeType,
    Promise,
    WebSocket,
    call_later,
    run_in_thread,
)
from perfectws.client.loop import ClientLoop

from .conftest import PATIENCE


def loop_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "perfectws event loop"]


def test_a_script_of_waits_only(server_port: int) -> None:
    with EventLoop() as event_loop:
        ws = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop).wait(PATIENCE)
        answer = event_loop.make_promise()
        ws.on_text(lambda ws, text: answer.succeed(text))
        sent = event_loop.make_promise()
        ws.send("hello", promise=sent)
        assert sent.future_result.wait(PATIENCE) is None
        assert answer.future_result.wait(PATIENCE) == "hello"
        ws.close(code=4000).wait(PATIENCE)
        assert (ws.is_closed, ws.close_code) == (True, 4000)
    assert loop_threads() == []


def test_http_client_opens_a_web_socket_whose_frames_wait(server_port: int) -> None:
    with EventLoop() as event_loop:
        ws = HTTPClient.web_socket("127.0.0.1", server_port, "/echo", on=event_loop).wait(PATIENCE)
        ws.send("early")
        time.sleep(0.05)
        got = event_loop.make_promise()
        ws.read_string_message(lambda *message: got.succeed(message))
        assert got.future_result.wait(PATIENCE) == ("early", OpcodeType.TEXT, True)


def test_the_end_of_the_block_closes_with_1001_and_settles_everything_once(server_port: int) -> None:
    reads: list[Any] = []
    closes: list[Any] = []
    with EventLoop() as event_loop:
        ws = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/silent", on=event_loop).wait(PATIENCE)
        ws.read_string_message(lambda *message: reads.append(message))
        ws.on_close.when_complete(closes.append)
    assert (ws.is_closed, ws.close_code) == (True, 1001)
    assert reads == [(None, OpcodeType.INVALID, True)]
    assert len(closes) == 1


def test_a_server_that_does_not_answer_the_close_is_left_after_close_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        with EventLoop(close_timeout=0.1) as event_loop:
            future = WebSocket.connect(to=f"ws://127.0.0.1:{listener.getsockname()[1]}/", on=event_loop)
            connected, _ = listener.accept()
        assert time.monotonic() - began < PATIENCE
        with connected, pytest.raises(HandshakeError, match=r"ended|given up"):
            future.wait(PATIENCE)


def test_an_error_in_the_block_leaves_it_as_it_is_and_ends_the_loop(server_port: int) -> None:
    sockets: list[WebSocket] = []

    def script() -> None:
        with EventLoop() as event_loop:
            future = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/silent", on=event_loop)
            sockets.append(future.wait(PATIENCE))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        script()
    assert sockets[0].close_code == 1001
    assert loop_threads() == []


def test_an_error_of_the_loop_itself_surfaces_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Exception):
        pass

    def run_turn(loop: ClientLoop) -> None:
        monkeypatch.undo()
        raise Broken("the pump")

    def script() -> None:
        with EventLoop() as event_loop:
            monkeypatch.setattr(ClientLoop, "run_turn", run_turn)
            call_later(0, lambda: None, on=event_loop)
            loop_threads()[0].join(PATIENCE)

    with pytest.raises(Broken, match="the pump"):
        script()


def test_a_failure_comes_out_of_wait() -> None:
    with EventLoop() as event_loop:
        with pytest.raises(InvalidURL):
            WebSocket.connect(to="w`:", on=event_loop).wait(PATIENCE)
        with pytest.raises(HandshakeError, match=r"cannot connect to asdf.invalid:80"):
            WebSocket.connect(to="ws://asdf.invalid", on=event_loop).wait(PATIENCE)


def test_wait_gives_up_after_its_seconds(server_port: int) -> None:
    with EventLoop() as event_loop:
        promise = event_loop.make_promise()
        with pytest.raises(TimeoutError, match=r"0.01 seconds"):
            promise.future_result.wait(0.01)
        promise.succeed("late")
        assert promise.future_result.wait() == "late"


def test_wait_in_the_loop_s_own_thread_raises_instead_of_hanging(server_port: int) -> None:
    errors: list[BaseException] = []

    def waiting(ws: WebSocket) -> None:
        try:
            ws.on_close.wait()
        except LocalProtocolError as error:
            errors.append(error)
        ws.close()

    with EventLoop() as event_loop:
        url = f"ws://127.0.0.1:{server_port}/echo"
        ws = WebSocket.connect(to=url, on=event_loop, on_upgrade=waiting).wait(PATIENCE)
        ws.on_close.wait(PATIENCE)
    assert "would hang" in str(errors[0])


def test_outside_its_block_a_loop_says_so(server_port: int) -> None:
    event_loop = EventLoop()
    with pytest.raises(LocalProtocolError, match="with EventLoop"):
        WebSocket.connect(to="ws://localhost", on=event_loop)
    with event_loop, pytest.raises(LocalProtocolError, match="once"):
        event_loop.__enter__()
    with pytest.raises(LocalProtocolError, match="with EventLoop"):
        event_loop.make_promise()


def test_two_loops_do_not_know_of_each_other(server_port: int) -> None:
    url = f"ws://127.0.0.1:{server_port}/echo"
    with EventLoop() as one, EventLoop() as other:
        first = WebSocket.connect(to=url, on=one).wait(PATIENCE)
        second = WebSocket.connect(to=url, on=other).wait(PATIENCE)
        # From a callback of one loop, into a socket of the other.
        done = other.make_promise()
        second.on_text(lambda ws, text: done.succeed(text))
        first.on_text(lambda ws, text: second.send(f"{text} there"))
        first.send("hello")
        assert done.future_result.wait(PATIENCE) == "hello there"


def test_a_thread_that_a_callback_started_may_wait_and_connect(server_port: int) -> None:
    url = f"ws://127.0.0.1:{server_port}/echo"

    def in_thread() -> str:
        ws = WebSocket.connect(to=url).wait(PATIENCE)  # in a thread of a loop, no on= is needed
        ws.close().wait(PATIENCE)
        return f"closed {ws.close_code}"

    with EventLoop() as event_loop:
        outer = event_loop.make_promise()
        call_later(0, lambda: run_in_thread(in_thread, outer.succeed), on=event_loop)
        assert outer.future_result.wait(PATIENCE) == "closed 1000"


def test_a_function_in_a_thread_does_not_hold_the_end_up() -> None:
    release = threading.Event()
    with EventLoop() as event_loop:
        future = run_in_thread(release.wait, on=event_loop)
    with pytest.raises(Exception, match="the event loop ended before the function returned"):
        future.wait(PATIENCE)
    release.set()


def test_a_hundred_loops_one_after_the_other_leave_nothing_behind() -> None:
    with EventLoop():
        pass
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        with EventLoop():
            pass
    assert len(os.listdir("/proc/self/fd")) == before
    assert loop_threads() == []


def test_a_conversation_may_be_a_loop_of_futures_however_long_it_gets(server_port: int) -> None:
    rounds = 1500

    def converse(ws: WebSocket, left: int) -> Future[str | bytes]:
        ws.send(str(left))
        return ws.receive().flat_map(lambda _: converse(ws, left - 1)) if left else ws.receive()

    with EventLoop(close_timeout=1) as event_loop:
        ws = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop).wait(PATIENCE)
        assert converse(ws, rounds).wait(PATIENCE) == "0"


def test_a_script_that_waits_for_a_send_which_proves_wrong_is_told_so(server_port: int) -> None:
    with EventLoop(close_timeout=1) as event_loop:
        ws = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop).wait(PATIENCE)
        promise = Promise[None]()
        ws.send_raw(b"", OpcodeType.CONTINUATION, promise=promise)
        with pytest.raises(LocalProtocolError, match="nothing to continue"):
            promise.future_result.wait(PATIENCE)
        ws.send("still here")
        assert ws.receive().wait(PATIENCE) == "still here"
