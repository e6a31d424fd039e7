"""What systemd is told by ``NOTIFY_SOCKET``: of one process, and of a supervisor of workers."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from perfectws.net import notify
from perfectws.net.notify import Notifier

from ..platforms import python

if sys.platform == "win32":
    pytest.skip("Windows has no systemd", allow_module_level=True)

PATIENCE = 30.0
ROOT = Path(__file__).parents[2]
PROGRAM = """
import os
import sys
from perfectws import HTTPServer, Routes

def variables(request, response):
    found = [name for name in os.environ if name.startswith(("NOTIFY", "WATCHDOG"))]
    response.set_body(" ".join(found)).completed()

routes = Routes()
routes.add("GET", "/", variables)
HTTPServer.launch(
    name="x", address=sys.argv[1], routes=routes, workers=int(sys.argv[2]), drain=0.1, close_timeout=0.1
)
"""


class Manager:
    """What listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def receive(self) -> list[str]:
        """Return the lines that are told next."""
        return self._socket.recv(4096).decode().split("\n")

    def until(self, state: str) -> tuple[list[str], int]:
        """Return the lines that tell of a state, and how many signs of life came before."""
        alive = 0
        while (lines := self.receive())[0] != state:
            assert lines == ["WATCHDOG=1"], lines
            alive += 1
        return lines, alive


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has abstract sockets")
    with Manager(str(tmp_path / "n") if request.param == "path" else f"@perfectws-{os.getpid()}") as manager:
        yield manager


class TestNotifier:
    def test_it_tells_what_systemd_understands(self, manager: Manager) -> None:
        told = Notifier(manager.address)
        told.tell_ready("Serving\non x")
        assert manager.receive() == ["READY=1", "STATUS=Serving on x"]
        told.tell_reloading("Reading")
        state, since, status = manager.receive()
        assert (state, status) == ("RELOADING=1", "STATUS=Reading")
        assert re.fullmatch(r"MONOTONIC_USEC=\d+", since)
        told.tell_reloaded()
        assert manager.receive() == ["READY=1", "STATUS=Serving on x"]
        told.tell_stopping("Stopping")
        assert manager.receive() == ["STOPPING=1", "STATUS=Stopping"]

    async def test_it_tells_that_it_lives_twice_in_the_time(self, manager: Manager, autojump_clock: MockClock) -> None:
        with trio.move_on_after(11):
            await Notifier(manager.address, 10).keep_alive()
        for _ in range(3):
            assert manager.receive() == ["WATCHDOG=1"]
        await Notifier(manager.address).keep_alive()  # nobody wants to hear it

    def test_where_nobody_listens_that_is_logged_once(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        told = Notifier(str(tmp_path / "nobody"))
        for _ in range(3):
            told.tell_ready("")
        assert len(caplog.records) == 1
        caplog.clear()
        Notifier(None, 10).tell_ready("")
        assert Notifier(None, 10).interval is None
        assert not caplog.records

    @pytest.mark.parametrize(
        ("variables", "interval"),
        [
            ({"WATCHDOG_USEC": "3000000"}, 1.5),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({}, None),
        ],
    )
    def test_the_variables_are_taken_away(
        self, variables: dict[str, str], interval: float | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in {"NOTIFY_SOCKET": "/nowhere", **variables}.items():
            monkeypatch.setenv(name, value)
        assert notify.notifier.__wrapped__().interval == interval
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_is_ready_reloads_lives_and_stops(workers: int, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Manager(str(tmp_path / "n")) as manager:
        program = tmp_path / "served.py"
        program.write_text(PROGRAM)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NOTIFY_SOCKET": manager.address,
            "WATCHDOG_USEC": "200000",
        }
        command = [*python(), str(program), f"unix:{path}", str(workers)]
        with subprocess.Popen(command, env=environment) as process:
            try:
                (_, status), _ = manager.until("READY=1")
                assert status == f"STATUS=Serving on unix:{path}"
                assert ask(path).endswith(b"\r\n\r\n")  # no variable is left
                for _ in range(2):
                    assert manager.receive() == ["WATCHDOG=1"]
                process.send_signal(signal.SIGHUP)
                (_, since, _), _ = manager.until("RELOADING=1")
                assert since.startswith("MONOTONIC_USEC=")
                manager.until("READY=1")
                process.send_signal(signal.SIGTERM)
                (_, status), _ = manager.until("STOPPING=1")
                assert status == "STATUS=Stopping at SIGTERM"
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()


def ask(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := client.recv(4096):
            answer += data
    return answer
