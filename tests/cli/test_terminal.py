"""``connect`` in a pipe of a shell's, and on a terminal: tmux plays it, and its screen is looked at."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import perfectws

from .conftest import PATIENCE

pytestmark = pytest.mark.slow

ROOT = Path(perfectws.__file__).parent.parent
COMMAND = f"{sys.executable} -m perfectws connect"
#: The same without prompt_toolkit.
PLAIN = (
    f"{sys.executable} -c 'import sys; from perfectws.cli import connect, main; connect.has_prompt = lambda: False; "
    'sys.exit(main.main(["connect", *sys.argv[1:]]))\''
)


class Terminal:
    """A terminal of 80 columns, with a shell in it."""

    def __init__(self, socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        shell = ["env", "PS1=$ ", "TERM=xterm-256color", "bash", "--norc", "--noprofile"]
        self._run("new-session", "-d", "-x", "80", "-y", "24", *shell)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def type(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def screen(self, *options: str) -> str:
        return self._run("capture-pane", "-p", *options).rstrip()

    def until(self, text: str) -> str:
        """Wait until the screen shows ``text``, and return all that it shows."""
        deadline = time.monotonic() + PATIENCE
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"{text!r} is not shown:\n{screen}"
            time.sleep(0.05)
        return screen

    def close(self) -> None:
        self._run("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.fail("tmux is not installed; this installs it: bash .ci/setup", pytrace=False)
    terminal = Terminal(tmp_path / "tmux")
    yield terminal
    terminal.close()


def lines_below(screen: str, first: str) -> list[str]:
    lines = [line.rstrip() for line in screen.splitlines()]
    return lines[lines.index(first) :]


def test_messages_stand_above_the_prompt_where_a_line_is_edited_and_those_before_come_back(
    url: str, terminal: Terminal
) -> None:
    terminal.type(f"clear; {COMMAND} {url}; echo exit code $?", "Enter")
    terminal.until(f"Connected to {url}\n>")
    terminal.type("hello", "Enter")
    terminal.until("< hello")
    terminal.type("wold", "Left", "Left", "r", "Enter")
    terminal.until("< world")
    terminal.type("evil", "Enter")
    terminal.until("red")
    terminal.type("Up", "Up", "Up", "Enter")
    terminal.until("< hello\n> world\n< world\n> evil\n< \\x1b[2J\\x07red\\u202e\n> hello\n< hello\n>")
    coloured = terminal.screen("-e")
    assert "\x1b[36m< hello" in coloured
    terminal.type("bye", "Enter")
    screen = terminal.until("exit code")
    assert lines_below(screen, f"Connected to {url}") == [
        f"Connected to {url}",
        "> hello",
        "< hello",
        "> world",
        "< world",
        "> evil",
        "< \\x1b[2J\\x07red\\u202e",
        "> hello",
        "< hello",
        "> bye",
        "Closed: 1000 (see you)",
        "exit code 0",
        "$",
    ]


@pytest.mark.parametrize(("key", "code"), [("C-d", 0), ("C-c", 130)])
def test_ctrl_d_closes_and_ctrl_c_interrupts(url: str, terminal: Terminal, key: str, code: int) -> None:
    terminal.type(f"clear; {COMMAND} {url}; echo exit code $?", "Enter")
    terminal.until(">")
    terminal.type(key)
    screen = terminal.until("exit code")
    assert f"exit code {code}" in screen
    assert "Traceback" not in screen
    assert ("Closed: 1000" in screen) == (code == 0)


def test_without_prompt_toolkit_lines_are_typed_plainly(url: str, terminal: Terminal) -> None:
    terminal.type(f"clear; {PLAIN} {url}; echo exit code $?", "Enter")
    terminal.until(f"Connected to {url}")
    terminal.type("hello", "Enter")
    terminal.until("hello\n< hello")
    terminal.type("fail", "Enter")
    assert "Closed: 4001 (as you wish)\nexit code 1" in terminal.until("exit code")


def test_in_a_pipe_of_a_shell_s(url: str) -> None:
    def shell(line: str) -> tuple[int, str, str]:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT)
        return done.returncode, done.stdout, done.stderr

    assert shell(f"seq 3 | {COMMAND} {url} | sed s/^/got:/") == (
        0,
        "got:1\ngot:2\ngot:3\n",
        f"Connected to {url}\nClosed: 1000\n",
    )
    _, out, err = shell(f"set -o pipefail; yes | {COMMAND} {url} | head -2")
    assert out == "y\ny\n"
    assert "Traceback" not in err


def test_an_interrupt_in_a_pipe_closes(url: str) -> None:
    command = [sys.executable, "-m", "perfectws", "connect", url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=ROOT, **pipes) as process:  # type: ignore[call-overload]
        assert process.stderr.readline() == f"Connected to {url}\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
