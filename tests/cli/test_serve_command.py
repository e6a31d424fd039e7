"""``python -m perfectws serve``: the server that it makes, its exit codes, and what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfectws import HTTPServer, LaunchFailure, Routes, TLSConfiguration
from perfectws.cli import serve as command
from perfectws.cli.main import main
from perfectws.cli.options import OPTIONS
from perfectws.cli.serve import make_server
from perfectws.cli.settings import Settings
from perfectws.http.limits import LIMITS, HTTPLimits
from tests.platforms import python

ROOT = Path(__file__).parents[2]
CODE = """from perfectws import *
routes = Routes()
routes.add("GET", "/", lambda request, response: response.completed())
server = HTTPServer.server(name="shop", address="127.0.0.1", port=0, routes=routes, max_headers=50)
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module ``shop``, in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "shop.py").write_text(CODE)
    yield
    sys.modules.pop("shop", None)


class Launched:
    """What was launched instead of a server that blocks."""

    def __init__(self) -> None:
        self.servers: list[HTTPServer] = []
        self.keywords: dict[str, Any] = {}

    def __call__(self, servers: list[HTTPServer], **keywords: Any) -> None:
        self.servers, self.keywords = servers, keywords


@pytest.fixture
def launched(shop: None, monkeypatch: pytest.MonkeyPatch) -> Launched:
    """Launch nothing, but say what would have been."""
    launched = Launched()
    monkeypatch.setattr(command, "launch", launched)
    monkeypatch.setattr(command, "configure", lambda *_: None)
    return launched


def given(**values: Any) -> Settings:
    return Settings(values, {})


class TestTheServer:
    def test_routes_get_a_server_with_the_defaults(self) -> None:
        server = make_server(Routes(), given())
        assert (server.server_name, server.server_address, server.server_port) == ("localhost", "0.0.0.0", 8181)
        assert server.ssl is None
        assert server.problems() == []

    def test_every_option_that_is_a_servers_is_set(self, tmp_path: Path) -> None:
        limits = {name: getattr(HTTPLimits, name) or 5 for name in LIMITS}
        settings = given(
            name="x", address="::1", port=7, document_root=str(tmp_path), proxy_from=["::1"], tls_cert="c", **limits
        )
        server = make_server(Routes(), settings)
        assert (server.server_name, server.server_address, server.server_port) == ("x", "::1", 7)
        assert (server.document_root, server.trusted_proxies) == (str(tmp_path), ["::1"])
        assert server.ssl == TLSConfiguration(cert_path="c")
        assert {name: getattr(server, name) for name in LIMITS} == limits

    def test_no_option_is_forgotten(self) -> None:
        used = {*command._ATTRIBUTES, "unix", "tls_cert", "tls_key"}
        others = {"workers", "drain", "reload_on", "log_level", "log_format", "access_log", "reload"}
        watching = {"reload_dir", "reload_include"}
        assert {option.key for option in OPTIONS} == used | others | watching

    def test_a_limit_may_be_none(self) -> None:
        assert make_server(Routes(), given(header_timeout=None)).header_timeout is None

    def test_the_modules_own_server_stays_as_it_is_but_for_what_is_given(self) -> None:
        own = HTTPServer.server(
            name="shop", address="127.0.0.1", port=5, routes=Routes(), max_headers=50, max_body_size=9
        )
        server = make_server(own, given(port=6, max_headers=60))
        assert server is own
        assert (server.server_name, server.server_address, server.server_port) == ("shop", "127.0.0.1", 6)
        assert (server.max_headers, server.max_body_size) == (60, 9)

    def test_a_unix_socket_takes_the_place_of_an_address_and_the_reverse(self) -> None:
        server = make_server(Routes(), given(unix="/run/x.sock", unix_mode=0o600))
        assert (server.server_address, server.unix_mode) == ("unix:/run/x.sock", 0o600)
        own = HTTPServer.server(name="x", address="unix:/run/x.sock", unix_mode=0o600, routes=Routes())
        server = make_server(own, given(address="127.0.0.1", port=1))
        assert (server.server_address, server.unix_mode, server.problems()) == ("127.0.0.1", None, [])

    def test_a_port_for_a_server_that_has_none_is_told(self) -> None:
        own = HTTPServer.server(name="x", address="unix:/run/x.sock", routes=Routes())
        with pytest.raises(LaunchFailure, match=r"--port changes nothing: .* listens on unix:/run/x"):
            make_server(own, given(port=1))


class TestTheLaunch:
    def test_it_is_one_server_that_waits(self, launched: Launched) -> None:
        assert main(["serve", "shop:routes", "--port", "0"]) == 0
        (server,) = launched.servers
        assert server.server_port == 0
        assert launched.keywords == {"wait": True, "plan": None, "drain": None}

    def test_without_a_name_it_is_the_modules_server(self, launched: Launched) -> None:
        assert main(["serve", "shop"]) == 0
        assert launched.servers[0].server_name == "shop"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")
    def test_workers_and_their_drain_are_planned(self, launched: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PERFECTWS_DRAIN", "2")
        assert main(["serve", "shop", "--workers", "3"]) == 0
        plan = launched.keywords["plan"]
        assert (plan.workers, plan.drain) == (3, 2.0)

    def test_what_the_command_line_contradicts_in_the_environment_is_left_aside(
        self, launched: Launched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PERFECTWS_ADDRESS", "unix:/nowhere/x.sock")
        monkeypatch.setenv("PERFECTWS_UNIX_MODE", "660")
        assert main(["serve", "shop:routes", "--port", "18"]) == 0
        server = launched.servers[0]
        assert (server.server_address, server.server_port, server.unix_mode) == ("0.0.0.0", 18, None)

    def test_a_document_root_is_enough_to_serve(self, launched: Launched, tmp_path: Path) -> None:
        (tmp_path / "shop.py").write_text("from perfectws import *\nroutes = Routes()")
        assert main(["serve", "shop", "--document-root", "."]) == 0
        assert launched.servers[0].document_root == "."

    def test_without_a_route_there_is_nothing_to_serve(
        self, launched: Launched, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "shop.py").write_text("from perfectws import *\nroutes = Routes(); routes.grouped('/api')")
        assert main(["serve", "shop"]) == 1
        assert caplog.messages == [
            "shop has nothing to serve: add a route to its Routes, or give --document-root a directory of files"
        ]
        assert launched.servers == []

    def test_what_the_module_raises_comes_with_its_traceback_and_then_in_one_line(
        self, launched: Launched, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "shop.py").write_text("def f():\n    1/0\nf()")
        assert main(["serve", "shop"]) == 1
        (message,) = caplog.messages
        first, *_, last = message.splitlines()
        assert first == "Traceback (most recent call last):"
        assert message.count("File ") == 2
        assert last == "shop.py:2: ZeroDivisionError: division by zero (as shop is imported)"

    def test_a_variable_that_nobody_reads_is_told(
        self, launched: Launched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("PERFECTWS_PROT", "1")
        assert main(["serve", "shop"]) == 0
        assert caplog.messages == ["nobody reads the variable PERFECTWS_PROT: did you mean PERFECTWS_PORT?"]

    def test_a_route_that_is_never_reached_is_told(self, launched: Launched, caplog: pytest.LogCaptureFixture) -> None:
        more = "routes.get('/me', lambda q, r: None)\nroutes.get('/{name}', lambda q, r: None)\n"
        Path("shop.py").write_text(CODE + more)
        assert main(["serve", "shop"]) == 0
        assert caplog.messages == [
            "GET /me, shop:<lambda> (line 5), can never be reached: "
            "its requests go to GET /{name}, shop:<lambda> (line 6)"
        ]

    def test_a_port_in_use_says_what_to_do(self, shop: None, caplog: pytest.LogCaptureFixture) -> None:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert main(["serve", "shop", "--port", str(port)]) == 1
        assert f"HTTP server 'shop' cannot listen on 127.0.0.1:{port}: " in caplog.messages[-1]
        assert caplog.messages[-1].endswith("choose another --port, or 0 for any that is free")

    @pytest.mark.parametrize("address", ["chat..example.org", "x" * 300, "unix:a\0b"])
    def test_an_address_that_can_be_none_is_told(
        self, shop: None, caplog: pytest.LogCaptureFixture, address: str
    ) -> None:
        assert main(["serve", "shop", "--address", address]) == 1
        assert f"HTTP server 'shop' cannot listen on {address}" in caplog.messages[-1]
        assert all(record.exc_info is None for record in caplog.records)

    def test_a_certificate_that_is_not_there_is_told(self, shop: None, caplog: pytest.LogCaptureFixture) -> None:
        assert main(["serve", "shop", "--tls-cert", "nowhere.pem"]) == 1
        assert "cert_path 'nowhere.pem': there is no such file" in caplog.messages[-1]


def _lines_in_json(directory: Path) -> list[dict[str, Any]]:
    """Return what a program of variables alone logs, which ends since it has no certificate."""
    variables = {"PERFECTWS_LOG_FORMAT": "json", "PERFECTWS_TLS_CERT": "nowhere.pem", "PERFECTWS_ADDRESS": "127.0.0.1"}
    ended = subprocess.run(
        [*python(), "-m", "perfectws", "serve", "shop:routes"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in ended.stderr.splitlines()]


@pytest.mark.slow
def test_a_program_of_variables_alone_logs_json(shop: None, tmp_path: Path) -> None:
    (line,) = _lines_in_json(tmp_path)
    assert (line["level"], line["logger"]) == ("critical", "perfectws")
    assert "nowhere.pem" in line["message"]


@pytest.mark.slow
def test_whatever_the_application_logs_is_a_line_of_json(shop: None, tmp_path: Path) -> None:
    more = """import json, logging
for depth in (5, 970, 990, 20000):
    body = []
    for _ in range(depth):
        body = [body]
    logging.getLogger("shop").info("deep", extra={"body": body})
logging.getLogger("shop").info("no number", extra={"x": float("nan")})
"""
    (tmp_path / "shop.py").write_text(CODE + more)
    *deep, no_number, _ = _lines_in_json(tmp_path)
    assert [line["message"] for line in deep] == ["deep"] * 4
    assert no_number["x"] == "nan"
