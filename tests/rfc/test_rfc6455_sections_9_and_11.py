"""RFC 6455 §9 and §11.3: extensions, and the header fields of the handshake, in both roles."""

from __future__ import annotations

import pytest

from perfectws import HandshakeError, HTTPRequest, HTTPResponse, Routes

from ..conftest import Connect
from ..peer import HANDSHAKE_ACCEPT, HANDSHAKE_KEY, TEXT, Peer
from .conftest import Dial, assert_ended, assert_failed

NAME = "permessage-deflate"
#: RFC 7692 §7: the parameters, and what each of ours may say.
WINDOWS = {str(bits) for bits in range(9, 16)}
VALUES = {
    "server_no_context_takeover": {""},
    "client_no_context_takeover": {""},
    "server_max_window_bits": WINDOWS,
    "client_max_window_bits": WINDOWS | {""},
}
#: What is no list of extensions, or has a value that is no token once the quotes are off.
MALFORMED = [
    f"{NAME};",
    f"{NAME}; ",
    f"{NAME}; =10",
    f"{NAME}; server_max_window_bits=",
    f"{NAME}; server_max_window_bits=1 0",
    f"{NAME} server_max_window_bits=10",
    f"{NAME}; a b",
    f"{NAME}, x y",
    f"{NAME}, ;",
    f'"{NAME}"',
    f'{NAME}; "server_max_window_bits"=10',
    f"{NAME}; server_max_window_bits=(10)",
    "permessage/deflate",
]
#: The same, where a value is in quotes.
MALFORMED_QUOTES = [
    f'{NAME}; server_max_window_bits="10',
    f'{NAME}; server_max_window_bits=10"',
    f'{NAME}; server_max_window_bits=""10""',
    f'{NAME}; server_max_window_bits=""',
    f'{NAME}; server_max_window_bits="1 0"',
    f'{NAME}; server_max_window_bits="10; client_max_window_bits"',
]
#: What is right, in whatever way it is written. Empty elements do not count: RFC 9110 §5.6.1.2 asks that of all who
#: read a list, and so nothing but such is no extension.
RIGHT = {
    NAME: True,
    f"{NAME};server_max_window_bits=10": True,
    f"{NAME} ;\tserver_max_window_bits = 10 ": True,
    f'{NAME}; server_max_window_bits="10"': True,
    f'{NAME}; server_max_window_bits="1\\0"': True,
    f"x-other; a=b; c, ,{NAME},": True,
    "x-other; a=b; c": False,
    ",": False,
    "": False,
}


async def answered(serve: Connect, extensions: str, compression: bool = True) -> Peer:
    """Offer extensions to a session, and return the peer that has read the answer's head."""
    routes = Routes()
    routes.web_socket("/", lambda request, socket: None, compression=compression)
    peer = await serve.to(routes)
    await peer.handshake(headers=[("Sec-WebSocket-Extensions", extensions)])
    return peer


async def fields_of_101(serve: Connect, *headers: tuple[str, str], offered: tuple[tuple[str, str], ...]) -> list[str]:
    """Return the lines of the 101 to what is offered, where a handler before the session's sets ``headers``."""

    def before(request: HTTPRequest, response: HTTPResponse) -> None:
        for name, value in headers:
            response.set_header(name, value)
        response.next()

    routes = Routes(handler=before)
    routes.web_socket("/", lambda request, socket: None, compression=True, subprotocols=["chat"])
    peer = await serve.to(routes)
    lines = ["GET / HTTP/1.1", "Host: test", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += [f"{name}: {value}" for name, value in (("Sec-WebSocket-Key", HANDSHAKE_KEY), *offered)]
    await peer.stream.send_all(("\r\n".join(lines) + "\r\n\r\n").encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += await peer.stream.receive_some(65536)
    first, *fields = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert first.startswith("HTTP/1.1 101 ")
    return fields


def values(fields: list[str], name: str) -> list[str]:
    return [field.partition(": ")[2] for field in fields if field.lower().startswith(f"{name}:")]


def assert_defined(extension: str) -> None:
    """Find that an extension is the one that is registered, and that all its parameters are defined for it."""
    name, *parameters = extension.split("; ")
    assert name == NAME
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        assert value in VALUES[key]


@pytest.mark.parametrize("offer", [None, "x-other", f"{NAME}; x"])
async def test_9_no_extension_is_answered_that_was_not_asked_for(serve: Connect, offer: str | None) -> None:
    """ "A server MUST NOT respond with any extension not requested by the client".
    Nor does one that a handler names, who has nothing that does it.
    """
    offered = () if offer is None else (("Sec-WebSocket-Extensions", offer),)
    fields = await fields_of_101(serve, ("Sec-WebSocket-Extensions", NAME), offered=offered)
    assert not values(fields, "sec-websocket-extensions")


async def test_9_what_is_offered_and_answered_is_as_the_extension_is_defined(serve: Connect, dial: Dial) -> None:
    """ "parameters MUST be chosen in accordance with the specification of the extension to which the parameters
    apply".
    """
    other, _ = await dial.asked(compression={"window_bits": 9, "context_takeover": False})
    offers = other.headers["sec-websocket-extensions"]
    for offer in offers.split(", "):
        assert_defined(offer)
    peer = await answered(serve, offers)
    assert_defined(peer.headers["sec-websocket-extensions"])


@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("offer", MALFORMED)
async def test_9_1_an_offer_that_is_malformed_gets_400(serve: Connect, offer: str, compression: bool) -> None:
    """ "a value [...] that does not conform to the ABNF below, the recipient of such malformed data MUST immediately
    _Fail".
    """
    peer = await answered(serve, offer, compression)
    assert peer.status == 400
    assert "sec-websocket-accept" not in peer.headers


@pytest.mark.parametrize("answer", MALFORMED)
async def test_9_1_an_answer_that_is_malformed_fails(dial: Dial, answer: str) -> None:
    """ "a value [...] that does not conform to the ABNF below, the recipient of such malformed data MUST immediately
    _Fail".
    """
    await assert_answer_fails(dial, answer)


async def assert_answer_fails(dial: Dial, answer: str) -> None:
    other, future = await dial.asked(compression=True)
    await other.stream.send_all(other.response(f"Sec-WebSocket-Extensions: {answer}"))
    with pytest.raises(HandshakeError, match="extension"):
        await future
    await assert_ended(other)


@pytest.mark.parametrize("offer", RIGHT)
async def test_9_1_an_offer_that_is_right_is_read_however_it_is_written(serve: Connect, offer: str) -> None:
    """ "a value [...] that does not conform to the ABNF below, the recipient of such malformed data MUST immediately
    _Fail".
    """
    peer = await answered(serve, offer)
    assert peer.status == 101
    assert ("sec-websocket-extensions" in peer.headers) == RIGHT[offer]


@pytest.mark.parametrize("value", MALFORMED_QUOTES)
async def test_9_1_a_value_in_quotes_that_is_no_token_fails(serve: Connect, dial: Dial, value: str) -> None:
    """ "after quoted-string unescaping MUST conform to the 'token' ABNF"."""
    assert (await answered(serve, value)).status == 400
    await assert_answer_fails(dial, value)


@pytest.mark.parametrize("window_bits", [9, 12, 15])
@pytest.mark.parametrize("context_takeover", [True, False])
async def test_9_1_only_what_is_registered_and_defined_is_named(
    serve: Connect, dial: Dial, window_bits: int, context_takeover: bool
) -> None:
    """ "Any extension-token used MUST be a registered token".
    "The parameters supplied with any given extension MUST be defined for that extension".
    """
    compression = {"window_bits": window_bits, "context_takeover": context_takeover}
    other, _ = await dial.asked(compression=compression)
    for offer in other.headers["sec-websocket-extensions"].split(", "):
        assert_defined(offer)
    peer, _ = await serve.socket(
        headers=[("Sec-WebSocket-Extensions", f"{NAME}; client_max_window_bits")], compression=compression
    )
    assert_defined(peer.headers["sec-websocket-extensions"])


async def test_9_1_what_is_only_offered_is_not_used(dial: Dial) -> None:
    """ "MUST NOT use them unless the server indicates that it wishes to use the extension"."""
    other, socket = await dial(compression={"min_size": 0})
    socket.send("x" * 1000)
    frame = await other.receive()
    assert (frame.rsv1, frame.payload) == (False, b"x" * 1000)
    await other.send(TEXT, b"\x00", rsv=0x40)
    await assert_failed(other, 1002)


async def test_11_3_1_a_client_sends_one_key(dial: Dial) -> None:
    """ "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP request"."""
    assert (await sent_fields(dial)).count("sec-websocket-key") == 1


async def test_11_3_5_a_client_sends_one_version(dial: Dial) -> None:
    """ "the |Sec-WebSocket-Version| header field MUST NOT appear more than once in an HTTP request"."""
    assert (await sent_fields(dial)).count("sec-websocket-version") == 1


async def sent_fields(dial: Dial) -> list[str]:
    """Return the names of the fields that our client sends."""
    dial.begin(compression=True, subprotocols=["chat"], headers=[("X-Mine", "1")])
    other = await dial.raw.accept()
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += await other.stream.receive_some(65536)
    return [line.partition(":")[0].lower() for line in data.decode().split("\r\n")[1:-2]]


async def test_11_3_1_a_server_refuses_two_keys(serve: Connect) -> None:
    """ "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP request"."""
    peer = await serve.to(session())
    await peer.handshake(headers=[("Sec-WebSocket-Key", HANDSHAKE_KEY)])
    assert peer.status == 400


async def test_11_3_5_a_server_refuses_two_versions(serve: Connect) -> None:
    """ "the |Sec-WebSocket-Version| header field MUST NOT appear more than once in an HTTP request"."""
    peer = await serve.to(session())
    await peer.handshake(headers=[("Sec-WebSocket-Version", "13")])
    assert peer.status == 426


def session() -> Routes:
    routes = Routes()
    routes.web_socket("/", lambda request, socket: None)
    return routes


OFFERED = (("Sec-WebSocket-Extensions", NAME), ("Sec-WebSocket-Protocol", "chat, other"))


async def test_11_3_2_a_server_answers_extensions_once(serve: Connect) -> None:
    """ "the |Sec-WebSocket-Extensions| header field MUST NOT appear more than once in an HTTP response"."""
    fields = await fields_of_101(serve, ("Sec-WebSocket-Extensions", "x-other"), offered=OFFERED)
    (answer,) = values(fields, "sec-websocket-extensions")
    assert_defined(answer)


async def test_11_3_3_a_server_accepts_the_key_once(serve: Connect) -> None:
    """ "The |Sec-WebSocket-Accept| header MUST NOT appear more than once in an HTTP response"."""
    fields = await fields_of_101(serve, ("Sec-WebSocket-Accept", "x"), offered=OFFERED)
    assert values(fields, "sec-websocket-accept") == [HANDSHAKE_ACCEPT]


@pytest.mark.parametrize("set_before", ["other", "chat", "unheard-of"])
async def test_11_3_4_a_server_names_one_subprotocol(serve: Connect, set_before: str) -> None:
    """ "the |Sec-WebSocket-Protocol| header field MUST NOT appear more than once in an HTTP response"."""
    fields = await fields_of_101(serve, ("Sec-WebSocket-Protocol", set_before), offered=OFFERED)
    assert values(fields, "sec-websocket-protocol") == ["chat"]


@pytest.mark.parametrize("extensions", [(NAME, NAME), (NAME, f"{NAME}; client_no_context_takeover")])
async def test_11_3_2_a_client_refuses_two_answers(dial: Dial, extensions: tuple[str, str]) -> None:
    """ "the |Sec-WebSocket-Extensions| header field MUST NOT appear more than once in an HTTP response"."""
    await assert_answer_fails(dial, "\r\nSec-WebSocket-Extensions: ".join(extensions))


async def test_11_3_3_a_client_refuses_two_accepted_keys(dial: Dial) -> None:
    """ "The |Sec-WebSocket-Accept| header MUST NOT appear more than once in an HTTP response"."""
    other, future = await dial.asked()
    await other.stream.send_all(other.response(f"Sec-WebSocket-Accept: {other.accept_key}"))
    with pytest.raises(HandshakeError, match="Accept"):
        await future
    await assert_ended(other)


@pytest.mark.parametrize("second", ["chat", "other", ""])
async def test_11_3_4_a_client_refuses_two_subprotocols(dial: Dial, second: str) -> None:
    """ "the |Sec-WebSocket-Protocol| header field MUST NOT appear more than once in an HTTP response"."""
    other, future = await dial.asked(subprotocols=["chat", "other"])
    await other.stream.send_all(
        other.response("Sec-WebSocket-Protocol: chat", f"Sec-WebSocket-Protocol: {second}".strip())
    )
    with pytest.raises(HandshakeError, match="subprotocol"):
        await future
    await assert_ended(other)
