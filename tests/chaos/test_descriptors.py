"""EMFILE, a process without a file descriptor left: what is connected is served, and it is said what is wrong."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from perfectws.log_limit import LogLimit
from perfectws.net import acceptors

from ..conftest import PATIENCE
from ..examples.running import ROOT

#: Connects, takes every descriptor, asks for all that a connection may be asked for, and prints the answers' first
#: lines, what was imported meanwhile, and what was logged.
PROGRAM = """
import io, json, logging, os, resource, socket, sys, time
from perfectws import HTTPServer, Routes

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
log = io.StringIO()
logging.basicConfig(stream=log, level="INFO")
logging.getLogger("perfectws.access").setLevel("INFO")

def fail(request, response):
    raise ValueError("mine")

def form(request, response):
    response.set_body(repr(request.params()) + repr(request.cookies)).completed()

routes = Routes()
routes.add("GET", "/", lambda request, response: response.set_body("plain").completed())
routes.add("POST", "/form", form)
routes.add("GET", "/fail", fail)
routes.web_socket("/echo", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)), compression=True)
context = HTTPServer.launch(name="x", address="127.0.0.1", port=0, routes=routes, wait=False, {keywords})

upgrade = ("Upgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Extensions: permessage-deflate\\r\\n")
REQUESTS = [
    "GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    "GET /\\u00e9\\u0001 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    "GET /none HTTP/1.1\\r\\nHost: x\\r\\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\\r\\n\\r\\n",
    "POST /form HTTP/1.1\\r\\nHost: x\\r\\nCookie: a=b\\r\\nContent-Length: 3\\r\\n"
    "Content-Type: application/x-www-form-urlencoded\\r\\n\\r\\na=b",
    "POST /form HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 47\\r\\n"
    "Content-Type: multipart/form-data; boundary=x\\r\\n\\r\\n"
    "--x\\r\\nContent-Disposition: form-data; name=a\\r\\n\\r\\n",
    "GET /fail HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    "GET /echo HTTP/1.1\\r\\nHost: x\\r\\n" + upgrade + "\\r\\n",
]
connections = [socket.create_connection(("127.0.0.1", context.port), 10) for _ in REQUESTS]
for connection in connections:
    while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\\x01":
        pass
time.sleep(0.3)  # all are accepted

taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
os.close(taken.pop())
waiting = socket.socket()  # the last one: who connects now finds none
waiting.connect(("127.0.0.1", context.port))
time.sleep(1)

before = set(sys.modules)
answers = []
for connection, request in zip(connections, REQUESTS):
    connection.sendall(request.encode("latin-1"))
    answers.append(connection.recv(4096).decode("latin-1").splitlines()[0])
connections[-1].sendall(b"\\x81\\x85\\0\\0\\0\\0hello")
answers.append(connections[-1].recv(4096)[-5:].decode())
imported = sorted(set(sys.modules) - before)

for descriptor in taken:
    os.close(descriptor)
waiting.settimeout(10)
waiting.sendall(REQUESTS[0].encode())
answers.append(waiting.recv(4096).decode().splitlines()[0])
context.terminate().wait()
print(json.dumps([answers, imported, log.getvalue()]))
"""

#: Connects, takes every descriptor, connects again in two ways, gives the descriptors back, and prints what came of it.
CLIENT = """
import json, os, resource
from threading import Event
from perfectws import Backoff, EventLoop, HandshakeError, HTTPServer, Routes, WebSocket

routes = Routes()
routes.web_socket("/echo", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)))
context = HTTPServer.launch(name="x", address="127.0.0.1", port=0, routes=routes, wait=False)
url = f"ws://127.0.0.1:{context.port}/echo"
retried, opened, found = Event(), [], []

def ask(ws, text):
    answer = ws.receive()
    ws.send(text)
    found.append(answer.wait(10))

with EventLoop() as loop:
    old = WebSocket.connect(to=url, on=loop).wait(10)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    try:
        WebSocket.connect(to=url, on=loop).wait(10)
    except HandshakeError as error:
        found.append(str(error).partition(": ")[2].replace(str(context.port), "PORT"))
    again = WebSocket.connect(
        to=url,
        on=loop,
        reconnect=Backoff(first=0.01, longest=0.05),
        on_upgrade=opened.append,
        on_retry=lambda attempt, seconds, error: attempt < 3 or retried.set(),
    )
    retried.wait(10)
    assert not opened
    ask(old, "still here")
    for descriptor in taken:
        os.close(descriptor)
    ask(again.wait(10), "back")
context.terminate().wait()
print(json.dumps(found))
"""


@pytest.mark.parametrize("transport", ["reactor", "streams"])
def test_what_is_connected_is_served_and_the_log_says_once_what_is_wrong(transport: str, tmp_path: Path) -> None:
    program = PROGRAM.format(keywords=f"document_root={str(tmp_path)!r}, close_timeout=0.5")
    if transport == "streams":
        program = "import perfectws.net.loop as loop\nloop.make_reactor = lambda: None\n" + program
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 0, ended.stderr
    answers, imported, log = json.loads(ended.stdout)
    statuses = [answer.partition(" ")[2][:3] for answer in answers]
    assert statuses[:2] == ["200", "400"]
    assert statuses[2] in ("404", "503")  # a file that there is no descriptor for may be there
    assert statuses[3:7] == ["200", "200", "500", "101"]
    assert answers[7] == "hello"
    assert statuses[8] == "200"  # once there are descriptors again
    assert imported == []
    assert log.count("Cannot accept connections: Too many open files; trying again every 0.1 s") == 1
    assert log.count("Traceback") == 1  # of the handler that fails


def test_a_client_says_what_is_wrong_and_one_that_tries_again_connects_once_there_are_descriptors() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", CLIENT], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [
        "cannot connect to 127.0.0.1:PORT: Too many open files",
        "still here",
        "back",
    ]


def test_a_lasting_shortage_is_told_once_a_minute_with_how_often(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("perfectws.log_limit.monotonic", lambda: now)
    shortages = acceptors._shortages()
    error = OSError(24, "Too many open files")
    for _ in range(1200):  # two minutes
        acceptors._log_rest(shortages, error)
        now += acceptors.REST
    said = "Cannot accept connections: Too many open files; trying again every 0.1 s"
    assert caplog.messages[0] == said
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith(f"{said} (and ")
    assert all(record.levelno == logging.ERROR for record in caplog.records)


def test_other_lines_are_warnings_and_rarer(caplog: pytest.LogCaptureFixture) -> None:
    LogLimit().log("kind", "a peer did it")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
