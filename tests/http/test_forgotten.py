"""A response that nobody can complete any more is answered for: with a 500, and a line that says what to call."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from perfectws.http.filters import REQUEST_FILTER, RESPONSE_FILTER, FilterPriority, HTTPResponseFilter, with_filters
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse, RequestHandler
from perfectws.http.routing import Routes

from .fakes import Server, everything, get

ADVICE = "call response.completed() on every path; what a handler returns is not sent"


def forgets(request: HTTPRequest, response: HTTPResponse) -> None:
    response.append_body("hi")


def returns(request: HTTPRequest, response: HTTPResponse) -> str:
    return "hi"


async def ends(request: HTTPRequest, response: HTTPResponse) -> str:
    return "hi"


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Show that the last reference is enough."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("handler", [forgets, returns, ends])
def test_a_handler_that_completes_nothing_is_a_500_that_names_it(
    handler: RequestHandler, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(everything(handler))
    first, second = server.ask(get("/a?b") + get("/c"))
    assert (first.status, second.status) == (500, 500)
    assert first.body == b"500 Internal Server Error: the server failed to answer this request\n"
    name = handler.__qualname__
    assert caplog.messages == [
        f"GET {path}: the handler {name} has let go of its response without completing it: {ADVICE}"
        for path in ("/a", "/c")
    ]


def test_one_that_has_begun_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def begins(request: HTTPRequest, response: HTTPResponse) -> None:
        response.is_streaming = True
        response.set_body("begun").push()

    server = Server(everything(begins))
    server.ask(get("/"))
    assert server.transport.is_aborted
    assert ADVICE in caplog.text


def test_one_that_is_kept_may_be_completed_as_late_as_one_likes(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[HTTPResponse] = []
    server = Server(everything(lambda request, response: kept.append(response)))
    assert server.ask(get("/")) == []
    server.loop.advance(3600)
    kept.pop().set_body("late").completed()
    server.loop.run()
    assert [answer.body for answer in server.answers()] == [b"late"]
    assert caplog.messages == []


def test_a_push_keeps_it_until_its_callback_was_called() -> None:
    def pushes(request: HTTPRequest, response: HTTPResponse) -> None:
        response.is_streaming = True
        response.set_body("x" * 100_000).push(lambda ok: response.set_body("y").completed())

    server = Server(everything(pushes))
    server.transport.is_stalled = True
    server.ask(get("/"))
    server.transport.drain()
    server.loop.run()
    (answer,) = server.answers()
    assert answer.body == b"x" * 100_000 + b"y"


def test_a_handler_that_forgets_next_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def guard(request: HTTPRequest, response: HTTPResponse) -> None:
        pass

    routes = Routes("/a", guard)
    routes.add("GET", "/b", lambda request, response: response.completed())
    (answer,) = Server(routes).ask(get("/a/b"))
    assert answer.status == 500
    assert ".guard has let go" in caplog.text


class Forgets(HTTPResponseFilter):
    """A filter that calls nothing back."""

    def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
        pass


def test_a_request_filter_that_calls_nothing_back_is_blamed(caplog: pytest.LogCaptureFixture) -> None:
    filters = with_filters((), [(Forgets(), FilterPriority.HIGH)], REQUEST_FILTER)
    (answer,) = Server(everything(forgets), request_filters=filters).ask(get("/"))
    assert answer.status == 500
    assert "GET /: a request filter has let go of its response" in caplog.text


def test_behind_response_filters_too(caplog: pytest.LogCaptureFixture) -> None:
    class Passes(HTTPResponseFilter):
        pass

    def begins(request: HTTPRequest, response: HTTPResponse) -> None:
        if request.path == "/begins":
            response.is_streaming = True
            response.set_body("begun").push()

    filters = with_filters((), [(Passes(), FilterPriority.HIGH)], RESPONSE_FILTER)
    server = Server(everything(begins), response_filters=filters)
    (answer,) = server.ask(get("/"))
    assert answer.status == 500
    server.ask(get("/begins"))
    assert server.transport.is_aborted
    assert caplog.text.count(ADVICE) == 2


def test_a_thread_may_be_the_one_that_lets_go() -> None:
    kept: list[HTTPResponse] = []
    server = Server(everything(lambda request, response: kept.append(response)))
    server.ask(get("/"))
    thread = threading.Thread(target=kept.clear)
    thread.start()
    thread.join()
    assert server.answers() == []  # the loop's own thread answers
    server.loop.run()
    assert [answer.status for answer in server.answers()] == [500]


def test_one_in_a_cycle_is_answered_when_the_cycle_is_collected() -> None:
    def circles(request: HTTPRequest, response: HTTPResponse) -> None:
        circle: list[Any] = [response]
        circle.append(circle)

    server = Server(everything(circles))
    assert server.ask(get("/")) == []
    gc.collect()
    server.loop.run()
    assert [answer.status for answer in server.answers()] == [500]


def test_whose_client_is_gone_is_forgotten_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[HTTPResponse] = []
    server = Server(everything(lambda request, response: kept.append(response)))
    server.ask(get("/"))
    server.lose()
    kept.clear()
    server.loop.run()
    assert caplog.messages == []


def test_one_without_a_connection_is_nobodys_business(caplog: pytest.LogCaptureFixture) -> None:
    HTTPResponse(HTTPRequest()).set_body("x")
    assert caplog.messages == []


def test_the_connection_keeps_no_response_alive() -> None:
    kept: list[Any] = []
    server = Server(everything(lambda request, response: kept.append(response)))
    server.ask(get("/"))
    assert [each for each in gc.get_referrers(kept[0]) if each is not kept] == []
