"""`StaticFileHandler`: files from a directory, and nothing from outside of it.

Files are found and opened in threads. A large one is sent by the kernel (``sendfile``) over a plain socket; else it is
read in threads, a piece at a time, the next one once the one before has found room. So a file of any size takes little
memory.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import BinaryIO
from urllib.parse import quote

import trio

from ..futures import Promise
from ..http.dates import http_date
from ..http.mime_type import media_type
from ..http.paths import path_components
from ..http.preconditions import failed_precondition, range_applies
from ..http.request import HTTPRequest
from ..http.response import Handled, HTTPResponse, RequestHandler, error_text, not_found
from ..http.routing import ROUTE_TRAILING_WILDCARD_KEY
from ..log_limit import LogLimit

#: Bytes read and pushed at once.
PIECE = 256 * 1024

#: What no name in a path may hold: what separates names, on whatever system, and what was no UTF-8.
_REFUSED_IN_NAMES = frozenset("\0/\\\ufffd")
#: What it may not end with.
_REFUSED_AT_END: tuple[str, ...] = ()
if sys.platform == "win32":
    # Else one file had many names, which routes and filters would not know: "page.html::$DATA", "page.html.".
    _REFUSED_IN_NAMES |= frozenset('<>:"|?*')
    _REFUSED_AT_END = (".", " ")

#: What a directory's own URI serves.
INDEX = "index.html"

#: The most characters of a path that the file system is asked for: Linux's ``PATH_MAX``. A longer one is nowhere, but
#: to find that out name by name would take long.
LONGEST_PATH = 4096

#: The errors, beside those that have classes, which say that nothing can be had at a path, now or later.
_NOWHERE = frozenset({errno.EINVAL, errno.EILSEQ, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO})
#: Those which say that it could be had at another time.
_EXHAUSTED = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class StaticFileHandler:
    """Serves the files in a directory: ``routes.add("GET", "/files/**", StaticFileHandler("webroot"))``.

    As a route's handler it serves what the ``**`` of the route stands for, else the request's path. `handle_request`
    always serves the request's path, as Perfect does. With ``ETag``, ``Last-Modified`` and conditional requests, single
    ranges, HEAD, ``index.html`` for a directory, and a redirect to the slash of one. What is not there, or may not be
    read, gets 404; what cannot be opened while descriptors or memory have run out, 503; another error of the file
    system, 500. The last two are logged, and kept by no cache.

    Args:
        document_root: The directory; ``None`` for the request's ``document_root``. What lies outside of it is never
            served, not even through a link inside.
        allow_response_filters: Whether response filters see the file and not its headers only, where there are some; a
            large one is sent in chunks then, since they may change its length.

    Source: Perfect's ``StaticFileHandler(documentRoot:allowResponseFilters:)``.
    """

    # Perfect differs: its ETag is not quoted, and it knows neither Last-Modified nor suffix ranges nor 416.

    __slots__ = ("_log_limit", "allow_response_filters", "document_root")

    def __init__(
        self, document_root: str | os.PathLike[str] | None = None, allow_response_filters: bool = False
    ) -> None:
        self.document_root = None if document_root is None else os.fspath(document_root)
        self.allow_response_filters = allow_response_filters
        self._log_limit = LogLimit()

    async def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Serve what the route's ``**`` stands for; without one, the request's path."""
        rest = request.url_variables.get(ROUTE_TRAILING_WILDCARD_KEY)
        await self._serve(request, response, request.path_components if rest is None else _components(rest))

    def handle_request(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Serve the file at the request's path. This only begins it; a task of the server's goes on.

        Source: Perfect's ``handleRequest(request:response:)``.
        """
        response.call_soon(self._serve_path)

    async def _serve_path(self, request: HTTPRequest, response: HTTPResponse) -> None:
        await self._serve(request, response, request.path_components)

    async def _serve(self, request: HTTPRequest, response: HTTPResponse, components: Sequence[str]) -> None:
        if request.method not in (HTTPMethod.GET, HTTPMethod.HEAD):
            response.set_header("Allow", "GET, HEAD")
            _refuse(response, HTTPStatus.METHOD_NOT_ALLOWED, "a file can only be read")
            return
        root = request.document_root if self.document_root is None else self.document_root
        try:
            found = await trio.to_thread.run_sync(open_file, root, components)
        except OSError as error:
            self._fail(request, response, error)
            return
        if found is None:
            _refuse(response, HTTPStatus.NOT_FOUND, f"nothing is served at {request.path[:200]}")
        elif isinstance(found, Directory):
            _redirect(request, response, found)
        else:
            with found.content:
                await self._send(request, response, found)

    def _fail(self, request: HTTPRequest, response: HTTPResponse, error: OSError) -> None:
        """Answer for a file that may well be there."""
        is_exhausted = error.errno in _EXHAUSTED
        kind = "exhausted" if is_exhausted else "broken"
        self._log_limit.log(kind, "The file at %s cannot be opened: %s", request.path[:200], error.strerror)
        response.set_header("Cache-Control", "no-store")
        if is_exhausted:
            _refuse(response, HTTPStatus.SERVICE_UNAVAILABLE, "the server has no room to open the file")
        else:
            _refuse(response, HTTPStatus.INTERNAL_SERVER_ERROR, "the file cannot be opened")

    async def _send(self, request: HTTPRequest, response: HTTPResponse, file: StaticFile) -> None:
        response.is_body_filtered = self.allow_response_filters
        response.set_header("Accept-Ranges", "bytes").set_header("ETag", file.etag)
        now = int(time.time())
        response.set_header("Last-Modified", http_date(min(file.modified, now)))
        if file.modified > now:
            # RFC 9110 §8.8.2.1: one "in the future [...] MUST [be replaced] with the message origination date".
            response.set_header("Date", http_date(now))
        failed = failed_precondition(request, file.etag, min(file.modified, now))
        if failed is not None:
            _fail_precondition(response, failed)
            return
        part = requested_range(request, file)
        if part is None:
            response.set_header("Content-Range", f"bytes */{file.size}")
            response.is_body_filtered = True
            _refuse(response, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"the file has {file.size} bytes")
            return
        if len(part) != file.size:
            response.status = HTTPStatus.PARTIAL_CONTENT
            response.set_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{file.size}")
        response.set_header("Content-Type", file.media_type)
        if not (response.is_filtered and response.is_body_filtered) or request.method is HTTPMethod.HEAD:
            response.set_header("Content-Length", str(len(part)))
        if request.method is HTTPMethod.HEAD or await _send_all(response, file.content, part):
            response.next()


def files_or_not_found(document_root: str, allow_response_filters: bool) -> RequestHandler:
    """Return what answers GET and HEAD with the files of a directory, and all else with 404."""
    files = StaticFileHandler(document_root, allow_response_filters)

    def handle(request: HTTPRequest, response: HTTPResponse) -> Handled:
        if request.method in (HTTPMethod.GET, HTTPMethod.HEAD):
            return files(request, response)
        not_found(request, response)
        return None

    return handle


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that was found and opened."""

    content: BinaryIO
    name: str
    size: int
    modified_ns: int

    @property
    def modified(self) -> int:
        """When it was last changed, in whole seconds since the epoch, as HTTP tells it."""
        return self.modified_ns // 1_000_000_000

    @property
    def etag(self) -> str:
        """Changes whenever the file does. Source: RFC 9110 §8.8.3."""
        return f'"{self.modified_ns:x}-{self.size:x}"'

    @property
    def media_type(self) -> str:
        """The value of the ``Content-Type`` header."""
        return media_type(self.name)


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory whose name was asked for without the slash at its end."""

    name: str


def open_file(document_root: str, components: Sequence[str]) -> StaticFile | Directory | None:
    """Find and open a file; it blocks.

    Args:
        document_root: The directory beneath which it must lie.
        components: The path's components, decoded; a last ``"/"`` asks for a directory's index.

    Returns:
        The file; or the directory that lacks its slash; or ``None`` for what is not there, may not be read, is no plain
        file, or lies outside.

    Raises:
        OSError: It may be there, but cannot be opened.
    """
    names = [name for name in components if name != "/"]
    if len(names) + sum(map(len, names)) > LONGEST_PATH or not all(map(_is_plain, names)):
        return None
    try:
        return _find(document_root, names, components[-1:] == ["/"])
    except ValueError:
        return None
    except OSError as error:
        if _is_nowhere(error):
            return None
        raise


def _is_nowhere(error: OSError) -> bool:
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError | PermissionError):
        # RFC 9110 §15.5.4: "An origin server that wishes to "hide" the current existence of a forbidden target resource
        # MAY instead respond with a status code of 404".
        return True
    return error.errno in _NOWHERE


def _find(document_root: str, names: Sequence[str], wants_directory: bool) -> StaticFile | Directory | None:
    # The system finds in one step that nothing is there; `realpath` takes one for each name.
    is_directory = stat.S_ISDIR(os.stat(os.path.join(document_root, *names)).st_mode)
    path = _resolve(document_root, names)
    if path is not None and is_directory:
        if not wants_directory and names:
            return Directory(names[-1])
        return _open(_resolve(document_root, [*names, INDEX]))
    return None if wants_directory else _open(path)


def _components(rest: str) -> list[str]:
    """Return the components of what a route's wildcard stands for."""
    if len(rest) > LONGEST_PATH:
        return [rest]  # not worth being taken apart: such a one is nowhere
    return path_components(quote(rest))  # it is decoded already: a "%" in it stands for itself


def _is_plain(name: str) -> bool:
    return name not in (".", "..") and _REFUSED_IN_NAMES.isdisjoint(name) and not name.endswith(_REFUSED_AT_END)


def _resolve(document_root: str, names: Sequence[str]) -> str | None:
    """Return the real path of a file, ``None`` if a link leads it out of the root."""
    root = os.path.realpath(document_root)
    path = os.path.realpath(os.path.join(root, *names))
    return path if os.path.commonpath([root, path]) == root else None


def _open(path: str | None) -> StaticFile | None:
    # Looked at before it is opened: to open a pipe would block until it is written to.
    if path is None or not stat.S_ISREG(os.stat(path).st_mode):
        return None
    content = open(path, "rb", buffering=0)  # noqa: SIM115  # closed by the caller
    status = os.fstat(content.fileno())
    return StaticFile(content, os.path.basename(path), status.st_size, status.st_mtime_ns)


def requested_range(request: HTTPRequest, file: StaticFile) -> range | None:
    """Return the bytes that are to be sent: all of them unless one range is asked for; ``None`` if it has none of them.

    Source: RFC 9110 §14.2: "A server MUST ignore a Range header field received with a request method that is
    unrecognized or for which range handling is not defined", and may ignore several ranges; §13.1.5 for ``If-Range``.
    """
    whole = range(file.size)
    header = request.header("Range")
    if header is None or request.method is not HTTPMethod.GET:
        return whole
    if not range_applies(request, file.etag, file.modified):
        return whole
    unit, _, spec = header.partition("=")
    first, dash, last = (part.strip() for part in spec.partition("-"))
    is_wellformed = (
        dash and (first or last) and all(part.isascii() and part.isdigit() for part in (first, last) if part)
    )
    if unit.strip().lower() != "bytes" or not is_wellformed or max(len(first), len(last)) > 20:
        return whole
    if not first:
        if int(last):  # RFC 9110 §14.1.2: then it "is satisfiable", also of an empty file
            return whole[-int(last) :]
        part = range(0)
    else:
        if last and int(last) < int(first):
            return whole
        part = whole[int(first) : int(last) + 1 if last else None]
    return part or None


async def _send_all(response: HTTPResponse, content: BinaryIO, part: range) -> bool:
    """Send a part of a file; return whether the response is to be completed then."""
    # The kernel sends a large file for less (docs/performance.md); for a small one, to ask it costs more than to read.
    send = response.take_file_sender(len(part)) if len(part) > PIECE else None
    return await (_push_all(response, content, part) if send is None else send(content.fileno(), part))


async def _push_all(response: HTTPResponse, content: BinaryIO, part: range) -> bool:
    """Push a part of a file; return whether the last piece is left in the response's body, for its end."""
    position = part.start
    while True:
        piece = await trio.to_thread.run_sync(_read, content, position, min(PIECE, part.stop - position))
        position += len(piece)
        response.append_body(piece)
        # A file that became shorter meanwhile ends here too, and the response fails for want of its Content-Length.
        if not piece or position == part.stop:
            return True
        promise: Promise[bool] = Promise()
        response.push(promise.succeed)
        if not await promise.future_result:
            return False


def _read(content: BinaryIO, position: int, size: int) -> bytes:
    content.seek(position)
    return content.read(size)


def _redirect(request: HTTPRequest, response: HTTPResponse, directory: Directory) -> None:
    # Relative, since the path may be another than the client's: a filter or a handler may have changed it.
    query = request.uri.partition("?")[2]
    location = f"./{quote(directory.name)}/" + (f"?{query}" if query else "")
    response.set_header("Location", location).completed(HTTPStatus.MOVED_PERMANENTLY)


def _fail_precondition(response: HTTPResponse, status: HTTPStatus) -> None:
    if status is HTTPStatus.NOT_MODIFIED:
        response.completed(status)
    else:
        response.is_body_filtered = True
        _refuse(response, status, "the file is not the one that the request is about")


def _refuse(response: HTTPResponse, status: HTTPStatus, text: str) -> None:
    response.set_header("Content-Type", "text/plain; charset=utf-8").set_body(error_text(status, text)).completed(
        status
    )
