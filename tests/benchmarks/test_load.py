"""The load, ``load.c``: it fails loudly when what comes back is not what it sent."""

from __future__ import annotations

import json
import socketserver
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks.compiler import compiled_load

PATIENCE = 30
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: echo\r\n\r\n"
)
CLOSE = 8
Change = Callable[[bytes], bytes]


DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
TAIL = b"\0\0\xff\xff"


def echo_server(change: Change, answer: bytes) -> type[socketserver.StreamRequestHandler]:
    """Return a server of short frames that sends each back as ``change`` makes it."""

    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() != b"\r\n":
                pass
            self.wfile.write(answer)
            while head := self.rfile.read(2):
                mask, size = self.rfile.read(4), head[1] & 127
                payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(size)))
                frame = bytes((head[0], size)) + payload
                self.wfile.write(frame if head[0] & 15 == CLOSE else change(frame))
                if head[0] & 15 == CLOSE:
                    return

    return Echo


@contextmanager
def serving(change: Change, answer: bytes = ANSWER) -> Iterator[int]:
    """Serve such an echo around a block, and give the port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), echo_server(change, answer)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def load_command(mode: str, port: int, **more: float) -> list[str]:
    """Return the command that runs the load for a moment."""
    options = {"port": port, "connections": 2, "size": 32, "seconds": 0.1, "warmup": 0.01, "patience": 10} | more
    command = [str(compiled_load()), mode]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def load(port: int, **more: float) -> subprocess.CompletedProcess[str]:
    """Run the load for a moment."""
    command = load_command("echo", port, **more)
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def counted(port: int, **more: int) -> dict[str, Any]:
    """Run the load, for longer if a busy machine lets nothing come back in so little. Return what it counted."""
    for seconds in (0.1, 1, 5):
        finished = load(port, seconds=seconds, **more)
        assert finished.returncode == 0, finished.stderr
        report: dict[str, Any] = json.loads(finished.stdout)
        if report["window"]["messages"]:
            return report
    pytest.fail("nothing came back")


def test_what_comes_back_as_it_was_sent_is_counted() -> None:
    with serving(lambda frame: frame) as port:
        report = counted(port)
    assert report["latency"]["count"] >= report["window"]["messages"]
    assert report["errors"] == 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda frame: frame[:-1] + b"!", "its payload is not what was sent"),
        (lambda frame: frame[:2] + b"1" + frame[3:], "a message of connection"),
        (lambda frame: frame[:6] + b"z" + frame[7:], "its first bytes are garbled"),
        (lambda frame: frame[:6] + b"9" + frame[7:], "message 9 came instead"),
        (lambda frame: b"\x82" + frame[1:], "its opcode is 2"),
        (lambda frame: b"\xc1" + frame[1:], "its header is wrong"),
        (lambda frame: frame[:1] + b"\x1f" + frame[2:-1], "only 31 bytes came back of 32"),
        (lambda frame: frame[:1] + b"\x21" + frame[2:] + b"?", "it is longer than what was sent"),
        (lambda frame: frame[:1] + b"\x7e\x00\x20" + frame[2:], "its length is not in the shortest form"),
        (lambda frame: frame + frame, "came instead"),
        (lambda frame: b"\x88\x02\x03\xf3", "the server closed with 1011"),
    ],
)
def test_whatever_else_comes_back_ends_it_with_the_reason(change: Change, complaint: str) -> None:
    with serving(change) as port:
        finished = load(port)
    assert finished.returncode == 1
    assert complaint in finished.stderr
    assert finished.stdout == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"101 Switching", b"200 Switching", "the handshake failed"),
        (b"s3pP", b"S3pQ", "the handshake failed"),
        (b"Protocol: echo", b"Protocol: chat", "the subprotocol was not chosen"),
        (b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "it compresses"),
    ],
)
def test_a_handshake_that_is_not_as_it_must_be_ends_it(old: bytes, new: bytes, complaint: str) -> None:
    with serving(lambda frame: frame, ANSWER.replace(old, new)) as port:
        finished = load(port)
    assert finished.returncode == 1
    assert complaint in finished.stderr


def test_a_message_in_parts_comes_back_in_parts_or_whole() -> None:
    with serving(lambda frame: frame) as port:
        assert counted(port, size=50, parts=4)


def test_a_part_that_is_not_as_it_was_ends_it() -> None:
    with serving(lambda frame: frame[:-1] + b"!" if frame[0] == 0x80 else frame) as port:
        finished = load(port, size=50, parts=4)
    assert finished.returncode == 1
    assert "its payload is not what was sent" in finished.stderr


class Deflating:
    """Compresses what it is given again, as a server does: what was said before may be referred to.

    Args:
        change: What becomes of the message in between.
    """

    def __init__(self, change: Change = lambda message: message) -> None:
        self._change = change
        self._compressor: dict[int, zlib._Compress] = {}

    def __call__(self, frame: bytes) -> bytes:
        assert frame[0] == 0xC1
        message = zlib.decompressobj(-10).decompress(frame[2:] + TAIL)
        compressor = self._compressor.setdefault(threading.get_ident(), zlib.compressobj(6, zlib.DEFLATED, -12))
        payload = compressor.compress(self._change(message)) + compressor.flush(zlib.Z_SYNC_FLUSH)
        payload = payload.removesuffix(TAIL)
        return bytes((0xC1, len(payload))) + payload


def test_compressed_messages_that_come_back_compressed_are_inflated_and_counted() -> None:
    with serving(Deflating(), ANSWER.removesuffix(b"\r\n") + DEFLATE) as port:
        assert counted(port, size=100, deflate=1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (Deflating(lambda message: message[:-1] + b"!"), "its payload is not what was sent"),
        (Deflating(lambda message: message[:-1]), "only 99 bytes came back of 100"),
        (Deflating(lambda message: message + b"?"), "it is longer than what was sent"),
        (lambda frame: b"\x81" + frame[1:], "it is not compressed"),
        (lambda frame: frame[:2] + b"\xff" + frame[3:], "its compressed payload is damaged"),
        (lambda frame: b"\xe1" + frame[1:], "its header is wrong"),
    ],
)
def test_whatever_else_comes_back_compressed_ends_it(change: Change, complaint: str) -> None:
    with serving(change, ANSWER.removesuffix(b"\r\n") + DEFLATE) as port:
        finished = load(port, size=100, deflate=1)
    assert finished.returncode == 1
    assert complaint in finished.stderr


def test_a_server_that_does_not_agree_to_compress_ends_it() -> None:
    with serving(lambda frame: frame) as port:
        finished = load(port, deflate=1)
    assert finished.returncode == 1
    assert "it does not compress" in finished.stderr
