"""Sockets that listen already: ``address="systemd:NAME"`` and ``address="fd:3"``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from perfectws import HTTPServer, LaunchFailure, Routes
from perfectws.net import activation
from tests.server.conftest import PATIENCE, Launch, Raw

if sys.platform == "win32":
    pytest.skip("on Windows no socket is passed", allow_module_level=True)
assert sys.platform != "win32"  # which type checkers understand

#: What systemd's first descriptor is taken to be here: the true one is in use.
FIRST = 700

#: Does what systemd does: the sockets begin at 3, the variables say so, and the process stays the same one.
LAUNCHER = """
import fcntl, os, sys
descriptors, names, *command = sys.argv[1:]
copies = [fcntl.fcntl(int(each), fcntl.F_DUPFD_CLOEXEC, 100) for each in descriptors.split(",")]
for number, copy in enumerate(copies):
    os.dup2(copy, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(copies)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""

SERVER = """
import json, os, subprocess, sys
from perfectws import HTTPServer, Routes

CHILD = "import json, os; print(json.dumps([name for name in os.environ if name.startswith('LISTEN_')]))"


def routes(name):
    routes = Routes()

    @routes.get("/")
    def answer(request, response):
        seen = json.loads(subprocess.run([sys.executable, "-c", CHILD], capture_output=True, check=True).stdout)
        response.set_body(json=[name, str(os.getpid()), seen]).completed()

    return routes


if __name__ == "__main__":
    HTTPServer.launch(
        *(HTTPServer.server(name=each, address=each, routes=routes(each)) for each in sys.argv[2:]),
        workers=int(sys.argv[1]),
    )
"""


def listening(family: int = socket.AF_INET, address: Any = ("127.0.0.1", 0)) -> socket.socket:
    """Return a socket that listens."""
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    return listener


def ask(address: Any, family: int = socket.AF_INET) -> Any:
    """Return the JSON that is answered at an address; whoever listens there may be about to begin."""
    with socket.socket(family) as client:
        client.settimeout(PATIENCE)
        client.connect(address)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return json.loads(b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")[2])


@contextmanager
def activated(
    folder: Path, listeners: list[socket.socket], names: list[str], *addresses: str, workers: int = 1
) -> Iterator[subprocess.Popen[str]]:
    """Run servers in a process that is passed sockets."""
    (folder / "served.py").write_text(SERVER)
    descriptors = [each.fileno() for each in listeners]
    command = [sys.executable, "-c", LAUNCHER, ",".join(map(str, descriptors)), ":".join(names)]
    command += [sys.executable, str(folder / "served.py"), str(workers), *addresses]
    with subprocess.Popen(command, pass_fds=descriptors, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            text = process.stderr.read()
            assert process.wait(PATIENCE) == 0, text


def test_a_server_serves_on_what_systemd_passes_by_its_name_and_children_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    with listening() as web, listening(socket.AF_UNIX, str(path)) as chat:
        with activated(tmp_path, [chat, web], ["chat.socket", "web"], "systemd:web", "systemd:chat") as process:
            assert ask(web.getsockname()) == ["systemd:web", str(process.pid), []]
            assert ask(str(path), socket.AF_UNIX) == ["systemd:chat", str(process.pid), []]
        assert path.exists()  # it is systemd's


def test_one_server_serves_on_all_that_systemd_passes(tmp_path: Path) -> None:
    with (
        listening() as one,
        listening() as other,
        activated(tmp_path, [one, other], ["a", "b"], "systemd:") as process,
    ):
        for each in (one, other):
            assert ask(each.getsockname()) == ["systemd:", str(process.pid), []]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are tested on Linux")
def test_workers_serve_on_what_the_first_process_was_passed(tmp_path: Path) -> None:
    with listening() as web, activated(tmp_path, [web], ["web"], "systemd:web", workers=2) as process:
        name, pid, seen = ask(web.getsockname())
        assert (name, seen) == ("systemd:web", [])
        assert pid != str(process.pid)


def test_it_is_what_systemd_socket_activate_starts(tmp_path: Path) -> None:
    if shutil.which("systemd-socket-activate") is None:
        pytest.skip("systemd-socket-activate is not installed")
    path = tmp_path / "socket"
    (tmp_path / "served.py").write_text(SERVER)
    command = ["systemd-socket-activate", f"--listen={path}", "--fdname=web", *inherited_environment()]
    command += [sys.executable, str(tmp_path / "served.py"), "1", "systemd:web"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Listening on" in process.stderr.readline()
        assert ask(str(path), socket.AF_UNIX) == ["systemd:web", str(process.pid), []]
        process.terminate()
        process.stderr.read()
        assert process.wait(PATIENCE) == 0


def inherited_environment() -> list[str]:
    return [f"--setenv={name}" for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_START") if name in os.environ]


def test_the_command_line_takes_them_too(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(SERVER + "\n\nroutes = routes('by the command line')\n")
    with listening() as web:
        command = [sys.executable, "-m", "perfectws", "serve", "served", "--address", f"fd:{web.fileno()}"]
        with subprocess.Popen(
            command, pass_fds=[web.fileno()], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as process:
            assert ask(web.getsockname())[0] == "by the command line"
            process.terminate()
            assert process.stderr is not None
            assert f"on http://127.0.0.1:{web.getsockname()[1]}/" in process.stderr.read()


# In this process


@pytest.fixture
def pass_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Pass sockets to this process, as systemd does before there is one."""
    monkeypatch.setattr(activation, "_FIRST", FIRST)
    monkeypatch.setattr(activation, "_passed", {})
    passed: list[int] = []

    def pass_them(*sockets: socket.socket | int, names: str | None = None, **variables: str) -> None:
        for number, each in enumerate(sockets):
            os.dup2(each if isinstance(each, int) else each.fileno(), FIRST + number)
            passed.append(FIRST + number)
        monkeypatch.setenv("LISTEN_PID", variables.get("pid", str(os.getpid())))
        monkeypatch.setenv("LISTEN_FDS", variables.get("count", str(len(sockets))))
        if names is not None:
            monkeypatch.setenv("LISTEN_FDNAMES", names)

    yield pass_them
    for each in passed:
        os.close(each)


def fetch(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return httpx.get(f"http://{host}:{port}/hello", trust_env=False, timeout=PATIENCE).text


def test_a_server_knows_its_port_and_may_be_started_again(
    pass_sockets: Callable[..., None], launch: Launch, routes: Routes
) -> None:
    with listening() as web:
        pass_sockets(web, names="web")
        context = launch(routes=routes, address="systemd:web")
        assert context.port == web.getsockname()[1]
        assert "systemd:web" in repr(context)
        assert fetch(web) == "127.0.0.1 plain test"
        assert "LISTEN_FDS" not in os.environ
        assert not os.get_inheritable(FIRST)
        context.terminate().wait()
        with Raw(web.getsockname()) as early:  # which waits, since systemd's socket listens on
            launch(routes=routes, address="systemd:web")
            assert early.ask(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")[1] == b"127.0.0.1 plain test"


def test_no_port_is_needed_and_unix_mode_is_not_for_it(pass_sockets: Callable[..., None], routes: Routes) -> None:
    with listening() as web:
        pass_sockets(web)
        with HTTPServer.launch(address="systemd:", routes=routes, wait=False):
            assert fetch(web) == "127.0.0.1 plain localhost"
        with pytest.raises(LaunchFailure, match="unix_mode is for"):
            HTTPServer.launch(address="systemd:", routes=routes, unix_mode=0o600, wait=False)


def test_two_servers_do_not_take_the_same_socket(
    pass_sockets: Callable[..., None], launch: Launch, routes: Routes
) -> None:
    with listening() as web:
        pass_sockets(web, names="web")
        launch(routes=routes, address="systemd:web")
        with pytest.raises(LaunchFailure, match=r"another server .* listens by the descriptor 700 \('web'\)"):
            launch(routes=routes, address="systemd:")


@pytest.mark.parametrize(
    ("variables", "address", "message"),
    [
        ({}, "systemd:other", "has passed no socket of the name 'other', but 'web'"),
        ({"pid": "1"}, "systemd:web", "meant for the process 1 .LISTEN_PID., and this is"),
        ({"pid": "no"}, "systemd:web", "by numbers in LISTEN_FDS and LISTEN_PID: '1' and 'no' are none"),
        ({"count": "-1"}, "systemd:web", "by numbers in LISTEN_FDS and LISTEN_PID: '-1' and"),
        ({"count": "0"}, "systemd:web", "has passed no socket to this process"),
        ({"count": "2"}, "systemd:", r"nothing is open at the descriptor 701 \('unknown'\)"),
        ({}, "fd:no", "behind fd: comes the number of a descriptor, as in 'fd:3', not 'no'"),
        ({}, "fd:999", "nothing is open at fd:999"),
    ],
)
def test_what_is_wrong_with_what_was_passed_is_said(
    pass_sockets: Callable[..., None], launch: Launch, routes: Routes, variables: Any, address: str, message: str
) -> None:
    with listening() as web:
        pass_sockets(web, names="web", **variables)
        with pytest.raises(LaunchFailure, match=message):
            launch(routes=routes, address=address)


def test_without_systemd_it_is_said_how_to_get_it(launch: Launch, routes: Routes) -> None:
    with pytest.raises(LaunchFailure, match=r"has passed no socket to this process .*systemd-socket-activate"):
        launch(routes=routes, address="systemd:web")


def test_what_does_not_listen_is_refused_and_left_open(
    pass_sockets: Callable[..., None], launch: Launch, routes: Routes, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        web = stack.enter_context(listening())
        connected = stack.enter_context(socket.create_connection(web.getsockname()))
        datagrams = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        file = stack.enter_context((tmp_path / "file").open("w"))
        pass_sockets(web, connected, datagrams, file.fileno(), names="web:connected:datagrams:file")
        for name, message in [
            ("connected", "does not listen: the .socket unit needs Accept=no"),
            ("datagrams", "a socket of another kind"),
            ("file", "is no socket"),
            ("", "does not listen"),
        ]:
            with pytest.raises(LaunchFailure, match=message):
                launch(routes=routes, address=f"systemd:{name}")
        launch(routes=routes, address="systemd:web")
        assert fetch(web) == "127.0.0.1 plain test"
