"""Static files as a server serves them: of any size in little memory, and nothing from outside of the root."""

from __future__ import annotations

import itertools
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from perfectws import TLSConfiguration
from tests.examples.running import ROOT
from tests.platforms import python
from tests.server.conftest import PATIENCE, Launch, Raw, raw, url

GIB = 1024**3
MIB = 1024**2
SECRET = b"the secret outside of the root"

#: Serves a directory in a process of its own, and tells how much memory it has needed whenever it is asked.
PROGRAM = """
import os, sys
from perfectws import HTTPServer

def memory():
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmHWM"].split()[0]) * 1024

context = HTTPServer.launch(name="files", address="127.0.0.1", port=0, document_root=sys.argv[1], wait=False)
print(context.port, flush=True)
for line in sys.stdin:
    print(memory(), flush=True)
"""


class FileServer:
    """The process of `PROGRAM`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line())

    def memory(self) -> int:
        """Return the most memory that it has ever needed, in bytes."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@pytest.fixture
def file_server(tmp_path: Path) -> Iterator[FileServer]:
    (tmp_path / "small").write_bytes(b"small")
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(GIB)
        for position in (0, GIB // 2, GIB - 4):
            file.seek(position)
            file.write(b"mark")
    with subprocess.Popen(
        [*python(), "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield FileServer(process)
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="tells memory")
class TestAGibibyte:
    def fetch(self, server: FileServer, **headers: str) -> tuple[int, int, bytes, bytes]:
        """Return the status, the size, and the ends of the sparse file."""
        size, first, last = 0, b"", b""
        target = f"http://127.0.0.1:{server.port}/sparse"
        with httpx.stream("GET", target, headers=headers, trust_env=False, timeout=PATIENCE) as response:
            for piece in response.iter_raw(MIB):
                first = first or piece[:4]
                last = (last + piece)[-4:]
                size += len(piece)
        return response.status_code, size, first, last

    def test_whole_and_by_range_takes_less_than_8_mib(self, file_server: FileServer) -> None:
        for path in ("small", "none"):
            httpx.get(f"http://127.0.0.1:{file_server.port}/{path}", trust_env=False)
        before = file_server.memory()
        assert self.fetch(file_server) == (200, GIB, b"mark", b"mark")
        assert self.fetch(file_server, Range=f"bytes={GIB // 2}-") == (206, GIB // 2, b"mark", b"mark")
        assert file_server.memory() - before < 8 * MIB

    def test_to_a_reader_that_stops_takes_no_more(self, file_server: FileServer) -> None:
        httpx.get(f"http://127.0.0.1:{file_server.port}/small", trust_env=False)
        before = file_server.memory()
        stopped = [Raw(("127.0.0.1", file_server.port)) for _ in range(4)]
        for connection in stopped:
            connection.send(b"GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.socket.recv(1000)
        httpx.get(f"http://127.0.0.1:{file_server.port}/small", trust_env=False)
        assert file_server.memory() - before < 8 * MIB
        for connection in stopped:
            connection.socket.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A document root with secrets all around it, and links that lead to them."""
    root = tmp_path / "webroot"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("home")
    (root / "sub" / "file.txt").write_text("file")
    for path in ("secret.txt", "webroot-other/secret.txt", "..secret.txt"):
        secret = tmp_path / path
        secret.parent.mkdir(exist_ok=True)
        secret.write_bytes(SECRET)
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "linked").symlink_to(tmp_path)
    (root / "sub" / "up").symlink_to("../..")
    return root


def hostile_paths(root: Path) -> list[bytes]:
    """Return 200 and more ways to ask for what is outside, each as it stands in a request line."""
    ups = [b"..", b"%2e%2e", b"%2E.", b".%2e", b"%252e%252e", b"..%00", b"%c0%ae%c0%ae", b"..;", b"...", b"%2e%2e%2f"]
    separators = [b"/", b"%2f", b"\\", b"%5c", b"//", b"%252f"]
    beginnings = [b"/", b"/sub/", b"//"]
    paths = [
        beginning + up + separator + b"secret.txt"
        for beginning, up, separator in itertools.product(beginnings, ups, separators)
    ]
    absolute = bytes(root.parent / "secret.txt")
    paths += [
        b"/link.txt",
        b"/linked/secret.txt",
        b"/linked/",
        b"/sub/up/secret.txt",
        b"/sub/up/webroot-other/secret.txt",
        b"/../webroot-other/secret.txt",
        b"/..secret.txt",
        b"/%00",
        b"/index.html%00.txt",
        b"/" + absolute,
        absolute,
        b"/" + absolute.replace(b"/", b"%2f"),
        b"file://" + absolute,
        b"http://x" + absolute,
        b"http://x/../secret.txt",
        b"*",
        b"../secret.txt",
        b"/etc/passwd",
        b"//etc/passwd",
        b"/proc/self/environ",
        b"/C:/secret.txt",
        b"/sub/" + b"../" * 100 + absolute.lstrip(b"/"),
        b"/" + b"%2e%2e/" * 100 + b"etc/passwd",
        b"/" + b"a/" * 5000 + b"secret.txt",
        b"/" + b"a" * 5000,
        b"/secret.txt?/../secret.txt",
        b"/%ff%fe/secret.txt",
        b"/~root/secret.txt",
    ]
    return paths


def test_200_hostile_paths_give_404_or_400_and_nothing_from_outside(launch: Launch, root: Path) -> None:
    paths = hostile_paths(root)
    assert len(paths) >= 200
    context = launch(document_root=root)
    for path in paths:
        with raw(context) as connection:
            connection.send(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = connection.read_all()
        assert answer[:12] in (b"HTTP/1.1 404", b"HTTP/1.1 400"), (path, answer)
        assert SECRET not in answer, path
        assert b"root:" not in answer, path


def test_nothing_is_hidden_by_surprise(launch: Launch, root: Path) -> None:
    for name in (".well-known/acme", "grüße & mehr.txt", "100%.txt", "a+b.txt", "~user", "..x", "sub/..x"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name)
    (root / "inside.txt").symlink_to(root / "sub" / "file.txt")
    context = launch(document_root=root)
    with httpx.Client(base_url=url(context), trust_env=False) as client:
        for path, content in [
            ("/", "home"),
            ("/sub/file.txt", "file"),
            ("/inside.txt", "file"),
            ("/.well-known/acme", ".well-known/acme"),
            ("/gr%C3%BC%C3%9Fe%20&%20mehr.txt", "grüße & mehr.txt"),
            ("/100%25.txt", "100%.txt"),
            ("/a+b.txt", "a+b.txt"),
            ("/~user", "~user"),
            ("/..x", "..x"),
        ]:
            assert client.get(path).text == content, path


def test_a_name_that_windows_takes_for_another_is_served_on_all_other_systems(launch: Launch, root: Path) -> None:
    names = ["file.", "page.html ", "page.html:hidden", "question?"]
    for name in names:
        (root / name).write_text(name)
    context = launch(document_root=root)
    with httpx.Client(base_url=url(context), trust_env=False) as client:
        for name in names:
            answer = client.get("/" + quote(name))
            if sys.platform == "win32":
                assert answer.status_code == 404, name
            else:
                assert answer.text == name


def test_files_go_over_tls_too(
    launch: Launch, root: Path, certificate: tuple[Path, Path], trusting: ssl.SSLContext
) -> None:
    (root / "large").write_bytes(os.urandom(3 * MIB))
    tls = TLSConfiguration(cert_path=certificate[0], key_path=certificate[1])
    context = launch(document_root=root, tls_config=tls)
    target = url(context, "/large", "https")
    assert httpx.get(target, verify=trusting, trust_env=False).content == (root / "large").read_bytes()


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let this process, server and all, open no more than ``count`` descriptors."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    import resource

    free = os.dup(0)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("is_secure", [False, True])
def test_without_descriptors_a_file_is_503_for_now_and_there_afterwards(
    launch: Launch,
    root: Path,
    certificate: tuple[Path, Path],
    trusting: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
    is_secure: bool,
) -> None:
    tls = TLSConfiguration(cert_path=certificate[0], key_path=certificate[1]) if is_secure else None
    context = launch(document_root=root, tls_config=tls)
    request = b"GET /sub/file.txt HTTP/1.1\r\nHost: x\r\n\r\n"
    with raw(context, trusting if is_secure else None) as connection:
        assert connection.ask(request)[1] == b"file"
        with descriptors_left(0):
            answers = [connection.ask(request) for _ in range(5)]
        assert connection.ask(request)[1] == b"file"
    for head, body in answers:
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nCache-Control: no-store\r\n" in head
        assert body.startswith(b"503 Service Unavailable: ")
    messages = [record.getMessage() for record in caplog.records if "opened" in record.getMessage()]
    assert messages == ["The file at /sub/file.txt cannot be opened: Too many open files"]


@pytest.mark.skipif(sys.platform != "linux", reason="only sendfile needs a descriptor of its own")
def test_a_file_that_was_begun_waits_for_the_descriptor_that_it_lacks(launch: Launch, root: Path) -> None:
    (root / "large").write_bytes(os.urandom(MIB))
    context = launch(document_root=root)
    with raw(context) as connection:
        assert connection.ask(b"GET /sub/file.txt HTTP/1.1\r\nHost: x\r\n\r\n")[1] == b"file"
        with descriptors_left(1):  # for the file, and none for the kernel to send it by
            connection.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            head = connection.socket.recv(65536)
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert head.endswith(b"\r\n\r\n")
            time.sleep(0.15)
        connection.buffer = head
        assert connection.ask(b"")[1] == (root / "large").read_bytes()


def test_a_path_longer_than_any_is_404(launch: Launch, root: Path) -> None:
    context = launch(document_root=root)
    for path in (b"/a" * 32_000, b"/" + b"a/" * 31_000, b"/sub" * 5000, b"/%61" * 15_000, b"/" + b"a" * 60_000):
        with raw(context) as connection:
            head, _ = connection.ask(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404 ")


def test_conditions_are_judged_over_the_wire(launch: Launch, root: Path) -> None:
    context = launch(document_root=root)
    with httpx.Client(base_url=url(context), trust_env=False) as client:
        path = "/sub/file.txt"
        first = client.get(path)
        etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
        assert client.get(path, headers={"If-Match": etag}).status_code == 200
        assert client.get(path, headers={"If-Match": '"other"'}).status_code == 412
        assert client.head(path, headers={"If-Match": '"other"'}).status_code == 412
        assert client.get(path, headers={"If-Unmodified-Since": modified}).status_code == 200
        assert client.get(path, headers={"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}).status_code == 412
        os.utime(root / "sub" / "file.txt", (4e9, 4e9))
        later = client.get(path)
        assert later.headers["Last-Modified"] == later.headers["Date"]
