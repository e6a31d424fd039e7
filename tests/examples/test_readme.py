from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .running import ROOT, running
from .test_echo import echoed

README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippet() -> str:
    """The README's first program, on any free port."""
    program = README.partition("```python\n")[2].partition("```\n")[0]
    assert program.count("port=8181") == 1
    return program.replace("port=8181", "port=0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_readme_s_program_echoes_until_a_signal_ends_it_with_exit_code_0(
    number: signal.Signals, tmp_path: Path
) -> None:
    program = tmp_path / "echo.py"
    program.write_text(snippet(), encoding="utf-8")
    with running(str(program)) as server:
        assert echoed(server.port, ["hello", "", "日本語 🎉"]) == ["hello", "", "日本語 🎉"]
        assert server.stop(number) == 0
    assert server.complaints() == []


def test_the_readme_s_program_fits_in_25_lines() -> None:
    assert len(snippet().splitlines()) <= 25
