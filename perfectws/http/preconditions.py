"""Conditional requests: what a client has already, or must not lose, decides the answer (RFC 9110 §13).

::

    If-Match, else If-Unmodified-Since ──fails──► 412
                 │
                 ▼
    If-None-Match, else If-Modified-Since ──fails──► 304; 412 where it was to change something
                 │
                 ▼
    If-Range: the range that is asked for, or all of it

Source: RFC 9110 §13.2.2, which fixes this order.
"""

from __future__ import annotations

import re
from http import HTTPMethod, HTTPStatus

from .dates import parse_http_date
from .request import HTTPRequest

#: RFC 9110 §8.8.3: entity-tag = [ weak ] opaque-tag. A comma in an opaque tag is a part of it.
_ENTITY_TAG = re.compile(r'(?:W/)?"[^\x00-\x20"\x7f]*"')


def failed_precondition(request: HTTPRequest, etag: str, modified: int) -> HTTPStatus | None:
    """Return what to answer instead of the representation: 412 or 304; ``None`` if every condition is met.

    Args:
        request: The request.
        etag: The representation's entity tag, a strong one.
        modified: When it was last changed, in whole seconds since the epoch.
    """
    if not _is_still_the_same(request, etag, modified):
        return HTTPStatus.PRECONDITION_FAILED
    if _has_changed(request, etag, modified):
        return None
    return HTTPStatus.NOT_MODIFIED if _is_read(request) else HTTPStatus.PRECONDITION_FAILED


def range_applies(request: HTTPRequest, etag: str, modified: int) -> bool:
    """Return whether ``If-Range``, if there is one, lets a range be sent: it must name this very representation.

    Source: RFC 9110 §13.1.5: the strong comparison for tags, an exact match for dates.
    """
    validator = request.header("If-Range")
    return validator is None or validator == etag or parse_http_date(validator) == modified


def _is_still_the_same(request: HTTPRequest, etag: str, modified: int) -> bool:
    tags = request.header("If-Match")
    if tags is not None:
        # RFC 9110 §13.1.1: "An origin server MUST use the strong comparison function". A weak tag is equal to none.
        return tags == "*" or etag in _ENTITY_TAG.findall(tags)
    limit = parse_http_date(request.header("If-Unmodified-Since") or "")
    return limit is None or modified <= limit


def _has_changed(request: HTTPRequest, etag: str, modified: int) -> bool:
    tags = request.header("If-None-Match")
    if tags is not None:
        # RFC 9110 §13.1.2: "A recipient MUST use the weak comparison function".
        return tags != "*" and etag not in [tag.removeprefix("W/") for tag in _ENTITY_TAG.findall(tags)]
    since = parse_http_date(request.header("If-Modified-Since") or "") if _is_read(request) else None
    return since is None or modified > since


def _is_read(request: HTTPRequest) -> bool:
    return request.method in (HTTPMethod.GET, HTTPMethod.HEAD)
