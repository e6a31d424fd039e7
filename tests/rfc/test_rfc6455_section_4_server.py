"""RFC 6455 §4.2 to §4.4: the opening handshake, as our server answers it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio

from perfectws import Routes

from ..calls import Calls
from ..conftest import Connect, connecting
from ..peer import HANDSHAKE_ACCEPT, HANDSHAKE_KEY, TEXT, Peer

#: A handshake, field by field.
REQUEST = {
    "": "GET / HTTP/1.1",
    "Host": "Host: test",
    "Upgrade": "Upgrade: websocket",
    "Connection": "Connection: Upgrade",
    "Key": f"Sec-WebSocket-Key: {HANDSHAKE_KEY}",
    "Version": "Sec-WebSocket-Version: 13",
}
#: What may be wrong with it: the field, and what stands there instead, if anything.
VIOLATIONS = {
    "another method": ("", "POST / HTTP/1.1\r\nContent-Length: 0"),
    "HTTP/1.0": ("", "GET / HTTP/1.0"),
    "no host": ("Host", None),
    "no upgrade": ("Upgrade", None),
    "another upgrade": ("Upgrade", "Upgrade: h2c"),
    "no connection": ("Connection", None),
    "another connection": ("Connection", "Connection: keep-alive"),
    "no key": ("Key", None),
    "a short key": ("Key", "Sec-WebSocket-Key: c2hvcnQ="),
    "a long key": ("Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE0"),
    "a key that is no base64": ("Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="),
    "two keys": ("Key", f"Sec-WebSocket-Key: {HANDSHAKE_KEY}\r\nSec-WebSocket-Key: {HANDSHAKE_KEY}"),
    "no version": ("Version", None),
    "a subprotocol that is no token": ("Version", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a b"),
    "an extension that is none": ("Version", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: a b"),
}


def request(**replaced: str | None) -> bytes:
    """Return a handshake with some of its lines replaced, or left out."""
    lines = [line for line in {**REQUEST, **replaced}.values() if line is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def to_session(serve: Connect, **options: Any) -> tuple[Peer, Calls]:
    """Connect to a server with a session at ``/``; return with what it was called with."""
    opened = Calls()
    routes = Routes()
    routes.web_socket("/", opened, **options)
    return await serve.to(routes), opened


async def asked(peer: Peer, data: bytes) -> None:
    """Send a request and read the head of its answer."""
    await peer.stream.send_all(data)
    await peer.read_head()


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_4_2_1_a_handshake_that_breaks_a_rule_gets_an_error_status(serve: Connect, name: str) -> None:
    """ "the server MUST stop processing the client's handshake and return an HTTP response with an appropriate error
    code".
    """
    field, line = VIOLATIONS[name]
    peer, opened = await to_session(serve)
    await asked(peer, request(**{field: line}))
    assert 400 <= peer.status < 500
    assert "sec-websocket-accept" not in peer.headers
    assert not opened.got


async def test_4_2_1_the_order_and_the_case_of_what_is_right_do_not_matter(serve: Connect) -> None:
    """ "the server MUST stop processing the client's handshake and return an HTTP response with an appropriate error
    code".
    The order of the header fields is not important, and their names and tokens have no case.
    """
    first, *fields = REQUEST.values()
    lines = [first, *[field.replace("websocket", "WEBsocket").replace("Upgrade", "uPgRaDe") for field in fields[::-1]]]
    peer, opened = await to_session(serve)
    await asked(peer, ("\r\n".join(lines) + "\r\n\r\n").encode())
    assert peer.status == 101
    await opened.until(1)


async def test_4_2_2_a_right_handshake_opens_a_session_which_talks(serve: Connect) -> None:
    """ "the server MUST complete the following steps to accept the connection and send the server's opening
    handshake".
    """
    peer, opened = await to_session(serve)
    await asked(peer, request())
    ((_, socket),) = await opened.until(1)
    socket.send("hello")
    assert await peer.receive_text() == "hello"


async def test_4_2_2_over_tls_the_handshake_and_all_behind_it_go_through_the_tunnel() -> None:
    """ "all further communication for the connection [...] MUST run through the encrypted tunnel"."""
    async with connecting("tls") as connect:
        peer, socket = await connect.socket()
        assert isinstance(peer.stream, trio.SSLStream)
        socket.send("hello")
        assert await peer.receive_text() == "hello"
        plain = await to_session(connect)
        raw = plain[0].stream
        assert isinstance(raw, trio.SSLStream)
        await raw.transport_stream.send_all(request())  # beside the tunnel
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await plain[0].read_head()
        assert not plain[1].got


async def test_4_2_2_a_connection_that_is_not_wished_for_gets_403(serve: Connect) -> None:
    """ "it MUST return an appropriate HTTP error code (e.g., 403 Forbidden) and abort the WebSocket handshake"."""
    peer, opened = await to_session(serve, origins=["https://good.example"])
    await asked(peer, request(Origin="Origin: https://bad.example"))
    assert peer.status == 403
    assert "sec-websocket-accept" not in peer.headers
    await peer.read_body()
    await asked(peer, request(Origin="Origin: https://good.example"))
    assert peer.status == 101
    assert len(await opened.until(1)) == 1


@pytest.mark.parametrize("version", ["0", "8", "12", "14", "130", "13, 8", "13\r\nSec-WebSocket-Version: 13", "x", ""])
async def test_4_2_2_another_version_gets_426_and_the_one_that_is_spoken(serve: Connect, version: str) -> None:
    """ "the server MUST abort the WebSocket handshake [...] instead send an appropriate HTTP error code [...] and a
    |Sec-WebSocket-Version| header field".
    """
    peer, opened = await to_session(serve)
    await asked(peer, request(Version=f"Sec-WebSocket-Version: {version}"))
    assert (peer.status, peer.headers["sec-websocket-version"]) == (426, "13")
    assert not opened.got


async def test_4_4_a_client_of_another_version_is_told_all_versions_and_may_try_again(serve: Connect) -> None:
    """ "it MUST respond with a |Sec-WebSocket-Version| header field [...] containing all versions it is willing to
    use".
    """
    peer, _ = await to_session(serve)
    await asked(peer, request(Version="Sec-WebSocket-Version: 25"))
    assert peer.headers["sec-websocket-version"] == "13"
    await peer.read_body()
    await asked(peer, request(Version=f"Sec-WebSocket-Version: {peer.headers['sec-websocket-version']}"))
    assert peer.status == 101


async def test_4_2_2_a_service_that_is_not_there_gets_404(serve: Connect) -> None:
    """ "If the requested service is not available, the server MUST send an appropriate HTTP error code"."""
    peer, opened = await to_session(serve)
    await peer.handshake("/elsewhere")
    assert peer.status == 404
    assert not opened.got


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("chat", "chat"), ("soap, chat", "chat"), ("chat,v2", "v2"), ("x\r\nSec-WebSocket-Protocol: chat", "chat")],
)
async def test_4_2_2_the_subprotocol_is_one_that_was_offered(serve: Connect, offered: str, chosen: str) -> None:
    """ "The value chosen MUST be derived from the client's handshake, specifically by selecting one of the values"."""
    peer, _ = await to_session(serve, subprotocols=["v2", "chat"])
    await asked(peer, request(Protocol=f"Sec-WebSocket-Protocol: {offered}"))
    assert (peer.status, peer.headers["sec-websocket-protocol"]) == (101, chosen)


@pytest.mark.parametrize(("offered", "supported"), [(None, ["chat"]), ("chat", []), ("Chat", []), (None, [])])
async def test_4_2_2_no_subprotocol_is_named_where_none_is_agreed_on(
    serve: Connect, offered: str | None, supported: list[str]
) -> None:
    """ "if the server does not wish to agree [...], it MUST NOT send back a |Sec-WebSocket-Protocol| header field"."""
    peer, _ = await to_session(serve, subprotocols=supported)
    await asked(peer, request(Protocol=offered and f"Sec-WebSocket-Protocol: {offered}"))
    assert peer.status == 101
    assert "sec-websocket-protocol" not in peer.headers


@pytest.mark.parametrize(("offered", "named"), [(None, None), ("soap", None), ("soap, chat", "chat")])
async def test_4_2_2_a_subprotocol_that_a_handler_names_is_one_that_was_offered(
    serve: Connect, offered: str | None, named: str | None
) -> None:
    """ "The value chosen MUST be derived from the client's handshake, specifically by selecting one of the values"."""
    routes = Routes(handler=lambda q, r: r.set_header("Sec-WebSocket-Protocol", "chat").next())
    routes.web_socket("/", Calls())
    peer = await serve.to(routes)
    await asked(peer, request(Protocol=offered and f"Sec-WebSocket-Protocol: {offered}"))
    assert (peer.status, peer.headers.get("sec-websocket-protocol")) == (101, named)


async def test_4_2_2_a_client_that_offers_only_others_is_refused(serve: Connect) -> None:
    """ "if the server does not wish to agree [...], it MUST NOT send back a |Sec-WebSocket-Protocol| header field".
    The RFC leaves it open whether such a session is opened: it could not understand its client.
    """
    peer, opened = await to_session(serve, subprotocols=["chat"])
    await asked(peer, request(Protocol="Sec-WebSocket-Protocol: Chat, soap"))
    assert peer.status == 400
    assert "sec-websocket-protocol" not in peer.headers
    assert not opened.got


@pytest.mark.parametrize("offered", ["permessage-deflate", "x-other, permessage-deflate; client_max_window_bits"])
async def test_4_2_2_an_extension_is_one_that_was_offered(serve: Connect, offered: str) -> None:
    """ "the value MUST be derived from the client's handshake, specifically by selecting one or more of the values"."""
    peer, _ = await to_session(serve, compression=True)
    await asked(peer, request(Extensions=f"Sec-WebSocket-Extensions: {offered}"))
    assert peer.status == 101
    assert peer.headers["sec-websocket-extensions"].startswith("permessage-deflate")
    assert "," not in peer.headers["sec-websocket-extensions"]


@pytest.mark.parametrize("offered", [None, "x-webkit-deflate-frame", "permessage-deflates", "x; permessage-deflate"])
@pytest.mark.parametrize("compression", [True, False])
async def test_4_2_2_no_extension_is_named_that_was_not_offered(
    serve: Connect, offered: str | None, compression: bool
) -> None:
    """ "Extensions not listed by the client MUST NOT be listed"."""
    peer, _ = await to_session(serve, compression=compression)
    await asked(peer, request(Extensions=offered and f"Sec-WebSocket-Extensions: {offered}"))
    assert peer.status == 101
    assert "sec-websocket-extensions" not in peer.headers


async def test_4_2_2_the_answer_is_a_101_that_accepts_the_key(serve: Connect) -> None:
    """ "If the server chooses to accept the incoming connection, it MUST reply with a valid HTTP response"."""
    peer, opened = await to_session(serve)
    await peer.stream.send_all(request())
    ((_, socket),) = await opened.until(1)
    socket.send("x")
    data = b""
    while not data.endswith(b"x"):
        data += await peer.stream.receive_some(65536)
    head, _, frames = data.partition(b"\r\n\r\n")
    status, *fields = head.decode("ascii").split("\r\n")
    assert re.fullmatch(r"HTTP/1\.1 101 [ -~]*", status)
    assert sorted(fields) == [
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {HANDSHAKE_ACCEPT}",
        "Upgrade: websocket",
    ]
    assert frames == bytes((0x80 | TEXT, 1)) + b"x"


@pytest.mark.parametrize(
    ("value", "is_right"), [('"10"', True), ('"1\\0"', True), ('"1 0"', False), ('""', False), ('"10', False)]
)
async def test_4_3_a_quoted_value_is_the_token_that_it_says(serve: Connect, value: str, is_right: bool) -> None:
    """ "after quoted-string unescaping MUST conform to the 'token' ABNF"."""
    peer, _ = await to_session(serve, compression=True)
    offer = f"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={value}"
    await asked(peer, request(Extensions=offer))
    assert peer.status == (101 if is_right else 400)
    agreed = peer.headers.get("sec-websocket-extensions")
    assert agreed == ("permessage-deflate; server_max_window_bits=10" if is_right else None)
