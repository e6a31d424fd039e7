"""SIGINT and SIGTERM: the first stops in order, the second interrupts what runs, wherever that is."""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

import perfectws
from perfectws import HTTPRequest, HTTPResponse, HTTPServer, Routes, call_later
from perfectws.errors import lone_error
from perfectws.net import signals as signals_module
from perfectws.net.loop import open_loop
from perfectws.net.signals import MainThread, StopSignals, run_until_signal

from ..conftest import PATIENCE
from ..examples.running import ROOT

if sys.platform == "win32":
    pytest.skip("Windows cannot send a signal to a thread, nor to a process but Ctrl-C", allow_module_level=True)
assert sys.platform != "win32"  # which type checkers understand

SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM

#: A function that belongs to perfectws, as far as a signal can tell: it calls what it is given, and then goes on.
OURS: dict[str, Any] = {"__name__": "perfectws.made_up", "went_on": []}
exec("def call(function):\n    function()\n    went_on.append(function)\n", OURS)


@pytest.fixture(autouse=True)
def handlers_are_given_back() -> Iterator[None]:
    OURS["went_on"].clear()
    before = [signal.getsignal(number) for number in (SIGINT, SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (SIGINT, SIGTERM)] == before
    assert sys.gettrace() is None or "coverage" in repr(sys.gettrace())


def interrupt() -> None:
    signal.raise_signal(SIGINT)


def run_callback(callback: Callable[[], object]) -> None:
    """Run a callback in a script, and expect that a KeyboardInterrupt comes out, alone."""
    with pytest.raises(KeyboardInterrupt) as raised:
        perfectws.run(lambda nursery: call_later(0, callback) and None)
    assert type(raised.value) is KeyboardInterrupt


# In the user's own code


def test_the_first_lets_a_callback_finish_and_the_second_interrupts_it() -> None:
    reached: list[int] = []

    def callback() -> None:
        interrupt()
        reached.append(1)
        interrupt()
        reached.append(2)

    run_callback(callback)
    assert reached == [1]


def test_an_async_callback_and_a_task_are_interrupted_likewise() -> None:
    reached: list[int] = []

    async def work() -> None:
        interrupt()
        reached.append(1)
        interrupt()
        reached.append(2)

    run_callback(work)
    with pytest.raises(KeyboardInterrupt):
        perfectws.run(lambda nursery: nursery.start_soon(work))
    assert reached == [1, 1]


def test_the_setup_of_a_script_is_interrupted_likewise() -> None:
    reached: list[int] = []

    def setup(nursery: trio.Nursery) -> None:
        interrupt()
        reached.append(1)
        interrupt()
        reached.append(2)

    with pytest.raises(KeyboardInterrupt):
        perfectws.run(setup)
    assert reached == [1]


def test_the_standard_library_is_interrupted_where_the_user_has_called_it() -> None:
    reached: list[int] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            interrupt()
            reached.append(1)
            interrupt()
            reached.append(2)

    logger = logging.Logger("mine")
    logger.addHandler(Handler())
    run_callback(lambda: logger.error("now"))
    assert reached == [1]


# In ours


def test_ours_goes_on_to_its_end_and_its_caller_is_interrupted() -> None:
    reached: list[int] = []

    def callback() -> None:
        interrupt()
        OURS["call"](interrupt)
        reached.append(1)

    run_callback(callback)
    assert (len(OURS["went_on"]), reached) == (1, [])


def test_ours_goes_on_also_if_its_call_is_the_last_thing_that_its_caller_does() -> None:
    def callback() -> None:
        interrupt()
        return OURS["call"](interrupt)  # type: ignore[no-any-return]

    run_callback(callback)
    assert len(OURS["went_on"]) == 1


def test_what_the_library_calls_for_ours_is_ours() -> None:
    """A handler of the log that the user has added is not interrupted while it logs for us."""
    reached: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            interrupt()
            interrupt()
            reached.append("emitted")

    logger = logging.Logger("ours")
    logger.addHandler(Handler())

    def callback() -> None:
        OURS["call"](partial(logger.error, "now"))
        reached.append("returned")

    run_callback(callback)
    assert reached == ["emitted"]
    assert len(OURS["went_on"]) == 1


def test_a_second_one_that_meets_no_code_of_the_users_skips_the_waiting() -> None:
    waited: list[str] = []

    async def setup(nursery: trio.Nursery) -> None:
        # Called by trio itself: no frame of the user's is there.
        trio.lowlevel.current_trio_token().run_sync_soon(signal.raise_signal, SIGINT)
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(2 * PATIENCE, shield=True) as scope:
                threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), SIGINT)).start()
                while not signals_of_this_run().was_aborted:
                    await trio.sleep(0.01)
            waited.append("not for ever" if not scope.cancelled_caught else "for ever")

    with pytest.raises(KeyboardInterrupt):
        perfectws.run(setup)
    assert waited == ["not for ever"]


def signals_of_this_run() -> StopSignals:
    signals: StopSignals = signal.getsignal(SIGINT).__self__  # type: ignore[union-attr]
    return signals


def test_a_callback_without_a_frame_of_its_own_is_known_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals_module, "_HELD_UP", 0)
    slept: list[None] = []

    def raise_twice() -> None:
        for _ in range(2):
            while signal.SIGINT in signal.sigpending():
                time.sleep(0.01)
            time.sleep(0.2)
            signal.pthread_kill(main, SIGINT)

    main = threading.get_ident()
    thread = threading.Thread(target=raise_twice)

    def setup(nursery: trio.Nursery) -> None:
        call_later(0.05, partial(time.sleep, 2 * PATIENCE))
        call_later(0.05, lambda: slept.append(None))
        thread.start()

    with pytest.raises(KeyboardInterrupt):
        perfectws.run(setup)
    thread.join()


def test_whoever_stays_in_one_place_because_nothing_happens_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals_module, "_HELD_UP", 0)

    async def main() -> None:
        thread, here = MainThread(), sys._getframe()
        for gets_on in (True, True, False, False):
            told.append(thread.is_held_up(here))
            if gets_on:
                await trio.sleep(0)
                await trio.sleep(0)

    told: list[bool] = []
    trio.run(main)
    assert told == [False, False, False, True]


# In a trio program of the application's own


def test_in_a_trio_program_the_second_interrupts_a_callback() -> None:
    reached: list[int] = []

    def callback() -> None:
        interrupt()
        reached.append(1)
        interrupt()
        reached.append(2)

    async def main() -> None:
        async with open_loop() as loop:
            loop.call(loop.owner, callback)
            await trio.sleep_forever()

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as raised:
        trio.run(main, strict_exception_groups=True)
    assert type(lone_error(raised.value)) is KeyboardInterrupt
    assert reached == [1]


def test_in_a_trio_program_the_first_is_trios() -> None:
    async def main() -> None:
        trios = signal.getsignal(SIGINT)
        async with open_loop() as loop, open_loop():
            loop.call(loop.owner, interrupt)  # in the pump: it goes to the main task
            try:
                await trio.sleep_forever()
            except KeyboardInterrupt:
                caught.append("here")
        assert signal.getsignal(SIGINT) is trios

    caught: list[str] = []
    trio.run(main)
    assert caught == ["here"]


def test_in_a_trio_program_ours_goes_on_though_a_task_of_the_users_has_called_it() -> None:
    reached: list[int] = []

    async def main() -> None:
        async with open_loop():
            OURS["call"](interrupt)
            reached.append(1)

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as raised:
        trio.run(main, strict_exception_groups=True)
    assert type(lone_error(raised.value)) is KeyboardInterrupt
    assert (len(OURS["went_on"]), reached) == (1, [])


# Handlers


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_a_handler_of_the_application_gets_the_second_signal(number: signal.Signals) -> None:
    got: list[int] = []
    former = signal.signal(number, lambda number, frame: got.append(number))
    try:

        async def main(signals: StopSignals) -> None:
            signal.raise_signal(number)
            assert await signals.wait() == number.name
            assert got == []
            signal.raise_signal(number)

        assert run_until_signal(main, takes_sigterm=True) is number
        assert got == [number]
    finally:
        signal.signal(number, former)


def test_a_script_leaves_a_handler_of_the_application_in_its_place() -> None:
    got: list[int] = []
    former = signal.signal(SIGINT, lambda number, frame: got.append(number))
    try:
        perfectws.run(lambda nursery: interrupt())
        assert got == [SIGINT]
    finally:
        signal.signal(SIGINT, former)


def test_there_are_no_signals_in_another_thread() -> None:
    ended: list[object] = []

    async def main(signals: StopSignals) -> None:
        ended.append(signal.getsignal(SIGTERM))

    before = signal.getsignal(SIGTERM)
    thread = threading.Thread(target=run_until_signal, args=(main,), kwargs={"takes_sigterm": True})
    thread.start()
    thread.join(PATIENCE)
    assert ended == [before]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_error_that_ends_the_process_leaves_launch_alone(error: type[BaseException]) -> None:
    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        raise error

    server = HTTPServer.server(name="test", address="127.0.0.1", port=0, routes=Routes())
    server._routes.add("GET", "/", handle)
    server.bind()
    asking = threading.Thread(target=ask, args=(server.server_port,))
    asking.start()
    with pytest.raises(error) as raised:
        server.start()
    asking.join(PATIENCE)
    assert type(raised.value) is error


def test_several_keyboard_interrupts_are_one_and_other_errors_are_not_lost() -> None:
    twice = BaseExceptionGroup("", [KeyboardInterrupt(), BaseExceptionGroup("", [KeyboardInterrupt()])])
    assert type(lone_error(twice)) is KeyboardInterrupt
    both = BaseExceptionGroup("", [KeyboardInterrupt(), KeyError()])
    assert lone_error(both) is both


# From outside

_BUSY = """
import sys, time, threading, urllib.request
from functools import partial
import perfectws, trio
from perfectws import *

def busy(*_):
    print("busy", flush=True)
    while True:
        {work}

async def busy_task(*_):
    busy()

def serve(handler, start):
    routes = Routes()
    routes.add("GET", "/", handler)
    server = HTTPServer.server(name="x", address="127.0.0.1", port=0, routes=routes)
    server.bind()
    url = f"http://127.0.0.1:{{server.server_port}}/"
    threading.Thread(target=lambda: urllib.request.urlopen(url), daemon=True).start()
    start(server)

def wait(server):
    [context] = HTTPServer.launch(server, wait=False)
    context.wait()

def in_event_loop():
    with EventLoop() as event_loop:
        call_later(0, busy, on=event_loop)
        event_loop.make_promise().future_result.wait()

async def in_trio():
    async with trio.open_nursery() as nursery:
        call_later(0, busy, on=nursery)

def run_trio():
    try:
        trio.run(in_trio)
    except BaseExceptionGroup as group:
        raise KeyboardInterrupt from None

{program}
"""

_PROGRAMS = {
    "run": "perfectws.run(lambda nursery: call_later(0, busy) and None)",
    "run, a task": "perfectws.run(lambda nursery: nursery.start_soon(busy_task))",
    "launch": "serve(busy, lambda server: HTTPServer.launch(server))",
    "launch, async": "serve(busy_task, lambda server: HTTPServer.launch(server))",
    "start": "serve(busy, HTTPServer.start)",
    "launch and wait": "serve(busy, wait)",
    "EventLoop": "in_event_loop()",
    "trio": "run_trio()",
}
_WORK = {
    "nothing": "pass",
    "sleep": "time.sleep(1000)",
    "ours": "perfectws.HTTPRequest(uri='/')",
}


def end_by_signals(code: str, *numbers: signal.Signals) -> tuple[int, str]:
    """Run a program, send it two signals once it is busy, and return its exit code and what it complained of."""
    command = [sys.executable, "-W", "error", "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "busy\n", process.communicate()[1]
            first, second = numbers
            process.send_signal(first)
            until_taken(process)
            process.send_signal(second)
            return process.wait(PATIENCE / 2), process.communicate()[1]
        finally:
            process.kill()


def until_taken(process: subprocess.Popen[str]) -> None:
    """Wait until a process has met the signal that it was sent: two that wait are one."""
    if sys.platform == "linux":
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None and re.search(r"^(Sig|Shd)Pnd:.*[1-9a-f]", status.read_text(), re.MULTILINE):
            time.sleep(0.01)
        time.sleep(0.2)  # until Python calls what handles it
    else:
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("work", _WORK)
@pytest.mark.parametrize("program", _PROGRAMS)
def test_the_second_sigint_ends_a_program_whatever_it_does(program: str, work: str) -> None:
    code = _BUSY.format(program=_PROGRAMS[program], work=_WORK[work])
    exit_code, complaints = end_by_signals(code, SIGINT, SIGINT)
    assert exit_code in (-SIGINT, 128 + SIGINT)
    assert "KeyboardInterrupt" in complaints
    assert "ExceptionGroup" not in complaints


@pytest.mark.slow
@pytest.mark.parametrize("program", ["launch", "start"])
def test_the_second_sigterm_ends_the_process(program: str) -> None:
    code = _BUSY.format(program=_PROGRAMS[program], work=_WORK["nothing"])
    assert end_by_signals(code, SIGTERM, SIGTERM) == (-SIGTERM, "")


@pytest.mark.slow
def test_the_second_sigint_ends_a_served_module(tmp_path: Any) -> None:
    module = tmp_path / "served.py"
    module.write_text(_BUSY.format(program='routes = Routes()\nroutes.add("GET", "/", busy)', work="pass"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = (
        "import threading\n"
        "from tests.net.test_signals import ask_until_answered\n"
        "from perfectws.cli.main import main\n"
        f"threading.Thread(target=ask_until_answered, args=({port},), daemon=True).start()\n"
        f"main(['serve', {str(module)!r}, '--address', '127.0.0.1', '--port', '{port}'])\n"
    )
    exit_code, complaints = end_by_signals(program, SIGINT, SIGINT)
    assert exit_code == -SIGINT
    assert "ExceptionGroup" not in complaints


def ask_until_answered(port: int) -> None:
    """Ask a server for its first page as soon as it is there."""
    while True:
        with suppress(OSError):
            ask(port)
            return
        time.sleep(0.05)


def ask(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1)
