"""The configurations of *Deploy*, each started, or verified, by the program that it is for."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from perfectws import EventLoop, HTTPRequest, HTTPResponse, HTTPServer, Routes, WebSocket

from .pages import DOCS

FILES = DOCS / "deploy" / "files"
PATIENCE = 30

#: Where somebody listens: on a port, or a path.
Place = int | Path
Proxy = Callable[..., AbstractContextManager[Place]]

pytestmark = pytest.mark.slow


@contextmanager
def application(path: Path) -> Iterator[None]:
    """Serve what the proxies are before: the routes know no prefix."""
    routes = Routes()

    @routes.get("/who")
    def who(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(f"{request.path} {request.is_secure} {request.header('Host')}").completed()

    @routes.get("/client")
    def client(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(f"{request.remote_address[0]} {request.is_secure} {request.id}").completed()

    @routes.web_socket("/pinged", ping_interval=0.3)
    @routes.web_socket("/silent", ping_interval=None)
    @routes.web_socket("/echo")
    def echo(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: socket.send(text))

    with HTTPServer.launch(address=f"unix:{path}", routes=routes, trusted_proxies=["unix:"], wait=False):
        yield


@contextmanager
def program(*command: str, folder: Path, listens_on: Place) -> Iterator[None]:
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


def wait_for(place: Place, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens at a place."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            connected(place).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(log.read_text())


def connected(place: Place) -> socket.socket:
    """Connect to a port, or a path."""
    if isinstance(place, int):
        return socket.create_connection(("127.0.0.1", place), PATIENCE)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    try:
        client.connect(str(place))
    except OSError:
        client.close()
        raise
    return client


def free_port() -> int:
    """Return a port that nobody listens on, for a program that cannot choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def echoed(path: Path) -> str | bytes:
    """Return what comes back from behind a proxy."""
    with EventLoop() as event_loop:
        ws = WebSocket.connect(to=f"ws+unix://{path}:/chat/echo", headers={"Host": "example.org"}, on=event_loop)
        opened = ws.wait(PATIENCE)
        opened.send("hello")
        return opened.receive().wait(PATIENCE)


def asked(place: Place, path: str = "/chat/who", *headers: str) -> str:
    """Return the answer to a request through a proxy."""
    with connected(place) as client:
        lines = [f"GET {path} HTTP/1.1", "Host: example.org", "Connection: close", *headers, "", ""]
        client.sendall("\r\n".join(lines).encode())
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


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


@contextmanager
def nginx(folder: Path, port: int | None = None, patience: str = "60s") -> Iterator[Place]:
    """Run nginx with the file of the page, and give where it listens: on a port, or a path.

    Args:
        folder: Where it and the application have their files.
        port: The port, ``None`` for a path.
        patience: What stands for the seconds of ``proxy_read_timeout``.
    """
    front: Place = folder / "front.sock" if port is None else port
    site = (FILES / "nginx.conf").read_text(encoding="utf-8")
    for written, here in (
        ("unix:/run/chat/chat.sock", f"unix:{folder}/chat.sock"),
        ("listen 443 ssl;", f"listen {f'unix:{front}' if port is None else f'127.0.0.1:{port}'};"),
        ("/var/log/nginx/chat.log", f"{folder}/access.log"),
        ("proxy_read_timeout 60s;", f"proxy_read_timeout {patience};"),
    ):
        assert site.count(written) == 1, written
        site = site.replace(written, here)
    site = re.sub(r"ssl_certificate\w*\s[^;]+;", "", site)
    configuration = NGINX.format(folder=folder, user="user root;" if os.getuid() == 0 else "", site=site)
    (folder / "nginx.conf").write_text(configuration, encoding="utf-8")
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    with application(folder / "chat.sock"), program(*command, folder=folder, listens_on=front):
        yield front


@contextmanager
def caddy(folder: Path, port: int | None = None) -> Iterator[Place]:
    """Run Caddy with the file of the page, and give where it listens: on a port, or a path."""
    front: Place = folder / "front.sock" if port is None else port
    site = (FILES / "Caddyfile").read_text(encoding="utf-8")
    site = site.replace("unix//run/chat/chat.sock", f"unix/{folder}/chat.sock")
    name = "http://example.org" if port is None else f"http://example.org:{port}"
    bound = f"unix/{front}" if port is None else "127.0.0.1"
    site = site.replace("example.org {", f"{name} {{\n\tbind {bound}")
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + site, encoding="utf-8")
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with application(folder / "chat.sock"), program(*command, folder=folder, listens_on=front):
        yield front


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_a_proxy_serves_the_application_below_a_prefix(proxy: Proxy, tmp_path: Path) -> None:
    with proxy(tmp_path) as front:
        assert isinstance(front, Path)
        assert echoed(front) == "hello"
        assert asked(front).endswith("/who False example.org")


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_what_a_client_says_of_itself_to_a_proxy_is_not_believed(proxy: Proxy, tmp_path: Path) -> None:
    with proxy(tmp_path, free_port()) as front:
        spoofed = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Request-ID: chosen")
        for headers in (spoofed, (*spoofed, "X-Forwarded-For: 198.51.100.1, 127.0.0.1")):
            answer = asked(front, "/chat/client", *headers)
            address, is_secure, request_id = answer.rpartition("\r\n")[2].split()
            assert (address, is_secure) == ("127.0.0.1", "False")
            assert re.fullmatch("[0-9a-f-]{32,36}", request_id)


def test_nginx_cuts_a_web_socket_on_which_nothing_is_said_and_none_that_is_pinged(tmp_path: Path) -> None:
    with nginx(tmp_path, patience="1s") as front, EventLoop() as event_loop:

        def opened(path: str) -> WebSocket:
            url, headers = f"ws+unix://{front}:/chat/{path}", {"Host": "example.org"}
            # No pings of ours, which would count as well.
            return WebSocket.connect(to=url, headers=headers, ping_interval=None, on=event_loop).wait(PATIENCE)

        pinged, began = opened("pinged"), time.monotonic()
        silent = opened("silent")
        silent.on_close.wait(PATIENCE)
        assert silent.close_code == 1006
        assert time.monotonic() - began >= 0.9
        time.sleep(1.5)
        pinged.send("hello")
        assert pinged.receive().wait(PATIENCE) == "hello"


def test_the_access_log_of_nginx_has_no_query(tmp_path: Path) -> None:
    with nginx(tmp_path) as front:
        asked(front, "/chat/who?ticket=secret")
        asked(front, "/chat/who?ticket=secret HTTP/9")
    log = (tmp_path / "access.log").read_text(encoding="utf-8")
    assert '"GET /chat/who HTTP/1.1" 200 ' in log
    assert "secret" not in log


def test_the_unit_is_such_as_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (FILES / "chat.service").read_text(encoding="utf-8")
    unit = unit.replace("/srv/chat/.venv/bin/python chat.py", "/bin/true")
    (tmp_path / "chat.service").write_text(unit, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "chat.service")]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (verified.returncode, verified.stderr) == (0, "")
