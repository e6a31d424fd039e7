"""Plain requests: the head of a ``GET`` as browsers write it, known at sight.

h11 judges all that arrives, in some hundred small steps: a browser's handshake takes it 66 µs. Nearly every head that a
WebSocket server gets has one shape, narrower than the grammar, and one regular expression knows it in 5 µs::

    GET /target HTTP/1.1 CRLF
    Name: value CRLF            once or more; printable ASCII; one space before the value, none behind it
    CRLF

with one ``Host`` and nothing that tells of a body, of an expectation, or of the connection's end. Whatever differs by a
byte is h11's to judge: other methods and versions, line ends without CR, folded lines, tabs, other characters. Of what
is taken here, h11 would say the same, to the byte of the answer: ``tests/properties/test_plain.py`` shows it.
"""

from __future__ import annotations

import re

from .headers import Headers

#: Narrower than RFC 9112 §3 and §5. Nothing is ever tried twice: it takes linear time.
_HEAD = re.compile(rb"GET (/[!-~]*+) HTTP/1\.1\r\n(?:[-!#$%&'*+.^_`|~0-9A-Za-z]++: [!-~][ -~]*+\r\n)++\r\n")
#: Headers about which h11 has rules of its own.
_JUDGED_BY_H11 = frozenset({"content-length", "expect", "transfer-encoding"})


def read_plain(head: bytes) -> tuple[str, Headers] | None:
    """Return the target and the headers of a plain request; ``None`` if h11 has to judge it.

    Args:
        head: A head, from the request line to the blank line, both included.
    """
    match = _HEAD.fullmatch(head)
    if match is None or b" \r\n" in head:
        return None
    lines = head.decode("ascii").split("\r\n")[1:-2]
    items = [(name.lower(), name, value) for name, _, value in [line.partition(": ") for line in lines]]
    headers = Headers.received(items)
    fields = headers.by_name()
    # RFC 9112 §3.2: a request with "more than one Host header field line" is answered with a 400.
    if len(fields.get("host", ())) != 1 or not _JUDGED_BY_H11.isdisjoint(fields):
        return None
    if "close" in ",".join(fields.get("connection", ())).lower():
        return None
    return match[1].decode("ascii"), headers
