"""Our part of the Autobahn test suite: what it tests, and how its report is read. The suite itself takes far longer:
``python -m tests.interop.autobahn``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from benchmarks import recorded
from perfectws import HTTPRequest, Routes, WebSocket

from ..client.served import served
from .autobahn.__main__ import main, record
from .autobahn.environment import PythonMissing, find_python27
from .autobahn.report import Report
from .autobahn.testees import ECHOES, LIMITS, run_cases

MESSAGES: list[str | bytes] = ["", "grüße", b"", b"\x00\xff" * 40_000, "x" * 200_000]


async def echoes_all(socket: WebSocket) -> list[str | bytes]:
    """Send every message, whole and in parts, and return what comes back."""
    back: list[str | bytes] = []
    for message in MESSAGES:
        socket.send(message)
        if isinstance(message, str):
            socket.send_string_message(message, final=False)
            socket.send_string_message(message)
        else:
            socket.send_binary_message(message, final=False)
            socket.send_binary_message(message)
    done = trio.Event()

    def received(_: WebSocket, message: str | bytes) -> None:
        back.append(message)
        if len(back) == 2 * len(MESSAGES):
            done.set()

    socket.on_text(received)
    socket.on_binary(received)
    await done.wait()
    return back


EXPECTED = [each for message in MESSAGES for each in (message, message + message)]  # type: ignore[operator]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("compression", [False, True])
async def test_a_server_that_is_tested_echoes_whole_messages_and_fragments(echo: str, compression: bool) -> None:
    async with (
        served(lambda _, socket: ECHOES[echo](socket), **LIMITS) as url,
        trio.open_nursery() as nursery,
    ):
        socket = await WebSocket.connect(to=url, on=nursery, compression=compression)
        assert await echoes_all(socket) == EXPECTED
        await socket.close()


@pytest.mark.parametrize("echo", ECHOES)
async def test_a_client_that_is_tested_runs_every_case_and_asks_for_the_report(echo: str) -> None:
    asked: list[str] = []

    def tell_count(request: HTTPRequest, socket: WebSocket) -> None:
        socket.send("2")
        socket.close()

    async def run(request: HTTPRequest, socket: WebSocket) -> None:
        assert await echoes_all(socket) == EXPECTED
        asked.append(request.uri)
        socket.close()

    def report(request: HTTPRequest, socket: WebSocket) -> None:
        asked.append(request.uri)
        socket.close()

    routes = Routes()
    routes.web_socket("/getCaseCount", tell_count)
    routes.web_socket("/runCase", run, **LIMITS)
    routes.web_socket("/updateReports", report)
    async with served(routes=routes) as url:
        await run_cases(url, "client, it", ECHOES[echo])
    assert asked == [
        "/runCase?case=1&agent=client%2C%20it",
        "/runCase?case=2&agent=client%2C%20it",
        "/updateReports?agent=client%2C%20it",
    ]


class TestTheReport:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        results = {
            "1.1.1": self.result("OK", "OK"),
            "1.1.2": self.result("NON-STRICT", "OK"),
            "7.1.6": self.result("INFORMATIONAL", "INFORMATIONAL"),
            "7.7.1": self.result("OK", "WRONG CODE"),
            "9.1.1": self.result("FAILED", "FAILED"),
        }
        (tmp_path / "case.json").write_text(json.dumps({"result": "what was seen", "resultClose": "how it closed"}))
        (tmp_path / "index.json").write_text(json.dumps({"us": results}))
        return tmp_path

    @staticmethod
    def result(behaviour: str, close: str) -> dict[str, Any]:
        return {"behavior": behaviour, "behaviorClose": close, "reportfile": "case.json"}

    def test_every_case_counts_for_what_is_wrong_with_it(self, folder: Path) -> None:
        report = Report.read(folder, "us", ["1.1.1", "1.1.2", "7.1.6", "7.7.1", "9.1.1", "9.9.9"])
        assert report.counts == {
            "OK": 1,
            "NON-STRICT": 1,
            "INFORMATIONAL": 1,
            "CLOSE WRONG CODE": 1,
            "FAILED": 1,
            "MISSING": 1,
        }
        assert report.wrong == ["1.1.2", "7.7.1", "9.1.1", "9.9.9"]
        assert not report.is_right
        assert "1.1.2: NON-STRICT: what was seen how it closed" in str(report)
        assert "9.9.9: no result" in str(report)

    def test_it_is_right_if_all_is_ok_or_informational(self, folder: Path) -> None:
        assert Report.read(folder, "us", ["1.1.1", "7.1.6"]).is_right

    @pytest.mark.parametrize("wanted", [[], ["1.1.1"]])
    def test_nothing_at_all_is_not_right(self, tmp_path: Path, folder: Path, wanted: list[str]) -> None:
        assert not Report.read(folder, "somebody else", wanted).is_right
        assert not Report.read(tmp_path / "nowhere", "us", wanted).is_right

    def test_it_is_recorded_how_many_cases_ended_how(
        self, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recorded, "FILE", tmp_path / "results.json")
        record([Report.read(folder, "us", ["1.1.1", "7.1.6", "9.1.1"]), Report.read(folder, "them", ["1.1.1"])], 2)
        entry = recorded.read()["autobahn"]
        assert entry["command"] == "python -m tests.interop.autobahn FOLDER --jobs 2 --record"
        assert entry["counts"]["cases"] == 3
        assert entry["counts"]["testees"]["us"] == {"FAILED": 1, "INFORMATIONAL": 1, "OK": 1}
        assert entry["counts"]["testees"]["them"] == {"MISSING": 1}
        assert entry["versions"]["autobahntestsuite"]

    @pytest.mark.parametrize("some", [["--cases", "1.*"], ["--testee", "server-frames"]])
    def test_some_of_it_is_not_recorded(
        self, tmp_path: Path, some: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            main([str(tmp_path), "--record", *some])
        assert "--record is for all testees and all cases" in capsys.readouterr().err


class TestPython27:
    def test_the_command_says_so_where_it_is_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PYTHON27", str(tmp_path / "python2.7"))
        assert main([str(tmp_path / "reports")]) == 2
        said = capsys.readouterr().err
        assert "python2.7 is not on this machine" in said
        assert "PYTHON27" in said

    def test_another_python_and_a_shim_that_leads_nowhere_are_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shim = tmp_path / "python2.7"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
        for program in (str(shim), "python3"):
            monkeypatch.setenv("PYTHON27", program)
            with pytest.raises(PythonMissing):
                find_python27()
        monkeypatch.delenv("PYTHON27")
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
        with pytest.raises(PythonMissing, match="pyenv install"):
            find_python27()
