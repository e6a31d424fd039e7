"""What typeshed is said to say: compared with what is true here, and with what mypy makes of it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .typeshed import is_missing, lacking, names


@pytest.mark.parametrize("module", [os, select, signal])
def test_what_linux_has_is_here(module: ModuleType) -> None:
    assert not [name for name in names(module.__name__, "linux") if not hasattr(module, name)]


def test_what_linux_has_of_sockets_is_here_but_for_the_hardware() -> None:
    rare = ("AF_BLUETOOTH", "BDADDR_", "BTPROTO_", "HCI_", "IPX_", "RDS_", "SOL_")
    assert not [name for name in names("socket", "linux") if not hasattr(socket, name) and not name.startswith(rare)]


def test_what_the_others_lack() -> None:
    for platform in ("darwin", "win32"):
        assert {"epoll", "EPOLLIN"} <= lacking("select", platform)
        assert {"eventfd", "EFD_NONBLOCK"} <= lacking("os", platform)
    assert {"sendfile", "pread", "fork", "getuid", "mkfifo"} <= lacking("os", "win32")
    assert not {"sendfile", "pread", "fork"} & lacking("os", "darwin")
    assert "AF_UNIX" in lacking("socket", "win32")
    assert "AF_UNIX" not in lacking("socket", "darwin")
    assert "sendmsg" in lacking("_socket", "win32", "socket")
    assert "sendmsg" not in lacking("_socket", "darwin", "socket")
    assert {"SIGHUP", "SIGKILL", "SIGUSR1"} <= lacking("signal", "win32")
    assert not {"SIGINT", "SIGTERM"} & lacking("signal", "win32")


def test_modules_that_the_others_have_not() -> None:
    assert all(is_missing(module, "win32") for module in ("fcntl", "grp", "pwd", "resource", "termios"))
    assert not any(is_missing(module, "darwin") for module in ("fcntl", "grp", "pwd", "resource", "termios"))
    assert not any(is_missing(module, "win32") for module in ("os", "select", "socket", "ssl", "threading", "trio"))


@pytest.mark.slow
def test_mypy_finds_the_same_names_missing(tmp_path: Path) -> None:
    """With each name used once, it complains of those that are lacking, and of no other."""
    used = sorted(names("os", "linux") | names("select", "linux") - {"error"})
    lines = [f"{'os' if name in names('os', 'linux') else 'select'}.{name}" for name in used]
    program = tmp_path / "program.py"
    program.write_text("import os, select\n" + "\n".join(lines) + "\n")
    for platform in ("linux", "darwin", "win32"):
        command = [sys.executable, "-m", "mypy", "--platform", platform, "--cache-dir", os.devnull, str(program)]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        complaints = [line for line in ended.stdout.splitlines() if "has no attribute" in line]
        missing = {line.split('"')[1] for line in complaints}
        assert missing == (lacking("os", platform) | lacking("select", platform)) & set(used)
