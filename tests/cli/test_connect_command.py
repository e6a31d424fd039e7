"""``python -m perfectws connect``: what it takes, what it shows, and with which exit code it ends."""

from __future__ import annotations

import io
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from perfectws import (
    EventLoop,
    HTTPRequest,
    HTTPResponse,
    HTTPResponseStatus,
    HTTPServer,
    Routes,
    TLSConfiguration,
    WebSocket,
)
from perfectws.cli import connect as command
from perfectws.cli import incoming
from perfectws.cli.incoming import Incoming
from perfectws.cli.lines import BinaryLines, JSONLines, TextLines
from perfectws.cli.main import main
from perfectws.cli.piped import READ_SIZE, lines_of
from perfectws.cli.screen import Screen

from ..certificates import server_context
from ..scripts.conftest import PATIENCE


@contextmanager
def input_of(data: bytes) -> Iterator[None]:
    """Let descriptor 0 give ``data``, and then its end."""
    reading, writing = os.pipe()
    former = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE)
        os.dup2(former, 0)
        os.close(former)


def run(*arguments: str, typed: bytes = b"", wait: str = "0.2") -> int:
    with input_of(typed):
        return main(["connect", *arguments, "--wait", wait])


def test_lines_are_sent_and_messages_written_and_the_close_is_told(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(url, typed=b"hello\r\nw\xc3\xb6rld") == 0
    out, told = capfd.readouterr()
    assert out == "hello\nwörld\n"
    assert told == f"Connected to {url}\nClosed: 1000\n"


def test_many_lines_come_back_in_order(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    lines = "".join(f"{number}\n" for number in range(5_000))
    assert run(url, typed=lines.encode()) == 0
    assert capfd.readouterr().out == lines


def test_binary_messages_are_written_as_they_come(url: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(url, "--binary", typed=b"\xff\x00\nx") == 0
    assert capfdbinary.readouterr().out == b"\xff\x00x"


def test_elsewhere_they_are_shown_as_numbers(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(url, typed=b"bytes\n") == 0
    assert capfd.readouterr().out == "00 ff\n"


def test_a_message_is_one_line_whatever_is_in_it(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(url, typed=b"lines\nnext\n") == 0
    assert capfd.readouterr().out == "one two three  four\nnext\n"


def test_as_json_nothing_is_lost_either_way(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(url, "--json", typed=b'"lines"\n"a\\nb\\u00e4"\n[0, 255]\nx\n') == 0
    out, told = capfd.readouterr()
    assert out == '"one\\ntwo\\r\\nthree\\r\\n\\nfour"\n"a\\nb\\u00e4"\n[0, 255]\n'
    assert "A line that is neither a JSON string nor an array of bytes was left out\n" in told


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        (b"bye\n", 0, "Closed: 1000 (see you)"),
        (b"fail\n", 1, "Closed: 4001 (as you wish)"),
        (b"vanish\n", 1, "Closed: 1006"),
    ],
)
def test_the_close_of_the_server_ends_it(
    url: str, capfd: pytest.CaptureFixture[str], typed: bytes, code: int, told: str
) -> None:
    assert run(url, typed=typed, wait="inf") == code
    assert told in capfd.readouterr().err


def test_a_refusal_is_told_with_its_status(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(f"{url}nowhere") == 1
    assert "the server answered 404 Not Found instead of 101" in capfd.readouterr().err
    assert run("ws://127.0.0.1:1/") == 1
    assert "refused" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: URL"),
        (["http://x"], "begins with ws://"),
        (["ws://x", "--header", "nothing"], "--header is 'Name: value': there is no colon in one"),
        (["ws://x", "--header", "Upgrade: x"], "sets Upgrade itself"),
        (["ws://x", "--subprotocol", "a b"], "cannot be the name of a subprotocol"),
        (["ws://x", "--proxy", "ftp://x"], "is no URL of a proxy"),
        (["ws://x", "--ping", "never"], "argument --ping: it is a number of seconds of at least 0.000001, not 'never'"),
        (["ws://x", "--ping", "0"], "argument --ping: it is a number of seconds of at least 0.000001, not '0'"),
        (["ws://x", "--wait", "-1"], "argument --wait: it is a number of seconds, not '-1'"),
        (["ws://x", "--json", "--binary"], "argument --binary: not allowed with argument --json"),
        (["ws://x", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_a_wrong_call_is_told(arguments: list[str], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["connect", *arguments])
    except SystemExit as end:  # argparse's
        code = int(str(end.code))
    assert code == 2
    assert told in capfd.readouterr().err


def test_no_password_is_shown(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(url.replace("ws://", "ws://ann:secret@")) == 0
    assert "secret" not in capfd.readouterr().err


def test_headers_and_subprotocols_go_along_and_pongs_are_shown(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--header", "X-Token: a: b", "--subprotocol", "other", "--subprotocol", "chat", "--ping", "0.05"]
    assert run(url, *options, typed=b"header\n") == 0
    out, told = capfd.readouterr()
    assert out == "a: b\n"
    assert "which speaks chat" in told
    assert "Pong after " in told


def test_a_certificate_is_looked_at_unless_it_is_not_to_be(capfd: pytest.CaptureFixture[str]) -> None:
    routes = Routes()
    routes.web_socket("/", lambda request, ws: None)
    tls = TLSConfiguration(ssl_context=server_context("localhost"))
    server = HTTPServer.secure_server(tls, name="x", address="127.0.0.1", port=0, routes=routes)
    with HTTPServer.launch(server, wait=False)[0] as context:
        url = f"wss://localhost:{context.port}/"
        assert run(url) == 1
        assert "unable to get local issuer certificate" in capfd.readouterr().err
        assert run(url, "--insecure") == 0
    assert command._trusting_all().verify_mode is ssl.CERT_NONE


def test_it_is_not_to_be_looked_at_wherever_a_redirect_leads(capfd: pytest.CaptureFixture[str]) -> None:
    there, here = Routes(), Routes()
    there.web_socket("/", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)))
    tls = TLSConfiguration(ssl_context=server_context("localhost"))
    secure = HTTPServer.secure_server(tls, name="x", address="127.0.0.1", port=0, routes=there)
    with HTTPServer.launch(secure, wait=False)[0] as target:

        @here.get("/")
        def go(request: HTTPRequest, response: HTTPResponse) -> None:
            response.status = HTTPResponseStatus.FOUND
            response.set_header("Location", f"wss://localhost:{target.port}/").completed()

        with HTTPServer.launch(name="y", address="127.0.0.1", port=0, routes=here, wait=False) as context:
            url = f"ws://127.0.0.1:{context.port}/"
            assert run(url) == 1
            assert "unable to get local issuer certificate" in capfd.readouterr().err
            assert run(url, "--insecure", typed=b"there\n") == 0
            assert capfd.readouterr().out == "there\n"


def test_a_line_that_is_no_text_is_left_out(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(url, typed=b"one\n\xff\ntwo\n") == 0
    out, told = capfd.readouterr()
    assert out == "one\ntwo\n"
    assert "A line that is not UTF-8 was left out" in told


# Its parts


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"\n\na\r\nb", [b"", b"", b"a", b"b"]),
        (b"x" * 200_000, [b"x" * 200_000]),
    ],
    ids=["nothing", "no end", "a line", "lines", "a long line"],
)
def test_lines_have_no_ends(data: bytes, lines: list[bytes]) -> None:
    with input_of(data):
        assert list(lines_of(0)) == lines


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_line_may_come_in_many_parts(ending: bytes) -> None:
    long = bytes(range(ord("0"), ord("z"))) * READ_SIZE
    with input_of(b"a\n" + long + ending):
        assert list(lines_of(0)) == [b"a", long]


@pytest.mark.parametrize("message", ["", "a\nb\r\n\rc\u2028d\x85\0", '"\\"', "\ud7ff", b"", b"\0\xff\n"])
def test_json_lines_are_what_they_were(message: str | bytes) -> None:
    line = JSONLines().line_of(message)
    assert isinstance(line, str)
    assert line.splitlines(keepends=True) == [line]
    assert JSONLines().message_of(line[:-1].encode()) == message


@pytest.mark.parametrize(
    "line", [b"", b"x", b"5", b"null", b"{}", b'["a"]', b"[256]", b"[1.5]", b'"\\ud800"', b'"\xff"', b"[" * 100_000]
)
def test_a_line_that_is_no_message_in_json_says_so(line: bytes) -> None:
    with pytest.raises(ValueError, match="neither a JSON string nor an array of bytes"):
        JSONLines().message_of(line)


@pytest.mark.parametrize("lines", [TextLines(), BinaryLines()])
def test_a_text_is_one_line(lines: TextLines) -> None:
    assert lines.line_of("a\nb\r\nc\rd\n") == "a b c d \n"


def test_what_is_closed_has_no_lines() -> None:
    assert list(lines_of(10_000)) == []


class Terminal(io.StringIO):
    """An output that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_what_a_peer_sends_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    output = Terminal()
    Screen(TextLines(), output=output).received(["\x1b[2J\x07\r\nü\t\u202ex\ud800", b"\x00\xff"])
    assert output.getvalue() == "< \\x1b[2J\\x07\\r\\nü\t\\u202ex\\ud800\n< 2 bytes: 00 ff\n"


@pytest.mark.parametrize(
    ("environment", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_there_are_colours_on_a_terminal_only(
    environment: dict[str, str], has_colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal, file = Terminal(), io.StringIO()
    for output in (terminal, file):
        screen = Screen(TextLines(), output=output, told=output)
        screen.received(["hello"])
        screen.tell("told")
        screen.tell_wrong("wrong")
    assert ("\x1b[" in terminal.getvalue()) == has_colours
    assert file.getvalue() == "hello\ntold\nwrong\n"


def test_a_thread_that_writes_slowly_holds_the_peer_back(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MOST", 10)
    with EventLoop(close_timeout=1) as event_loop:
        ws: WebSocket = WebSocket.connect(to=url, on=event_loop).wait(PATIENCE)
        messages = Incoming(ws)
        for number in range(1_000):
            ws.send(str(number))
        got: list[Any] = []
        for batch in messages.batches():
            assert len(batch) <= 10
            got += batch
            if len(got) == 1_000:
                ws.close()
        assert got == list(map(str, range(1_000)))
        assert messages.count == 1_000
