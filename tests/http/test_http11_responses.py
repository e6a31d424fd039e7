"""Responses on an `HTTPConnection`: framing, pushing, chains of handlers, errors, threads."""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from perfectws.errors import LocalProtocolError
from perfectws.http.cookies import HTTPCookie
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse, RequestHandler, ResponseState
from perfectws.http.routing import Routes
from perfectws.transport import HIGH_WATER

from .fakes import Answer, Server, everything, get


def held(**limits: Any) -> tuple[Server, HTTPResponse]:
    """Return a server that was asked once, and the response that it waits for."""
    waiting = []
    server = Server(everything(lambda request, response: waiting.append(response)), **limits)
    server.ask(get("/"))
    return server, waiting[0]


def asked(handler: RequestHandler, request: bytes | None = None, *methods: str) -> list[Answer]:
    return Server(everything(handler)).ask(request or get("/"), *methods)


HEAD_REQUEST = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"


class TestFraming:
    def test_a_completed_body_has_a_length(self) -> None:
        [answer] = asked(lambda q, r: r.set_body("hello").completed())
        assert (answer.header("content-length"), answer.body) == ("5", b"hello")
        assert answer.header("transfer-encoding") is None

    def test_an_empty_body_has_the_length_0(self) -> None:
        assert asked(lambda q, r: r.completed())[0].header("content-length") == "0"

    def test_status_headers_and_cookies_are_sent_in_order(self) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_header("X-A", "ä").add_cookie(HTTPCookie("a", "1")).add_cookie(HTTPCookie("b", "2"))
            response.completed(HTTPStatus.CREATED)

        server = Server(everything(handle))
        [answer] = server.ask(get("/"))
        assert (answer.status, answer.reason) == (201, "Created")
        assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1", "b=2"]
        assert "X-A: ä\r\n".encode() in server.transport.sent

    def test_a_status_of_ones_own_has_no_reason(self) -> None:
        [answer] = asked(lambda q, r: r.completed(599))
        assert (answer.status, answer.reason) == (599, "")

    def test_head_gets_the_headers_of_get_and_no_body(self) -> None:
        server = Server(everything(lambda q, r: r.set_body("hello").completed()))
        answers = server.ask(HEAD_REQUEST + get("/"), "HEAD")
        assert [(a.header("content-length"), a.body) for a in answers] == [("5", b""), ("5", b"hello")]

    def test_head_may_declare_a_length_without_a_body(self) -> None:
        [answer] = asked(lambda q, r: r.set_header("Content-Length", "99").completed(), HEAD_REQUEST, "HEAD")
        assert answer.header("content-length") == "99"

    def test_head_gets_no_chunks_either(self) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.is_streaming = True
            response.append_body("a").push()
            response.append_body("b").completed()

        server = Server(everything(handle))
        answers = server.ask(HEAD_REQUEST + get("/"), "HEAD")
        assert [answer.body for answer in answers] == [b"", b"ab"]

    @pytest.mark.parametrize("status", [204, 304])
    def test_204_and_304_have_no_body(self, status: int) -> None:
        server = Server(everything(lambda q, r: r.set_body("ignored").completed(status)))
        answers = server.ask(get("/") * 2)
        assert [(a.status, a.body, a.header("content-length")) for a in answers] == [(status, b"", None)] * 2

    @pytest.mark.parametrize("is_streaming", [False, True])
    def test_205_has_no_content_either_and_says_so(self, is_streaming: bool) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.is_streaming = is_streaming
            response.set_body("ignored").completed(205)

        answers = Server(everything(handle)).ask(get("/") * 2)
        assert [(a.status, a.body, a.header("content-length")) for a in answers] == [(205, b"", "0")] * 2

    def test_a_304_may_declare_the_length_of_what_it_stands_for(self) -> None:
        assert asked(lambda q, r: r.set_header("Content-Length", "9").completed(304))[0].header("content-length") == "9"

    def test_the_application_may_close_the_connection(self) -> None:
        server = Server(everything(lambda q, r: r.set_header("Connection", "close").completed()))
        server.ask(get("/") * 2)
        assert len(server.answers()) == 1
        assert not server.transport.is_open

    def test_a_date_of_ones_own_is_kept(self) -> None:
        [answer] = asked(lambda q, r: r.set_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT").completed())
        assert [value for name, value in answer.headers if name == "date"] == ["Sun, 06 Nov 1994 08:49:37 GMT"]


class TestPush:
    def test_with_a_content_length_pushes_are_sized(self) -> None:
        server, response = held()
        oks: list[bool] = []
        response.set_header("Content-Length", "6")
        for part in ("ab", "cd", "ef"):
            response.set_body(part).push(oks.append)
            server.loop.run()
        response.completed()
        [answer] = server.answers()
        assert (answer.body, answer.header("content-length"), answer.is_complete) == (b"abcdef", "6", True)
        assert oks == [True] * 3
        assert b"ab" in server.transport.sent

    def test_streaming_pushes_are_chunks(self) -> None:
        server, response = held()
        response.is_streaming = True
        response.set_header("Content-Length", "99")
        response.append_body("ab").append_body("c").push()
        assert server.transport.sent.endswith(b"\r\n\r\n3\r\nabc\r\n")
        response.append_body("d").completed()
        [answer] = server.answers()
        assert (answer.body, answer.is_complete) == (b"abcd", True)
        assert answer.header("transfer-encoding") == "chunked"
        assert answer.header("content-length") is None

    def test_without_either_they_are_chunks_too(self) -> None:
        server, response = held()
        response.append_body("a").push()
        response.append_body("b").push()
        response.completed()
        assert server.answers()[0].body == b"ab"
        assert server.transport.is_open

    def test_http_1_0_gets_a_stream_until_the_connection_ends(self) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.is_streaming = True
            response.append_body("a").push()
            response.append_body("b").completed()

        server = Server(everything(handle))
        server.ask(b"GET / HTTP/1.0\r\n\r\n")
        assert server.transport.sent.endswith(b"\r\n\r\nab")
        assert b"chunked" not in server.transport.sent
        assert not server.transport.is_open

    def test_the_head_can_be_pushed_alone(self) -> None:
        server, response = held()
        response.push()
        assert server.transport.sent.endswith(b"\r\n\r\n")
        assert response.state is ResponseState.STARTED

    def test_the_callback_comes_from_the_queue_and_the_body_is_empty_then(self) -> None:
        server, response = held()
        seen = []
        response.set_body("x").push(lambda ok: seen.append((ok, response.body_bytes)))
        assert seen == []
        server.loop.run()
        assert seen == [(True, b"")]

    def test_push_is_a_decorator(self) -> None:
        server, response = held()
        seen = []

        @response.push
        def pushed(ok: bool) -> None:
            seen.append(ok)

        server.loop.run()
        assert seen == [True]
        assert callable(pushed)

    def test_above_high_water_the_callback_waits_for_the_peer(self) -> None:
        server, response = held()
        server.transport.is_stalled = True
        oks: list[bool] = []
        response.set_body(b"x" * HIGH_WATER).push(oks.append)
        response.set_body(b"y").push(oks.append)
        server.loop.run()
        assert oks == []
        server.transport.drain()
        server.loop.run()
        assert oks == [True, True]

    def test_a_chain_of_pushes_through_callbacks_is_flat_and_bounded(self) -> None:
        server, response = held()
        response.is_streaming = True
        most = []

        def more(ok: bool, left: list[int] = [2000]) -> None:  # noqa: B006
            most.append(server.transport.buffered_amount)
            left[0] -= 1
            if left[0]:
                response.append_body(b"x" * 10_000).push(more)
            else:
                response.completed()

        server.transport.is_stalled = True
        more(True)
        server.loop.run()
        while response.state is ResponseState.STARTED:
            server.transport.drain()
            server.transport.is_stalled = True
            server.loop.run()
        assert max(most) < HIGH_WATER + 20_000
        assert len(server.transport.sent) > 1999 * 10_000

    def test_when_the_peer_leaves_every_callback_gets_false_once(self) -> None:
        server, response = held()
        server.transport.is_stalled = True
        oks: list[bool] = []
        response.set_body(b"x" * HIGH_WATER).push(oks.append)
        response.push(oks.append)
        server.lose()
        assert oks == [False, False]
        response.append_body("late").push(oks.append)
        server.loop.run()
        assert oks == [False] * 3
        response.completed()
        assert response.state is ResponseState.LOST

    def test_a_push_after_the_end_gets_false_and_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        server, response = held()
        response.completed()
        oks: list[bool] = []
        response.append_body("x").push(oks.append)
        server.loop.run()
        assert oks == [False]
        assert len(caplog.records) == 1

    def test_what_cannot_be_called_is_refused(self) -> None:
        _, response = held()
        with pytest.raises(TypeError, match=r"a callable that takes \(ok\)"):
            response.push(True)  # type: ignore[call-overload]  # misuse on purpose


class TestMisuse:
    def test_completing_twice_is_harmless_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        server, response = held()
        response.set_body("x").completed()
        response.completed()
        response.next()
        server.loop.run()
        assert len(server.answers()) == 1
        assert len(caplog.records) == 2
        assert server.transport.is_open

    def test_a_body_longer_than_its_content_length_ends_the_connection(self) -> None:
        server, response = held()
        response.set_header("Content-Length", "3").set_body("abc").push()
        with pytest.raises(LocalProtocolError, match="Too much data"):
            response.set_body("d").push()
        assert server.transport.is_aborted

    def test_a_body_shorter_than_its_content_length_ends_the_connection(self) -> None:
        server, response = held()
        response.set_header("Content-Length", "3").set_body("ab").push()
        with pytest.raises(LocalProtocolError, match="Too little data"):
            response.completed()
        assert server.transport.is_aborted
        response.completed()

    def test_a_wrong_content_length_is_a_500_while_nothing_is_sent(self) -> None:
        server, response = held()
        with pytest.raises(LocalProtocolError, match="the Content-Length is 3, but the body has 2 bytes"):
            response.set_header("Content-Length", "3").set_body("ab").completed()
        [answer] = server.answers()
        assert answer.status == 500
        assert server.transport.is_open

    @pytest.mark.parametrize("header", [("Content-Length", "many"), ("Transfer-Encoding", "gzip")])
    def test_headers_that_frame_no_message_are_a_500(self, header: tuple[str, str]) -> None:
        server, response = held()
        with pytest.raises(LocalProtocolError, match="cannot be sent"):
            response.set_header(*header).set_body("ab").push()
        assert server.answers()[0].status == 500

    def test_a_header_cannot_smuggle_another_in(self) -> None:
        _, response = held()
        with pytest.raises(LocalProtocolError):
            response.set_header("Location", "/\r\nSet-Cookie: a=1")


class TestHandlers:
    def test_next_passes_on_to_the_handler_behind_and_ends_after_the_last(self) -> None:
        routes = Routes("/v1", lambda q, r: r.append_body("1").next())
        routes.add("GET", "/a", lambda q, r: r.append_body("2").next())
        [answer] = Server(routes).ask(get("/v1/a"))
        assert answer.body == b"12"

    def test_next_runs_no_handler_before_it_returns(self) -> None:
        order = []

        def first(request: HTTPRequest, response: HTTPResponse) -> None:
            response.next()
            order.append("first")

        routes = Routes(handler=first)
        routes.add("GET", "/", lambda q, r: order.append("second"))
        Server(routes).ask(get("/"))
        assert order == ["first", "second"]

    def test_a_non_terminal_handler_may_end_the_request(self) -> None:
        routes = Routes("/v1", lambda q, r: r.completed(401))
        routes.add("GET", "/a", lambda q, r: r.set_body("secret").completed())
        [answer] = Server(routes).ask(get("/v1/a"))
        assert (answer.status, answer.body) == (401, b"")

    def test_an_async_handler_is_a_task(self) -> None:
        async def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_body("async").completed()

        assert asked(handle)[0].body == b"async"

    def test_a_response_may_be_completed_later(self) -> None:
        server, response = held()
        assert server.answers() == []
        server.loop.call_later(server.connection, 5, response.completed)
        server.loop.advance(5)
        assert server.answers()[0].status == 200

    def test_a_handler_that_raises_is_a_500_logged_with_its_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_header("X-Secret", "1").set_body("half")
            raise KeyError("user")

        server = Server(everything(handle))
        [answer] = server.ask(get("/"))
        assert answer.status == 500
        assert answer.header("x-secret") is None
        assert answer.body == b"500 Internal Server Error: the server failed to answer this request\n"
        [record] = caplog.records
        assert (record.name, record.levelno) == ("perfectws", logging.ERROR)
        assert record.exc_info is not None
        assert record.exc_info[0] is KeyError
        server.ask(get("/"))
        assert len(server.answers()) == 2

    def test_so_is_an_async_one(self, caplog: pytest.LogCaptureFixture) -> None:
        async def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            raise KeyError("user")

        assert asked(handle)[0].status == 500
        record = caplog.records[0]
        assert record.exc_info is not None
        assert record.exc_info[0] is KeyError

    def test_a_handler_that_raises_after_the_head_ends_the_connection(self, caplog: pytest.LogCaptureFixture) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.append_body("half").push()
            raise KeyError("user")

        server = Server(everything(handle))
        server.ask(get("/"))
        assert server.transport.is_aborted
        assert len(caplog.records) == 1

    def test_a_handler_that_raises_after_the_end_is_only_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.completed()
            raise KeyError("user")

        server = Server(everything(handle))
        answers = server.ask(get("/") * 2)
        assert [answer.status for answer in answers] == [200, 200]
        assert server.transport.is_open
        assert len(caplog.records) == 2

    def test_a_late_error_does_not_touch_the_next_request(self, caplog: pytest.LogCaptureFixture) -> None:
        waiting = []

        async def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.completed()
            raise KeyError("user")

        routes = Routes()
        routes.add("GET", "/a", handle)
        routes.add("GET", "/b", lambda q, r: waiting.append(r))
        server = Server(routes)
        server.ask(get("/a") + get("/b"))
        waiting[0].set_body("b").completed()
        assert [answer.status for answer in server.answers()] == [200, 200]

    def test_a_push_callback_that_raises_ends_the_connection(self, caplog: pytest.LogCaptureFixture) -> None:
        server, response = held()
        response.append_body("x").push(lambda ok: 1 / 0)
        server.loop.run()
        assert server.transport.is_aborted

    def test_a_response_that_was_aborted_takes_what_still_comes_in_silence(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        server, response = held()
        server.connection.callback_failed(KeyError())
        oks: list[bool] = []
        response.append_body("x").push(oks.append)
        response.completed()
        server.loop.run()
        assert oks == [False]
        assert response.state is ResponseState.LOST
        assert len(caplog.records) == 1

    def test_a_handler_can_be_queued_behind_the_one_that_runs(self) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            assert response.loop is server.loop
            response.call_soon(lambda q, r: r.append_body("2").completed())
            response.append_body("1")

        server = Server(everything(handle))
        assert server.ask(get("/"))[0].body == b"12"

    def test_an_error_after_the_peer_left_is_only_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        server, response = held()
        server.lose()
        response.callback_failed(KeyError())
        assert len(caplog.records) == 1


class TestThreads:
    def in_thread(self, function: Callable[[], object]) -> list[Exception]:
        failed = []

        def run() -> None:
            try:
                function()
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return failed

    def test_a_response_can_be_made_in_another_thread(self) -> None:
        server, response = held()
        oks: list[bool] = []

        def work() -> None:
            response.is_streaming = True
            for part in ("a", "b"):
                response.set_body(part).push(oks.append)
            response.set_header("late", "1").set_body("c").completed()

        assert self.in_thread(work) == []
        assert server.transport.sent == b""
        server.loop.run()
        assert server.answers()[0].body == b"abc"
        assert oks[0] is True

    def test_next_can_be_called_there(self) -> None:
        waiting = []
        routes = Routes(handler=lambda q, r: waiting.append(r))
        routes.add("GET", "/", lambda q, r: r.set_body(threading.current_thread().name).completed())
        server = Server(routes)
        server.ask(get("/"))
        assert self.in_thread(waiting[0].next) == []
        server.loop.run()
        assert server.answers()[0].body == threading.main_thread().name.encode()

    def test_arguments_are_checked_there_at_once(self) -> None:
        _, response = held()
        [error] = self.in_thread(lambda: response.set_header("a", "\r\n"))
        assert isinstance(error, LocalProtocolError)
        [error] = self.in_thread(lambda: response.completed(99))
        assert isinstance(error, LocalProtocolError)
        [error] = self.in_thread(lambda: response.push(5))  # type: ignore[call-overload]  # misuse on purpose
        assert isinstance(error, TypeError)

    def test_errors_of_state_are_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        server, response = held()

        def twice() -> None:
            response.completed()
            response.completed()

        assert self.in_thread(twice) == []
        server.loop.run()
        assert len(caplog.records) == 1

    def test_a_response_of_the_wrong_length_is_a_500_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        server, response = held()
        self.in_thread(lambda: response.set_header("Content-Length", "5").completed())
        server.loop.run()
        assert server.answers()[0].status == 500
        assert len(caplog.records) == 1


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_response_of_http_1_0_is_unfinished_from_its_head_to_its_end(version: str) -> None:
    waiting: list[HTTPResponse] = []
    server = Server(everything(lambda request, response: waiting.append(response)))
    server.ask(f"POST / HTTP/{version}\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert not server.protocol.is_unfinished
    waiting[0].append_body("a").push()
    assert server.protocol.is_unfinished is (version == "1.0")
    waiting[0].append_body("b").completed()
    assert not server.protocol.is_unfinished
