from __future__ import annotations

import signal
from pathlib import Path

import pytest
from websockets.sync.client import connect

from .running import PATIENCE, ROOT, running

README = (ROOT / "README.md").read_text(encoding="utf-8")


#: What the port is read from.
LOG = "import logging\nlogging.basicConfig(level=logging.INFO)\n"


def snippet() -> str:
    """The README's first program, on any free port."""
    program = README.partition("```python\n")[2].partition("```\n")[0]
    assert program.count("port=8181") == 1
    return LOG + program.replace("port=8181", "port=0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_readme_s_program_echoes_until_a_signal_ends_it_with_exit_code_0(
    number: signal.Signals, tmp_path: Path
) -> None:
    program = tmp_path / "echo.py"
    program.write_text(snippet(), encoding="utf-8")
    with running(str(program)) as server:
        with connect(f"ws://127.0.0.1:{server.port}/echo", proxy=None) as client:
            client.send("日本語 🎉")
            assert client.recv(PATIENCE) == "日本語 🎉"
        assert server.stop(number) == 0
    assert server.complaints() == []


def test_the_readme_s_programs_fit_in_ten_lines() -> None:
    programs = [block.partition("```\n")[0] for block in README.split("```python\n")[1:]]
    assert [len([line for line in program.splitlines() if line]) <= 10 for program in programs] == [True, True]
