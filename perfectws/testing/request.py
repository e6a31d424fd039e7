"""A request of a test, with its body: as JSON, as a form, as a form with files, or as it is."""

from __future__ import annotations

import json as json_module
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from http import HTTPMethod
from typing import NamedTuple, TypeAlias, TypedDict
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from ..checks.spelling import check_names
from ..client.handshake import USER_AGENT
from ..http.headers import Headers
from ..http.methods import parse_method
from ..websocket.connecting import HeaderFields

#: A file of a form: what is in it; or its name and that; or its name, that and its media type.
FormFile: TypeAlias = str | bytes | tuple[str, str | bytes] | tuple[str, str | bytes, str]
#: A form: by names, each with a value or several; or as pairs.
Form: TypeAlias = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]

#: The server's name, for ``Host``.
HOST = "testserver"
#: What may stand in the first line of a request.
_is_target = re.compile(r"[!-~]+").fullmatch
#: What stands between the parts of a form with files.
_BOUNDARY = "perfectws-testing-boundary"


class NotGiven(Enum):
    """What stands for a JSON value that is not given, since ``None`` is one."""

    NOT_GIVEN = "not given"


class RequestKeywords(TypedDict, total=False):
    """The keyword arguments of a test's request, which `AsyncTestServer.request` describes."""

    headers: HeaderFields
    cookies: Mapping[str, str]
    json: object
    data: Form | str | bytes
    files: Mapping[str, FormFile] | Iterable[tuple[str, FormFile]]
    follow_redirects: bool
    remote_address: str
    timeout: float


_KEYWORDS = frozenset(RequestKeywords.__annotations__)


class PlainRequest(NamedTuple):
    """A request, ready to be sent."""

    method: str
    target: str
    headers: Headers
    body: bytes

    @classmethod
    def of(cls, method: HTTPMethod | str, path: str, keywords: RequestKeywords) -> PlainRequest:
        """Make one. Raises `TypeError` or `ValueError`, with what to write instead."""
        check_names(keywords, _KEYWORDS, "a request")
        check_path(path)
        if "json" in keywords and ("data" in keywords or "files" in keywords):
            raise TypeError("a request has one body: json=, or data= and files=")
        body, media_type = _body_of(keywords)
        fields = keywords.get("headers", ())
        headers = Headers(fields.items() if isinstance(fields, Mapping) else fields)
        if "Host" not in headers:
            headers.add("Host", HOST)
        if "User-Agent" not in headers:
            headers.add("User-Agent", USER_AGENT)
        if media_type is not None and "Content-Type" not in headers:
            headers.add("Content-Type", media_type)
        if (body or "data" in keywords) and not {"content-length", "transfer-encoding"} & {*headers.names()}:
            headers.add("Content-Length", str(len(body)))
        return cls(str(parse_method(method)), path, headers, body)

    def redirected(self, status: int, location: str) -> PlainRequest | None:
        """Return the request that follows a redirect; ``None`` if it leads to another server.

        Source: RFC 9110 §15.4: all but 307 and 308 make a POST a GET.
        """
        url = urlsplit(urljoin(f"http://{HOST}{self.target}", location))
        if url.netloc != HOST:
            return None
        target = urlunsplit(("", "", url.path or "/", url.query, ""))
        headers = self.headers.copy()
        headers.remove("Cookie")
        if status in (307, 308) or self.method in ("GET", "HEAD"):
            return self._replace(target=target, headers=headers)
        for name in ("Content-Type", "Content-Length"):
            headers.remove(name)
        return PlainRequest("GET", target, headers, b"")


def check_path(path: object) -> None:
    """Raise `ValueError` unless ``path`` is a path, with a query perhaps, of the server that is tested."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(f"what is asked for begins with a slash, as in '/chat?room=1', not {path!r}")
    if not _is_target(path):
        raise ValueError(f"{path!r} cannot be asked for as it is: encode it, as by urllib.parse.quote")


def _body_of(keywords: RequestKeywords) -> tuple[bytes, str | None]:
    """Return the body, and its media type unless it is given as it is."""
    data = keywords.get("data", ())
    if "json" in keywords:
        return json_module.dumps(keywords["json"]).encode(), "application/json"
    if isinstance(data, str | bytes | bytearray):
        if "files" in keywords:
            raise TypeError("data= is the fields of the form with files=, a mapping or pairs, not a body as it is")
        return (data.encode() if isinstance(data, str) else bytes(data)), None
    fields = _pairs(data)
    if "files" in keywords:
        return _multipart(fields, keywords["files"]), f"multipart/form-data; boundary={_BOUNDARY}"
    if "data" in keywords:
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    return b"", None


def _pairs(form: Form) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in form.items() if isinstance(form, Mapping) else form:
        values = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
        pairs += [(name, each if isinstance(each, str) else str(each)) for each in values]
    return pairs


def _multipart(fields: list[tuple[str, str]], files: Mapping[str, FormFile] | Iterable[tuple[str, FormFile]]) -> bytes:
    """Return a form with files. Source: RFC 7578."""
    parts = [_part(f'name="{_quoted(name)}"', None, value.encode()) for name, value in fields]
    for name, given in files.items() if isinstance(files, Mapping) else files:
        file_name, content, *media_type = given if isinstance(given, tuple) else (name, given)
        data = content.encode() if isinstance(content, str) else content
        disposition = f'name="{_quoted(name)}"; filename="{_quoted(file_name)}"'
        parts.append(_part(disposition, media_type[0] if media_type else "application/octet-stream", data))
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def _part(disposition: str, media_type: str | None, content: bytes) -> bytes:
    lines = [f"--{_BOUNDARY}", f"Content-Disposition: form-data; {disposition}"]
    if media_type is not None:
        lines.append(f"Content-Type: {media_type}")
    return "\r\n".join([*lines, "", ""]).encode() + content + b"\r\n"


def _quoted(name: str) -> str:
    """Return a name as it stands between quotes. Source: the HTML standard's "escaping" of names in forms."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
