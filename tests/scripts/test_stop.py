"""How `perfectws.run` is ended: by `perfectws.stop`, and by Ctrl-C, which leaves no line about what it cuts short."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trio

import perfectws
from perfectws import LocalProtocolError, WebSocket, call_every, call_later, run_in_thread

from .conftest import PATIENCE

ROOT = Path(perfectws.__file__).parent.parent


def test_stop_in_a_callback_ends_all_in_order(server_port: int) -> None:
    sockets: list[WebSocket] = []

    def setup(nursery: trio.Nursery) -> None:
        def upgraded(ws: WebSocket) -> None:
            sockets.append(ws)
            call_later(0.01, perfectws.stop)

        WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on_upgrade=upgraded)
        call_every(0.001, lambda: None)
        nursery.start_soon(trio.sleep_forever)

    perfectws.run(setup)
    assert [(ws.is_closed, ws.close_code) for ws in sockets] == [(True, 1001)]


@pytest.mark.parametrize("where", ["setup", "task", "run_in_thread", "another thread"])
def test_stop_may_be_called_from_anywhere(where: str) -> None:
    def setup(nursery: trio.Nursery) -> None:
        nursery.start_soon(trio.sleep_forever)
        if where == "setup":
            perfectws.stop()
        elif where == "task":
            nursery.start_soon(stop_soon)
        elif where == "run_in_thread":
            run_in_thread(perfectws.stop)
        else:
            threading.Timer(0.01, perfectws.stop).start()

    async def stop_soon() -> None:
        await trio.sleep(0.01)
        perfectws.stop()
        perfectws.stop()

    perfectws.run(setup)


def test_there_must_be_something_to_stop() -> None:
    with pytest.raises(LocalProtocolError, match="does not run here"):
        perfectws.stop()


def test_of_several_runs_each_stops_its_own() -> None:
    ended: list[int] = []
    stopped: list[int] = []
    both = threading.Barrier(2)

    def script(number: int) -> None:
        def setup(nursery: trio.Nursery) -> None:
            both.wait(PATIENCE)
            nursery.start_soon(trio.sleep_forever)
            call_every(0.01, stop_in_turn)

        def stop_in_turn() -> None:
            if len(ended) == number and number not in stopped:
                stopped.append(number)
                perfectws.stop()

        perfectws.run(setup)
        ended.append(number)

    threads = [threading.Thread(target=script, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert stopped == ended == [0, 1]


SCRIPT = """
import socket, sys
import perfectws
from perfectws import WebSocket, call_every, run_in_thread

url = f"ws://127.0.0.1:{sys.argv[1]}"
silent = socket.create_server(("127.0.0.1", 0))

def setup(nursery):
    def upgraded(ws):
        ws.receive().when_success(print)
        print("open", flush=True)

    WebSocket.connect(url + "/silent", on_upgrade=upgraded)
    WebSocket.connect("ws://127.0.0.1:%d/" % silent.getsockname()[1], on_upgrade=print)
    WebSocket.connect("ws://127.0.0.1:1/", on_upgrade=print, reconnect=perfectws.Backoff(1000, 1, 1000))
    kept.append(WebSocket.connect("ws://127.0.0.1:%d/" % silent.getsockname()[1]))
    run_in_thread(lambda: __import__("time").sleep(0.5))
    call_every(1, lambda: None)

kept = []
try:
    perfectws.run(setup)
except KeyboardInterrupt:
    print("interrupted", flush=True)
kept.clear()
"""


def test_ctrl_c_leaves_no_line_about_a_future_that_nobody_asked_for(server_port: int) -> None:
    command = [sys.executable, "-c", SCRIPT, str(server_port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(0.1)  # the others are under way: nothing tells when
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert out == "interrupted\n"
    # The one line that there is was logged before: nothing listens on port 1.
    assert "future" not in err
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if "connecting again in" not in line] == []
