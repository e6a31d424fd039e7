"""Every number that an application gives: each value has a meaning, or is refused by the name of what was given."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from math import inf, nan
from typing import Any

import outcome
import pytest
import trio

import perfectws
from perfectws import (
    Backoff,
    CloseCode,
    DeflateOptions,
    EventLoop,
    HTTPClient,
    HTTPResponse,
    HTTPServer,
    LaunchFailure,
    LocalProtocolError,
    OpcodeType,
    Promise,
    RedisBroker,
    Room,
    Routes,
    WebSocket,
    WebSocketHandler,
    call_every,
    call_later,
)
from perfectws.http.cookies import Expiration
from perfectws.http.limits import Limit
from perfectws.server.keywords import ServerKeywords
from perfectws.websocket.options import WebSocketKeywords
from perfectws.websocket.socket import ConnectKeywords

from ..conftest import Connect

#: The package as it runs: type checkers see another half of its file.
FACE: Any = perfectws

HUGE, TOO_LARGE_FOR_A_FLOAT = 10**18, 10**400
#: What is no number in any of these places.
NEVER = (True, "1", b"1", [1], 1j, nan)


@dataclass(frozen=True)
class Number:
    """A number that is given somewhere: what it may be there, and what it may not."""

    give: Callable[[Any], object]
    taken: tuple[Any, ...]
    refused: tuple[Any, ...]
    name: str
    error: type[Exception] = ValueError


def set_on_server(name: str) -> Callable[[Any], object]:
    def give(value: object) -> None:
        server = HTTPServer()
        server.server_address = "127.0.0.1"
        setattr(server, name, value)
        bind(server)

    return give


def server_with(name: str) -> Callable[[Any], object]:
    def give(value: object) -> None:
        keywords: dict[str, Any] = {"address": "127.0.0.1", "port": 0, "routes": Routes(), name: value}
        bind(HTTPServer.server(**keywords))

    return give


def bind(server: HTTPServer) -> None:
    """Bind a server for a moment; what is wrong with it comes out without its name."""
    try:
        server.bind()
    except LaunchFailure as failure:
        title = f"HTTP server {server.server_name!r} on {server.listens_on}: "
        raise LaunchFailure(str(failure).removeprefix(title)) from failure
    finally:
        server.unbind()


def launch_in_thread(**keywords: Any) -> None:
    HTTPServer.launch(address="127.0.0.1", port=0, routes=Routes(), wait=False, **keywords).terminate().wait()


def handler_with(name: str) -> Callable[[Any], object]:
    return lambda value: WebSocketHandler(lambda *_: None, **{name: value})


def connect_with(name: str, **more: Any) -> Callable[[Any], object]:
    def give(value: object) -> object:
        return trio.run(_connect, {name: value, **more})

    return give


async def _connect(keywords: dict[str, Any]) -> None:
    await _call_in_nursery(lambda nursery: WebSocket.connect(to="ws://127.0.0.1:1/", on=nursery, **keywords))


async def _call_in_nursery(connect: Callable[[trio.Nursery], Any]) -> None:
    """Connect, and give up; an error comes out as it is, without the nursery's group."""
    async with trio.open_nursery() as nursery:
        result = outcome.capture(connect, nursery)
        if isinstance(result, outcome.Value):
            result.value.cancel()
    if isinstance(result, outcome.Error):
        raise result.error


def start_timer(start: Callable[..., Any]) -> Callable[[Any], object]:
    def give(value: object) -> None:
        perfectws.run(lambda nursery: start(value, lambda: None).cancel())

    return give


def web_socket_on(port: Any) -> None:
    trio.run(_call_in_nursery, lambda nursery: HTTPClient.web_socket("127.0.0.1", port, on=nursery))


def wait_for_future(seconds: Any) -> None:
    promise: Promise[int] = Promise()
    promise.succeed(1)
    assert promise.future_result.wait(seconds) == 1


def wait_for_context(seconds: Any) -> None:
    context = HTTPServer.launch(name="x", address="127.0.0.1", port=0, routes=Routes(), wait=False)
    context.on_close.when_complete(lambda result: None)
    context.terminate()
    while not context.terminated:
        pass
    assert context.wait(seconds)


#: Which values are taken, and which refused.
Values = tuple[tuple[Any, ...], tuple[Any, ...]]

WHOLE = (0.5, 1.0, None, inf)  # what a whole number is not
AT_LEAST_1: Values = ((1, 2, HUGE, TOO_LARGE_FOR_A_FLOAT), (0, -1, *WHOLE))
AT_LEAST_0: Values = ((0, 1, HUGE, TOO_LARGE_FOR_A_FLOAT), (-1, *WHOLE))
SECONDS: Values = ((0, 0.5, 3, HUGE, 1e308, inf), (-1, -0.5, -inf, None, TOO_LARGE_FOR_A_FLOAT))
AT_LEAST_0_OR_NONE: Values = ((0, 0.5, 3, HUGE, 1e308, inf, None), (-1, -0.5, -inf, TOO_LARGE_FOR_A_FLOAT))
ABOVE_0: Values = ((1e-9, 0.5, 3, HUGE, 1e308, inf), (0, -1, -0.5, -inf, None, TOO_LARGE_FOR_A_FLOAT))
AT_LEAST_1_OR_NONE: Values = ((1, HUGE, TOO_LARGE_FOR_A_FLOAT, None), (0, -1, 0.5, inf))
ABOVE_0_OR_NONE: Values = ((1e-9, 0.5, 3, HUGE, 1e308, inf, None), (0, -1, -0.5, -inf, TOO_LARGE_FOR_A_FLOAT))
ANY_OR_NONE: Values = ((-1, -inf, 0, 0.5, HUGE, 1e308, inf, None), (TOO_LARGE_FOR_A_FLOAT,))

#: By the kinds of `HTTPLimits`.
_HTTP: dict[str, Values] = {
    "max_header_size": AT_LEAST_0,
    "max_headers": AT_LEAST_0,
    "max_body_size": AT_LEAST_0,
    "max_upload_size": AT_LEAST_1_OR_NONE,
    "max_connections": AT_LEAST_1_OR_NONE,
    "max_connections_per_address": AT_LEAST_1_OR_NONE,
    "max_buffered": AT_LEAST_1_OR_NONE,
    "header_timeout": ABOVE_0_OR_NONE,
    "keep_alive_timeout": ABOVE_0_OR_NONE,
    "body_timeout": ABOVE_0_OR_NONE,
    "write_timeout": ABOVE_0_OR_NONE,
    "half_close_timeout": ABOVE_0_OR_NONE,
    "close_timeout": SECONDS,
}
_WEB_SOCKET: dict[str, Values] = {
    "max_frame_size": AT_LEAST_1,
    "max_message_size": AT_LEAST_1,
    "max_fragments": AT_LEAST_1,
    "max_write_buffer": AT_LEAST_1,
    "ping_interval": ABOVE_0_OR_NONE,
    "ping_timeout": ABOVE_0_OR_NONE,
    "write_timeout": ABOVE_0_OR_NONE,
    "close_timeout": SECONDS,
}

_SERVER: dict[str, Values] = {
    "port": ((0,), (-1, 65536, HUGE, *WHOLE)),
    "unix_mode": ((None,), (-1, 0o1000, 666, HUGE, 0.5, inf)),
}

NUMBERS: dict[str, Number] = {
    **{f"HTTPServer.{name}": Number(set_on_server(name), *kind, name, LaunchFailure) for name, kind in _HTTP.items()},
    **{f"ConnectKeywords.{name}": Number(connect_with(name), *kind, name) for name, kind in _WEB_SOCKET.items()},
    **{f"WebSocketKeywords.{name}": Number(handler_with(name), *kind, name) for name, kind in _WEB_SOCKET.items()},
    **{
        f"ServerKeywords.{name}": Number(server_with(name), *kind, name, LaunchFailure)
        for name, kind in (_HTTP | _SERVER).items()
    },
    "HTTPServer.launch.workers": Number(
        lambda value: launch_in_thread(workers=value), (1,), (0, -1, 513, HUGE, *WHOLE, "two"), "workers"
    ),
    "HTTPServer.launch.drain": Number(lambda value: launch_in_thread(drain=value), *AT_LEAST_0_OR_NONE, "drain"),
    "HTTPServer.drain": Number(set_on_server("drain"), *AT_LEAST_0_OR_NONE, "drain", LaunchFailure),
    "HTTPServer.server_port": Number(set_on_server("server_port"), *_SERVER["port"], "port", LaunchFailure),
    "HTTPServer.unix_mode": Number(set_on_server("unix_mode"), *_SERVER["unix_mode"], "unix_mode", LaunchFailure),
    "ConnectKeywords.open_timeout": Number(connect_with("open_timeout"), *ABOVE_0, "open_timeout"),
    "ConnectKeywords.port": Number(connect_with("port"), (1, 65535, None), (0, -1, 65536, 0.5, 80.0, inf), "port"),
    "HTTPClient.web_socket.port": Number(web_socket_on, (1, 65535, None), (0, -1, 65536, 0.5, 80.0, inf), "port"),
    "Backoff.first": Number(lambda value: Backoff(first=value, longest=inf), *ABOVE_0, "reconnect: first"),
    "Backoff.factor": Number(
        lambda value: Backoff(factor=value), (1, 1.5, HUGE, 1e308), (0, 0.5, -1, inf, -inf, None), "reconnect: factor"
    ),
    "Backoff.longest": Number(lambda value: Backoff(first=1e-9, longest=value), *ABOVE_0, "reconnect: longest"),
    "Backoff.jitter": Number(
        lambda value: Backoff(jitter=value), (0, 0.5, 1), (-0.1, 1.1, 2, HUGE, inf, -inf, None), "reconnect: jitter"
    ),
    "Backoff.attempts": Number(lambda value: Backoff(attempts=value), *AT_LEAST_1_OR_NONE, "reconnect: attempts"),
    "ConnectKeywords.queue": Number(
        connect_with("queue", reconnect=True, on_upgrade=lambda ws: None), *AT_LEAST_0, "queue"
    ),
    "DeflateOptions.level": Number(
        lambda value: DeflateOptions(level=value), (1, 9), (0, 10, -1, HUGE, *WHOLE), "compression: level"
    ),
    "DeflateOptions.window_bits": Number(
        lambda value: DeflateOptions(window_bits=value), (9, 15), (8, 16, -1, HUGE, *WHOLE), "compression: window_bits"
    ),
    "DeflateOptions.min_size": Number(
        lambda value: DeflateOptions(min_size=value), *AT_LEAST_0, "compression: min_size"
    ),
    "EventLoop.close_timeout": Number(lambda value: EventLoop(close_timeout=value), *SECONDS, "close_timeout"),
    "run.close_timeout": Number(
        lambda value: perfectws.run(lambda nursery: None, close_timeout=value), *SECONDS, "close_timeout"
    ),
    "call_later.seconds": Number(start_timer(call_later), *SECONDS, "seconds"),
    "call_every.seconds": Number(
        start_timer(call_every),
        (1e-6, 1, HUGE, 1e308, inf),
        (0, 1e-7, -1, -inf, None, TOO_LARGE_FOR_A_FLOAT),
        "seconds",
    ),
    "Future.wait.seconds": Number(wait_for_future, *ANY_OR_NONE, "seconds"),
    "RedisBroker.max_queue": Number(
        lambda value: RedisBroker("redis://host", max_queue=value), *AT_LEAST_1, "max_queue"
    ),
    "RedisBroker.lease": Number(
        lambda value: RedisBroker("redis://host", lease=value),
        (0.1, 4, HUGE, 1e308, inf),
        (0, 0.09, -1, -inf, None, TOO_LARGE_FOR_A_FLOAT),
        "lease",
    ),
    "Room.history": Number(
        lambda value: Room(history=value), (0, 1, HUGE, TOO_LARGE_FOR_A_FLOAT, None), (-1, 0.5, 1.0, inf), "history"
    ),
    "Room.history_seconds": Number(lambda value: Room(history_seconds=value), *ABOVE_0_OR_NONE, "history_seconds"),
    "Room.last_messages.count": Number(
        lambda value: Room(history=1).last_messages(value, lambda entries: None), *AT_LEAST_1, "count"
    ),
    "LaunchContext.wait.seconds": Number(wait_for_context, *ANY_OR_NONE, "seconds"),
    "Expiration.relative_seconds.seconds": Number(
        lambda value: Expiration.relative_seconds(value).encode(),
        (-HUGE, -1, 0, 0.5, HUGE, 1e308),
        (inf, -inf, None, TOO_LARGE_FOR_A_FLOAT),
        "seconds",
    ),
    "Expiration.absolute_seconds.seconds": Number(
        lambda value: Expiration.absolute_seconds(value).encode(),
        (-HUGE, -1, 0, 0.5, HUGE, 1e308),
        (inf, -inf, None, TOO_LARGE_FOR_A_FLOAT),
        "seconds",
    ),
}


def cases(which: str) -> Iterator[Any]:
    for place, number in NUMBERS.items():
        values = number.taken if which == "taken" else (*number.refused, *NEVER)
        for value in values:
            shown = "10**400" if value == TOO_LARGE_FOR_A_FLOAT else repr(value)
            yield pytest.param(number, value, id=f"{place}={shown}")


@pytest.mark.parametrize(("number", "value"), list(cases("taken")))
def test_a_value_that_has_a_meaning_is_taken(number: Number, value: Any) -> None:
    number.give(value)


@pytest.mark.parametrize(("number", "value"), list(cases("refused")))
def test_a_value_that_has_none_is_refused_by_its_name(number: Number, value: Any) -> None:
    with pytest.raises(number.error, match=rf"^{re.escape(number.name)} is "):
        number.give(value)


# On an open socket


@pytest.mark.parametrize("value", [*NEVER, TOO_LARGE_FOR_A_FLOAT])
async def test_a_read_timeout_is_any_number_of_seconds(value: object, memory_connect: Connect) -> None:
    _, socket = await memory_connect.socket()
    for taken in (-1, -inf, 0, 0.5, HUGE, 1e308, inf, None):
        socket.read_timeout_seconds = taken
        assert socket.read_timeout_seconds == taken
    with pytest.raises(ValueError, match=r"^read_timeout_seconds is "):
        socket.read_timeout_seconds = value  # type: ignore[assignment]
    assert socket.read_timeout_seconds is None


@pytest.mark.parametrize("value", [*NEVER, 0, -1, -inf, TOO_LARGE_FOR_A_FLOAT])
async def test_a_ping_interval_is_any_number_of_seconds_above_0(value: object, memory_connect: Connect) -> None:
    _, socket = await memory_connect.socket()
    for taken in (HUGE, 1e308, inf, None):
        socket.ping_interval = taken
        assert socket.ping_interval == taken
    with pytest.raises(ValueError, match=r"^ping_interval is "):
        socket.ping_interval = value  # type: ignore[assignment]
    assert socket.ping_interval is None


@pytest.mark.parametrize("value", [*NEVER, -1, -inf, None, TOO_LARGE_FOR_A_FLOAT])
async def test_a_sockets_timers_take_the_numbers_that_the_others_do(value: Any, memory_connect: Connect) -> None:
    _, socket = await memory_connect.socket()
    for taken in (0.5, HUGE, 1e308, inf):
        socket.call_later(taken, print).cancel()
        socket.call_every(taken, print).cancel()
    for start in (socket.call_later, socket.call_every):
        with pytest.raises(ValueError, match=r"^seconds is "):
            start(value, print)
    assert socket.is_connected


@pytest.mark.parametrize("value", [*NEVER, 0, -1, 999, 1005, 1006, 1015, 2999, 5000, 1000.0, inf, None, HUGE])
async def test_a_close_code_is_one_that_may_be_sent(value: Any, memory_connect: Connect) -> None:
    _, socket = await memory_connect.socket()
    with pytest.raises((TypeError, LocalProtocolError), match=r"^close "):
        socket.close(value)
    assert socket.is_connected


@pytest.mark.parametrize("value", [*NEVER[1:], -1, 3, 16, 0.5, inf, None, HUGE])
async def test_an_opcode_is_one_of_the_protocols(value: Any, memory_connect: Connect) -> None:
    _, socket = await memory_connect.socket()
    with pytest.raises(ValueError, match="OpcodeType"):
        socket.send_raw(b"", value)


@pytest.mark.parametrize("value", [*NEVER, 0, -1, 199, 1000, 200.5, inf, None])
def test_a_status_is_one_of_three_digits(value: Any) -> None:
    response = HTTPResponse(perfectws.HTTPRequest())
    with pytest.raises((TypeError, ValueError, LocalProtocolError), match="status"):
        response.status = value


# What the largest ones do


@pytest.mark.parametrize("seconds", [inf, 1e308, HUGE, 10**7])
@pytest.mark.parametrize("size", [HUGE, TOO_LARGE_FOR_A_FLOAT])
async def test_limits_without_an_end_let_a_connection_live(seconds: float, size: int, network_connect: Connect) -> None:
    """At a ping, a read with a timeout, a large message, and the close: no clock or system call fails of them."""
    peer, socket = await network_connect.socket(
        ping_interval=0.01,
        ping_timeout=seconds,
        close_timeout=seconds,
        max_frame_size=size,
        max_message_size=size,
        max_fragments=size,
        max_write_buffer=size,
    )
    assert (await peer.receive()).opcode == OpcodeType.PING
    assert (await peer.receive()).opcode == OpcodeType.PING  # the first was judged
    socket.ping_interval = seconds
    socket.read_timeout_seconds = seconds
    await peer.send(OpcodeType.TEXT, "x" * 100_000)
    assert (await socket.read_string_message()).data == "x" * 100_000
    await peer.send_close(CloseCode.NORMAL_CLOSURE)
    await peer.receive_close()
    await peer.vanish()
    await socket.on_close
    assert socket.close_code == CloseCode.NORMAL_CLOSURE


# That nothing is missing


def public_numbers() -> Iterator[str]:
    """Yield each place of the public API where a number is given: an argument, a keyword or an attribute."""
    for name in FACE.__all__:
        thing = getattr(FACE, name)
        if inspect.isfunction(thing):
            yield from (f"{name}.{each}" for each in numbers_of_call(thing))
        elif inspect.isclass(thing) and not issubclass(thing, int | BaseException):
            yield from (f"{name}.{each}" for each in numbers_of_class(thing))
    for keywords in (ConnectKeywords, WebSocketKeywords, ServerKeywords):
        hints = keywords.__annotations__.items()
        yield from (f"{keywords.__name__}.{name}" for name, hint in hints if is_number(hint))


def numbers_of_class(thing: type) -> Iterator[str]:
    for name, member in inspect.getmembers_static(thing):
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(member, property):
            if member.fset is not None and any(numbers_of_call(member.fset)):
                yield name
        elif inspect.isfunction(function):
            yield from (f"{name}.{each}".removeprefix("__init__.") for each in numbers_of_call(function))
        elif isinstance(member, Limit):
            yield name
    if "__init__" in vars(thing) and not is_dataclass(thing):  # what it sets may be set again
        yield from re.findall(r"self\.([a-z]\w*): .*\b(?:int|float)\b", inspect.getsource(thing))
        yield from re.findall(r"self\.([a-z]\w*) = \d", inspect.getsource(thing))


def numbers_of_call(function: Callable[..., object]) -> Iterator[str]:
    for parameter in inspect.signature(function).parameters.values():
        if is_number(parameter.annotation):
            yield parameter.name


def is_number(annotation: object) -> bool:
    """Tell whether an annotation, as it is written, is one of a number; those of callbacks are not."""
    written = getattr(annotation, "__forward_arg__", annotation)
    return bool(re.search(r"(^|[|\s])(int|float)\b", str(written)))


#: Numbers that the table above has not, and why.
OTHERS = {
    "WebSocket.call_later.seconds": "test_a_sockets_timers_take_the_numbers_that_the_others_do",
    "WebSocket.call_every.seconds": "test_a_sockets_timers_take_the_numbers_that_the_others_do",
    "WebSocket.close.code": "test_a_close_code_is_one_that_may_be_sent",
    "WebSocket.ping_interval": "test_a_ping_interval_is_any_number_of_seconds_above_0",
    "WebSocket.read_timeout_seconds": "test_a_read_timeout_is_any_number_of_seconds",
    "HTTPResponse.status": "test_a_status_is_one_of_three_digits",
    "HTTPResponse.completed.status": "what is set as the attribute",
    "Connecting.wait.seconds": "that of a Future",
    "Reconnecting.wait.seconds": "that of a Future",
    "Expiration.from_now": "made by relative_seconds",
    "HandshakeResponse.status": "what a server has answered",
    "HTTPRequest.protocol_version": "a pair, for the tests of an application",
    "HTTPResponse.take_file_sender.size": "perfectws's own",
    "MimeReader.max_held": "perfectws's own",
    "MimeReader.unwritten": "perfectws's own",
    "Room.count.deliveries": "perfectws's own",
    "Room.count.drops": "perfectws's own",
    "Room.count_messages.messages": "perfectws's own",
}


def test_every_number_of_the_public_api_stands_in_one_of_the_tables() -> None:
    assert set(public_numbers()) == NUMBERS.keys() | OTHERS.keys()
    tests = [why for why in OTHERS.values() if why.startswith("test_")]
    assert all(test in globals() for test in tests)
