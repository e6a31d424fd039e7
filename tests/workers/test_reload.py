"""The program is run again with the code that it has then; nobody is refused meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from threading import Event, Thread

assert sys.platform != "win32"  # where these are not collected


import pytest
import trio

from perfectws import WebSocket
from perfectws.cli.main import main
from perfectws.server.workers.started import VARIABLE
from perfectws.server.workers.succession import Heritage

from .programs import HEAD, Client, Start, is_running, until

PROGRAM = """
VERSION = "one"

@routes.add("GET", "/version")
def version(request, response):
    response.set_body(VERSION).completed()

@routes.add("GET", "/slow")
def slow(request, response):
    call_later(0.5, lambda: response.set_body(VERSION).completed())

HTTPServer.launch(address="127.0.0.1", port=0, routes=routes, workers=2, drain=0.3, close_timeout=5)
"""


class Asking:
    """Connects and asks, again and again, in a thread; what goes wrong is kept."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.answers: list[str] = []
        self.error: BaseException | None = None
        self._address = address
        self._end = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                with Client(self._address) as client:
                    self.answers.append(client.ask("/version"))
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        self._end.set()
        self._thread.join()


def ask(address: tuple[str, int], path: str = "/version") -> str:
    with Client(address) as client:
        return client.ask(path)


def test_the_new_code_takes_over_and_nobody_is_refused(run: Start, tmp_path: Path) -> None:
    program = run(PROGRAM)
    address = ("127.0.0.1", program.port())
    old = program.workers()
    asking = Asking(address)
    try:
        with Client(address) as under_way, Client(address) as idle:
            assert idle.ask("/version") == "one"
            under_way.send("/slow")
            until(lambda: len(asking.answers) > 3)
            (tmp_path / "program.py").write_text(HEAD + PROGRAM.replace("one", "two"))
            program.signal(signal.SIGHUP)
            program.line("serves: those before it go")
            assert under_way.answer() == "one"
            assert idle.ask("/version") == "one"  # the last of its connection
            assert idle.answer() == ""
            until(lambda: not any(is_running(worker) for worker in old))
        until(lambda: asking.answers[-1] == "two")
    finally:
        asking.end()
    assert asking.error is None
    assert set(asking.answers) == {"one", "two"}
    assert program.stop() == 0


def test_a_socket_that_systemd_has_opened_is_served_by_workers_and_by_those_after_a_reload(
    run: Start, tmp_path: Path
) -> None:
    code = PROGRAM.replace('address="127.0.0.1", port=0', 'address="systemd:"')
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        program = run(code, activated_by=listening)
        program.line("Starting HTTP")
        assert ask(address) == "one"
        (tmp_path / "program.py").write_text(HEAD + code.replace("one", "two"))
        program.signal(signal.SIGHUP)
        program.line("serves: those before it go")
        until(lambda: ask(address) == "two")
        assert program.stop() == 0


async def test_websockets_are_closed_with_1012(run: Start) -> None:
    program = await trio.to_thread.run_sync(run, PROGRAM)
    port = await trio.to_thread.run_sync(program.port)
    async with trio.open_nursery() as nursery:
        sockets = [await WebSocket.connect(to=f"ws://127.0.0.1:{port}/ws", on=nursery) for _ in range(10)]
        for each in sockets:
            await each.receive()  # its worker's number
        program.signal(signal.SIGHUP)
        for each in sockets:
            await each.on_close
            assert each.close_code == 1012
    assert await trio.to_thread.run_sync(program.stop) == 0


def test_code_that_does_not_serve_changes_nothing_and_code_that_does_is_loaded_behind_it(
    run: Start, tmp_path: Path
) -> None:
    program = run(PROGRAM)
    address = ("127.0.0.1", program.port())
    workers = program.workers()
    (tmp_path / "program.py").write_text("raise SystemExit('broken')")
    program.signal(signal.SIGHUP)
    program.line("exit code 1 before it served")
    assert program.workers() == workers
    assert ask(address) == "one"
    (tmp_path / "program.py").write_text(HEAD + PROGRAM.replace("one", "two").replace("workers=2", "workers=3"))
    program.signal(signal.SIGHUP)
    program.line("Reloading")
    program.signal(signal.SIGHUP)  # while the first is under way: once more, behind it
    program.line("serves: those before it go")
    program.line("serves: those before it go")
    until(lambda: len(program.workers()) == 1)
    until(lambda: ask(address) == "two")
    (successor,) = program.workers()
    os.kill(successor, signal.SIGKILL)
    program.line(f"process {successor}", "SIGKILL", "started again")
    program.line("serves: those before it go")
    until(lambda: ask(address) == "two")
    assert program.stop() == 0


def test_code_without_workers_takes_over_too_and_makes_way_for_some(run: Start, tmp_path: Path) -> None:
    program = run(PROGRAM)
    address = ("127.0.0.1", program.port())
    alone = HEAD + PROGRAM.replace("one", "alone").replace("workers=2, drain=0.3, ", "")
    (tmp_path / "program.py").write_text(alone + "os.abort()  # the program goes on where it was begun, and only there")
    program.signal(signal.SIGHUP)
    program.line("serves: those before it go")
    until(lambda: ask(address) == "alone")
    until(lambda: len(program.workers()) == 1)
    assert int(ask(address, "/pid")) == program.workers()[0]  # it serves itself
    (tmp_path / "program.py").write_text(HEAD + PROGRAM.replace("one", "two").replace("workers=2, drain=0.3, ", ""))
    program.signal(signal.SIGHUP)
    program.line("serves: those before it go")
    until(lambda: len(program.workers()) == 1)
    assert ask(address) == "two"
    assert program.stop() == 0


def test_servers_that_the_application_stops_without_workers_end_who_has_started_it(run: Start, tmp_path: Path) -> None:
    program = run(PROGRAM)
    address = ("127.0.0.1", program.port())
    code = PROGRAM.replace("one", "alone").replace("workers=2, drain=0.3, ", "")
    stopping = code.replace("HTTPServer.launch(", "server = HTTPServer.server(").replace("close_timeout", "max_headers")
    stopping += """
@routes.add("GET", "/stop")
def stop(request, response):
    server.stop()
    response.completed()

HTTPServer.launch(server)
"""
    (tmp_path / "program.py").write_text(HEAD + stopping)
    program.signal(signal.SIGHUP)
    program.line("serves: those before it go")
    until(lambda: len(program.workers()) == 1)
    with Client(address) as client:
        client.send("/stop")
        program.line("the application has stopped every server")
    assert program.end() == 0


async def test_a_terminals_sigint_reaches_the_new_code_too_which_ends_in_order(run: Start, tmp_path: Path) -> None:
    program = await trio.to_thread.run_sync(run, PROGRAM)
    port = await trio.to_thread.run_sync(program.port)
    program.signal(signal.SIGHUP)
    await trio.to_thread.run_sync(program.line, "serves: those before it go")
    await trio.to_thread.run_sync(until, lambda: len(program.workers()) == 1)
    async with trio.open_nursery() as nursery:
        socket = await WebSocket.connect(to=f"ws://127.0.0.1:{port}/ws", on=nursery)
        await socket.receive()
        os.kill(program.workers()[0], signal.SIGINT)
        program.signal(signal.SIGINT)
        await socket.on_close
        assert socket.close_code == 1001
    assert await trio.to_thread.run_sync(program.end) == 0


def test_the_command_line_has_it_too(run: Start, tmp_path: Path) -> None:
    module = tmp_path / "site.py"
    module.write_text(HEAD + "routes.add('GET', '/v', lambda request, response: response.set_body('1').completed())")
    command = ["-m", "perfectws", "serve", str(module), "--address", "127.0.0.1", "--port", "0"]
    start = run.command  # type: ignore[attr-defined]
    program = start(*command, "--workers", "1", "--drain", "0.1", "--reload-on", "usr2")
    address = ("127.0.0.1", program.port())
    module.write_text(module.read_text().replace("'1'", "'two'"))  # of another size, for Python goes by that
    program.signal(signal.SIGUSR2)
    program.line("serves: those before it go")
    until(lambda: ask(address, "/v") == "two")
    assert program.stop() == 0


def test_only_a_child_of_who_reloads_is_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not Heritage.is_left()
    monkeypatch.setenv(VARIABLE, json.dumps({"predecessor": os.getppid()}))
    assert Heritage.is_left()
    monkeypatch.setenv(VARIABLE, json.dumps({"predecessor": os.getpid()}))
    assert not Heritage.is_left()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--workers", "0", "it is a number from 1 to 512, not 0"),
        ("--workers", "many", "many"),
        ("--drain", "nan", "it is a number of seconds, not nan"),
        ("--reload-on", "TERM", "it is one of HUP, USR1, USR2, not 'TERM'"),
    ],
)
def test_what_cannot_be_on_the_command_line_is_said(
    option: str, value: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "module", option, value])
    assert says in capsys.readouterr().err
