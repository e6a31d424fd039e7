"""What the command line is given: a server to talk to, in a thread, and a module to serve."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import WeakSet

import pytest

from perfectws import HTTPRequest, HTTPServer, Routes, Routing, WebSocket
from perfectws.rooms import lone

if sys.platform == "win32":  # where there is no fork
    collect_ignore_glob = ["test_reloading.py"]

#: No test waits longer for anything, in seconds.
PATIENCE = 60

Write = Callable[[str], None]


@pytest.fixture
def write_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write the module ``shop``, in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(Routing, "is_registered", False)
    monkeypatch.setattr(lone, "_rooms", WeakSet())  # another test's may be there still

    def write(code: str) -> None:
        (tmp_path / "shop.py").write_text(code)

    yield write
    sys.modules.pop("shop", None)
    Routing.Routes.clear()


@pytest.fixture
def url() -> Iterator[str]:
    """Serve an echo, which does something else for some words."""
    routes = Routes()

    @routes.web_socket("/", subprotocols=["chat"])
    def echo(request: HTTPRequest, ws: WebSocket) -> None:
        def received(ws: WebSocket, text: str) -> None:
            if text == "bye":
                ws.close(1000, "see you")
            elif text == "fail":
                ws.close(4001, "as you wish")
            elif text == "header":
                ws.send(str(request.header("X-Token")))
            elif text == "evil":
                ws.send("\x1b[2J\x07red\u202e")
            elif text == "bytes":
                ws.send(b"\x00\xff")
            elif text == "lines":
                ws.send("one\ntwo\r\nthree\r\n\nfour")
            elif text == "vanish":
                ws._transport.abort()
            else:
                ws.send(text)

        ws.on_text(received)
        ws.on_binary(lambda ws, data: ws.send(data))

    with HTTPServer.launch(name="x", address="127.0.0.1", port=0, routes=routes, wait=False) as context:
        yield f"ws://127.0.0.1:{context.port}/"


@pytest.fixture(autouse=True)
def _no_input() -> Iterator[None]:
    """Let descriptor 0 be at its end, whatever runs the tests."""
    former, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    yield
    os.dup2(former, 0)
    os.close(former)
    os.close(nothing)
