"""Several servers behind one nginx, as *Deploy* has them: its files, and two processes behind the real one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import yaml

from benchmarks.brokers.redis_server import RedisServer
from tests.peer import Peer
from tests.platforms import python

from .commands import EXTRAS
from .pages import DOCS, ROOT

if sys.platform == "win32":
    pytest.skip("Windows has no Unix sockets", allow_module_level=True)

SEVERAL, ACTIVATION = DOCS / "deploy" / "files" / "several", DOCS / "deploy" / "files" / "activation"
PATIENCE = 60
NAMES = ("chat1", "chat2")

pytestmark = pytest.mark.slow


def read(name: str) -> str:
    return (SEVERAL / name).read_text(encoding="utf-8")


def value(unit: Path, key: str) -> str:
    """Return what a unit says for a key."""
    found = re.search(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


# The files

HEALTHY = """
from perfectws import HTTPHandler, Routes
routes = Routes()
routes.add("GET", "/", HTTPHandler.health())
"""


def test_the_compose_file_names_what_is_there() -> None:
    compose: Any = yaml.safe_load(read("compose.yaml"))
    services = compose["services"]
    assert set(services) == {*NAMES, "redis", "nginx"}
    (subnet,) = compose["networks"]["default"]["ipam"]["config"]
    for name in NAMES:
        service = services[name]
        assert (SEVERAL / service["build"] / "Dockerfile").is_file()
        assert service["environment"]["REDIS_URL"] == "redis://redis:6379"
        assert service["environment"]["TRUSTED_PROXIES"] == subnet["subnet"]
        asked = re.search(r"http://127.0.0.1:8181(/\w+)", service["healthcheck"]["test"][-1])
        assert asked is not None
        assert f'"{asked[1]}", HTTPHandler.health(' in read("chat.py")
        assert set(service["depends_on"]) <= set(services)
    (volume,) = services["nginx"]["volumes"]
    assert (SEVERAL / volume.partition(":")[0]).is_file()
    assert set(services["nginx"]["depends_on"]) == set(NAMES)


def test_the_dockerfile_copies_what_is_there_and_installs_extras_that_there_are() -> None:
    text = read("Dockerfile")
    extras = re.search(r"perfectws\[([\w,]+)\]", text)
    assert extras is not None
    assert set(extras[1].split(",")) <= EXTRAS
    for name in re.findall(r"^COPY (\S+)", text, re.MULTILINE):
        assert (SEVERAL / name).is_file()


def test_nginx_sends_to_the_services_there_are_none_of_them_sticky_and_repeats_nothing_that_was_sent() -> None:
    text = re.sub(r"#.*", "", read("nginx.conf"))
    assert re.findall(r"server (\w+):8181 ", text) == list(NAMES)
    assert not re.search(r"ip_hash|sticky|hash |non_idempotent", text)


def test_the_units_are_such_that_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    units = [tmp_path / unit.name for unit in sorted(ACTIVATION.iterdir())]
    for unit in units:
        text = (ACTIVATION / unit.name).read_text(encoding="utf-8")
        unit.write_text(text.replace("/srv/chat/.venv/bin/python", "/bin/true"), encoding="utf-8")
    assert [unit.name for unit in units] == ["chat.service", "chat.socket", "chat@.service", "chat@.socket"]
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_what_the_unit_starts_serves_on_the_socket_of_the_other(tmp_path: Path) -> None:
    if shutil.which("systemd-socket-activate") is None:
        pytest.skip("systemd-socket-activate is not installed")
    (tmp_path / "chat.py").write_text(HEALTHY)
    arguments = value(ACTIVATION / "chat.service", "ExecStart").replace("--workers auto", "--workers 2").split()[1:]
    path, name = tmp_path / "socket", value(ACTIVATION / "chat.socket", "FileDescriptorName")
    command = ["systemd-socket-activate", f"--listen={path}", f"--fdname={name}"]
    command += [f"--setenv={each}" for each in ("PATH", "PYTHONPATH") if each in os.environ]
    command += [*python(), *arguments]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Listening on" in process.stderr.readline()
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=PATIENCE) as client:
            assert client.get("http://localhost/").text == "OK\n"
        process.terminate()
        text = process.stderr.read()
        assert process.wait(PATIENCE) == 0, text


# Two servers


class Server:
    """One of the servers, in a process of its own, on a Unix socket."""

    def __init__(self, folder: Path, name: str, redis: RedisServer) -> None:
        self.path = folder / f"{name}.sock"
        self._log = folder / f"{name}.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "REDIS_URL": redis.url}
        environment |= {"ADDRESS": f"unix:{self.path}", "TRUSTED_PROXIES": "unix:"}
        with self._log.open("wb") as log:
            command = [*python(), str(SEVERAL / "chat.py")]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def __enter__(self) -> Server:
        wait_for(self.path, self.process, self._log)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def web_sockets(self) -> int:
        """Return how many it has, as it tells Prometheus."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.path)), timeout=PATIENCE) as client:
            text = client.get("http://localhost/metrics").text
        found = re.search(r"^perfectws_web_sockets (\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1])


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


NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr;
worker_processes 1;
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
def nginx(folder: Path, servers: dict[str, Server]) -> Iterator[int]:
    """Run nginx before servers, and give the port on which it listens."""
    site = read("nginx.conf")
    for name, server in servers.items():
        site = site.replace(f"server {name}:8181 ", f"server unix:{server.path} ")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # It is passed the listener as by an nginx before it, so nobody else can have taken the port meanwhile.
        port = listener.getsockname()[1]
        site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user, site=site), encoding="utf-8")
        command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        environment = {**os.environ, "NGINX": f"{listener.fileno()};"}
        log = (folder / "nginx.log").open("wb")
        process = subprocess.Popen(command, env=environment, pass_fds=[listener.fileno()], stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
        log.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, Server]]:
    """Two servers with one Redis."""
    redis = RedisServer()
    try:
        redis.start()
        with ExitStack() as stack:
            started = {name: Server(tmp_path, name, redis) for name in NAMES}
            yield {name: stack.enter_context(server) for name, server in started.items()}
    finally:
        redis.remove()


@pytest.fixture
async def peers() -> AsyncIterator[list[Peer]]:
    """The clients."""
    peers: list[Peer] = []
    yield peers
    for peer in peers:
        await peer.vanish()


async def connected(port: int, host: str, peers: list[Peer]) -> Peer:
    """Return a client that comes from a host of this machine, once it is in the room."""
    peers.append(peer := Peer(await trio.open_tcp_stream("127.0.0.1", port, local_address=host)))
    await peer.handshake("/chat", headers=[("X-Forwarded-For", "203.0.113.9")])
    assert peer.status == 101
    await until(peer, f"somebody came from {host}")
    return peer


async def until(peer: Peer, text: str) -> None:
    while await peer.receive_text() != text:
        pass


async def test_clients_of_two_servers_behind_nginx_are_in_one_room_and_move_when_one_is_killed(
    tmp_path: Path, servers: dict[str, Server], peers: list[Peer]
) -> None:
    with nginx(tmp_path, servers) as port, trio.fail_after(PATIENCE):
        # nginx says who they are, and not they themselves.
        ada, bob = await connected(port, "127.0.0.2", peers), await connected(port, "127.0.0.3", peers)
        assert [server.web_sockets() for server in servers.values()] == [1, 1]
        await ada.send_text("hello")
        for peer in (ada, bob):
            await until(peer, "hello")
        await bob.send_text("you too")
        for peer in (ada, bob):
            await until(peer, "you too")

        servers["chat1"].kill()
        ends = [peer for peer in (ada, bob) if await has_ended(peer)]
        assert len(ends) == 1
        # Whoever comes now is served, as often as one comes.
        again = [await connected(port, f"127.0.0.{number}", peers) for number in range(4, 8)]
        assert servers["chat2"].web_sockets() == 5
        await again[0].send_text("here again")
        for peer in again:
            await until(peer, "here again")
        answer = await trio.to_thread.run_sync(lambda: httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False))
        assert answer.status_code == 404


async def has_ended(peer: Peer) -> bool:
    """Tell whether a client's connection has ended, though it may be about to."""
    await peer.send_text("still there?")
    try:
        await until(peer, "still there?")
    except (EOFError, trio.BrokenResourceError):
        return True
    return False
