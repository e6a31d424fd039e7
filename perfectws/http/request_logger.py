"""`RequestLogger`: a pair of filters that writes a line of the access log for each request that passes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .filters import (
    HTTPRequestFilter,
    HTTPResponseFilter,
    RequestFilterCallback,
    RequestFilterResult,
    ResponseFilterCallback,
    ResponseFilterResult,
)
from .request import HTTPRequest
from .response import HTTPResponse


class RequestLogger(HTTPRequestFilter, HTTPResponseFilter):
    """Writes one line on the logger ``perfectws.access`` for each request, once its response is over. ::

        logger = RequestLogger()
        server.set_request_filters([(logger, FilterPriority.HIGH)])
        server.set_response_filters([(logger, FilterPriority.LOW)])

    Where the lines go, `logging` is told: ``logging.basicConfig(level="INFO")`` shows them, and a handler of
    ``logging.getLogger("perfectws.access")`` writes them to a file.

    The line is the one of the access log (see `perfectws.http.access_log`), which is written whatever that logger's
    level is: who sets the filter wants it. With the access log on there is still one line only, since both ask for the
    same one. A WebSocket has a second line when its session is over.

    The request filter is all that it takes: the response filter is there since Perfect's apps set it. Where any
    response filter is set, large files are not sent by the kernel.

    For other lines that tell of the same request there are ``request.scratch_pad["requestID"]``, which is
    ``request.id``, and ``["start"]``, the time at which it passed, in milliseconds since the epoch.

    Source: Perfect-RequestLogger.
    """

    # Perfect differs: it writes to a file and in a format of its own, when the head is sent, and counts the first piece
    # of the body only. Where only one of the two filters is set, it is the response's that writes.

    def __init__(self) -> None:
        super().__init__()

    @staticmethod
    def filter_api_request(data: Mapping[str, Any]) -> HTTPRequestFilter:
        """Return one for a configuration: ``{"type": "request", "name": RequestLogger.filter_api_request}``.

        Args:
            data: The filter's dictionary, of which nothing else is asked.
        """
        return RequestLogger()

    @staticmethod
    def filter_api_response(data: Mapping[str, Any]) -> HTTPResponseFilter:
        """Return one for a configuration: ``{"type": "response", "name": RequestLogger.filter_api_response}``.

        Args:
            data: The filter's dictionary, of which nothing else is asked.
        """
        return RequestLogger()

    def filter(self, request: HTTPRequest, response: HTTPResponse, callback: RequestFilterCallback) -> None:
        """Ask for the line of this ``request`` with the ``response``, and call ``callback``."""
        request.scratch_pad["start"] = time.time() * 1000
        request.scratch_pad["requestID"] = request.id
        response.log_access()
        callback(RequestFilterResult.CONTINUE)

    def filter_headers(self, response: HTTPResponse, callback: ResponseFilterCallback) -> None:
        """Let the ``response`` pass, by ``callback``: the connection itself knows its status, size and end."""
        callback(ResponseFilterResult.CONTINUE)
