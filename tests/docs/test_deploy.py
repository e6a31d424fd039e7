"""The configurations of *Deploy*, each started, or verified, by the program that it is for."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from perfectws import EventLoop, HTTPRequest, HTTPResponse, HTTPServer, Routes, WebSocket

from .pages import DOCS

FILES = DOCS / "deploy" / "files"
PATIENCE = 30

pytestmark = pytest.mark.slow


@contextmanager
def application(path: Path) -> Iterator[None]:
    """Serve what the proxies are before: the routes know no prefix."""
    routes = Routes()

    @routes.get("/who")
    def who(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(f"{request.path} {request.is_secure} {request.header('Host')}").completed()

    @routes.web_socket("/echo")
    def echo(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: socket.send(text))

    with HTTPServer.launch(address=f"unix:{path}", routes=routes, trusted_proxies=["unix:"], wait=False):
        yield


@contextmanager
def program(*command: str, folder: Path, listens_on: Path) -> Iterator[None]:
    """Run a proxy until the block ends."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed; this installs it: bash .ci/setup")
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            wait_for(listens_on, process, log)
            yield
        finally:
            process.terminate()


def wait_for(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens on a path."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except OSError:
                time.sleep(0.02)
            else:
                return
    raise AssertionError(log.read_text())


def echoed(path: Path) -> str | bytes:
    """Return what comes back from behind a proxy."""
    with EventLoop() as event_loop:
        ws = WebSocket.connect(to=f"ws+unix://{path}:/chat/echo", headers={"Host": "example.org"}, on=event_loop)
        opened = ws.wait(PATIENCE)
        opened.send("hello")
        return opened.receive().wait(PATIENCE)


def asked(path: Path) -> bytes:
    """Return the answer to a request through a proxy."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"GET /chat/who HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: client.recv(65536), b""))


NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


def test_nginx_serves_the_application_below_a_prefix(tmp_path: Path) -> None:
    site = (FILES / "nginx.conf").read_text(encoding="utf-8")
    site = site.replace("unix:/run/chat/chat.sock", f"unix:{tmp_path}/chat.sock")
    site = site.replace("listen 443 ssl;", f"listen unix:{tmp_path}/front.sock;")
    site = re.sub(r"ssl_certificate\w*\s[^;]+;", "", site)
    configuration = NGINX.format(folder=tmp_path, user="user root;" if os.getuid() == 0 else "", site=site)
    (tmp_path / "nginx.conf").write_text(configuration, encoding="utf-8")
    front = tmp_path / "front.sock"
    command = ["nginx", "-p", str(tmp_path), "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    with application(tmp_path / "chat.sock"), program(*command, folder=tmp_path, listens_on=front):
        assert echoed(front) == "hello"
        assert asked(front).endswith(b"/who False example.org")


def test_caddy_serves_the_application_below_a_prefix(tmp_path: Path) -> None:
    site = (FILES / "Caddyfile").read_text(encoding="utf-8")
    site = site.replace("unix//run/chat/chat.sock", f"unix/{tmp_path}/chat.sock")
    site = site.replace("example.org {", f"http://example.org {{\n\tbind unix/{tmp_path}/front.sock")
    (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + site, encoding="utf-8")
    front = tmp_path / "front.sock"
    command = ["caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    with application(tmp_path / "chat.sock"), program(*command, folder=tmp_path, listens_on=front):
        assert echoed(front) == "hello"
        assert asked(front).endswith(b"/who False example.org")


def test_the_unit_is_such_as_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (FILES / "chat.service").read_text(encoding="utf-8")
    unit = unit.replace("/srv/chat/.venv/bin/python chat.py", "/bin/true")
    (tmp_path / "chat.service").write_text(unit, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "chat.service")]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (verified.returncode, verified.stderr) == (0, "")
