"""Request targets and their paths, judged and taken apart."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from .authority import is_authority

#: What may stand in a path's component as it is, beside the unreserved characters. RFC 3986 §3.3: pchar
_PCHAR = "!$&'()*+,;=:@~"
#: What stands before the path of a target in absolute form.
_ABSOLUTE = re.compile(r"[A-Za-z][-+.0-9A-Za-z]*+://([^/?]+)")


def is_target(target: str, method: str) -> bool:
    """Tell whether a request may ask for ``target``: a path, an absolute URI, or the server as a whole.

    Source: RFC 9112 §3.2. Its authority-form is for CONNECT only, which a server such as this does not serve.
    """
    if target[:1] == "/":
        return True
    if target == "*":
        return method == "OPTIONS"
    match = _ABSOLUTE.match(target)
    # RFC 9110 §4.2.4: a user in an http URI is to be "treat[ed] as an error"; a host that is empty names no server.
    return match is not None and is_authority(match[1]) and match[1][0] != ":"


def authority_of(target: str) -> str | None:
    """Return the host, and perhaps the port, that a request target in absolute form names; ``None`` for another."""
    match = None if target[:1] == "/" else _ABSOLUTE.match(target)
    return None if match is None else match[1]


def split_target(target: str) -> tuple[str, str]:
    """Return the path and the query of a request target, both still percent-encoded.

    Source: RFC 9112 §3.2; of an absolute-form target, scheme and authority are left out.
    """
    if target[:1] != "/" and "://" in target.partition("?")[0]:
        _, _, rest = target.partition("://")
        authority = rest.partition("?")[0].partition("/")[0]
        target = rest[len(authority) :]
        if target[:1] != "/":
            target = "/" + target
    path, _, query = target.partition("?")
    return path, query


def path_components(path: str) -> list[str]:
    """Return a path's components, decoded: ``/a/b%20c/`` gives ``["/", "a", "b c", "/"]``.

    A first ``"/"`` stands for the root, a last one for a trailing slash; slashes that follow each other count as one.

    Source: Perfect's ``HTTPRequest.pathComponents``, as its HTTP/1.1 server fills it.
    """
    names = [name for name in path.split("/") if name]
    if "%" in path:
        names = [unquote(name, errors="replace") for name in names]
    if path[:1] == "/":
        names.insert(0, "/")
    if path[-1:] == "/" and path.strip("/"):
        names.append("/")
    return names


def join_components(components: list[str]) -> str:
    """Return the path, percent-encoded, that `path_components` took apart."""
    path = "/".join([quote(name, safe=_PCHAR) for name in components if name != "/"])
    if components and components[0] == "/":
        path = "/" + path
    return path + "/" if len(components) > 1 and components[-1] == "/" else path
