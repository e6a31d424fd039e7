"""Forms as URLs have them, and the parameters of a header's value."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

_PARAMETER = re.compile(r';[ \t]*([-\w*]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')


def parse_urlencoded(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a query or a form, decoded, in order; a name without a value has ``""``."""
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def parse_form(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a form's fields, of a body that is no such form none.

    Args:
        content_type: The value of the ``Content-Type`` header.
        body: The request's body.
    """
    if parse_parameters(content_type)[0] == "application/x-www-form-urlencoded":
        return parse_urlencoded(body.decode("utf-8", "replace"))
    return []


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the first semicolon, in lower case, and the parameters behind it."""
    first, _, rest = value.partition(";")
    parameters = {
        name.lower(): quoted.replace("\\\\", "\\").replace('\\"', '"') or plain
        for name, quoted, plain in _PARAMETER.findall(";" + rest)
    }
    return first.strip().lower(), parameters
