"""What people type, in every form that is public: neither type checker, in its strict mode, finds an error here.

It is checked, never run. Beside it `mistakes.py`, in which they find each.
"""

# pyright: strict

from __future__ import annotations

import json
import logging
import re
import shutil
import ssl
from collections.abc import Callable
from functools import partial
from http import HTTPMethod, HTTPStatus
from pathlib import Path
from typing import Any

import outcome
import trio

from perfectws import (
    NO_TIMEOUT,
    ROUTE_TRAILING_WILDCARD_KEY,
    Backoff,
    CloseCode,
    Connecting,
    ConnectionClosed,
    ConnectionRejected,
    DeflateOptions,
    Drained,
    EventLoop,
    Expiration,
    FilterPriority,
    Future,
    HTTPClient,
    HTTPCookie,
    HTTPFilter,
    HTTPHandler,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPRequestFilterResult,
    HTTPResponse,
    HTTPResponseFilter,
    HTTPServer,
    LaunchContext,
    LaunchFailure,
    Message,
    MimeReader,
    MimeType,
    NetEvent,
    OpcodeType,
    Promise,
    RequestFilterResult,
    RequestLogger,
    ResponseFilterResult,
    Room,
    Route,
    Routes,
    Routing,
    SameSite,
    SerialQueue,
    StaticFileHandler,
    Timer,
    TLSConfiguration,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
    WebSocketUpgrader,
    call_every,
    call_later,
    run,
    run_in_thread,
)
from perfectws.testing import TestServer, open_test_server

log = logging.getLogger(__name__)


# Sessions, as in Perfect


class Echo(WebSocketSessionHandler):
    socket_protocol = "echo"

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                socket.close()
                return
            socket.send_string_message(string, completion=lambda: self.handle_session(request, socket))


class EchoReturning(WebSocketSessionHandler):
    """Returns early, as a port does with Swift's ``guard``; and names the parameters as it likes."""

    socket_protocol: str | None = None

    def handle_session(self, req: HTTPRequest, ws: WebSocket) -> None:
        ws.read_timeout_seconds = 5 if req.is_secure else NO_TIMEOUT

        @ws.read_binary_message
        def received(data: bytes | None, op: OpcodeType, fin: bool) -> object:
            if data is None or op is OpcodeType.INVALID:
                return ws.close()
            return ws.send_binary_message(data, fin, lambda: self.handle_session(req, ws))


class WithProperty(WebSocketSessionHandler):
    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def socket_protocol(self) -> str | None:
        return self._name or None

    async def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        string, op, fin = await socket.read_string_message()
        if string is not None and op is OpcodeType.TEXT and fin:
            await socket.send_string_message(string.upper())
        message: Message[bytes] = await socket.read_bytes_message()
        await socket.send_binary_message(message.data.removesuffix(b"\n"), message.final)
        await socket.close(CloseCode.NORMAL_CLOSURE)


class SetLater(WebSocketSessionHandler):
    def __init__(self, request: HTTPRequest) -> None:
        self.socket_protocol = request.param("speak", "echo")

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        socket.read_string_message(self.received)
        socket.read_bytes_message(self.received_bytes)

    def received(self, string: str | None, op: OpcodeType, fin: bool) -> None: ...

    async def received_bytes(self, data: bytes | None, op: OpcodeType, fin: bool) -> None: ...


class WithoutProtocol(WebSocketSessionHandler):
    async def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        try:
            first: str | bytes = await socket.receive()
            await socket.send(first)
            async for message in socket:
                await socket.send(message)
                log.info("%s", message.upper())
        except ConnectionClosed as closed:
            log.info("%s %s", closed.code, closed.reason)


class OfItsOwn:
    """Derives from nothing."""

    socket_protocol = "chat"

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None: ...


def producer(request: HTTPRequest, protocols: list[str]) -> WebSocketSessionHandler | None:
    return Echo() if "echo" in protocols else None


async def producer_that_waits(request: HTTPRequest, protocols: list[str]) -> WithProperty | None:
    await trio.sleep(0)
    return WithProperty(protocols[0]) if protocols else None


def talk(request: HTTPRequest, socket: WebSocket) -> None:
    socket.send_string_message("a part, ", final=False)
    socket.send_string_message("the rest", True, done)
    socket.send_binary_message([1, 2, 3])
    socket.send_binary_message(memoryview(b"x"), completion=done_later)
    socket.send_ping(done)
    socket.send_ping(b"payload")
    socket.send_ping(done, data=b"payload")
    socket.send_pong(completion=lambda: socket.send_ping())
    socket.send_pong([1])
    socket.read_timeout_seconds = NetEvent.NO_TIMEOUT
    socket.read_string_message(lambda string, op, fin: log.info(string.upper() if string else "the end"))
    socket.read_bytes_message(lambda data, op, fin: log.info(data.hex() if data else "the end"))
    address, pad = socket.remote_address, socket.scratch_pad
    pad["name"] = f"{address} {socket.subprotocol} {socket.buffered_amount} {socket.close_code} {socket.close_reason}"
    if socket.is_connected and not socket.is_closed and socket.request is request:
        socket.close(4001, "bye").when_success(lambda _: done())


def send_and_perhaps_tell(socket: WebSocket, completion: Callable[[], object] | None = None) -> Drained | None:
    return socket.send_string_message("x", completion=completion)


def done() -> None: ...


async def done_later() -> None: ...


# Callbacks that are no plain functions


def named(name: str, string: str | None, op: OpcodeType, fin: bool) -> None: ...


def anything(*args: object, **keywords: object) -> None: ...


def of_other_kinds(socket: WebSocket, untyped: Any, some: Callable[..., object], numbers: list[int]) -> None:
    socket.read_string_message(partial(named, "x"))
    socket.read_string_message(anything)
    socket.read_bytes_message(untyped)
    socket.on_text(print)
    socket.on_binary(some)
    socket.on_ping(anything)
    socket.on_pong(untyped)
    socket.send_string_message("x", completion=partial(log.info, "done"))
    socket.send_string_message("x", completion=socket.close)
    socket.send_binary_message(untyped, completion=untyped)
    socket.on_close.when_success(untyped)
    run_in_thread(lambda: 3).when_success(numbers.append)
    call_every(1, partial(socket.send, "x"))


# Routes


routes = Routes()
routes.add("GET", "/echo", WebSocketHandler(producer))
routes.add("GET", "/chat", WebSocketHandler(lambda request, protocols: OfItsOwn()))
routes.add(
    method=HTTPMethod.GET,
    uri="/wait",
    handler=WebSocketHandler(
        handler_producer=producer_that_waits,
        max_frame_size=1024,
        ping_interval=None,
        compression=DeflateOptions(),
        origins=["https://example.org"],
    ),
)
routes.add("GET", "/perhaps", WebSocketHandler(lambda request, protocols: EchoReturning() if protocols else None))
routes.add("GET", "/later", WebSocketHandler(lambda request, protocols: SetLater(request)))
routes.add("GET", "/without", WebSocketHandler(lambda request, protocols: WithoutProtocol()))


@routes.add("GET", "/")
def index(request: HTTPRequest, response: HTTPResponse) -> None:
    response.set_header("Content-Type", "text/plain").append_body("hello, ").append_body(b"world")
    response.add_header("X", "y").add_cookie(
        HTTPCookie("name", "value", same_site=SameSite.LAX, expires=Expiration.SESSION)
    )
    response.completed(HTTPStatus.OK)


@routes.add("GET", "/slow")
async def slow(request: HTTPRequest, response: HTTPResponse) -> None:
    await trio.sleep(1)
    response.set_body(json={"id": request.url_variables["id"]}).completed()


@routes.add(methods=["GET", "POST"], uris=["/a", "/b"])
def several(request: HTTPRequest, response: HTTPResponse) -> None:
    rest = request.url_variables.get(ROUTE_TRAILING_WILDCARD_KEY, "")
    names: list[str] = [name for name, _ in request.query_params + request.post_params]
    body = request.post_body_string or request.post_body_bytes.hex()
    response.set_body("\n".join([rest, request.header("host") or "", *names, body])).completed()


@routes.post("/upload")
def upload(request: HTTPRequest, response: HTTPResponse) -> None:
    for each in request.post_file_uploads or ():
        if each.file_name and MimeType(each.content_type) == "image/*":
            shutil.move(each.tmp_file_name, Path("pictures") / str(each.file_size))
        elif each.file is not None:
            response.append_body(each.file.read())
        else:
            remember(each)
    response.set_header("Content-Type", MimeType.for_extension("html")).completed()


def remember(field: MimeReader.BodySpec) -> dict[str, str]:
    return {field.field_name: field.field_value}


request_logger = RequestLogger()
HTTPServer().set_request_filters([(request_logger, FilterPriority.HIGH)])
HTTPServer().set_response_filters([(request_logger, FilterPriority.LOW)])
csv: str | None = MimeType(type=MimeType.TopType.TEXT, sub_type="csv").parameters


class Guard:
    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        response.next()

    def handle_request(self, request: HTTPRequest, response: HTTPResponse) -> None:
        EchoReturning().handle_session(request, WebSocket.connect("ws://x").wait())


def stream(request: HTTPRequest, response: HTTPResponse) -> None:
    response.on_close.when_failure(lambda error: log.info("%s", error.args))
    response.append_body("one")

    @response.push
    def sent(ok: bool) -> None:
        if ok:
            response.append_body("two").push(lambda ok: response.completed() if ok else None)

    response.push()


routes.add("/x" if routes.base_uri else "GET", "/x", lambda request, response: response.set_body("x").completed())
routes.add(uri="/**", handler=StaticFileHandler("./webroot", allow_response_filters=True))
routes.add(uri="/files/**", handler=StaticFileHandler(document_root="./webroot").handle_request)
routes.add(None, "/any", index)
routes.add(uris=["/c", "/d"], handler=slow)
routes.add(Route("GET", "/e", index))
routes.add([Route(uri="/f", handler=Guard()), Routes("/g", handler=Guard().handle_request)])
routes.add(Routes(routes=[Route(methods=[HTTPMethod.PUT], uri="/h", handler=stream)]))
routes.add("GET", "/moved", HTTPHandler.redirect({"base": "https://example.org"}))
routes.add("GET", "/health", HTTPHandler.health())
found = routes.navigator.find_handler("/e", HTTPRequest(method="GET", uri="/e?a=b", headers=[("A", "b")], body=b""))
if found is not None:
    found(HTTPRequest(), HTTPResponse(HTTPRequest()))


# Filters


class Authenticated(HTTPRequestFilter):
    def filter(
        self, request: HTTPRequest, response: HTTPResponse, callback: Callable[[RequestFilterResult], object]
    ) -> None:
        if request.header("authorization") is None:
            response.status = HTTPStatus.UNAUTHORIZED
            callback(RequestFilterResult.HALT)
        else:
            callback(HTTPRequestFilterResult.CONTINUE(request, response))


class Slowly(HTTPRequestFilter):
    async def filter(self, req: HTTPRequest, res: HTTPResponse, done: Callable[[RequestFilterResult], None]) -> None:
        await trio.sleep(1)
        done(RequestFilterResult.EXECUTE)


class Upper:
    """Derives from nothing."""

    def filter_headers(self, response: HTTPResponse, callback: Callable[[ResponseFilterResult], object]) -> None:
        callback(ResponseFilterResult.CONTINUE)

    async def filter_body(self, response: HTTPResponse, callback: Callable[[ResponseFilterResult], object]) -> None:
        response.body_bytes = response.body_bytes.upper()
        callback(ResponseFilterResult.DONE)


class Noted(HTTPResponseFilter):
    def filter_headers(self, response: HTTPResponse, callback: Callable[[ResponseFilterResult], object]) -> None:
        callback(ResponseFilterResult.CONTINUE if response.is_final else ResponseFilterResult.HALT)


# Vapor


room = Room("all", slow="drop", on_drop=lambda socket, missed: socket.send(f"{missed} missed"))


@routes.web_socket("/v", max_frame_size=1 << 20, compression=True)
def upgraded(request: HTTPRequest, ws: WebSocket) -> None:
    room.join(ws)

    @ws.on_text
    def text(ws: WebSocket, text: str) -> None:
        room.send_string_message(text, exclude=ws)

    @ws.on_binary
    async def binary(ws: WebSocket, data: bytes) -> None:
        await ws.send(data)
        await ws.send(data.decode())
        await ws.send_raw(data, OpcodeType.BINARY, fin=False)
        await ws.send_raw([1, 2], OpcodeType.CONTINUATION)
        await ws.send_ping()
        await ws.send_pong(b"x")

    @ws.on_ping
    def ping(ws: WebSocket) -> None: ...

    @ws.on_pong
    async def pong(ws: WebSocket, data: bytes) -> None: ...

    ws.on_ping(lambda ws: ws.send("ping"))
    ws.on_ping(lambda ws, data: ws.send(data.decode()))
    ws.on_pong(lambda ws: None)
    ws.on_pong(lambda ws, data: log.info(data.hex()))
    ws.on_text(lambda ws, text: ws.send(text.upper()))
    ws.on_binary(lambda ws, data: ws.send(data.hex()))
    ws.on_close.when_complete(lambda result: log.info("%s %s", ws.close_code, result.unwrap()))
    ws.ping_interval = 3
    ws.ping_interval = None
    ws.close(CloseCode.GOING_AWAY, "bye")
    text(ws, "decorated, it is what it was")


def promises(ws: WebSocket) -> None:
    promise: Promise[None] = Promise()
    ws.send("x", promise)
    ws.send(b"x", promise=promise)
    ws.send_raw(b"x", OpcodeType.TEXT, True, promise)
    ws.send_raw(b"x", OpcodeType.TEXT, promise=promise)
    ws.close(promise=promise).wait(5)
    future: Future[None] = promise.future_result
    future.when_failure(lambda error: log.info("%s", error.args))
    future.when_failure(print)
    promise.succeed()


def headers_or_none(request: HTTPRequest) -> dict[str, str] | None:
    return {"X": "y"} if request.path == "/v" else None


async def headers_later(request: HTTPRequest) -> list[tuple[str, str]]:
    return [("X", "y")]


async def upgraded_later(request: HTTPRequest, ws: WebSocket) -> None:
    await ws.send("hello")


routes.web_socket("/w", upgraded_later, should_upgrade=headers_or_none)
routes.web_socket(
    "/x/:name",
    on_upgrade=upgraded,
    should_upgrade=headers_later,
    origins=("https://example.org", re.compile("https://.*")),
)
routes.web_socket(
    "/y", lambda request, ws: ws.send(request.path), should_upgrade=lambda request: {}, subprotocols=["a", "b"]
)
routes.web_socket("/z", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)))


@routes.web_socket("/z2")
async def decorated(request: HTTPRequest, ws: WebSocket) -> None:
    await ws.send("x")


group = routes.grouped("api", Authenticated(), (Slowly(), FilterPriority.LOW))


@group.get("users/:id")
def user(request: HTTPRequest, response: HTTPResponse) -> None:
    response.set_body(request.url_variables["id"]).completed()


@group.post("users")
async def new_user(request: HTTPRequest, response: HTTPResponse) -> None:
    response.completed(201)


group.put("users/:id", user)
group.delete("users/:id", new_user)
group.patch("users/:id", lambda request, response: response.completed(HTTPStatus.NO_CONTENT))

upgraders: list[WebSocketUpgrader] = [
    HTTPServer.web_socket_upgrader(should_upgrade=headers_or_none, on_upgrade=lambda ws, request: ws.send(request.uri)),
    HTTPServer.web_socket_upgrader(on_upgrade=lambda ws, req: upgraded(req, ws), max_frame_size=1024),
]


# Perfect 1


def perfect_server_module_init() -> None:
    Routing.Handler.register_globally()
    Routing.Routes["*"] = lambda response: StaticFileHandler()
    Routing.Routes["GET", ["/echo", "/echo/"]] = lambda response: WebSocketHandler(handler_producer=producer)
    Routing.Routes["/guarded", "/guarded/*"] = guarded


def guarded(response: HTTPResponse) -> Guard:
    return Guard()


# Rooms


def broadcast(member: WebSocket) -> None:
    room.send_binary_message(b"x")
    room.send_binary_message(data=[1, 2], exclude=member)
    if member in room and len(room) > 1:
        room.leave(member)
    for each in room:
        each.send_string_message(f"{room.name} {room.figures.members}")


# Clients, timers and threads


def connected(ws: WebSocket) -> None:
    timer: Timer = call_every(1, lambda: ws.send_string_message(json.dumps({})))
    call_later(1.5, ws.close)
    call_later(2, timer.cancel)
    call_later(2, done_later)
    run_in_thread(lambda: 3, lambda number: log.info("%d", number + 1))
    run_in_thread(Path("x").read_text).map(len).when_success(lambda length: log.info("%d", length + 1))


async def connected_later(ws: WebSocket) -> None:
    await ws.send("x")


def told(error: Exception) -> None: ...


def setup(nursery: trio.Nursery) -> None:
    WebSocket.connect("ws://x/", reconnect=Backoff(first=1), on_upgrade=connected).when_failure(told)
    connecting: Connecting = WebSocket.connect(to="wss://x/", on=nursery, on_upgrade=connected_later, reconnect=True)
    connecting.cancel()
    HTTPClient.web_socket("x", on=nursery, reconnect=True, on_upgrade=connected, queue=1024).send("waits")
    HTTPClient.web_socket(hostname="x", port=80, path="/v", on=nursery, headers={"A": "b"}, subprotocols=["echo"])


async def async_setup(nursery: trio.Nursery) -> None:
    try:
        ws = await WebSocket.connect(
            "wss://x/",
            headers=[("A", "b")],
            ssl_context=ssl.create_default_context(),
            open_timeout=3,
            max_message_size=1024,
        )
    except ConnectionRejected as rejected:
        log.info("%d %s %s", rejected.status, rejected.headers, rejected.body)
    else:
        await ws.send("x")
        await ws.close()


def futures(future: Future[int], loop: EventLoop) -> None:
    @future.when_success
    def success(value: int) -> None: ...

    @future.when_failure
    async def failure(error: Exception) -> None: ...

    @future.when_complete
    def complete(result: outcome.Outcome[int]) -> None:
        log.info("%d", result.unwrap() + 1)

    def either(result: outcome.Value[int] | outcome.Error) -> None:
        if isinstance(result, outcome.Error):
            log.info("%s", result.error)
        else:
            log.info("%d", result.value + 1)

    async def doubled(value: int) -> int:
        return value * 2

    def recovered(error: Exception) -> Future[int]:
        return run_in_thread(lambda: 5, on=loop)

    future.when_complete(either)
    future.when_complete(lambda result: log.info("%d", result.unwrap() + 1))
    future.when_success(lambda value: log.info("%d", value + 1))
    later: Future[int] = (
        future.map(doubled).flat_map(lambda value: run_in_thread(lambda: value)).flat_map_error(recovered)
    )
    text: Future[str] = later.map(str)
    promise: Promise[str] = loop.make_promise()
    text.cascade(promise)
    log.info(promise.future_result.wait(5).upper())
    promise.succeed("x")
    promise.fail(ValueError("x"))


def queues(server: HTTPServer, context: LaunchContext, loop: EventLoop) -> None:
    queue = SerialQueue("storage", on=server)
    queue.dispatch(lambda: "x", lambda text: log.info(text.upper()))
    length: Future[int] = SerialQueue("more").dispatch(lambda: len("x"))
    length.when_success(lambda count: log.info("%d", count + 1))
    call_every(1, done, on=server)
    call_later(1, done_later, on=context)
    run_in_thread(done, on=loop)


# Servers


def serve() -> None:
    server = HTTPServer()
    server.server_name, server.server_address, server.server_port = "x", "127.0.0.1", 8181
    server.document_root = "./webroot"
    server.ssl = TLSConfiguration(cert_path="a", key_path="b")
    server.ssl = ("a", "b")
    server.max_body_size = 1024
    server.keep_alive_timeout = server.half_close_timeout = None
    server.trusted_proxies = ["10.0.0.0/8", "unix:"]
    server.add_routes(routes)
    server.add_routes([Route("GET", "/", index)])
    server.set_request_filters([(Authenticated(), FilterPriority.HIGH), (Slowly(), FilterPriority.LOW)])
    server.set_response_filters(
        [
            (Upper(), FilterPriority.MEDIUM),
            (Noted(), FilterPriority.LOW),
            (HTTPFilter.content_compression(data={}), FilterPriority.LOW),
            (HTTPFilter.custom_404({"path": "404.html"}), FilterPriority.LOW),
        ]
    )

    @server.on_start
    def started() -> None:
        call_every(1, lambda: room.send_string_message("tick"))

    @server.on_start
    async def started_too() -> None: ...

    server.on_start(done)
    server.on_start(lambda: call_later(1, started))
    server.bind()
    server.start()
    server.stop()


def launch() -> None:
    HTTPServer.launch(name="localhost", port=8181, routes=routes)
    context = HTTPServer.launch(
        name="x",
        address="unix:/run/x.sock",
        routes=[Route("GET", "/", index)],
        document_root=Path("webroot"),
        request_filters=[(Authenticated(), FilterPriority.HIGH)],
        response_filters=[(Upper(), FilterPriority.LOW)],
        tls_config=TLSConfiguration(ssl_context=ssl.create_default_context()),
        upgraders=upgraders,
        max_connections=5,
        wait=False,
    )
    log.info("%d", context.port)
    context.terminate().wait(seconds=5)
    context.on_close.wait()
    contexts = HTTPServer.launch(
        HTTPServer.server(name="x", port=0, routes=routes),
        HTTPServer.secure_server(TLSConfiguration(cert_path="a"), name="y", port=0, document_root="."),
        wait=False,
    )
    log.info("%d", contexts[0].port)
    try:
        HTTPServer.launch(wait=False, configuration_data={"servers": [{"name": "x", "port": 0, "routes": []}]})
        HTTPServer.launch(configuration_path=Path("servers.json"))
    except LaunchFailure as failure:
        log.info("%s", failure)


async def serve_in_trio(server: HTTPServer) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        server.stop()


def test_echo() -> None:
    with TestServer(routes, timeout=1, keep_cookies=True, max_body_size=5) as test_server:
        test_socket = test_server.connect("/echo", subprotocols=["echo"], headers={"A": "b"}, compression=True)
        test_socket.send("hi")
        assert test_socket.receive_text().upper() == "HI"
        assert test_socket.receive_close() + 1 == 1001
        answer = test_server.post("/", data={"a": "b"}, files={"f": ("name", b"x")}, follow_redirects=True)
        assert (answer.status + 1, answer.text.upper(), answer.json()) == (201, "", None)
        test_server.advance(20)


async def test_echo_in_a_task() -> None:
    async with open_test_server(HTTPServer()) as test_server, await test_server.connect("/echo") as test_socket:
        await test_socket.send(b"hi")
        assert (await test_socket.receive_bytes()).hex() == "00"
        async for message in test_socket:
            log.info("%s", message)
        answer = await test_server.get("/", cookies={"a": "b"}, timeout=5)
        log.info("%d", answer.status)


if __name__ == "__main__":
    run(setup)
    run(async_setup, close_timeout=1)
    run(lambda nursery: nursery.start_soon(trio.sleep, 1))
    with EventLoop() as loop:
        ws = WebSocket.connect(to="ws://x/", on=loop).wait()
        ws.send("hello")
        HTTPClient.web_socket("x", on=loop, scheme="wss").wait(5).close().wait()
