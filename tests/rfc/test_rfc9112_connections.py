"""RFC 9112 §9: connections."""

from __future__ import annotations

import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, Routes

from ..conftest import Connect, connecting
from .asked import Asked


async def test_9_3_a_body_is_read_to_its_end_before_the_next_request(serve: Connect) -> None:
    """ "A server MUST read the entire request message body or close the connection after sending its response"."""
    asked = await Asked.on(serve)
    smuggled = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
    next_one = "GET /next HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    await asked.send("POST / HTTP/1.1", f"Content-Length: {len(smuggled)}", body=smuggled + next_one)
    assert await asked.answers() == [b"/ " + smuggled.encode(), b"/next "]


async def test_9_3_the_connection_ends_behind_a_body_that_is_not_read(serve: Connect) -> None:
    """ "A server MUST read the entire request message body or close the connection after sending its response"."""
    asked = await Asked.on(serve)
    smuggled = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
    await asked.send("POST / HTTP/1.1", "Content-Length: 99999999999", body=smuggled)
    await asked.assert_refused(413)


@pytest.mark.parametrize("count", [2, 30])
async def test_9_3_2_responses_come_in_the_order_of_the_requests(serve: Connect, count: int) -> None:
    """ "it MUST send the corresponding responses in the same order that the requests were received".
    The handler of the first is the last that could answer.
    """
    routes = Routes()

    async def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        await trio.sleep(0.02 if request.path == "/0" else 0)
        response.set_body(request.path).completed()

    routes.add(uri="/**", handler=handle)
    peer = await serve.to(routes)
    requests = [f"GET /{number} HTTP/1.1\r\nHost: test\r\n\r\n" for number in range(count)]
    await peer.stream.send_all("".join(requests).encode())
    for number in range(count):
        await peer.read_head()
        assert await peer.read_body() == f"/{number}".encode()


@pytest.mark.parametrize("option", ["close", "Close", "keep-alive, close", "x\r\nConnection: close"])
async def test_9_6_a_client_that_says_close_gets_one_answer_more_and_the_end(serve: Connect, option: str) -> None:
    """A server that receives a "close" connection option MUST initiate closure of the connection [...] after it
    sends the final response.
    "[that received it] The server MUST NOT process any further requests received on that connection".
    """
    asked = await Asked.on(serve)
    behind = "GET /next HTTP/1.1\r\nHost: test\r\n\r\n"
    await asked.send("GET / HTTP/1.1", f"Connection: {option}", body=behind)
    assert await asked.answers() == [b"/ "]
    assert [request.path for request in asked.requests] == ["/"]


async def test_9_6_a_server_that_says_close_ends_the_connection_and_answers_nothing_more(serve: Connect) -> None:
    """A server that sends a "close" connection option MUST initiate closure of the connection.
    "[that sent it] The server MUST NOT process any further requests received on that connection".
    """
    asked = []
    routes = Routes()

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        asked.append(request.path)
        response.set_header("Connection", "close").set_body("bye").completed()

    routes.add(uri="/**", handler=handle)
    peer = await serve.to(routes)
    await peer.stream.send_all(b"GET /1 HTTP/1.1\r\nHost: test\r\n\r\nGET /2 HTTP/1.1\r\nHost: test\r\n\r\n")
    await peer.read_head()
    assert peer.headers["connection"] == "close"
    assert await peer.read_body() == b"bye"
    await peer.receive_eof()
    assert not peer.buffer
    assert asked == ["/1"]


async def test_9_7_over_tls_all_is_inside_of_it() -> None:
    """All HTTP data MUST be sent as TLS "application data"."""
    async with connecting("tls") as connect:
        asked = await Asked.on(connect)
        assert isinstance(asked.peer.stream, trio.SSLStream)
        for path in ("/1", "/2"):
            assert await asked.send(f"GET {path} HTTP/1.1") == 200
            assert await asked.peer.read_body() == f"{path} ".encode()
        assert [request.is_secure for request in asked.requests] == [True, True]


#: Requests behind whose response the connection ends.
LAST = {
    "close": "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
    "refused": "GET / HTTP/1.1\r\n\r\n",
    "too large": "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999999\r\n\r\n",
}


@pytest.mark.parametrize("name", LAST)
async def test_9_8_a_server_says_that_it_ends_before_it_closes(name: str) -> None:
    """ "Servers MUST attempt to initiate an exchange of closure alerts with the client before closing the
    connection".
    """
    async with connecting("tls") as connect:
        asked = await Asked.on(connect)
        stream = asked.peer.stream
        await stream.send_all(LAST[name].encode())
        data = b""
        while piece := await stream.receive_some(65536):  # which raises at an end that no closure alert tells
            data += piece
        assert data.startswith(b"HTTP/1.1 ")


async def test_9_8_a_server_that_stops_says_so_too() -> None:
    """ "Servers MUST attempt to initiate an exchange of closure alerts with the client before closing the
    connection".
    """
    async with connecting("tls") as connect:
        asked = await Asked.on(connect)
        assert await asked.send("GET / HTTP/1.1") == 200
        await asked.peer.read_body()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connect.stop, 1)
            assert await asked.peer.stream.receive_some(65536) == b""
