"""``serve --reload``: the code is loaded anew when a file changes, and a mistake in it ends nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

assert sys.platform != "win32"  # where these are not collected

import pytest
import trio

from perfectws import WebSocket
from perfectws.cli.reloading import Reloader, _named
from perfectws.server.workers.succession import Listener
from tests.workers.programs import Client, Start, children_of, is_running, run, until

__all__ = ["run"]  # a fixture

CODE = """
from perfectws import *
VERSION = "one"
routes = Routes()
lobby = Room("lobby")  # which workers could not share

@routes.get("/version")
def version(request, response):
    response.set_body(VERSION).completed()

@routes.web_socket("/ws")
def greet(request, socket):
    socket.send(VERSION)
"""


class Serving:
    """A process that serves, or is to: what it does is said by the test."""

    def __init__(self, number: int) -> None:
        self.title = f"the new code (process {number})"
        self.number = number
        self.serves = self.is_stopped = False
        self.ended: str | None = None
        self.told: list[str] = []

    @property
    def is_over(self) -> bool:
        return self.ended is not None

    def look(self) -> None:
        self.told.append("look")

    def take_listeners(self, ours: list[Listener]) -> list[Listener]:
        return [*ours, Listener("x", self.number, [])]

    def retire(self) -> None:
        self.told.append("retire")

    def stop(self) -> None:
        self.told.append("stop")
        self.ended = "has ended with exit code 0"

    def kill(self) -> None:
        self.told.append("kill")
        self.ended = self.ended or "was killed"

    def close(self) -> None:
        self.told.append("close")


class Stage:
    """A `Reloader` with processes of this kind, whose changes and signals come step by step."""

    def __init__(self) -> None:
        self.begun: list[Serving] = []
        self.given: list[list[int]] = []
        self.signals: list[int] = []
        self.reloader = Reloader(self._begin, self._take)  # type: ignore[arg-type]  # as far as it is used

    def _begin(self, listeners: Sequence[Listener]) -> Serving:
        self.given.append([each.port for each in listeners])
        self.begun.append(Serving(len(self.begun)))
        return self.begun[-1]

    def _take(self) -> list[int]:
        taken, self.signals = self.signals, []
        return taken

    def run(self, script: Iterator[Sequence[str]]) -> None:
        self.reloader.run(chain([[]], script))


@pytest.fixture
def stage() -> Stage:
    return Stage()


class TestTheOrder:
    def test_who_served_before_makes_way_once_the_new_code_serves(self, stage: Stage) -> None:
        def script() -> Iterator[Sequence[str]]:
            yield []
            first = stage.begun[0]
            first.serves = True
            yield []
            yield ["shop.py"]
            assert "retire" not in first.told
            stage.begun[1].serves = True
            yield []
            assert first.told[-1] == "retire"
            yield []
            first.ended = "has ended with exit code 0"
            yield []
            assert first.told[-1] == "close"
            stage.signals = [signal.SIGTERM]
            yield []
            pytest.fail("it is over")

        stage.run(script())
        assert [each.told[-1] for each in stage.begun] == ["close", "close"]
        assert "stop" in stage.begun[1].told
        assert stage.given == [[], [0]]

    def test_a_mistake_leaves_who_serves_as_it_is(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")

        def script() -> Iterator[Sequence[str]]:
            stage.begun[0].serves = True
            yield []
            yield ["shop.py"]
            stage.begun[1].ended = "has ended with exit code 1"
            yield []
            assert stage.begun[0].told[-1] == "look"
            yield ["shop.py"]
            assert len(stage.begun) == 3
            stage.signals = [signal.SIGINT]
            yield []

        stage.run(script())
        assert (
            "the new code (process 1) has ended with exit code 1 before it served: what served before goes on; waiting "
            "for the next change"
        ) in caplog.messages

    def test_a_mistake_at_the_start_waits_for_a_change_and_so_does_an_end_later(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        def script() -> Iterator[Sequence[str]]:
            stage.begun[0].ended = "has ended with exit code 1"
            yield []
            yield []
            assert len(stage.begun) == 1
            yield ["shop.py"]
            stage.begun[1].serves = True
            yield []
            stage.begun[1].ended = "was ended by SIGKILL"
            yield []
            yield []
            yield ["shop.py"]
            assert stage.given[-1] == [1]  # who comes meanwhile waits there
            stage.signals = [signal.SIGTERM]
            yield []

        stage.run(script())
        assert caplog.messages == [
            "the new code (process 0) has ended with exit code 1 before it served; waiting for the next change",
            "the new code (process 1) was ended by SIGKILL; waiting for the next change",
        ]

    def test_a_change_while_it_starts_begins_again(self, stage: Stage) -> None:
        def script() -> Iterator[Sequence[str]]:
            yield ["shop.py"]
            assert stage.begun[0].told[-2:] == ["kill", "close"]
            stage.begun[1].serves = True
            yield ["other.py"]  # it was told to serve before: it is no longer one that starts
            assert "kill" not in stage.begun[1].told
            stage.signals = [signal.SIGTERM]
            yield []

        stage.run(script())
        assert len(stage.begun) == 3

    def test_nothing_begins_before_it_is_watched_nor_where_it_is_to_stop(self, stage: Stage) -> None:
        stage.reloader.run([])
        assert stage.begun == []
        stage.signals = [signal.SIGTERM]
        stage.reloader.run([[]])
        assert stage.begun == []

    def test_an_application_that_stops_its_servers_ends_it(self, stage: Stage) -> None:
        def script() -> Iterator[Sequence[str]]:
            stage.begun[0].serves = True
            yield []
            stage.begun[0].is_stopped = True
            yield []
            pytest.fail("it is over")

        stage.run(script())

    def test_the_second_sigint_kills_all(self, stage: Stage) -> None:
        def script() -> Iterator[Sequence[str]]:
            stage.begun[0].serves = True
            yield []
            yield ["shop.py"]
            stage.begun[0].stop = stage.begun[1].stop = lambda: None  # type: ignore[method-assign]  # it takes long
            stage.signals = [signal.SIGINT]
            yield []
            stage.signals = [signal.SIGINT]
            yield ["shop.py"]

        with pytest.raises(KeyboardInterrupt):
            stage.run(script())
        assert [each.told[-2:] for each in stage.begun] == [["kill", "close"]] * 2


def test_the_first_changed_files_are_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _named([str(tmp_path / "a" / "b.py"), "/nowhere/c.py"]) == "a/b.py, /nowhere/c.py"
    assert _named([str(tmp_path / each) for each in "abcde"]) == "a, b, c and 2 more"


def ask(address: tuple[str, int]) -> str:
    with Client(address) as client:
        return client.ask("/version")


@pytest.mark.slow
async def test_a_served_module_is_reloaded_and_browsers_are_told_by_1012(run: Start, tmp_path: Path) -> None:
    module, page = tmp_path / "shop.py", tmp_path / "page.html"
    module.write_text(CODE)
    arguments = ["--address", "127.0.0.1", "--port", "0", "--reload", "--access-log"]
    start = run.command  # type: ignore[attr-defined]
    program = start("-m", "perfectws", "serve", str(module), *arguments, "--reload-dir", str(tmp_path))
    address = ("127.0.0.1", await trio.to_thread.run_sync(program.port))
    async with trio.open_nursery() as nursery:
        socket = await WebSocket.connect(to=f"ws://127.0.0.1:{address[1]}/ws", on=nursery)
        assert await socket.receive() == "one"
        module.write_text(CODE.replace("one", "two"))
        await socket.on_close
        assert socket.close_code == 1012
        assert await trio.to_thread.run_sync(ask, address) == "two"
        socket = await WebSocket.connect(to=f"ws://127.0.0.1:{address[1]}/ws", on=nursery)
        assert await socket.receive() == "two"
        module.write_text("def (")
        line = await trio.to_thread.run_sync(program.line, "SyntaxError: invalid syntax (as ")
        assert line.startswith(f"{module}:1: ")
        await trio.to_thread.run_sync(program.line, "what served before goes on; waiting for the next change")
        assert await trio.to_thread.run_sync(ask, address) == "two"
        assert socket.is_connected
        module.write_text(CODE.replace("one", "three"))
        await socket.on_close
        assert await trio.to_thread.run_sync(ask, address) == "three"
        socket = await WebSocket.connect(to=f"ws://127.0.0.1:{address[1]}/ws", on=nursery)
        assert await socket.receive() == "three"
        page.write_text("<p>new</p>")
        await socket.on_close
        assert socket.close_code == 1012
        # A terminal's Ctrl-C comes to all of its processes; who serves goes on until it is told, and ends in order.
        socket = await WebSocket.connect(to=f"ws://127.0.0.1:{address[1]}/ws", on=nursery)
        assert await socket.receive() == "three"
        until(lambda: len(children_of(program.process.pid)) == 1)
        (serving,) = children_of(program.process.pid)
        os.kill(serving, signal.SIGINT)
        program.signal(signal.SIGINT)
        await socket.on_close
        assert socket.close_code == 1001
    assert await trio.to_thread.run_sync(program.end) == 0
    assert not is_running(serving)


@pytest.mark.slow
def test_a_mistake_at_the_start_waits_for_a_change_and_workers_are_reloaded_too(run: Start, tmp_path: Path) -> None:
    module = tmp_path / "shop.py"
    module.write_text(CODE + "1/0")
    arguments = ["--address", "127.0.0.1", "--port", "0", "--reload", "--workers", "2"]
    start = run.command  # type: ignore[attr-defined]
    program = start("-m", "perfectws", "serve", str(module), *arguments, "--reload-dir", str(tmp_path))
    program.line(f"{module}:", "ZeroDivisionError: division by zero (as ")
    program.line("exit code 1 before it served; waiting for the next change")
    module.write_text(CODE.replace('lobby = Room("lobby")', ""))
    address = ("127.0.0.1", program.port())
    assert ask(address) == "one"
    (supervisor,) = children_of(program.process.pid)
    assert len(children_of(supervisor)) == 2
    if sys.platform == "linux":  # elsewhere nobody tells of that
        program.signal(signal.SIGKILL)
        until(lambda: not is_running(supervisor))
        program.end()
    else:
        assert program.stop() == 0
