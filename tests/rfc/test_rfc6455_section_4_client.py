"""RFC 6455 §4.1: the opening handshake, as our client begins it."""

from __future__ import annotations

import base64
import os
import re

import pytest
import trio

from perfectws import HandshakeError, InvalidURL, LocalProtocolError
from perfectws.client import handshake

from ..certificates import client_context
from ..client.raw_server import RawConnection
from ..client.tls_server import tls_server
from .conftest import Dial

#: A token of RFC 9110 §5.6.2, and the lines of a request.
REQUEST_LINE = re.compile(r"GET (\S+) HTTP/1\.1")
FIELD = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+: [ -~]*[!-~]")

#: What is wrong with a URL, by the part that is.
BAD_URLS = {
    "scheme": "http://127.0.0.1:{port}/",
    "no host": "ws:///",
    "host": "ws://127.0.0.1..:{port}/",
    "port": "ws://127.0.0.1:65536/",
    "no number": "ws://127.0.0.1:port/",
    "space": "ws://127.0.0.1:{port}/a b",
    "fragment": "ws://127.0.0.1:{port}/#part",
}


async def test_4_1_a_client_connects_sends_its_handshake_and_reads_the_servers(dial: Dial) -> None:
    """ "it MUST open a connection, send an opening handshake, and read the server's handshake in response".
    "the client MUST send an opening handshake to the server".
    """
    other, future = await dial.asked()
    assert other.request_line == "GET / HTTP/1.1"
    assert not future.is_done
    await other.stream.send_all(other.response())
    assert (await future).is_connected


@pytest.mark.parametrize("wrong", BAD_URLS)
async def test_4_1_a_url_that_is_not_valid_fails_and_nobody_is_connected_to(dial: Dial, wrong: str) -> None:
    """ "The components of the WebSocket URI passed into this algorithm [...] MUST be valid".
    "If any of the components are invalid, the client MUST _Fail the WebSocket Connection_".
    """
    with pytest.raises(InvalidURL):
        await dial.begin(BAD_URLS[wrong].format(port=dial.raw.port))
    with trio.move_on_after(0.02) as waited:
        await dial.raw.accept()
    assert waited.cancelled_caught


async def test_4_1_connections_to_one_address_do_not_wait_for_each_other(dial: Dial) -> None:
    """ "the client MUST wait until that connection has been established or for that connection to have failed".
    "There MUST be no more than one connection in a CONNECTING state".
    "If multiple connections to the same IP address are attempted [...], the client MUST serialize them".
    Not obeyed on purpose: it keeps the script of a stranger's page from opening many at once, and perfectws runs no
    strangers' scripts. A program with a thousand connections would wait a thousand times, and a server that never
    answers would hold up all that come behind.
    """
    first, opening = await dial.asked()
    second, _ = await dial.asked()
    assert not opening.is_done
    assert first.headers["sec-websocket-key"] != second.headers["sec-websocket-key"]


async def test_4_1_a_connection_that_cannot_be_opened_fails(dial: Dial) -> None:
    """ "If the connection could not be opened [...], then the client MUST _Fail the WebSocket Connection_"."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(HandshakeError, match="refused"):
        await dial.begin(f"ws://127.0.0.1:{port}/")


async def test_4_1_a_connection_that_a_proxy_does_not_open_fails(dial: Dial) -> None:
    """ "If the connection could not be opened [...], then the client MUST _Fail the WebSocket Connection_"."""
    future = dial.begin("ws://example.com/", proxy=f"http://127.0.0.1:{dial.raw.port}")
    proxy = await dial.raw.accept()
    await proxy.read_request()
    assert proxy.request_line == "CONNECT example.com:80 HTTP/1.1"
    await proxy.stream.send_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(HandshakeError, match="403"):
        await future


async def test_4_1_a_secure_connection_begins_with_tls_and_stays_inside_of_it(dial: Dial) -> None:
    """ "If /secure/ is true, the client MUST perform a TLS handshake [...] before sending the handshake data".
    "Otherwise, all further communication on this channel MUST run through the encrypted tunnel".
    "Clients MUST use the Server Name Indication extension in the TLS handshake".
    """
    async with tls_server("localhost") as server:
        future = dial.begin(f"wss://localhost:{server.port}/", ssl_context=client_context())
        other = await server.accept()
        await other.upgrade()  # all that is read and written here goes through TLS
        socket = await future
        socket.send("inside")
        assert (await other.receive()).payload == b"inside"
        assert server.names == ["localhost"]
        await trio.aclose_forcefully(other.stream)


async def test_4_1_a_certificate_that_cannot_be_verified_fails_the_connection(dial: Dial) -> None:
    """ "If this fails (e.g., the server's certificate could not be verified), then the client MUST _Fail the WebSocket
    Connection_".
    """
    async with tls_server("example.com") as server, trio.open_nursery() as nursery:
        future = dial.begin(f"wss://localhost:{server.port}/", ssl_context=client_context())
        nursery.start_soon(assert_nothing_is_asked, await server.accept())
        with pytest.raises(HandshakeError, match="not valid for 'localhost'"):
            await future


async def assert_nothing_is_asked(other: RawConnection) -> None:
    with pytest.raises(EOFError):
        await other.read_request()
    await trio.aclose_forcefully(other.stream)


async def test_4_1_the_request_is_a_get_of_http_1_1_with_all_that_it_must_have(dial: Dial) -> None:
    """ "The handshake MUST be a valid HTTP request".
    "The method of the request MUST be GET, and the HTTP version MUST be at least 1.1".
    The request MUST contain an |Upgrade| header field whose value MUST include the "websocket" keyword.
    The request MUST contain a |Connection| header field whose value MUST include the "Upgrade" token.
    "The request MUST include a header field with the name |Sec-WebSocket-Key|".
    "The request MUST include a header field with the name |Sec-WebSocket-Version|".
    "The value of this header field MUST be 13".
    """
    future = dial.begin()
    other = await dial.raw.accept()
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += await other.stream.receive_some(65536)
    request_line, *fields = data.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    assert REQUEST_LINE.fullmatch(request_line)
    assert all(FIELD.fullmatch(field) for field in fields)
    names = [field.partition(":")[0].lower() for field in fields]
    assert len(set(names)) == len(names)
    values = {name: field.partition(": ")[2] for name, field in zip(names, fields, strict=True)}
    assert (values["upgrade"].lower(), values["connection"]) == ("websocket", "Upgrade")
    assert values["sec-websocket-version"] == "13"
    assert values["sec-websocket-key"]
    assert not future.is_done


@pytest.mark.parametrize("resource", ["/", "/chat", "/a%20b/%C3%A4?q=1&r=%2F", "/?", "//double//"])
async def test_4_1_the_target_is_the_resource_name(dial: Dial, resource: str) -> None:
    """The "Request-URI" part of the request MUST match the /resource name/."""
    other, _ = await dial.asked(f"ws://127.0.0.1:{dial.raw.port}{resource}")
    assert other.request_line == f"GET {resource.removesuffix('?')} HTTP/1.1"


async def test_4_1_the_host_is_named_with_its_port_unless_that_is_the_default(dial: Dial) -> None:
    """The request MUST contain a |Host| header field whose value contains /host/ plus optionally ":" followed by
    /port/.
    """
    other, _ = await dial.asked()
    assert other.headers["host"] == f"127.0.0.1:{dial.raw.port}"
    for port, named in [("", "example.com"), (":80", "example.com"), (":8080", "example.com:8080")]:
        dial.begin(f"ws://example.com{port}/", proxy=f"http://127.0.0.1:{dial.raw.port}")
        proxy = await dial.raw.accept()
        await proxy.read_request()
        await proxy.stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        await proxy.read_request()
        assert proxy.headers["host"] == named


async def test_4_1_each_key_is_another_and_has_16_bytes(dial: Dial) -> None:
    """ "MUST be a nonce consisting of a randomly selected 16-byte value that has been base64-encoded".
    "The nonce MUST be selected randomly for each connection".
    """
    keys = {(await dial.asked())[0].headers["sec-websocket-key"] for _ in range(8)}
    assert len(keys) == 8
    assert {len(base64.b64decode(key, validate=True)) for key in keys} == {16}


async def test_4_1_the_key_is_what_the_kernel_s_random_source_gives(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "MUST be a nonce consisting of a randomly selected 16-byte value that has been base64-encoded"."""
    random = os.urandom(16)
    monkeypatch.setattr(handshake, "urandom", lambda size: random if size == 16 else os.urandom(size))
    other, _ = await dial.asked()
    assert base64.b64decode(other.headers["sec-websocket-key"]) == random


@pytest.mark.parametrize("names", [[""], ["a b"], ["a,b"], ["ä"], ["\x7f"], ['"a"'], ["chat", "chat"]])
async def test_4_1_subprotocols_are_tokens_and_none_is_named_twice(dial: Dial, names: list[str]) -> None:
    """ "The elements that comprise this value MUST be non-empty strings [...] and MUST all be unique strings"."""
    with pytest.raises(LocalProtocolError):
        await dial.begin(subprotocols=names)
    other, _ = await dial.asked(subprotocols=["chat", "v2.chat!"])
    assert other.headers["sec-websocket-protocol"] == "chat, v2.chat!"


async def test_4_1_nothing_is_sent_before_the_server_has_answered(dial: Dial) -> None:
    """ "the client MUST wait for a response from the server before sending any further data"."""
    other, future = await dial.asked(on_upgrade=lambda socket: socket.send("first"))
    with trio.move_on_after(0.02):
        other.buffer += await other.stream.receive_some(65536)
    assert not other.buffer
    await other.stream.send_all(other.response())
    assert (await other.receive()).payload == b"first"
    assert (await future).is_connected
