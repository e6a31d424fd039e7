"""Filters: the examples of Perfect's guide, and what filters may do beyond them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from perfectws.errors import LocalProtocolError
from perfectws.http.filters import (
    REQUEST_FILTER,
    RESPONSE_FILTER,
    FilterPriority,
    HTTPRequestFilter,
    HTTPResponseFilter,
    RequestFilterResult,
    ResponseFilterResult,
    with_filters,
)
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse
from perfectws.http.routing import Routes
from tests.http.fakes import Answer, Server, everything, get, post

HIGH, MEDIUM, LOW = FilterPriority.HIGH, FilterPriority.MEDIUM, FilterPriority.LOW
CONTINUE, HALT, EXECUTE = RequestFilterResult.CONTINUE, RequestFilterResult.HALT, RequestFilterResult.EXECUTE
GO_ON, DONE, CLOSE = ResponseFilterResult.CONTINUE, ResponseFilterResult.DONE, ResponseFilterResult.HALT


def hello(request: HTTPRequest, response: HTTPResponse) -> None:
    response.set_body("hello").completed()


class Noting(HTTPRequestFilter):
    """A request filter that notes its name, and gives a result."""

    def __init__(self, name: str, notes: list[str], result: RequestFilterResult = CONTINUE) -> None:
        self.name, self.notes, self.result = name, notes, result

    def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
        self.notes.append(self.name)
        callback(self.result)


class Body(HTTPResponseFilter):
    """A response filter that does something to each piece, and gives a result."""

    def __init__(self, change: Callable[[bytes], bytes], result: ResponseFilterResult = GO_ON) -> None:
        self.change, self.result = change, result

    def filter_body(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
        response.body_bytes = self.change(response.body_bytes)
        callback(self.result)


def serve(routes: Routes | None = None, requests: Any = (), responses: Any = (), **limits: Any) -> Server:
    return Server(
        everything(hello) if routes is None else routes,
        request_filters=with_filters((), requests, REQUEST_FILTER),
        response_filters=with_filters((), responses, RESPONSE_FILTER),
        **limits,
    )


class TestTheGuidesRequestFilters:
    def test_execute_leaves_out_its_priority_and_halt_ends_the_request(self) -> None:
        notes: list[str] = []

        def unreached(request: HTTPRequest, response: HTTPResponse) -> None:
            notes.append("handler")

        filters = [
            (Noting("three, skipped", notes), MEDIUM),
            (Noting("one", notes), HIGH),
            (Noting("four", notes, HALT), LOW),
        ]
        filters.insert(0, (Noting("two", notes, EXECUTE), MEDIUM))
        (answer,) = serve(everything(unreached), filters).ask(get("/"))
        assert notes == ["one", "two", "four"]
        assert (answer.status, answer.body) == (200, b"")

    def test_filters_of_one_priority_keep_their_order(self) -> None:
        notes: list[str] = []
        filters = [(Noting(str(number), notes), LOW) for number in range(5)]
        (answer,) = serve(requests=filters).ask(get("/"))
        assert notes == ["0", "1", "2", "3", "4"]
        assert answer.body == b"hello"

    def test_the_same_is_said_with_the_request_and_the_response_as_in_swift(self) -> None:
        class Continues(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("X-Seen", "yes")
                callback(RequestFilterResult.CONTINUE(request, response))

        (answer,) = serve(requests=[(Continues(), HIGH)]).ask(get("/"))
        assert (answer.body, answer.header("x-seen")) == (b"hello", "yes")
        for result in RequestFilterResult:
            assert result(HTTPRequest(), HTTPResponse(HTTPRequest())) is result


class TestFiltersThatAreGivenTwice:
    """As in Perfect, each call adds three groups, which come behind those of the call before."""

    def test_the_second_ones_requests_come_behind_and_execute_leaves_its_group_only(self) -> None:
        notes: list[str] = []
        first = with_filters(
            (),
            [
                (Noting("low", notes), LOW),
                (Noting("session", notes, EXECUTE), HIGH),
                (Noting("skipped", notes), HIGH),
            ],
            REQUEST_FILTER,
        )
        both = with_filters(
            first, [(Noting("second low", notes), LOW), (Noting("second high", notes), HIGH)], REQUEST_FILTER
        )
        (answer,) = Server(everything(hello), request_filters=both).ask(get("/"))
        assert notes == ["session", "low", "second high", "second low"]
        assert answer.body == b"hello"

    def test_the_second_ones_responses_come_behind_and_done_leaves_its_group_only(self) -> None:
        def adds(letter: bytes, result: ResponseFilterResult = GO_ON) -> Body:
            return Body(lambda body: body + letter, result)

        first = with_filters((), [(adds(b"1", DONE), HIGH), (adds(b"no"), HIGH), (adds(b"2"), LOW)], RESPONSE_FILTER)
        both = with_filters(first, [(adds(b"4"), MEDIUM), (adds(b"3", DONE), HIGH)], RESPONSE_FILTER)
        (answer,) = Server(everything(hello), response_filters=both).ask(get("/"))
        assert answer.body == b"hello1234"

    def test_done_at_the_headers_leaves_its_group_only(self) -> None:
        class Header(HTTPResponseFilter):
            def __init__(self, name: str, result: ResponseFilterResult) -> None:
                self.name, self.result = name, result

            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header(self.name, "yes")
                callback(self.result)

        (answer,) = serve(
            responses=[(Header("X-A", DONE), HIGH), (Header("X-B", GO_ON), HIGH), (Header("X-C", DONE), LOW)]
        ).ask(get("/"))
        assert [answer.header(name) for name in ("x-a", "x-b", "x-c")] == ["yes", None, "yes"]


class TestRequestFilters:
    def test_one_may_rewrite_the_path_before_the_route_is_sought(self) -> None:
        class Rewrite(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                if request.path == "/old":
                    request.path = "/new"
                callback(CONTINUE)

        routes = Routes()
        routes.add("GET", "/new", lambda request, response: response.set_body(request.uri).completed())
        server = serve(routes, [(Rewrite(), HIGH)])
        assert server.ask(get("/old?a=b"))[0].body == b"/new?a=b"

    def test_one_may_answer_itself_and_set_headers_that_stay(self) -> None:
        class Guard(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("X-Seen", "yes")
                if request.param("key") == "right":
                    callback(CONTINUE)
                else:
                    response.set_body("no key").status = 401
                    callback(HALT)

        server = serve(requests=[(Guard(), HIGH)])
        wrong, right = server.ask(get("/")) + server.ask(get("/?key=right"))[1:]
        assert (wrong.status, wrong.body, wrong.header("x-seen")) == (401, b"no key", "yes")
        assert (right.status, right.body, right.header("x-seen")) == (200, b"hello", "yes")

    def test_one_that_has_completed_the_response_may_halt(self, caplog: pytest.LogCaptureFixture) -> None:
        class Redirect(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("Location", "/elsewhere").completed(302)
                callback(HALT)

        (answer,) = serve(requests=[(Redirect(), HIGH)]).ask(get("/"))
        assert answer.status == 302
        assert not caplog.records

    def test_one_sees_the_body_of_the_request(self) -> None:
        seen: list[bytes] = []

        class Look(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                seen.append(request.post_body_bytes)
                callback(CONTINUE)

        serve(requests=[(Look(), HIGH)]).ask(post("/", b"body"))
        assert seen == [b"body"]

    def test_async_later_and_from_another_thread_work_as_well(self) -> None:
        class Later(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.loop.call_later(response, 5, callback, CONTINUE)

        class Async(HTTPRequestFilter):
            async def filter(
                self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]
            ) -> None:
                callback(CONTINUE)

        class Thread(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                thread = threading.Thread(target=callback, args=(CONTINUE,))
                thread.start()
                thread.join()

        server = serve(requests=[(Later(), HIGH), (Async(), HIGH), (Thread(), HIGH)])
        assert server.ask(get("/")) == []
        server.loop.advance(5)
        assert server.answers()[0].body == b"hello"

    def test_one_that_raises_costs_a_500(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                raise ZeroDivisionError

        server = serve(requests=[(Broken(), HIGH)])
        assert server.ask(get("/"))[0].status == 500
        assert len(server.ask(get("/"))) == 2

    def test_a_second_call_back_is_logged_and_changes_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        class Twice(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                callback(CONTINUE)
                callback(HALT)

        (answer,) = serve(requests=[(Twice(), HIGH)]).ask(get("/"))
        assert answer.body == b"hello"
        assert len(caplog.records) == 1

    def test_a_wrong_result_is_an_error_that_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        (answer,) = serve(requests=[(Noting("x", [], GO_ON), HIGH)]).ask(get("/"))  # type: ignore[arg-type]
        assert answer.status == 500
        assert "RequestFilterResult" in caplog.text

    def test_a_peer_that_leaves_meanwhile_is_no_error(self, caplog: pytest.LogCaptureFixture) -> None:
        kept: list[Callable[..., object]] = []

        class Keep(HTTPRequestFilter):
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                kept.append(callback)

        server = serve(requests=[(Keep(), HIGH)])
        server.ask(get("/"))
        server.lose()
        kept[0](CONTINUE)
        server.loop.run()
        assert not caplog.records

    def test_a_thousand_pass_with_a_flat_stack(self) -> None:
        notes: list[str] = []
        server = serve(requests=[(Noting("x", notes), LOW)] * 3000)
        assert server.ask(get("/"))[0].body == b"hello"
        assert len(notes) == 3000


class TestTheGuidesResponseFilters:
    def test_headers_and_every_piece_pass_by_priority_until_done(self) -> None:
        class Filter1(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("X-Custom", "Value")
                callback(GO_ON)

        def unreached(body: bytes) -> bytes:
            raise AssertionError("this should not execute")

        def abz(request: HTTPRequest, response: HTTPResponse) -> None:
            response.add_header("Content-Type", "text/plain")
            response.is_streaming = True
            response.append_body("ABZ")
            response.push(lambda ok: response.append_body("ABZ").completed())

        filters = [
            (Filter1(), HIGH),
            (Body(lambda body: body.replace(b"A", b"a")), MEDIUM),
            (Body(lambda body: body.replace(b"B", b"b"), DONE), LOW),
            (Body(unreached), LOW),
        ]
        (answer,) = serve(everything(abz), responses=filters).ask(get("/"))
        assert (answer.header("x-custom"), answer.body) == ("Value", b"abZabZ")
        assert answer.header("transfer-encoding") == "chunked"

    def test_the_404_filter_replaces_the_body_and_its_length(self) -> None:
        class Filter404(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                if response.status == 404:
                    response.set_body(f"The file {response.request.path} was not found.")
                    response.set_header("Content-Length", str(len(response.body_bytes)))
                    callback(DONE)
                else:
                    callback(GO_ON)

        (answer,) = serve(Routes(), responses=[(Filter404(), HIGH)]).ask(get("/nowhere"))
        assert (answer.status, answer.body) == (404, b"The file /nowhere was not found.")


class TestResponseFilters:
    def test_a_length_that_changes_is_told_anew(self) -> None:
        (answer,) = serve(responses=[(Body(lambda body: body * 2), HIGH)]).ask(get("/"))
        assert (answer.body, answer.header("content-length")) == (b"hellohello", "10")

    def test_head_has_the_length_of_get(self) -> None:
        server = serve(responses=[(Body(lambda body: body * 2), HIGH)])
        (answer,) = server.ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD")
        assert answer.header("content-length") == "10"
        assert server.transport.sent.endswith(b"\r\n\r\n")

    def test_the_last_piece_is_known_as_such(self) -> None:
        seen: list[tuple[bytes, bool, object]] = []

        class Look(HTTPResponseFilter):
            def filter_body(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                flushing = response.request.scratch_pad.get("_flushing_")
                seen.append((response.body_bytes, response.is_final, flushing))
                callback(GO_ON)

        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.push()  # nothing but the head: filters are not asked about an empty piece
            response.append_body("one").push()
            response.append_body("two").push(lambda ok: response.completed())

        (answer,) = serve(everything(stream), responses=[(Look(), HIGH)]).ask(get("/"))
        assert answer.body == b"onetwo"
        assert seen == [(b"one", False, None), (b"two", False, None), (b"", True, True)]

    def test_the_next_piece_may_grow_while_a_filter_is_busy_with_this_one(self) -> None:
        class Slow(HTTPResponseFilter):
            def filter_body(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                def shout() -> None:
                    response.body_bytes = response.body_bytes.upper()
                    callback(GO_ON)

                loop.call_later(loop.owner, 1, shout)

        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.append_body("one").push()
            response.append_body("two").push()
            response.append_body("three").completed()

        server = serve(everything(stream), responses=[(Slow(), HIGH)])
        loop = server.loop
        server.ask(get("/"))
        loop.advance(10)
        assert server.answers()[0].body == b"ONETWOTHREE"

    def test_a_push_calls_back_once_its_piece_is_sent(self) -> None:
        kept: list[Callable[..., object]] = []
        called: list[bool] = []

        class Keep(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                kept.append(callback)

        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.append_body("one").push(called.append)
            response.append_body("two").completed()

        server = serve(everything(stream), responses=[(Keep(), HIGH)])
        server.ask(get("/"))
        assert called == []
        kept[0](GO_ON)
        server.loop.run()
        assert called == [True]
        assert server.answers()[0].body == b"onetwo"

    def test_a_push_calls_back_with_false_if_the_peer_leaves_first(self) -> None:
        called: list[bool] = []

        class Never(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                pass

        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.append_body("one").push(called.append)
            response.append_body("two").push(called.append)

        server = serve(everything(stream), responses=[(Never(), HIGH)])
        server.ask(get("/"))
        server.lose()
        assert called == [False, False]

    def test_a_push_waits_for_room_behind_the_filters_too(self) -> None:
        called: list[bool] = []

        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.append_body(bytes(100_000)).push(called.append)

        server = serve(everything(stream), responses=[(Body(lambda body: body), HIGH)])
        server.transport.is_stalled = True
        server.ask(get("/"))
        assert called == []
        server.transport.drain()
        server.loop.run()
        assert called == [True]

    def test_halt_closes_the_connection_without_an_answer(self) -> None:
        class Halt(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                callback(CLOSE)

        server = serve(responses=[(Halt(), HIGH)])
        assert server.ask(get("/")) == []
        assert not server.transport.is_open

    def test_async_and_from_another_thread_work_as_well(self) -> None:
        class Async(HTTPResponseFilter):
            async def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("X-Async", "yes")
                callback(GO_ON)

        class Thread(HTTPResponseFilter):
            def filter_body(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                thread = threading.Thread(target=callback, args=(GO_ON,))
                thread.start()
                thread.join()

        (answer,) = serve(responses=[(Async(), HIGH), (Thread(), LOW)]).ask(get("/"))
        assert (answer.header("x-async"), answer.body) == ("yes", b"hello")

    def test_one_that_raises_before_the_head_is_sent_costs_a_500(self, caplog: pytest.LogCaptureFixture) -> None:
        def broken(body: bytes) -> bytes:
            raise ZeroDivisionError

        server = serve(responses=[(Body(broken), HIGH)])
        (answer,) = server.ask(get("/"))
        assert (answer.status, answer.header("connection")) == (500, "close")
        assert [record.levelno for record in caplog.records] == [logging.ERROR]

    def test_one_that_raises_later_ends_the_connection(self, caplog: pytest.LogCaptureFixture) -> None:
        pieces = []

        def broken_at_last(body: bytes) -> bytes:
            pieces.append(body)
            if len(pieces) > 1:
                raise ZeroDivisionError
            return body

        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.append_body("one").push()
            response.append_body("two").completed()

        server = serve(everything(stream), responses=[(Body(broken_at_last), HIGH)])
        (answer,) = server.ask(get("/"))
        assert (answer.body, answer.is_complete, server.transport.is_aborted) == (b"one", False, True)

    def test_headers_that_h11_rejects_cost_a_500(self, caplog: pytest.LogCaptureFixture) -> None:
        class Wrong(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("Content-Length", "3")
                callback(GO_ON)

        assert serve(responses=[(Wrong(), HIGH)]).ask(get("/"))[0].status == 500
        assert len(caplog.records) == 1

    def test_a_handler_that_raises_is_answered_through_the_filters(self, caplog: pytest.LogCaptureFixture) -> None:
        def broken(request: HTTPRequest, response: HTTPResponse) -> None:
            raise ZeroDivisionError

        (answer,) = serve(everything(broken), responses=[(Body(bytes.upper), HIGH)]).ask(get("/"))
        assert answer.status == 500
        assert answer.body.startswith(b"500 INTERNAL SERVER ERROR")

    def test_completed_twice_is_logged_and_sent_once(self, caplog: pytest.LogCaptureFixture) -> None:
        def twice(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_body("once").completed()
            response.completed()

        assert [answer.body for answer in serve(everything(twice), responses=[(Body(bytes), HIGH)]).ask(get("/"))] == [
            b"once"
        ]
        assert len(caplog.records) == 1

    def test_what_the_handler_sets_after_the_first_push_comes_too_late(self) -> None:
        def late(request: HTTPRequest, response: HTTPResponse) -> None:
            response.push()
            response.set_header("X-Late", "yes").status = 500
            response.completed()

        (answer,) = serve(everything(late), responses=[(Body(bytes), HIGH)]).ask(get("/"))
        assert (answer.status, answer.header("x-late")) == (200, None)

    def test_pipelined_requests_keep_their_order(self) -> None:
        class Later(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                loop.call_later(loop.owner, 1, callback, GO_ON)

        routes = everything(lambda request, response: response.set_body(request.path).completed())
        server = serve(routes, responses=[(Later(), HIGH)])
        loop = server.loop
        server.ask(get("/1") + get("/2") + get("/3"))
        loop.advance(10)
        assert [answer.body for answer in server.answers()] == [b"/1", b"/2", b"/3"]

    def test_a_body_that_is_not_to_be_filtered_passes_by_and_its_head_does_not(self) -> None:
        def as_it_is(request: HTTPRequest, response: HTTPResponse) -> None:
            response.is_body_filtered = False
            response.set_body("as it is").completed()

        class Header(Body):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("X-Seen", "yes")
                callback(GO_ON)

        (answer,) = serve(everything(as_it_is), responses=[(Header(bytes.upper), HIGH)]).ask(get("/"))
        assert (answer.header("x-seen"), answer.body) == ("yes", b"as it is")

    def test_a_thousand_pieces_pass_with_a_flat_stack(self) -> None:
        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.is_body_filtered = False
            for _ in range(3000):
                response.append_body("x").push()
            response.completed()

        (answer,) = serve(everything(stream), responses=[(Body(bytes), HIGH)]).ask(get("/"))
        assert answer.body == b"x" * 3000

    def test_the_response_that_a_filter_has_cannot_be_completed_by_it(self, caplog: pytest.LogCaptureFixture) -> None:
        class Push(HTTPResponseFilter):
            def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.push()

        assert serve(responses=[(Push(), HIGH)]).ask(get("/"))[0].status == 500
        assert LocalProtocolError.__name__ in caplog.text


class TestMisuse:
    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (5, "filters is a list of pairs such as .*, not 5"),
            ([Noting("x", [])], "pairs"),
            ([(Noting("x", []), "high")], "pairs"),
            ([(Noting, HIGH)], r"Noting\(\)"),
            ([(object(), HIGH)], "no method filter"),
        ],
    )
    def test_what_is_no_pair_of_filter_and_priority_is_refused_at_once(self, given: Any, says: str) -> None:
        with pytest.raises(TypeError, match=says):
            with_filters((), given, REQUEST_FILTER)

    def test_any_object_with_the_method_will_do(self) -> None:
        class Plain:
            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
                response.set_header("X-Plain", "yes")
                callback(CONTINUE)

        answer: Answer = serve(requests=[(Plain(), HIGH)]).ask(get("/"))[0]
        assert answer.header("x-plain") == "yes"
