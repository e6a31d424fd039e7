"""Requests on an `HTTPConnection`: framing, order, keep-alive, and what handlers are given."""

from contextvars import ContextVar
from http import HTTPMethod

import pytest

from perfectws.http.http11 import READ_AHEAD
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse
from perfectws.http.routing import Routes
from perfectws.transport import HIGH_WATER

from .fakes import Server, echo_path, everything, get, post


def test_a_request_reaches_its_handler_and_gets_its_response() -> None:
    server = Server(everything(echo_path))
    [answer] = server.ask(get("/a?b=c"))
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"GET /a?b=c ")
    assert answer.header("content-length") == "11"
    assert (answer.header("date") or "").endswith(" GMT")
    assert server.transport.is_open


def test_no_handler_runs_inside_data_received() -> None:
    seen = []
    server = Server(everything(lambda request, response: seen.append(request)))
    server.receive(get("/"))
    assert seen == []
    server.loop.run()
    assert len(seen) == 1


def test_the_handler_is_told_everything_about_the_request() -> None:
    seen = []
    server = Server(everything(lambda request, _: seen.append(request)), server_name="chat", document_root="/srv")
    server.ask(b"PUT /a/b%20c/?d=e HTTP/1.0\r\nhost: x\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nhi")
    [request] = seen
    assert request.method is HTTPMethod.PUT
    assert request.path == "/a/b%20c/"
    assert request.path_components == ["/", "a", "b c", "/"]
    assert request.query_params == [("d", "e")]
    assert request.protocol_version == (1, 0)
    assert request.remote_address == ("192.0.2.7", 50000)
    assert request.server_address == ("192.0.2.1", 8181)
    assert (request.server_name, request.document_root) == ("chat", "/srv")
    assert list(request.headers) == [("host", "x"), ("X-A", "1"), ("Content-Length", "2")]
    assert request.post_body_bytes == b"hi"


def test_a_connection_is_kept_for_the_next_request() -> None:
    server = Server(everything(echo_path))
    server.ask(get("/1"))
    answers = server.ask(get("/2"))
    assert [answer.body for answer in answers] == [b"GET /1 ", b"GET /2 "]
    assert server.transport.is_open


def test_connection_close_is_obeyed_after_the_response() -> None:
    server = Server(everything(echo_path), close_timeout=7)
    [answer] = server.ask(get("/", "Connection: close") + get("/never"))
    assert answer.header("connection") == "close"
    assert server.transport.linger == 7


def test_http_1_0_gets_its_response_and_a_closed_connection() -> None:
    server = Server(everything(echo_path))
    [answer] = server.ask(b"GET /a HTTP/1.0\r\n\r\n")
    assert answer.body == b"GET /a "
    assert answer.header("connection") == "close"
    assert not server.transport.is_open


def test_pipelined_requests_are_answered_in_order() -> None:
    server = Server(everything(echo_path))
    answers = server.ask(b"".join(get(f"/{n}") for n in range(1000)))
    assert [answer.body.decode() for answer in answers] == [f"GET /{n} " for n in range(1000)]


def test_a_pipelined_request_waits_for_the_response_before_it() -> None:
    waiting = []
    server = Server(everything(lambda request, response: waiting.append(response)))
    server.ask(get("/1") + post("/2", b"x") + get("/3"))
    assert len(waiting) == 1
    for n in range(1, 4):
        response = waiting[-1]
        response.set_body(response.request.uri).completed()
        server.loop.run()
        assert len(server.answers()) == n
    assert [answer.body for answer in server.answers()] == [b"/1", b"/2", b"/3"]


def test_a_thousand_pipelined_404s_keep_the_stack_flat() -> None:
    assert [answer.status for answer in Server().ask(get("/x") * 1000)] == [404] * 1000


def test_reading_pauses_while_a_response_is_pending_and_input_waits() -> None:
    waiting = []
    server = Server(everything(lambda request, response: waiting.append(response)))
    server.ask(get("/1"))
    server.receive(b"x" * (READ_AHEAD - 1))
    assert not server.transport.is_paused
    server.receive(b"x")
    assert server.transport.is_paused
    waiting[0].completed()
    server.loop.run()
    assert not server.transport.is_paused


def test_requests_wait_while_their_responses_are_not_read() -> None:
    body = b"x" * (HIGH_WATER // 2)
    server = Server(everything(lambda request, response: response.set_body(body).completed()))
    server.transport.is_stalled = True
    server.ask(get("/") * 10)
    assert len(server.answers()) == 2
    server.receive(get("/") * 990)
    assert server.transport.is_paused
    server.transport.drain()
    server.loop.run()
    assert server.transport.sent.count(b"HTTP/1.1 200 OK") == 1000
    assert not server.transport.is_paused


def test_a_body_of_known_length_arrives_whole() -> None:
    server = Server(everything(echo_path))
    request = post("/", b"hello")
    server.receive(request[:-3])
    server.loop.run()
    assert server.answers() == []
    [answer] = server.ask(request[-3:])
    assert answer.body == b"POST / hello"


def test_a_chunked_body_arrives_whole_with_extensions_and_trailers() -> None:
    server = Server(everything(echo_path))
    answers = server.ask(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2;name=value\r\nde\r\n0\r\nTrailer: t\r\n\r\n" + get("/next")
    )
    assert [answer.body for answer in answers] == [b"POST / abcde", b"GET /next "]


def test_100_continue_is_sent_when_the_client_waits_for_it() -> None:
    server = Server(everything(echo_path))
    server.receive(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert server.transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    [answer] = server.ask(b"ok", "POST")
    assert answer.body == b"POST / ok"


def test_100_continue_is_not_sent_when_the_body_is_there_or_there_is_none() -> None:
    server = Server(everything(echo_path))
    server.ask(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok")
    server.ask(get("/", "Expect: 100-continue"))
    assert b"100 Continue" not in server.transport.sent
    assert len(server.answers()) == 2


def test_empty_lines_before_a_request_are_ignored() -> None:
    server = Server(everything(echo_path))
    for data in (b"\r\n", b"\n\r\n" + get("/1") + b"\r\n\r\n", get("/2")):
        server.ask(data)
    assert [answer.body for answer in server.answers()] == [b"GET /1 ", b"GET /2 "]


def test_a_target_in_absolute_form_is_routed_by_its_path() -> None:
    routes = Routes()
    routes.add("GET", "/a", echo_path)
    [answer] = Server(routes).ask(b"GET http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert answer.status == 200


@pytest.mark.parametrize("target", [".evil.test/a", "@evil.test/a", "a", "*", "evil.test:80", "http://", "http://u@x/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "QUERY"])
def test_a_target_that_is_neither_path_nor_absolute_gets_400(method: str, target: str) -> None:
    server = Server(everything(echo_path))
    [answer] = server.ask(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), method)
    assert answer.status == 400
    assert not server.transport.is_open


def test_options_may_ask_for_the_server_as_a_whole() -> None:
    [answer] = Server(everything(echo_path)).ask(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS")
    assert answer.status != 400


@pytest.mark.parametrize("target", ["example.com:80", "/", "http://a/"])
def test_connect_is_for_proxies(target: str) -> None:
    [answer] = Server(everything(echo_path)).ask(f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), "CONNECT")
    assert answer.status == 501


def test_an_unknown_route_and_a_wrong_method_get_404_and_one_line() -> None:
    routes = Routes()
    routes.add("GET", "/a", echo_path)
    server = Server(routes)
    answers = server.ask(get("/<b>?c") + post("/a", b"x"))
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].header("content-type") == "text/plain; charset=utf-8"
    assert answers[0].body == b"404 Not Found: nothing is served at /<b>\n"
    assert server.transport.is_open


def test_a_server_may_handle_what_no_route_has() -> None:
    server = Server(not_found=lambda request, response: response.set_body("mine").completed(410))
    [answer] = server.ask(get("/x"))
    assert (answer.status, answer.body) == (410, b"mine")


def test_handlers_run_in_the_context_of_their_connection() -> None:
    mark = ContextVar("mark", default=0)
    seen = []

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        seen.append(mark.get())
        mark.set(mark.get() + 1)
        response.completed()

    first, second = Server(everything(handle)), Server(everything(handle))
    first.ask(get("/") * 2)
    second.ask(get("/"))
    assert seen == [0, 1, 0]
    assert mark.get() == 0


def test_a_half_closed_peer_gets_the_answers_to_all_it_asked() -> None:
    waiting = []
    server = Server(everything(lambda request, response: waiting.append(response)))
    server.ask(get("/1") + get("/2"))
    server.protocol.eof_received()
    for n in range(2):
        waiting[n].completed()
        server.loop.run()
    assert len(server.answers()) == 2
    assert server.transport.linger is not None


@pytest.mark.parametrize(
    "data", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel", b"\r\n"]
)
def test_a_peer_that_ends_within_a_request_is_left_without_an_answer(data: bytes) -> None:
    server = Server(everything(echo_path))
    if data:
        server.receive(data)
    server.protocol.eof_received()
    server.loop.run()
    assert server.transport.sent == b""
    assert not server.transport.is_open
    server.protocol.connection_lost(None)
    assert server.loop.live_timers == 0


def test_routing_variables_reach_the_handler() -> None:
    routes = Routes()
    routes.add("GET", "/room/{name}", lambda q, r: r.set_body(json=q.url_variables).completed())
    [answer] = Server(routes).ask(get("/room/a%20b"))
    assert answer.body == b'{"name": "a b"}'


class TestShutDown:
    def test_an_idle_connection_is_closed_at_once(self) -> None:
        server = Server(close_timeout=3)
        server.protocol.shut_down()
        assert server.transport.is_aborted  # without waiting for a browser that keeps its idle connection
        assert server.loop.live_timers == 0

    def test_an_idle_connection_over_tls_is_told_so_and_not_waited_for_long(self) -> None:
        server = Server(close_timeout=3)
        server.transport.is_secure = True
        server.protocol.shut_down()
        assert not server.transport.is_aborted  # which would say no closure alert
        assert server.transport.linger == 0.1
        assert server.loop.live_timers == 0

    def test_an_idle_connection_still_gets_what_is_on_its_way(self) -> None:
        server = Server(close_timeout=3)
        server.transport.buffered_amount = 1
        server.protocol.shut_down()
        assert server.transport.linger == 3

    def test_a_request_under_way_is_answered_and_the_one_behind_it_is_not(self) -> None:
        waiting = []
        server = Server(everything(lambda request, response: waiting.append(response)))
        server.ask(get("/1") + get("/2"))
        server.protocol.shut_down()
        assert server.transport.is_open
        waiting[0].set_body("done").completed()
        server.loop.run()
        [answer] = server.answers()
        assert answer.header("connection") == "close"
        assert not server.transport.is_open

    def test_a_response_that_has_begun_is_finished(self) -> None:
        waiting = []
        server = Server(everything(lambda request, response: waiting.append(response)))
        server.ask(get("/1"))
        waiting[0].append_body("a").push()
        server.protocol.shut_down()
        waiting[0].append_body("b").completed()
        [answer] = server.answers()
        assert (answer.body, answer.is_complete) == (b"ab", True)
        assert not server.transport.is_open

    def test_a_request_that_is_half_here_is_still_taken(self) -> None:
        server = Server(everything(echo_path))
        server.receive(get("/")[:10])
        server.protocol.shut_down()
        [answer] = server.ask(get("/")[10:])
        assert answer.header("connection") == "close"
        assert not server.transport.is_open
