"""Any bytes, cut anywhere."""

from collections.abc import Callable

from hypothesis import assume, given
from hypothesis import strategies as st

from .fakes import FakeLoop, Server, echo_path, everything, get, parse_answers, post

REQUESTS = [
    get("/a?b=c"),
    post("/", b"a body"),
    post("/", b""),
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: t\r\n\r\n",
    b"POST /many HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 80 + b"0\r\n\r\n",
    b"HEAD /h HTTP/1.1\nHost: x\n\n",
    b"\r\n" + get("/late"),
    get("/upgrade", "Upgrade: websocket", "Connection: Upgrade"),
    get("/x" * 30, "A: " + "x" * 300),
    b"PROPFIND /p HTTP/1.1\r\nHost: x\r\nA:\r\n folded\r\n\r\n",
]
ENDS = [
    b"",
    get("/", "Connection: close"),
    b"nonsense\r\n\r\n",
    get("/" + "x" * 600),
    b"GET / HTTP/1.0\r\n\r\n",
    b"\x16\x03",
]

conversations = st.builds(
    lambda body, end: b"".join([*body, end]), st.lists(st.sampled_from(REQUESTS)), st.sampled_from(ENDS)
)


def pieces(data: bytes, draw: Callable[[st.SearchStrategy[list[int]]], list[int]]) -> list[bytes]:
    """Cut ``data`` at places of Hypothesis's choice."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [piece for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if (piece := data[start:end])]


def converse(parts: list[bytes], run_between: Callable[[FakeLoop], object] = FakeLoop.run) -> Server:
    server = Server(everything(echo_path), max_header_size=500, max_headers=10, max_body_size=100)
    for part in parts:
        server.receive(part)
        run_between(server.loop)
    server.loop.run()
    return server


def visible(server: Server) -> tuple[list[bytes], bool]:
    """Return what the peer sees, without the dates."""
    lines = bytes(server.transport.sent).split(b"\r\n")
    return [line for line in lines if not line.startswith(b"Date: ")], server.transport.is_open


#: Until nothing is ready; one turn; not at all.
runs = st.sampled_from([FakeLoop.run, FakeLoop.run_ready, lambda loop: None])


@given(conversations, st.data(), runs)
def test_the_same_requests_are_read_wherever_the_bytes_are_cut(
    data: bytes, choice: st.DataObject, run_between: Callable[[FakeLoop], object]
) -> None:
    whole = converse([data] if data else [])
    assert visible(converse(pieces(data, choice.draw), run_between)) == visible(whole)


@given(conversations, st.sampled_from([b"", b"\r\n", b"GET", b"\x00"]), st.data(), runs)
def test_a_peer_that_says_nothing_more_is_left_wherever_it_stops(
    data: bytes, more: bytes, choice: st.DataObject, run_between: Callable[[FakeLoop], object]
) -> None:
    stop = choice.draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    server = converse(pieces(data[:stop] + more, choice.draw), run_between)
    server.loop.advance(1000)  # longer than any limit
    assert not server.transport.is_open


def check_garbage(server: Server) -> None:
    """Check that garbage got nothing but errors, and that an error ended the connection."""
    if not server.transport.sent:
        return
    statuses = [answer.status for answer in parse_answers(bytes(server.transport.sent), [])]
    assert all(status in (400, 408, 413, 414, 431, 501, 505) for status in statuses)
    assert server.transport.linger is not None
    assert not server.transport.is_aborted


@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=8))
def test_garbage_never_raises_and_gets_a_4xx_or_nothing(parts: list[bytes]) -> None:
    assume(b"HTTP/1." not in b"".join(parts))  # Hypothesis knows the constants of our code: "! / HTTP/1.0" is a request
    check_garbage(converse(parts))


@given(
    st.lists(st.one_of(st.binary(min_size=1), st.sampled_from([b"\r\n", b"\n", b": ", b" HTTP/1.1", b"GET /", b"%"])))
)
def test_so_does_garbage_that_looks_like_http(parts: list[bytes]) -> None:
    server = converse(parts)
    assert not server.transport.is_aborted


@given(st.sampled_from(REQUESTS), st.data())
def test_a_request_with_some_bytes_changed_never_breaks_the_server(request_bytes: bytes, choice: st.DataObject) -> None:
    data = bytearray(request_bytes)
    for index in choice.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
        data[index] = choice.draw(st.integers(0, 255))
    server = converse([bytes(data), get("/after")])
    assert not server.transport.is_aborted
    server.protocol.eof_received()
    server.loop.run()
    assert server.transport.linger is not None
