"""On a Mac and on Windows: our own tests, run where our code finds what that platform has; see `emulation`.

Left out, and why: `test_reactor.py`, `test_passes.py`, `test_memory.py`, `test_tls_transport.py`, `test_tls_memory.py`
and `test_tls_keys.py` of `tests/net` and `tests/server/test_sendfile.py` are about what only Linux has. What does no
I/O, or only in memory, is the same everywhere, and so is what the chat says once it runs. Browsers, other people's
clients and a thousand connections would show nothing that these do not. Whatever a Mac lacks, Windows lacks too; so
there only that is run which asks what the system has.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from ..examples.running import ROOT
from .emulation import PLATFORMS, STAND_INS
from .typeshed import names

#: How long one run may take, in seconds: a bound for a machine under load.
PATIENCE = 300

#: What is run once more on a Mac.
SERVERS = [
    "tests/net/test_server.py",
    "tests/net/test_stream_transport.py",
    "tests/net/test_unacknowledged.py",
    "tests/server/test_operation.py",
    "tests/server/test_unix_socket.py",
    "tests/websocket/test_keepalive.py",
]
#: What is run, by subject.
RUNS = {
    "servers, echo, Vapor's routes and rooms": [
        *SERVERS,
        "tests/parity/test_perfect_guide_echo.py",
        "tests/parity/test_perfect_servers.py",
        "tests/parity/test_vapor3.py",
        "tests/parity/test_vapor4.py",
        "tests/parity/test_vapor_upgrade.py",
        "tests/rooms/test_room.py",
    ],
    "the client and scripts": ["tests/client/test_connect.py", "tests/client/test_reconnect.py", "tests/scripts"],
    "files and TLS": [
        "tests/server/test_static_files.py",
        "tests/server/test_files.py",
        "tests/server/test_tls.py",
        "tests/net/test_tls.py",
        "tests/client/test_tls.py",
    ],
}
#: Over what transports: the reactor is Linux's, and would be the streams again.
TRANSPORTS = "not [memory and not [reactor"
#: What is run with all that is marked slow.
SLOW_RUNS = {
    "programs": [
        "tests/examples/test_chat.py::test_a_database_that_is_none_is_named_in_one_line_and_the_exit_code_is_1",
        "tests/examples/test_chat.py::test_a_message_is_acknowledged_to_its_sender_and_told_to_the_others",
        "tests/examples/test_chat.py::test_a_restart_loses_no_message_and_no_message_is_kept_with_memory",
        "tests/examples/test_chat.py::test_what_a_browser_has_already_is_not_sent_again",
        "tests/examples/test_echo.py",
        "tests/net/test_launch.py",
        "tests/parity/test_vapor_examples.py",
    ],
    "slow readers": ["tests/net/test_slow_readers.py"],
}


def run(platform: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python on a platform."""
    command = [sys.executable, "-W", "error", "-m", "tests.platforms", platform, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def run_tests(platform: str, *arguments: str) -> None:
    """Run tests on a platform, in one process."""
    ended = run(platform, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("subject", RUNS)
def test_our_tests_hold_where_most_is_missing(subject: str) -> None:
    run_tests("win32", "-m", "not slow", "-k", TRANSPORTS, *RUNS[subject])


@pytest.mark.slow
def test_what_depends_on_what_a_mac_has_holds_there() -> None:
    run_tests("darwin", "-m", "not slow", "-k", TRANSPORTS, *SERVERS)


@pytest.mark.slow
@pytest.mark.parametrize("subject", SLOW_RUNS)
def test_our_slow_tests_hold_where_most_is_missing(subject: str) -> None:
    run_tests("win32", "-k", TRANSPORTS, *SLOW_RUNS[subject])


IMPORT_ALL = """
import importlib, pkgutil, select, sys, perfectws

linux_only = {"perfectws.net.epoll"}
if sys.platform == "win32":
    linux_only |= {"perfectws.cli.reloading", "perfectws.net.files", "perfectws.net.mailbox"}
    workers = "channel child crew launching sharing signals succeeding succession supervisor worker"  # there is no fork
    linux_only |= {f"perfectws.server.workers.{name}" for name in workers.split()}
for module in pkgutil.walk_packages(perfectws.__path__, "perfectws."):
    if module.name not in linux_only and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in perfectws.__all__:
    getattr(perfectws, name)
assert not hasattr(select, "epoll")
assert not linux_only & sys.modules.keys()
print(sys.platform)
"""


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_module_can_be_imported_and_what_is_for_linux_is_not(platform: str) -> None:
    ended = run(platform, "-c", IMPORT_ALL)
    assert (ended.stdout, ended.stderr) == (f"{platform}\n", "")


CANNOT = """
from perfectws import EventLoop, HandshakeError, HTTPServer, LaunchFailure, Routes, WebSocket

try:
    HTTPServer.launch(name="chat", address="unix:chat.sock", routes=Routes(), wait=False)
except LaunchFailure as error:
    print(error)
with EventLoop() as loop:
    try:
        WebSocket.connect(to="ws+unix:///chat.sock:/", on=loop, on_upgrade=print).wait(60)
    except HandshakeError as error:
        print(error)
"""


def test_what_windows_cannot_do_is_said() -> None:
    ended = run("win32", "-c", CANNOT)
    served, dialed = ended.stdout.splitlines()
    assert served == (
        "HTTP server 'chat' cannot listen on unix:chat.sock: "
        "this system has no Unix sockets; give a host's name or its IP address, and a port"
    )
    assert "cannot connect to /chat.sock: Unix sockets are not supported" in dialed
    assert ended.stderr == ""


REST = """
import errno, trio
from perfectws.net.acceptors import _accept, _shortages

class Listener:
    async def accept(self):
        raise OSError(errno.WSAEMFILE, "too many open sockets")

assert trio.run(_accept, Listener(), _shortages()) is None
"""


def test_a_listener_rests_while_windows_has_no_sockets_left() -> None:
    ended = run("win32", "-c", REST)
    assert ended.stderr == "Cannot accept connections: too many open sockets; trying again every 0.1 s\n"


def test_the_command_line_says_it_in_one_line_too() -> None:
    ended = run("win32", "-m", "perfectws", "serve", "tests.parity.perfect1_module", "--address", "unix:chat.sock")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "this system has no Unix sockets" in ended.stderr


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("module", ["errno", "signal", "socket"])
def test_what_stands_in_is_what_only_that_platform_has(platform: str, module: str) -> None:
    assert STAND_INS[platform].get(module, {}).keys() <= names(module, platform) - names(module, "linux")


def test_a_platform_is_a_word_that_the_command_knows() -> None:
    ended = run("beos", "-c", "pass")
    assert ended.returncode == 1
    assert ended.stderr.startswith("usage: ")
