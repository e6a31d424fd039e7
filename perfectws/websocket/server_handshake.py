"""The server's half of the opening handshake: what a client offers, the answer, and the session that it opens.

Source: RFC 6455 §4.2, RFC 9110 §7.8 (``Upgrade``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import NamedTuple, TypeAlias

from wsproto.utilities import generate_accept_token

from ..http.headers import TCHAR, Headers, holds_token, is_token, list_elements
from ..http.request import HTTPRequest
from ..http.response import HTTPResponse
from ..log_limit import LogLimit
from ..transport import Transport
from .connection import WebSocketConnection
from .deflate import Deflate, DeflateOptions, answer_offers
from .opcodes import VERSION
from .options import WebSocketOptions
from .rated_connection import connection_class
from .socket import WebSocket

#: RFC 4648 §4: of 16 bytes.
_is_key = re.compile(r"[0-9A-Za-z+/]{22}==").fullmatch
#: RFC 6455 §9.1: extension = extension-token *( ";" extension-param ), with blanks between; quotes hold a token.
_PARAMETER = rf'{TCHAR}++(?:[ \t]*+=[ \t]*+(?:{TCHAR}++|"(?:\\?{TCHAR})+"))?'
_is_extension = re.compile(rf"{TCHAR}++(?:[ \t]*+;[ \t]*+{_PARAMETER})*").fullmatch

#: Says once an hour what a proxy, or the server's own configuration, may have wrong.
_mistakes = LogLimit(interval=3600)
_PROXY = (
    "A proxy in between drops it, unless told to pass it on; nginx by: proxy_http_version 1.1; "
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
)

#: The values of a request's headers by name, in lower case: they are looked through once.
Fields: TypeAlias = Mapping[str, Sequence[str]]

#: What stands in every 101, as `Headers.received` takes it.
_UPGRADE = ("upgrade", "Upgrade", "websocket")
_CONNECTION = ("connection", "Connection", "Upgrade")


class Offer(NamedTuple):
    """What a valid opening handshake offers.

    Attributes:
        key: ``Sec-WebSocket-Key``.
        protocols: The subprotocols, the preferred one first.
        extensions: The extensions, each with its parameters.
    """

    key: str
    protocols: list[str]
    extensions: list[str]


class Refusal(NamedTuple):
    """Why a request is no handshake that can be accepted.

    Attributes:
        status: The HTTP status to answer with.
        text: What is wrong, in one line.
        headers: Headers that the answer needs.
    """

    status: HTTPStatus
    text: str
    headers: tuple[tuple[str, str], ...] = ()


#: What Perfect answers when no handler, or no subprotocol, fits.
PROTOCOLS_NOT_SUPPORTED = Refusal(HTTPStatus.BAD_REQUEST, "WebSocket protocols not supported.")


def read_offer(request: HTTPRequest, origins: Sequence[str | re.Pattern[str]] | None = None) -> Offer | Refusal:
    """Judge a request as an opening handshake.

    Args:
        request: The request.
        origins: The origins that may connect; ``None`` lets all.
    """
    fields = request.headers.by_name()
    if (wrong := _judge_upgrade(request, fields)) is not None:
        return wrong
    versions = fields.get("sec-websocket-version", ())
    if len(versions) != 1 or versions[0].strip() != VERSION:
        return _refuse_version(versions)
    if origins is not None and (wrong := _judge_origin(fields, origins)):
        return wrong
    keys = fields.get("sec-websocket-key", ())
    # RFC 6455 §4.2.1: "a base64-encoded [...] value that, when decoded, is 16 bytes in length"
    if len(keys) != 1 or not _is_key(keys[0].strip()):
        return Refusal(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key must be one value: 16 bytes in base64.")
    protocols = list_elements(fields.get("sec-websocket-protocol", ()))
    if not all(map(is_token, protocols)):
        return Refusal(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Protocol must be a list of tokens.")
    extensions = list_elements(fields.get("sec-websocket-extensions", ()))
    if not all(map(_is_extension, extensions)):
        return Refusal(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Extensions must be a list of extensions.")
    return Offer(keys[0].strip(), protocols, extensions)


def _judge_upgrade(request: HTTPRequest, fields: Fields) -> Refusal | None:
    if request.method != "GET" or request.protocol_version < (1, 1):
        return Refusal(HTTPStatus.BAD_REQUEST, "A WebSocket is opened with GET and HTTP/1.1.")
    # Perfect differs: it looks for the substring "upgrade" in Connection, and wants Upgrade to be "websocket" alone.
    has_upgrade = holds_token(fields.get("upgrade", ()), "websocket")
    if has_upgrade and holds_token(fields.get("connection", ()), "upgrade"):
        return None
    if "sec-websocket-key" in fields:  # a WebSocket client sends it, and the others with it
        lost = "Connection" if has_upgrade else "Upgrade"
        _mistakes.log(lost, "A WebSocket's handshake came without its %s header. %s", lost, _PROXY)
    return Refusal(HTTPStatus.BAD_REQUEST, "This is a WebSocket: connect to it with a WebSocket client.")


def _refuse_version(versions: Sequence[str]) -> Refusal:
    if not versions:
        return Refusal(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Version is missing.")
    # Perfect differs: it answers 400. RFC 6455 §4.4 and RFC 9110 §15.5.22 ask for this.
    return Refusal(
        HTTPStatus.UPGRADE_REQUIRED,
        f"WebSocket protocol version {', '.join(versions)} not supported. Supported protocol versions are: {VERSION}",
        (("Sec-WebSocket-Version", VERSION), ("Upgrade", "websocket"), ("Connection", "Upgrade")),
    )


def _judge_origin(fields: Fields, origins: Sequence[str | re.Pattern[str]]) -> Refusal | None:
    given = fields.get("origin", ())
    if len(given) == 1 and any(_matches(allowed, given[0]) for allowed in origins):
        return None
    named = [each if isinstance(each, str) else each.pattern for each in origins]
    _mistakes.log(
        "origin",
        "A WebSocket whose Origin is %s was refused: origins= lets in %s",
        ", ".join([repr(each[:100]) for each in given[:3]]) or "missing, as a script's is,",
        ", ".join(map(repr, named)) or "none",
    )
    return Refusal(HTTPStatus.FORBIDDEN, "Connections from this origin are not allowed.")


def _matches(allowed: str | re.Pattern[str], origin: str) -> bool:
    return origin == allowed if isinstance(allowed, str) else allowed.fullmatch(origin) is not None


def choose_subprotocol(offered: Sequence[str], supported: Sequence[str]) -> str | Refusal | None:
    """Return the subprotocol of the session: the first supported one that was offered, none if none was.

    A client that offered only others is refused: it could not talk to this session.
    """
    if not supported or not offered:
        return None
    for each in supported:
        if each in offered:
            return each
    return PROTOCOLS_NOT_SUPPORTED


def accept(offer: Offer, subprotocol: str | None, compression: DeflateOptions | None) -> tuple[Headers, Deflate | None]:
    """Return the headers of the 101 that accepts ``offer``, and the compression agreed on."""
    token = generate_accept_token(offer.key.encode()).decode()
    # All of them are safe: the first token is base64, and that the second is one was seen when it was offered.
    fields = [_UPGRADE, _CONNECTION, ("sec-websocket-accept", "Sec-WebSocket-Accept", token)]
    if subprotocol is not None:
        fields.append(("sec-websocket-protocol", "Sec-WebSocket-Protocol", subprotocol))
    headers = Headers.received(fields)
    answer = answer_offers(offer.extensions, compression) if compression is not None else None
    if answer is None:
        return headers, None
    headers.add("Sec-WebSocket-Extensions", answer[0])
    return headers, answer[1]


class Session(NamedTuple):
    """What an accepted handshake opens.

    Attributes:
        name: What the log calls it: the application's class or function that handles it.
        begin: Called with the socket once the 101 is written; returns what the application's function returned.
        options: The limits and choices of the socket.
        closes_after: Whether the end of an async session that reads nothing closes the socket (law 10).
    """

    name: str
    begin: Callable[[WebSocket], object]
    options: WebSocketOptions
    closes_after: bool


def open_session(response: HTTPResponse, offer: Offer, subprotocol: str | None, session: Session) -> None:
    """Accept a handshake, and begin the session, unless the peer is gone."""
    headers, deflate = accept(offer, subprotocol, session.options.compression)
    if response.has_headers:
        _drop_unoffered(response.headers, offer)
    response.switch_protocols(headers, partial(_take_over, response, subprotocol, deflate, session))


def _take_over(
    response: HTTPResponse, subprotocol: str | None, deflate: Deflate | None, session: Session, transport: Transport
) -> WebSocketConnection:
    connection = connection_class(session.options)(
        transport,
        response.loop,
        response.request,
        session.options,
        context=response.context,
        subprotocol=subprotocol,
        deflate=deflate,
        session_name=session.name,
    )
    connection.start(partial(session.begin, connection.socket), closes_after=session.closes_after)
    return connection


def _drop_unoffered(headers: Headers, offer: Offer) -> None:
    """Drop what handlers before have set and the client did not offer: its side would have to fail the connection.

    Source: RFC 6455 §4.2.2: "Extensions not listed by the client MUST NOT be listed". None is a handler's to name, who
    has nothing that does it.
    """
    headers.remove("Sec-WebSocket-Extensions")
    if headers.get("Sec-WebSocket-Protocol") not in offer.protocols:
        headers.remove("Sec-WebSocket-Protocol")


def refuse(response: HTTPResponse, refusal: Refusal) -> None:
    """Answer a handshake that is not accepted."""
    response.set_header("Content-Type", "text/plain; charset=utf-8")
    for name, value in refusal.headers:
        response.set_header(name, value)
    response.set_body(refusal.text + "\n").completed(refusal.status)
