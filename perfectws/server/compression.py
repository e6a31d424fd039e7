"""`ContentCompression`: the response filter that sends bodies as gzip or deflate.

What is whole is compressed at once, what is pushed piece by piece as it comes, each piece flushed, so that the client
gets all that was pushed. Large pieces are compressed in a thread.

Source: RFC 9110 §8.4 and §12.5.3; Perfect's ``HTTPContentCompression.swift``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from http import HTTPMethod, HTTPStatus

import trio

from ..http.filters import HTTPResponseFilter, ResponseFilterCallback, ResponseFilterResult
from ..http.mime_type import media_type
from ..http.response import HTTPResponse

#: A body below this size is sent as it is, in bytes: it fits in one packet anyway.
MIN_SIZE = 1024
#: From this size on, in bytes, a piece is compressed in a thread: it would hold the loop up (docs/performance.md).
THREAD_SIZE = 64 * 1024
#: zlib's level: a higher one takes much longer and saves little (docs/performance.md).
LEVEL = 5

#: What is compressed already, so that it would only grow.
IGNORED_TYPES = (
    "image/*",
    "video/*",
    "audio/*",
    "font/woff",
    "font/woff2",
    "application/zip",
    "application/gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/pdf",
    "application/octet-stream",
)
#: Images that are text, or not compressed by themselves.
_COMPRESSIBLE_IMAGES = ("image/svg+xml", "image/x-icon", "image/bmp")

#: zlib's ``wbits``, by content coding. RFC 9110 §8.4.1.2: "deflate" is the zlib format.
_CODINGS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_WEIGHT = re.compile(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", re.IGNORECASE)


class ContentCompression(HTTPResponseFilter):
    """Compresses bodies for clients that accept it.

    Left alone are: bodies below `MIN_SIZE`, ranges, what has a ``Content-Encoding`` already, what is not to be
    transformed (RFC 9111 §5.2.2.6), files that `StaticFileHandler` sends as they are, and requests whose
    ``scratch_pad`` has a true ``"no-compression"``.

    Args:
        compress_types: The media types that are compressed, ``"text/*"`` for all of a kind; ``None`` for all.
        ignore_types: The types that are left out of these; ``None`` for `IGNORED_TYPES` but for images that are text.

    Raises:
        TypeError: One of them is no list of strings.
    """

    # Perfect differs: it knows deflate only, sets no Vary, leaves strong ETags and compresses the smallest body; and it
    # keeps what was pushed until the response is complete.

    def __init__(self, compress_types: Sequence[str] | None = None, ignore_types: Sequence[str] | None = None) -> None:
        self._compressed = _type_pattern("compressTypes", compress_types or ("*/*",))
        self._ignored = _type_pattern("ignoreTypes", IGNORED_TYPES if ignore_types is None else ignore_types)
        self._exempt = _COMPRESSIBLE_IMAGES if ignore_types is None else ()
        self._key = f"zlib-stream {id(self)}"

    def filter_headers(self, response: HTTPResponse, callback: ResponseFilterCallback) -> object:
        """Choose the coding, and say so in the headers."""
        if response.status == HTTPStatus.NOT_MODIFIED:
            _mark_not_modified(response)
        elif response.status == HTTPStatus.PARTIAL_CONTENT:
            if self._is_of_kind(response):
                _add_vary(response)  # RFC 9110 §15.3.7: it has the Vary that a 200 would have
        elif self._is_compressible(response):
            _add_vary(response)
            coding = choose_coding(response.request.header("Accept-Encoding") or "")
            if coding is not None:
                self._begin(response, coding)
        callback(ResponseFilterResult.CONTINUE)
        return None

    def filter_body(self, response: HTTPResponse, callback: ResponseFilterCallback) -> object:
        """Compress a piece."""
        stream = response.request.scratch_pad.get(self._key)
        if stream is None:
            callback(ResponseFilterResult.CONTINUE)
            return None
        if len(response.body_bytes) >= THREAD_SIZE:
            return _compress_in_thread(stream, response, callback)
        response.body_bytes = _compress(stream, response.body_bytes, response.is_final)
        callback(ResponseFilterResult.CONTINUE)
        return None

    def _begin(self, response: HTTPResponse, coding: str) -> None:
        response.set_header("Content-Encoding", coding)
        response.headers.remove("Content-Length")
        response.headers.remove("Accept-Ranges")
        _weaken_etag(response)
        if response.request.method is HTTPMethod.HEAD:
            response.is_streaming = True  # its length is not known
        else:
            response.request.scratch_pad[self._key] = zlib.compressobj(LEVEL, zlib.DEFLATED, _CODINGS[coding])

    def _is_compressible(self, response: HTTPResponse) -> bool:
        return (
            response.status != HTTPStatus.NO_CONTENT
            and "Content-Range" not in response.headers
            and self._is_large(response)
            and self._is_of_kind(response)
        )

    def _is_of_kind(self, response: HTTPResponse) -> bool:
        """Tell whether what this is, or is a part of, may be compressed."""
        headers = response.headers
        return (
            response.is_body_filtered
            and "Content-Encoding" not in headers
            and "no-transform" not in (headers.get("Cache-Control") or "").lower()
            and not response.request.scratch_pad.get("no-compression")
            and self._is_type_compressed(headers.get("Content-Type") or media_type(response.request.path))
        )

    def _is_large(self, response: HTTPResponse) -> bool:
        length = response.header("Content-Length")
        if length is not None and length.isdigit() and (response.request.method is HTTPMethod.HEAD):
            return int(length) >= MIN_SIZE
        return not response.is_final or len(response.body_bytes) >= MIN_SIZE

    def _is_type_compressed(self, content_type: str) -> bool:
        kind = content_type.partition(";")[0].strip().lower()
        if not self._compressed.fullmatch(kind):
            return False
        return kind in self._exempt or not self._ignored.fullmatch(kind)


def choose_coding(accepted: str) -> str | None:
    """Return the coding that a client likes best of those that we know, gzip where it does not care; or ``None``.

    Args:
        accepted: The value of its ``Accept-Encoding``.

    Source: RFC 9110 §12.5.3.
    """
    weights: dict[str, float] = {}
    for item in accepted.lower().split(","):
        name, _, parameter = item.partition(";")
        weight = _WEIGHT.fullmatch(parameter) if parameter else None
        weights[name.strip()] = float(weight[1]) if weight else 1.0 if not parameter else 0.0
    others = weights.get("*", 0.0)
    best = max(_CODINGS, key=lambda coding: weights.get(coding, others))
    return best if weights.get(best, others) > 0 else None


async def _compress_in_thread(stream: zlib._Compress, response: HTTPResponse, callback: ResponseFilterCallback) -> None:
    body, is_final = response.body_bytes, response.is_final
    response.body_bytes = await trio.to_thread.run_sync(_compress, stream, body, is_final)
    callback(ResponseFilterResult.CONTINUE)


def _compress(stream: zlib._Compress, body: bytes, is_final: bool) -> bytes:
    return stream.compress(body) + stream.flush(zlib.Z_FINISH if is_final else zlib.Z_SYNC_FLUSH)


def _add_vary(response: HTTPResponse) -> None:
    # RFC 9110 §12.5.5: what was chosen depends on that field of the request.
    names = [name.strip().lower() for name in (response.headers.get("Vary") or "").split(",")]
    if "accept-encoding" not in names and "*" not in names:
        response.add_header("Vary", "Accept-Encoding")


def _weaken_etag(response: HTTPResponse) -> None:
    # RFC 9110 §8.8.1: a strong validator changes with every byte; a body that is compressed has other bytes.
    etag = response.header("ETag")
    if etag is not None and not etag.startswith("W/"):
        response.set_header("ETag", f"W/{etag}")


def _mark_not_modified(response: HTTPResponse) -> None:
    """Give a 304 what the 200 would have: RFC 9110 §15.4.5."""
    _add_vary(response)
    etag = response.header("ETag")
    if etag is not None and f"W/{etag}" in (response.request.header("If-None-Match") or ""):
        _weaken_etag(response)


def _type_pattern(key: str, types: Sequence[str]) -> re.Pattern[str]:
    if isinstance(types, str) or not all(isinstance(each, str) for each in types):
        raise TypeError(f"{key} is a list of media types such as ['text/*'], not {types!r}")
    return re.compile("|".join(re.escape(each.lower()).replace(r"\*", r"[^/]*") for each in types) or r"(?!)")
