"""A host and perhaps a port, as ``Host`` and an absolute request target name them.

Source: RFC 9110 §7.2: ``Host = uri-host [ ":" port ]``; RFC 3986 §3.2.2 for the host.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

#: A name or an IPv4 address, which may be empty, and a port. It begins in one way only: it takes linear time.
_NAMED = re.compile(r"(?:[-.~_!$&'()*+,;=0-9A-Za-z]++|%[0-9A-Fa-f]{2})*(?::([0-9]{0,5}))?")
#: RFC 3986 §3.2.2: IP-literal = "[" ( IPv6address / IPvFuture ) "]"
_LITERAL = re.compile(r"\[([0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[-.~_!$&'()*+,;=:0-9A-Za-z]+)\](?::([0-9]{0,5}))?")
_LAST_PORT = 65535


@lru_cache(maxsize=32)  # a server is called by few names, in every request
def is_authority(text: str) -> bool:
    """Tell whether ``text`` is a host and perhaps a port, and nothing else: no user, no space, no zone, no path.

    An empty host is one. RFC 9112 §3.2: where the target names none, "a client MUST send a Host header field with an
    empty field value".
    """
    match = _NAMED.fullmatch(text)
    if match is not None:
        port = match[1]
    else:
        match = _LITERAL.fullmatch(text)
        if match is None or not (match[1][0] == "v" or _is_ipv6(match[1])):
            return False
        port = match[2]
    return not port or int(port) <= _LAST_PORT


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
