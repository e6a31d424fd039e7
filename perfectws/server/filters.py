"""`HTTPFilter`: filters that are there already, made of a filter's data.

Source: Perfect's ``HTTPFilter``. Each takes a dictionary with Perfect's keys, so that a configuration can name it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import trio

from ..callbacks import logger
from ..errors import LocalProtocolError
from ..http.filters import HTTPRequestFilter, HTTPResponseFilter, ResponseFilterCallback, ResponseFilterResult
from ..http.mime_type import media_type
from ..http.response import HTTPResponse
from .compression import ContentCompression
from .data import FILTER_KEYS, checked


class HTTPFilter:
    """A name space of functions that each return a filter."""

    @staticmethod
    def content_compression(data: Mapping[str, Any] | None = None) -> HTTPResponseFilter:
        """Compress what is worth it, for clients that accept it.

        What is left alone says `perfectws.server.compression.ContentCompression`.

        Args:
            data: ``compressTypes`` and ``ignoreTypes`` are lists of media types, such as ``"text/html"`` or
                ``"text/*"``: what is compressed, by default everything, and what of that is not, by default what is
                compressed already.

        Raises:
            LocalProtocolError: It has another key.

        Source: Perfect's ``HTTPFilter.contentCompression(data:)``.
        """
        data = checked(data, "compressTypes", "ignoreTypes", what="HTTPFilter.content_compression", beside=FILTER_KEYS)
        return ContentCompression(data.get("compressTypes"), data.get("ignoreTypes"))

    @staticmethod
    def custom_404(data: Mapping[str, Any] | None = None) -> HTTPResponseFilter:
        """Give every 404 response the contents of a file for its body.

        Args:
            data: ``path`` is the file.

        Raises:
            LocalProtocolError: There is no ``path``, or no such file; or there is another key.

        Source: Perfect's ``HTTPFilter.custom404(data:)``.
        """
        path = checked(data, "path", what="HTTPFilter.custom_404", beside=FILTER_KEYS).get("path")
        if not isinstance(path, str | os.PathLike) or not os.path.isfile(path):
            raise LocalProtocolError(f"HTTPFilter.custom_404 needs the key 'path': a file, not {path!r}")
        return _Custom404(Path(path))

    @staticmethod
    def custom_req_filter(data: Mapping[str, Any] | None = None) -> HTTPRequestFilter:
        """Let every request pass: the filter that Perfect's guide gives as an example.

        Raises:
            LocalProtocolError: ``data`` has a key.

        Source: Perfect's ``HTTPFilter.customReqFilter(data:)``.
        """
        checked(data, what="HTTPFilter.custom_req_filter", beside=FILTER_KEYS)
        return _PassAll()


class _PassAll(HTTPRequestFilter):
    pass


class _Custom404(HTTPResponseFilter):
    def __init__(self, path: Path) -> None:
        self._path = path

    def filter_headers(self, response: HTTPResponse, callback: ResponseFilterCallback) -> object:
        """Replace the body of a 404 that is here as a whole."""
        if response.status != HTTPStatus.NOT_FOUND or not response.is_final:
            callback(ResponseFilterResult.CONTINUE)
            return None
        return self._replace(response, callback)

    async def _replace(self, response: HTTPResponse, callback: ResponseFilterCallback) -> None:
        try:
            body = await trio.to_thread.run_sync(self._path.read_bytes)
        except OSError as error:
            logger.error("The page for 404 responses cannot be read: %s", error)
        else:
            response.headers.remove("Content-Length")
            response.set_header("Content-Type", media_type(self._path.name)).set_body(body)
        callback(ResponseFilterResult.CONTINUE)
