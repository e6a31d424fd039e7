"""Images in the chat: what is kept, what is not, and that what is served is an image and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path

import pytest

from examples.chat import images
from examples.chat.image_types import image_type

from ..platforms import python
from . import pictures
from .chat_client import chatting
from .running import PATIENCE, ROOT, RunningServer, running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


def ask(
    port: int, method: str, path: str, body: bytes | None = None, origin: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {} if origin is None else {"Origin": origin}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def send(port: int, data: bytes) -> tuple[int, dict[str, str]]:
    status, _, body = ask(port, "POST", "/images", data, f"http://127.0.0.1:{port}")
    return status, json.loads(body)


@pytest.mark.parametrize(
    ("make", "suffix", "media_type"),
    [
        (pictures.png, "png", "image/png"),
        (pictures.gif, "gif", "image/gif"),
        (pictures.jpeg, "jpg", "image/jpeg"),
        (pictures.webp, "webp", "image/webp"),
    ],
    ids=["png", "gif", "jpeg", "webp"],
)
def test_an_image_is_kept_and_served_as_an_image_and_nothing_else(
    server: RunningServer, make: Callable[[int, int], bytes], suffix: str, media_type: str
) -> None:
    data = make(40, 30)
    status, answer = send(server.port, data)
    assert status == 201
    assert answer["image"].endswith(f"-40x30.{suffix}")
    assert send(server.port, data) == (201, answer)
    status, headers, body = ask(server.port, "GET", f"/images/{answer['image']}")
    assert (status, body) == (200, data)
    assert headers["Content-Type"] == media_type
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"<script>alert(1)</script>",
        b"GIF89a",
        pictures.gif(0, 5),
        b"\xff\xd8\xff",
        b"\xff\xd8" + b"\xff\xfe\0\0" * 100_000,
        b"\xff\xd8\xff" + b"\xff" * 1_000_000,
        b"RIFF\0\0\0\0WAVEfmt ",
        b"RIFF\0\0\0\0WEBPVP8 ",
        pictures.png(10, 10)[:16] + (50_000).to_bytes(4, "big") * 2 + bytes(20),
    ],
    ids=range(13),
)
def test_what_is_no_image_is_not_kept(server: RunningServer, data: bytes) -> None:
    status, answer = send(server.port, data)
    assert status == 415
    assert answer["text"].startswith("This is no image")


def test_an_image_that_is_too_large_is_not_read(server: RunningServer) -> None:
    status, _, _ = ask(server.port, "POST", "/images", bytes(3 * 1024 * 1024), f"http://127.0.0.1:{server.port}")
    assert status == 413


@pytest.mark.parametrize("origin", [None, "null", "http://example.org", "http://127.0.0.1"])
def test_only_a_page_of_the_chat_can_send_an_image(server: RunningServer, origin: str | None) -> None:
    assert ask(server.port, "POST", "/images", pictures.png(1, 1), origin)[0] == 403


@pytest.mark.parametrize(
    "name", ["..%2f__main__.py", "x.png", ".x-1x1.png", "0" * 32 + "-1x1.svg", "0" * 32 + "-1x1.png"]
)
def test_nothing_else_is_served(server: RunningServer, name: str) -> None:
    assert ask(server.port, "GET", f"/images/{name}")[0] == 404


def test_a_message_shows_an_image_that_the_server_named(server: RunningServer) -> None:
    name = send(server.port, pictures.png(7, 7))[1]["image"]
    with chatting(server.port, "perfectws-rooms") as ana:
        ana.introduce("Ana")
        ana.enter("pictures")
        assert ana.ask("say", room="pictures", key="1", text="", image=name)["message"]["image"] == name
        for image in ("../x.png", f"{name}?", 5, ["x"], "https://example.org/x.png"):
            assert ana.ask("say", room="pictures", key="2", text="x", image=image)["code"] == "bad-message"
        assert ana.ask("say", room="pictures", key="3", text="")["code"] == "text-empty"
        shown = ana.enter("pictures", after=None)["messages"]
        assert [message.get("image") for message in shown] == [name]
        deleted = ana.ask("delete", room="pictures", id=shown[0]["id"])["message"]
        assert "image" not in deleted


def test_who_sends_many_is_asked_to_wait() -> None:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        data = pictures.png(1, 1) + bytes(500_000)
        statuses = [send(server.port, data[: 500_000 + number])[0] for number in range(4)]
    assert statuses[0] == 201
    assert statuses[-1] == 429


def test_images_are_kept_where_it_is_said_whatever_becomes_of_the_messages(tmp_path: Path) -> None:
    with running("-m", "examples.chat", "--port", "0", "--memory", "--images", str(tmp_path / "images")) as server:
        status, answer = send(server.port, pictures.png(3, 3))
        assert status == 201
        server.stop()
    assert [file.name for file in (tmp_path / "images").iterdir()] == [answer["image"]]


def test_the_oldest_make_room_for_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_IN_ALL", 30)
    for number in range(5):
        images.write(tmp_path, f"{number}", bytes(10))
        os.utime(tmp_path / f"{number}", (number, number))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["2", "3", "4"]


def test_an_image_that_comes_again_while_it_is_written_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes = Path.write_bytes
    again = [b"the same"]

    def meanwhile(path: Path, data: bytes) -> int:
        written = write_bytes(path, data)
        if again:
            images.write(tmp_path, "image", again.pop())
        return written

    monkeypatch.setattr(Path, "write_bytes", meanwhile)
    images.write(tmp_path, "image", b"the same")
    assert [file.name for file in tmp_path.iterdir()] == ["image"]


def test_a_file_that_is_gone_before_it_is_looked_at_hinders_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: chain([folder / "gone"], there(folder)))
    images.write(tmp_path, "image", b"")
    assert (tmp_path / "image").exists()


def test_processes_that_keep_images_in_one_folder_do_not_hinder_each_other(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from examples.chat.images import write
for number in range(300):
    write(Path({str(tmp_path)!r}), f"{{number % 3}}", bytes(50_000))
"""
    processes = [subprocess.Popen([*python(), "-c", program], cwd=ROOT) for _ in range(3)]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0", "1", "2"]


def test_the_size_of_each_kind_is_read() -> None:
    assert image_type(pictures.jpeg(123, 45)) == ("jpg", 123, 45)
    assert image_type(pictures.webp(5_000, 45)) == ("webp", 5_000, 45)
    lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + ((44 << 14) | 122).to_bytes(4, "little")
    assert image_type(lossless) == ("webp", 123, 45)
    frame = b"\0\0\0\x9d\x01\x2a" + (123).to_bytes(2, "little") + (45).to_bytes(2, "little")
    lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0" + frame
    assert image_type(lossy) == ("webp", 123, 45)
