"""The pytest plugin: its fixtures, as a project uses them, and what it loads."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from configparser import ConfigParser
from pathlib import Path

from ..test_architecture import ROOT

TESTS = {
    "chat.py": """
        from perfectws import Routes

        routes = Routes()
        routes.web_socket("/echo", lambda request, socket: socket.on_text(lambda socket, text: socket.send(text)))
        routes.web_socket("/fails", lambda request, socket: 1 / 0)
    """,
    "pytest.ini": """
        [pytest]
        perfectws_app = chat:routes
    """,
    "test_setting.py": """
        from perfectws.testing import AsyncTestServer, TestResponse, TestServer, TestWebSocket

        def test_passes(perfectws_server):
            ws = perfectws_server.connect("/echo")
            ws.send("hi")
            assert ws.receive() == "hi"

        def test_has_its_own_server_and_hears_of_errors(perfectws_server):
            assert perfectws_server.http_server.figures.accepted == 0
            assert perfectws_server.connect("/fails").receive_close() == 1011
    """,
    "own/test_fixture.py": """
        import pytest
        from perfectws import Route

        @pytest.fixture
        def perfectws_app():
            return [Route("GET", "/", lambda request, response: response.set_body("mine").completed())]

        def test_serves_what_the_fixture_says(perfectws_server):
            assert perfectws_server.get("/").text == "mine"

        def test_serves_several(perfectws_app, perfectws_server_factory):
            servers = [perfectws_server_factory(perfectws_app, keep_cookies=True) for _ in range(2)]
            assert [server.get("/").text for server in servers] == ["mine", "mine"]
    """,
    "test_light.py": """
        import sys

        LOADED = {name for name in sys.modules if name.startswith(("perfectws", "trio", "h11", "wsproto"))}

        def test_loads_nothing():
            assert LOADED == {"perfectws", "perfectws.testing", "perfectws.testing.plugin"}

        def test_assertions_of_ours_are_not_rewritten():
            import perfectws.errors
            assert "rewrite" not in type(perfectws.errors.__loader__).__module__
    """,
}


def run_pytest(folder: Path, *arguments: str) -> str:
    """Run pytest, with this plugin and no other, and return what it prints."""
    # By its module, since the clone may have been installed before the plugin was.
    plugins = ["-p", "no:perfectws", "-p", "perfectws.testing.plugin"]
    others = ["trio", "xdist", "hypothesispytest", "asyncio", "anyio", "cacheprovider"]
    for name in others:
        plugins += ["-p", f"no:{name}"]
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugins, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environment()
    ).stdout


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_project_uses_its_fixtures(tmp_path: Path) -> None:
    for name, text in TESTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    printed = run_pytest(tmp_path, "test_light.py", "test_setting.py", "own/test_fixture.py")
    # A test passes, and its error comes at its end: none is collected of our own classes' names.
    assert "6 passed, 1 error" in printed, printed
    assert "ERROR at teardown of test_has_its_own_server_and_hears_of_errors" in printed
    assert "ZeroDivisionError" in printed


def test_a_project_that_names_nothing_to_serve_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(perfectws_server): pass\n")
    assert "write a fixture perfectws_app that returns your Routes" in run_pytest(tmp_path)


def test_pytest_finds_the_plugin_where_perfectws_is_installed() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert settings["options.entry_points"]["pytest11"].strip() == "perfectws = perfectws.testing.plugin"
