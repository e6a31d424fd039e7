"""What cannot be launched with workers is told at once, and says what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

assert sys.platform != "win32"  # where these are not collected

import pytest

from perfectws import HTTPServer, LaunchFailure, Routes
from perfectws.server.workers import plan
from perfectws.server.workers.plan import make_plan, processors

from .programs import ROOT, Client, Start

#: Tries to launch in several ways, and prints what each raises.
ATTEMPTS = """
import json, os, socket, threading
from perfectws import *
from perfectws.server.workers import crew

routes = Routes()
said = {}

def attempt(name, **keywords):
    try:
        HTTPServer.launch(**{"address": "127.0.0.1", "port": 0, "routes": routes, "workers": 2, **keywords})
    except LaunchFailure as error:
        said[name] = str(error)

with socket.create_server(("127.0.0.1", 0)) as taken:
    attempt("port in use", port=taken.getsockname()[1])
attempt("wait", wait=False)
release = threading.Event()
beside = threading.Thread(target=release.wait, name="a thread of mine")
beside.start()
attempt("threads")
release.set()
beside.join()
elsewhere = threading.Thread(target=attempt, args=("elsewhere",))
elsewhere.start()
elsewhere.join()

room = Room("lobby")
attempt("room")
del room

os.register_at_fork(after_in_child=lambda: how())
how = lambda: os._exit(7)
attempt("dies")
crew.START_SECONDS = 0.2
how = lambda: threading.Event().wait()
attempt("hangs")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What each attempt raises."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", ATTEMPTS], cwd=ROOT, stdout=subprocess.PIPE, timeout=60, check=True
    )
    found: dict[str, str] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        ("port in use", "cannot listen on 127.0.0.1"),
        ("wait", "wait=True"),
        ("threads", "a thread of mine. A fork has none of them"),
        ("elsewhere", "needs the main thread"),
        ("room", "the room 'lobby' would be another one in each worker: give a broker"),
        ("dies", "has ended with exit code 7 before it served"),
        ("hangs", "has not begun to serve within 0.2 s"),
    ],
)
def test_a_launch_that_cannot_be_is_a_failure_that_says_why(said: dict[str, str], attempt: str, says: str) -> None:
    assert says in said[attempt]


def test_where_there_is_no_fork_workers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "os", ModuleType("os"))
    with pytest.raises(LaunchFailure, match="cannot fork"):
        HTTPServer.launch(address="127.0.0.1", port=0, routes=Routes(), workers="auto")


def test_wait_false_contradicts_workers() -> None:
    with pytest.raises(TypeError, match="wait=True"):
        HTTPServer.launch(address="127.0.0.1", port=0, routes=Routes(), workers=2, wait=False)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8), (None, 8), ("?", 8)],
)
def test_auto_is_one_for_each_processor_that_may_be_used(
    limit: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux":
        pytest.skip("there are no containers")
    monkeypatch.setattr(plan, "_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    if limit is not None:
        (tmp_path / "cpu.max").write_text(limit + "\n")
    assert processors() == expected


def test_one_worker_is_this_process_unless_its_code_is_to_be_loaded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_plan(1) is None
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread()])
    monkeypatch.setattr(plan, "lone_rooms", list)  # those of other tests
    reloading = make_plan(1, reload_on=signal.SIGUSR2)
    assert reloading is not None
    assert (reloading.workers, reloading.reload_on) == (1, signal.SIGUSR2)
    several = make_plan("auto")
    assert several is not None
    assert several.reload_on == signal.SIGHUP


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"workers": 0}, "'workers': expected a number from 1 to 512, not 0"),
        ({"workers": "many"}, "'workers'"),
        ({"drain": -1}, "'drain': expected a number of seconds, not -1"),
        ({"worker": 2}, "did you mean 'workers'"),
    ],
)
def test_a_wrong_number_in_a_dictionary_is_told_by_its_key(data: dict[str, Any], says: str) -> None:
    server = {"name": "a", "address": "127.0.0.1", "port": 0}
    with pytest.raises(LaunchFailure, match=says):
        HTTPServer.launch(configuration_data={"servers": [server], **data})


def test_a_dictionary_says_how_many_workers_there_are(run: Start) -> None:
    program = run("""
server = {"name": "a", "address": "127.0.0.1", "port": 0, "routes": routes, "closeTimeout": 0.2}
HTTPServer.launch(configuration_data={"servers": [server], "workers": 3, "drain": 1})
""")
    program.port()
    assert len(program.workers()) == 3
    assert program.stop() == 0


def test_a_worker_makes_no_room_that_it_would_have_for_itself_under_a_name_of_all(run: Start) -> None:
    program = run("""
@routes.add("GET", "/room")
def room(request, response):
    try:
        Room("lobby")
    except LocalProtocolError as error:
        response.set_body(f"{len(Room())} {error}").completed()

HTTPServer.launch(address="127.0.0.1", port=0, routes=routes, workers=2, close_timeout=0.2)
""")
    with Client(("127.0.0.1", program.port())) as client:
        assert client.ask("/room").startswith("0 the room 'lobby' would be another one in each worker")
    assert program.stop() == 0


def test_threads_that_trio_keeps_for_later_are_in_nobodys_way(run: Start) -> None:
    program = run("""
import trio

@routes.add("GET", "/thread")
async def thread(request, response):
    response.set_body(await trio.to_thread.run_sync(lambda: "in a thread")).completed()

trio.run(trio.to_thread.run_sync, time.time)
HTTPServer.launch(address="127.0.0.1", port=0, routes=routes, workers=2, close_timeout=0.2)
""")
    with Client(("127.0.0.1", program.port())) as client:
        assert client.ask("/thread") == "in a thread"
    assert program.stop() == 0
