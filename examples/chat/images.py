"""Images that people send: what they are is seen from what is in them, how large they are is bounded."""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from pathlib import Path

from perfectws import HTTPRequest, HTTPResponse, StaticFileHandler, run_in_thread

from .hosts import allowed_origins
from .image_types import image_type
from .rate import Rate, TooFast
from .rules import Refused

MAX_IMAGE = 2 * 1024 * 1024  # bytes
MAX_PIXELS = 40_000_000  # a small file can hold an image that no page could show
MAX_IN_ALL = 512 * 1024 * 1024  # bytes; the oldest make room for the newest
MAX_SENDERS = 1_000  # whose rate is remembered

NAME = re.compile(r"[0-9a-f]{32}-\d{1,5}x\d{1,5}\.(?:png|jpg|gif|webp)")

#: An image is shown, and nothing else: whatever else a file can be read as, it can do nothing.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "public, max-age=31536000, immutable",
}


class Images:
    """The images, each in a file of its own.

    Args:
        folder: Where the files are; made when the first one comes.
        origins: Whose pages may send them, besides those that come from the host itself.
    """

    def __init__(self, folder: Path, origins: list[str]) -> None:
        self._folder = folder
        self._origins = origins
        self._files = StaticFileHandler(document_root=folder)
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def serve(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Answer with an image."""
        name = request.url_variables["name"]
        if not NAME.fullmatch(name):
            response.completed(404)
            return
        for header, value in HEADERS.items():
            response.set_header(header, value)
        request.path = f"/{name}"
        self._files.handle_request(request, response)

    def take(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Keep the image in a request, and answer with its name; or with why not."""
        data = bytes(request.post_body_bytes or b"")
        origin = request.header("Origin")
        kind = image_type(data)
        if origin is None or origin not in (allowed_origins(request, self._origins) or []):
            refuse(response, 403, "Only a page of this chat can send an image.")
        elif len(data) > MAX_IMAGE or kind is None or kind.width * kind.height > MAX_PIXELS:
            refuse(response, 415, "This is no image that can be shown here: a PNG, JPEG, GIF or WebP of up to 2 MB.")
        elif (wait := self._wait(str(request.remote_address[0]), len(data))) > 0:
            response.set_header("Retry-After", str(int(wait) + 1))
            refuse(response, 429, "These are more images than the others can look at. Please wait for a moment.")
        else:
            digest = blake2b(data, digest_size=16).hexdigest()
            self._keep(f"{digest}-{kind.width}x{kind.height}.{kind.suffix}", data, response)

    def _keep(self, name: str, data: bytes, response: HTTPResponse) -> None:
        writing = run_in_thread(partial(write, self._folder, name, data))
        writing.when_success(lambda done: response.set_body(json={"image": name}).completed(201))
        writing.when_failure(lambda error: refuse(response, 507, "The image could not be kept."))

    def _wait(self, sender: str, size: int) -> float:
        rate = self._rates.pop(sender, None) or Rate()
        self._rates[sender] = rate
        if len(self._rates) > MAX_SENDERS:
            self._rates.popitem(last=False)
        try:
            rate.take(size)
        except TooFast as too_fast:
            return too_fast.retry_after
        return 0.0


def refuse(response: HTTPResponse, status: int, text: str) -> None:
    """Answer that an image is not kept."""
    response.set_body(json={"text": text}).completed(status)


def write(folder: Path, name: str, data: bytes) -> None:
    """Write a file, whole or not at all, and let the oldest make room for it. In a thread."""
    folder.mkdir(parents=True, exist_ok=True)
    # Of its own: the same image may be sent twice at once, to this process or another.
    unfinished = folder / f".{secrets.token_hex(8)}"
    try:
        unfinished.write_bytes(data)
        unfinished.replace(folder / name)
    except OSError:
        unfinished.unlink(missing_ok=True)  # what there is of it would fill the disk still more
        raise
    in_all = 0
    for _, size, file in sorted(_files(folder), reverse=True):
        in_all += size
        if in_all > MAX_IN_ALL:
            file.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Return when each file was written, how large it is, and which it is."""
    for file in folder.iterdir():
        # Whoever else keeps an image may have renamed the unfinished one by now, or have made room.
        with suppress(FileNotFoundError):
            found = file.stat()
            yield found.st_mtime, found.st_size, file


def check_image(image: object) -> str:
    """Return the name of an image in a message, or nothing if there is none. Raises `Refused`."""
    if image is None or image == "":
        return ""
    if not isinstance(image, str) or not NAME.fullmatch(image):
        raise Refused("bad-message", "An image is the name that the server gave it.")
    return image
