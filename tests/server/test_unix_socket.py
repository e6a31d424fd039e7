"""``address="unix:PATH"``: as behind a proxy on the same machine."""

from __future__ import annotations

import ctypes
import os
import socket
import ssl
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from perfectws import HTTPServer, LaunchFailure, Routes, TLSConfiguration
from perfectws.cli import main
from perfectws.net import unix_sockets
from perfectws.server.configuration import parse_configuration
from tests.server.conftest import PATIENCE, Launch, Raw

if sys.platform == "win32":
    pytest.skip("Windows has no Unix sockets", allow_module_level=True)
assert sys.platform != "win32"  # which type checkers understand


def fetch(path: Path, **headers: str) -> httpx.Response:
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, timeout=PATIENCE) as client:
        return client.get("http://localhost/hello", headers=headers)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.sock"


def test_a_server_listens_on_a_path_and_removes_it_at_the_end(launch: Launch, routes: Routes, path: Path) -> None:
    context = launch(routes=routes, address=f"unix:{path}")
    assert fetch(path).text == " plain test"
    assert context.port == 0
    assert context.server.listens_on == f"unix:{path}"
    context.terminate().wait()
    assert not path.exists()


def test_no_port_is_needed(routes: Routes, path: Path) -> None:
    context = HTTPServer.launch(name="test", address=f"unix:{path}", routes=routes, wait=False)
    assert fetch(path).status_code == 200
    assert context.terminate().wait(PATIENCE)


def test_what_a_dead_server_has_left_behind_is_taken_over(launch: Launch, routes: Routes, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    launch(routes=routes, address=f"unix:{path}")
    assert fetch(path).status_code == 200


def test_a_living_servers_path_is_in_use(launch: Launch, routes: Routes, path: Path) -> None:
    launch(routes=routes, address=f"unix:{path}")
    with pytest.raises(LaunchFailure, match=rf"cannot listen on unix:{path}: .*in use"):
        launch(routes=routes, address=f"unix:{path}")
    assert fetch(path).status_code == 200


def test_a_file_is_left_alone(launch: Launch, routes: Routes, path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(LaunchFailure, match="in use"):
        launch(routes=routes, address=f"unix:{path}")
    assert path.read_text() == "precious"


def test_a_path_that_another_server_has_taken_meanwhile_is_left_to_it(
    launch: Launch, routes: Routes, path: Path
) -> None:
    first = launch(routes=routes, address=f"unix:{path}")
    os.unlink(path)
    launch(routes=routes, address=f"unix:{path}")
    first.terminate().wait()
    assert fetch(path).status_code == 200


def test_a_directory_that_is_not_there_is_a_launch_failure(launch: Launch, routes: Routes, path: Path) -> None:
    with pytest.raises(LaunchFailure, match="there is no folder"):
        launch(routes=routes, address=f"unix:{path}/none.sock")


def test_a_trusted_proxy_behind_it_tells_the_client(launch: Launch, routes: Routes, path: Path) -> None:
    launch(routes=routes, address=f"unix:{path}", trusted_proxies=["unix:"])
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    assert fetch(path, **forwarded).text == "192.0.2.7 secure test"


def test_tls_works_there_too(
    launch: Launch, routes: Routes, path: Path, certificate: tuple[Path, Path], trusting: ssl.SSLContext
) -> None:
    tls = TLSConfiguration(cert_path=certificate[0], key_path=certificate[1])
    launch(routes=routes, address=f"unix:{path}", tls_config=tls)
    with Raw(str(path), trusting) as connection:
        assert connection.ask(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")[1] == b" secure test"


# Who may connect


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    former = os.umask(mask)
    try:
        yield
    finally:
        assert os.umask(former) == mask


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
@pytest.mark.parametrize(("asked", "mode"), [(None, 0o666), (0o600, 0o600), (0o660, 0o660), (0, 0), (0o777, 0o777)])
def test_the_file_has_the_mode_that_is_asked_for_whatever_the_umask_is(
    asked: int | None, mode: int, mask: int, launch: Launch, routes: Routes, path: Path
) -> None:
    with umask(mask):
        launch(routes=routes, address=f"unix:{path}", unix_mode=asked)
    assert mode_of(path) == mode
    assert fetch(path).status_code == 200


def test_what_a_dead_server_has_left_behind_gives_its_mode_to_nothing(
    launch: Launch, routes: Routes, path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    path.chmod(0o777)
    launch(routes=routes, address=f"unix:{path}", unix_mode=0o640)
    assert mode_of(path) == 0o640


@pytest.mark.parametrize("mask", [0, 0o077])
def test_at_no_time_it_has_more_than_is_asked_for_and_nobody_connects_before_it_has_all(
    mask: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    change = unix_sockets._change_mode

    def look(path: str, mode: int) -> None:
        seen.append(mode_of(Path(path)))
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
            client.connect(path)
        change(path, mode)

    monkeypatch.setattr(unix_sockets, "_change_mode", look)
    with umask(mask), unix_sockets.listen_unix(str(path), 1, 0o660):
        assert mode_of(path) == 0o660
    before = 0o660 if sys.platform == "linux" else 0o777  # elsewhere: which is of no use before it listens
    assert seen == [each for each in [before & ~mask] if each != 0o660]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system follows no link where it is told not to")
def test_what_has_taken_its_place_keeps_its_mode(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    secret.chmod(0o600)
    path.symlink_to(secret)
    with pytest.raises(OSError, match=r"symbolic links|no socket"):
        unix_sockets._change_mode(str(path), 0o666)
    path.unlink()
    secret.rename(path)
    with pytest.raises(OSError, match="no socket any more"):
        unix_sockets._change_mode(str(path), 0o666)
    assert mode_of(path) == 0o600


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user")
def test_another_user_can_connect_unless_the_mode_says_no(launch: Launch, routes: Routes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for mode, can_connect in ((None, True), (0o600, False)):
            path = Path(folder, f"{mode}.sock")
            launch(routes=routes, address=f"unix:{path}", unix_mode=mode)
            assert nobody_can_connect(path) is can_connect


def nobody_can_connect(path: Path) -> bool:
    """Connect in a thread that is another user to the file system, on Linux."""
    connected: list[bool] = []

    def connect() -> None:
        libc = ctypes.CDLL(None)
        libc.setfsgid(65534)
        libc.setfsuid(65534)
        with socket.socket(socket.AF_UNIX) as client:
            connected.append(client.connect_ex(str(path)) == 0)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join(PATIENCE)
    return connected[0]


def test_a_configuration_names_it_in_octal_as_json_cannot() -> None:
    server = {"name": "a", "address": "unix:/run/a.sock", "routes": []}
    for given in ("0660", "660", "0o660", 0o660):
        (keywords,) = parse_configuration({"servers": [{**server, "unixMode": given}]})
        assert keywords["unix_mode"] == 0o660
    for given in ("rw", "0680", "", "-660", " 660"):
        with pytest.raises(LaunchFailure, match="'unixMode': expected a file mode such as '0660', not"):
            parse_configuration({"servers": [{**server, "unixMode": given}]})


def test_it_is_for_a_unix_socket_only(routes: Routes) -> None:
    with pytest.raises(LaunchFailure, match="unix_mode is for an address="):
        HTTPServer.launch(address="127.0.0.1", port=0, unix_mode=0o600, routes=routes, wait=False)


def test_the_command_line_takes_it() -> None:
    options = main._parser().parse_args(["serve", "my.module", "--address", "unix:/run/a.sock", "--unix-mode", "0660"])
    assert options.unix_mode == 0o660
