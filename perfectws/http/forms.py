"""The fields of forms: ``application/x-www-form-urlencoded`` and ``multipart/form-data``."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from .headers import Headers

#: The most parts of a multipart body that are read.
MAX_PARTS = 1000
#: The most bytes of a part's headers; a part that has more is left out.
MAX_PART_HEAD = 16 * 1024

_PARAMETER = re.compile(r';[ \t]*([-\w*]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')


def parse_urlencoded(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a query or a form, decoded, in order; a name without a value has ``""``."""
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def parse_form(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a form's fields; fields that hold a file are left out.

    Args:
        content_type: The value of the ``Content-Type`` header.
        body: The request's body.
    """
    media_type, parameters = parse_parameters(content_type)
    if media_type == "application/x-www-form-urlencoded":
        return parse_urlencoded(body.decode("utf-8", "replace"))
    if media_type == "multipart/form-data":
        return _parse_multipart(body, parameters.get("boundary", ""))
    return []


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the first semicolon, in lower case, and the parameters behind it."""
    first, _, rest = value.partition(";")
    parameters = {
        name.lower(): quoted.replace("\\\\", "\\").replace('\\"', '"') or plain
        for name, quoted, plain in _PARAMETER.findall(";" + rest)
    }
    return first.strip().lower(), parameters


def _parse_multipart(body: bytes, boundary: str) -> list[tuple[str, str]]:
    if not boundary:
        return []
    # RFC 2046 §5.1.1: the boundary delimiter is the CRLF before it, two hyphens and the boundary.
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), MAX_PARTS + 1)
    fields = []
    for part in parts[1 : MAX_PARTS + 1]:
        if part.startswith(b"--"):
            break
        field = _parse_part(part)
        if field is not None:
            fields.append(field)
    return fields


def _parse_part(part: bytes) -> tuple[str, str] | None:
    # A part without headers begins with its empty line.
    head, _, content = part.partition(b"\r\n\r\n")
    if len(head) > MAX_PART_HEAD:
        return None
    disposition, parameters = parse_parameters(Headers.parse(head).get("Content-Disposition") or "")
    if disposition != "form-data" or "name" not in parameters or "filename" in parameters:
        return None
    return parameters["name"], content.decode("utf-8", "replace")
