"""The entry points of Perfect's two example apps, served and driven."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trio

from perfectws import ConnectionRejected, LaunchContext, WebSocket

from . import chat_server, websockets_server

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _webroot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each app in a directory with a webroot, as it was run."""
    (tmp_path / "webroot" / "js").mkdir(parents=True)
    (tmp_path / "webroot" / "index.html").write_text("<h1>Perfect</h1>\n" * 200)
    (tmp_path / "webroot" / "js" / "app.js").write_text("var socket = new WebSocket('/echo');")
    monkeypatch.chdir(tmp_path)


@contextmanager
def serving(context: LaunchContext) -> Iterator[str]:
    """Give the URL of a server, and stop it at the end."""
    try:
        yield f"http://127.0.0.1:{context.port}"
    finally:
        assert context.terminate().wait(PATIENCE)


@pytest.fixture
def server() -> Iterator[str]:
    """The WebSockets server, on another port."""
    with serving(websockets_server.main(address="127.0.0.1", port=0, wait=False)) as url:
        yield url


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The chat demo's server, on another port."""
    monkeypatch.setitem(chat_server.config["servers"][0], "port", 0)
    (context,) = chat_server.main(wait=False)
    with serving(context) as url:
        yield url


async def echoed(url: str, path: str, protocol: str, text: str) -> str:
    """Open a WebSocket, send a text, and return what comes back."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            target = url.replace("http:", "ws:") + path
            socket = await WebSocket.connect(to=target, subprotocols=[protocol], on=nursery)
            assert socket.subprotocol == protocol
            socket.send(text)
            message = await socket.read_string_message()
            await socket.close()
    assert isinstance(message.data, str)
    return message.data


def rejected(url: str, path: str, protocol: str) -> ConnectionRejected:
    async def connect() -> None:
        async with trio.open_nursery() as nursery:
            target = url.replace("http:", "ws:") + path
            await WebSocket.connect(to=target, subprotocols=[protocol], on=nursery)

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(connect)
    (error,) = caught.value.exceptions
    assert isinstance(error, ConnectionRejected)
    return error


Get = Callable[..., httpx.Response]


def get(url: str, path: str, **headers: str) -> httpx.Response:
    return httpx.get(url + path, headers={"Accept-Encoding": "gzip", **headers}, trust_env=False, timeout=PATIENCE)


class TestTheWebSocketsServer:
    def test_it_serves_its_page(self, server: str) -> None:
        assert get(server, "/").text == "<h1>Perfect</h1>\n" * 200
        assert get(server, "/index.html").text == get(server, "/").text

    def test_one_asterisk_is_one_component(self, server: str) -> None:
        assert get(server, "/js/app.js").status_code == 404

    def test_files_pass_the_compression_filter_by_as_its_handler_says(self, server: str) -> None:
        assert "content-encoding" not in get(server, "/").headers
        assert "content-encoding" not in get(server, "/none").headers

    def test_it_echoes(self, server: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert trio.run(echoed, server, "/echo", "echo", "grüße " * 1000) == "grüße " * 1000
        assert capsys.readouterr().out.startswith("Read msg: grüße ")

    def test_another_protocol_is_refused_through_the_filter(self, server: str) -> None:
        error = rejected(server, "/echo", "chat")
        assert (error.status, error.body) == (400, b"WebSocket protocols not supported.\n")


class TestTheChatServer:
    def test_it_serves_its_files_of_any_depth(self, chat: str) -> None:
        assert get(chat, "/").text == "<h1>Perfect</h1>\n" * 200
        assert "WebSocket" in get(chat, "/js/app.js").text

    def test_its_sessions_begin(self, chat: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert trio.run(echoed, chat, "/chat", "chat", '{"email": "a@b.c"}') == '{"email": "a@b.c"}'
        assert rejected(chat, "/chat", "echo").status == 400

    def test_with_the_compression_filter_of_perfects_other_apps_its_files_are_compressed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = chat_server.config["servers"][0]
        compression = {
            "type": "response",
            "priority": "high",
            "name": "PerfectHTTPServer.HTTPFilter.contentCompression",
        }
        monkeypatch.setitem(server, "port", 0)
        monkeypatch.setitem(server, "filters", [compression])
        (context,) = chat_server.main(wait=False)
        with serving(context) as url, httpx.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as response:
            packed = b"".join(response.iter_raw())
        assert gzip.decompress(packed) == b"<h1>Perfect</h1>\n" * 200
        assert len(packed) < 200
