"""A callback that cannot be called as documented is refused when it is given, and told what it would be given."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import trio

from perfectws import (
    FilterPriority,
    HTTPServer,
    Promise,
    Route,
    RouteError,
    Routes,
    Routing,
    WebSocket,
    WebSocketHandler,
    call_every,
    call_later,
    run_in_thread,
)
from perfectws.callbacks import CallbackOwner
from perfectws.checks.signatures import arguments_for, check_callable, explain_call

from ..http.fakes import FakeLoop


class Callable2:
    def __call__(self, a: object, b: object) -> None: ...

    def method(self, a: object, b: object) -> None: ...

    @classmethod
    def of_class(cls, a: object, b: object) -> None: ...

    @staticmethod
    def static(a: object, b: object) -> None: ...


def two(a: object, b: object) -> None: ...


async def asynchronous(a: object, b: object) -> None: ...


def one_or_two(a: object, b: object = None) -> None: ...


def any_number(*args: object) -> None: ...


def with_options(a: object, b: object, *, c: int = 5, **more: int) -> None: ...


def three(a: object, b: object, c: object) -> None: ...


@functools.wraps(three)
def wraps_three(*args: object) -> None: ...


def name_of(callback: Any) -> str:
    return str(getattr(callback, "__qualname__", type(callback).__name__))


TAKE_TWO: list[Any] = [
    two,
    asynchronous,
    one_or_two,
    any_number,
    with_options,
    wraps_three,
    lambda a, b: None,
    Callable2(),
    Callable2().method,
    Callable2.of_class,
    Callable2.static,
    functools.partial(three, 1),
    functools.partial(three, c=1),
    mock.Mock(),
    print,
    [].insert,
    dict,
    getattr,
    max,
]


@pytest.mark.parametrize(
    "callback", TAKE_TWO, ids=lambda callback: getattr(callback, "__qualname__", type(callback).__name__)
)
def test_what_can_be_called_with_two_is_taken(callback: Any) -> None:
    check_callable(callback, "a callback", "a", "b")


def needs_keyword(a: object, b: object, *, c: object) -> None: ...


class NeedsKeyword:
    def __call__(self, a: object, b: object, *, c: object) -> None: ...


TAKE_OTHERS: list[Any] = [
    lambda: None,
    lambda a: None,
    three,
    needs_keyword,
    NeedsKeyword(),
    Callable2,
    Callable2.method,
    functools.partial(two, 1),
    [].append,
]


@pytest.mark.parametrize(
    "callback", TAKE_OTHERS, ids=lambda callback: getattr(callback, "__qualname__", type(callback).__name__)
)
def test_what_cannot_is_refused(callback: Any) -> None:
    with pytest.raises(TypeError, match=r"a callback is a callable that takes \(a, b\): .* cannot be called so"):
        check_callable(callback, "a callback", "a", "b")


def test_the_refusal_names_what_was_given_and_what_it_would_be_given() -> None:
    with pytest.raises(TypeError) as refused:
        check_callable(three, "on_text", "socket", "message")
    assert str(refused.value) == (
        "on_text is a callable that takes (socket, message): "
        "three(a: 'object', b: 'object', c: 'object') -> 'None' cannot be called so"
    )
    with pytest.raises(TypeError, match=r"^a timer's callback is a callable without arguments, not 5$"):
        check_callable(5, "a timer's callback")


def test_who_can_take_more_gets_more() -> None:
    forms = (("socket", "data"), ("socket",))
    assert arguments_for(lambda a, b: None, "on_ping", *forms) == 2
    assert arguments_for(one_or_two, "on_ping", *forms) == 2
    assert arguments_for(lambda a: None, "on_ping", *forms) == 1
    with pytest.raises(TypeError, match=r"on_ping is a callable that takes \(socket, data\) or \(socket\): "):
        arguments_for(lambda: None, "on_ping", *forms)


class Filter:
    def filter(self, request: object, response: object) -> None: ...


class HeadersOnly:
    def filter_headers(self, response: object, callback: object) -> None: ...

    def filter_body(self, response: object) -> None: ...


def no_arguments() -> None: ...


def set_routing(factory: Any) -> None:
    Routing.Routes["GET", "/x"] = factory


#: What takes a callback once, and what it says that it calls it with.
ONCE: list[tuple[Callable[[Any], object], str]] = [
    (lambda wrong: Routes().add("GET", "/x", wrong), "(request, response)"),
    (lambda wrong: Routes("/x", wrong), "(request, response)"),
    (lambda wrong: Route("GET", "/x", wrong), "(request, response)"),
    (lambda wrong: Routes().web_socket("/x", wrong), "(request, socket)"),
    (lambda wrong: Routes().web_socket("/x")(wrong), "(request, socket)"),
    (lambda wrong: Routes().web_socket("/x", two, should_upgrade=wrong), "(request)"),
    (lambda wrong: WebSocketHandler(wrong), "(request, protocols)"),
    (lambda wrong: HTTPServer.web_socket_upgrader(should_upgrade=wrong, on_upgrade=two), "(request)"),
    (lambda wrong: HTTPServer.web_socket_upgrader(should_upgrade=None, on_upgrade=wrong), "(socket, request)"),
    (lambda wrong: set_routing(wrong), "(response)"),
    (lambda wrong: Promise[None]().future_result.when_complete(wrong), "(result)"),
    (lambda wrong: Promise[None]().future_result.when_success(wrong), "(value)"),
    (lambda wrong: Promise[None]().future_result.when_failure(wrong), "(error)"),
    (lambda wrong: run_in_thread(no_arguments, wrong), "(value)"),
]


@pytest.mark.parametrize(("give", "takes"), ONCE)
@pytest.mark.parametrize("wrong", [no_arguments, lambda a, b, c, d: None], ids=["none", "four"])
def test_every_callback_that_is_given_once_is_looked_at(give: Callable[[Any], object], takes: str, wrong: Any) -> None:
    with pytest.raises(TypeError) as refused:
        give(wrong)
    assert f"takes {takes}: " in str(refused.value)
    with pytest.raises((TypeError, RouteError), match=r"callable|function"):
        give(5)


@pytest.mark.parametrize(
    "give",
    [
        lambda wrong, nursery: call_later(1, wrong, on=nursery),
        lambda wrong, nursery: call_every(1, wrong, on=nursery),
        lambda wrong, nursery: run_in_thread(wrong, on=nursery),
    ],
)
async def test_what_is_called_without_arguments_is_looked_at_too(
    give: Callable[[Any, trio.Nursery], object], nursery: trio.Nursery
) -> None:
    with pytest.raises(TypeError, match="a callable without arguments: two"):
        give(two, nursery)


async def test_a_clients_on_upgrade_is_looked_at(nursery: trio.Nursery) -> None:
    with pytest.raises(TypeError, match=r"on_upgrade is a callable that takes \(socket\): two"):
        WebSocket.connect("ws://127.0.0.1:1", on=nursery, on_upgrade=two)  # type: ignore[arg-type]  # on purpose


def test_the_methods_of_filters_are_looked_at() -> None:
    server = HTTPServer()
    with pytest.raises(TypeError, match=r"a filter's filter is a callable that takes \(request, response, callback\)"):
        server.set_request_filters([(Filter(), FilterPriority.HIGH)])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"a filter's filter_body is a callable that takes \(response, callback\)"):
        server.set_response_filters([(HeadersOnly(), FilterPriority.HIGH)])  # type: ignore[list-item]


def test_only_a_call_that_could_not_be_made_is_explained() -> None:
    class Keeps(CallbackOwner):
        kept: list[Exception]

        def callback_failed(self, error: Exception) -> None:
            explain_call(error, "It is called with nothing.")
            self.kept.append(error)

    def raises() -> None:
        raise TypeError("of its own")

    owner, loop = Keeps(), FakeLoop()
    owner.kept = []
    called_with_nothing: Any = two
    loop.call(owner, called_with_nothing)
    loop.call(owner, raises)
    loop.run()
    assert [getattr(error, "__notes__", []) for error in owner.kept] == [["It is called with nothing."], []]
