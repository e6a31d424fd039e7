"""What people mistype. Both type checkers find each mistake that is marked so, and nothing else.

A mark stands for the smallest statement around it: a call over several lines, or the head of a function or class with
its decorators. `test_typing.py` compares. The file is checked, never run; ruff and the repository's own mypy leave it out.
"""

# pyright: strict

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import outcome
import trio

from perfectws import (
    Backoff,
    EventLoop,
    FilterPriority,
    Future,
    HTTPClient,
    HTTPCookie,
    HTTPHandler,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPResponse,
    HTTPResponseFilter,
    HTTPServer,
    LaunchContext,
    OpcodeType,
    Promise,
    RequestFilterResult,
    RequestLogger,
    ResponseFilterResult,
    Room,
    Route,
    Routes,
    Routing,
    SerialQueue,
    StaticFileHandler,
    TLSConfiguration,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
    call_every,
    call_later,
    run,
    run_in_thread,
)
from perfectws.testing import TestServer

# Sessions


class WithoutRequest(WebSocketSessionHandler):
    socket_protocol = None

    def handle_session(self, socket: WebSocket) -> None: ...  # mistake: no request


class TheOtherWayRound(WebSocketSessionHandler):
    async def handle_session(self, socket: WebSocket, request: HTTPRequest) -> None: ...  # mistake: order


class NumberedProtocol(WebSocketSessionHandler):
    socket_protocol = 3

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None: ...


class NumberedProperty(WebSocketSessionHandler):
    @property
    def socket_protocol(self) -> int:
        return 3

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None: ...


class BytesProtocol:
    socket_protocol = b"echo"

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None: ...


class NoProtocol:
    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None: ...


class NoSession:
    socket_protocol = "echo"


class Right(WebSocketSessionHandler):
    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None: ...


def without_request(protocols: list[str]) -> WebSocketSessionHandler | None: ...
def the_other_way_round(protocols: list[str], request: HTTPRequest) -> WebSocketSessionHandler | None: ...
def one_string(request: HTTPRequest, protocols: str) -> WebSocketSessionHandler | None: ...
def a_string(request: HTTPRequest, protocols: list[str]) -> str: return ""
async def later_a_string(request: HTTPRequest, protocols: list[str]) -> str: return ""
def the_class(request: HTTPRequest, protocols: list[str]) -> type[Right]: return Right
def numbered(request: HTTPRequest, protocols: list[str]) -> NumberedProtocol | None: ...


WebSocketHandler(lambda request, protocols: NumberedProtocol())  # mistake: 3 is no subprotocol
WebSocketHandler(lambda request, protocols: NumberedProperty() if protocols else None)  # mistake
WebSocketHandler(lambda request, protocols: BytesProtocol())  # mistake
WebSocketHandler(lambda request, protocols: NoProtocol())  # mistake
WebSocketHandler(lambda request, protocols: NoSession())  # mistake
WebSocketHandler(lambda request: Right())  # mistake: no protocols
WebSocketHandler(lambda request, protocols: Right() if protocols.startswith("echo") else None)  # mistake: it is a list
WebSocketHandler(numbered)  # mistake
WebSocketHandler(without_request)  # mistake
WebSocketHandler(the_other_way_round)  # mistake
WebSocketHandler(one_string)  # mistake
WebSocketHandler(a_string)  # mistake
WebSocketHandler(later_a_string)  # mistake
WebSocketHandler(the_class)  # mistake
WebSocketHandler(Right())  # mistake: no producer
WebSocketHandler()  # mistake
WebSocketHandler(lambda request, protocols: None, origins="https://x")  # mistake: a list
WebSocketHandler(lambda request, protocols: None, max_frame_sise=3)  # mistake
WebSocketHandler(lambda request, protocols: None, ping_interval="20")  # mistake


def reads(socket: WebSocket) -> None:
    def two(string: str | None, op: OpcodeType) -> None: ...
    def four(string: str | None, op: OpcodeType, fin: bool, more: int) -> None: ...
    def never_none(string: str, op: OpcodeType, fin: bool) -> None: ...
    def of_bytes(data: bytes | None, op: OpcodeType, fin: bool) -> None: ...
    def of_text_op(string: str | None, op: str, fin: bool) -> None: ...
    async def later_two(string: str | None, op: OpcodeType) -> None: ...

    socket.read_string_message(two)  # mistake
    socket.read_string_message(four)  # mistake
    socket.read_string_message(never_none)  # mistake: None at the end
    socket.read_string_message(of_bytes)  # mistake
    socket.read_string_message(of_text_op)  # mistake
    socket.read_string_message(later_two)  # mistake
    socket.read_string_message(continuation=two)  # mistake
    socket.read_string_message(lambda string, op: None)  # mistake
    socket.read_string_message(lambda string, op, fin: socket.send_string_message(string))  # mistake: perhaps None
    socket.read_string_message("x")  # mistake
    socket.read_bytes_message(two)  # mistake
    socket.read_bytes_message(lambda data, op, fin: data.decode())  # mistake: perhaps None
    socket.read_binary_message(lambda data, op: None)  # mistake
    socket.read_binary_message(never_none)  # mistake

    @socket.read_string_message  # mistake
    def received(string: str | None) -> None: ...

    @socket.read_bytes_message  # mistake
    async def received_bytes(data: str | None, op: OpcodeType, fin: bool) -> None: ...


async def awaits(socket: WebSocket) -> None:
    message = await socket.read_string_message()
    message.string  # mistake
    message.data.upper()  # mistake: perhaps None
    string, op = await socket.read_string_message()  # mistake: three
    data, *_ = await socket.read_bytes_message()
    data.encode()  # mistake
    socket.read_string_message().data  # mistake: no await
    await socket.send_string_message("x", completion=lambda: None)  # mistake: one or the other
    await socket.send_binary_message(b"x", True, lambda: None)  # mistake
    await socket.send("x", Promise())  # mistake
    await socket.send_ping(lambda: None)  # mistake
    (await socket.send("x")).wait()  # mistake: nothing


def sends(socket: WebSocket, numbers: Promise[int], nothing: Promise[None]) -> None:
    socket.send_string_message(b"x")  # mistake
    socket.send_string_message(3)  # mistake
    socket.send_string_message(None)  # mistake
    socket.send_string_message({"a": "b"})  # mistake
    socket.send_string_message("x", completion=lambda sent: None)  # mistake
    socket.send_string_message("x", True, "done")  # mistake
    socket.send_string_message("x", lambda: None)  # mistake: the completion is the third
    socket.send_string_message("x", completion=nothing)  # mistake
    socket.send_string_message("x", promise=nothing)  # mistake
    socket.send_string_message("x", fin=True)  # mistake
    socket.send_binary_message("x")  # mistake
    socket.send_binary_message(["x"])  # mistake
    socket.send_binary_message(b"x", completion=lambda sent: None)  # mistake
    socket.send(3)  # mistake
    socket.send("x", numbers)  # mistake
    socket.send("x", lambda: None)  # mistake
    socket.send("x", completion=lambda: None)  # mistake
    socket.send_raw("x", OpcodeType.TEXT)  # mistake
    socket.send_raw(b"x")  # mistake
    socket.send_raw(b"x", "text")  # mistake
    socket.send_raw(b"x", OpcodeType.TEXT, nothing)  # mistake: the promise is the fourth
    socket.send_ping("x")  # mistake
    socket.send_ping(lambda ok: None)  # mistake
    socket.send_ping(data="x")  # mistake
    socket.send_pong(3)  # mistake
    socket.close("bye")  # mistake
    socket.close(1000, b"bye")  # mistake
    socket.close(promise=numbers)  # mistake
    socket.is_connected = False  # mistake
    socket.is_connected()  # mistake: no method
    socket.read_timeout_seconds = "5"  # mistake
    socket.ping_interval = "5"  # mistake
    socket.sendStringMessage("x")  # mistake
    socket.close_reason.decode()  # mistake
    socket.remote_address.host  # mistake


def handlers(socket: WebSocket) -> None:
    def of_bytes(ws: WebSocket, data: bytes) -> None: ...
    def of_text(ws: WebSocket, text: str) -> None: ...
    async def of_bytes_later(ws: WebSocket, data: bytes) -> None: ...

    socket.on_text(lambda text: None)  # mistake: no socket
    socket.on_text(of_bytes)  # mistake
    socket.on_text(of_bytes_later)  # mistake
    socket.on_text(lambda ws, text: text.decode())  # mistake
    socket.on_text(lambda ws, text: text.send(ws))  # mistake: order
    socket.on_text(None)  # mistake
    socket.on_text(socket.send(""))  # mistake: called
    socket.on_binary(lambda ws, data: data.encode())  # mistake
    socket.on_binary(of_text)  # mistake
    socket.on_binary(lambda ws: None)  # mistake
    socket.on_ping(of_text)  # mistake
    socket.on_ping(lambda: None)  # mistake
    socket.on_ping(lambda ws, data, more: None)  # mistake
    socket.on_pong(lambda ws, data: data.encode())  # mistake
    socket.on_close(lambda: None)  # mistake: a future
    socket.on_close.when_complete(lambda: None)  # mistake

    @socket.on_text  # mistake
    def text(text: str) -> None: ...

    @socket.on_binary  # mistake
    async def binary(ws: WebSocket, data: str) -> None: ...

    @socket.on_pong  # mistake
    def pong(ws: WebSocket, data: str) -> None: ...

    @socket.on_ping  # mistake
    def ping(data: bytes) -> None: ...

    @socket.on_text
    def right(ws: WebSocket, text: str) -> None: ...

    right("x")  # mistake: what is decorated is what it was


# Routes

routes = Routes()


def only_request(request: HTTPRequest) -> None: ...
def swapped(response: HTTPResponse, request: HTTPRequest) -> None: ...
def returns_text(request: HTTPRequest, response: HTTPResponse) -> str: return "x"
async def returns_text_later(request: HTTPRequest, response: HTTPResponse) -> str: return "x"


routes.add("GET", "/", only_request)  # mistake
routes.add("GET", "/", swapped)  # mistake
routes.add("GET", "/", returns_text)  # mistake
routes.add("GET", "/", returns_text_later)  # mistake
routes.add("GET", "/", lambda request: None)  # mistake
routes.add("GET", "/", lambda request, response: "x")  # mistake
routes.add("GET", "/", lambda request, response: response.set_body("x"))  # mistake: not completed
routes.add("GET", "/", lambda request, response: response.set_body("x").complete())  # mistake
routes.add("/x", lambda request, response: None)  # mistake: no method
routes.add(uri="/x", handler=only_request)  # mistake
routes.add(method="GET", url="/x", handler=WebSocketHandler(lambda request, protocols: None))  # mistake
routes.add("GET", "/", WebSocketHandler)  # mistake: the class
routes.add(methods="GET", uri="/", handler=StaticFileHandler())  # mistake: a list
routes.add(method="GET", uris="/", handler=StaticFileHandler())  # mistake: a list
routes.add([("GET", "/", swapped)])  # mistake: no Route
routes.add(5)  # mistake
Route("GET", "/", only_request)  # mistake
Route(verb="GET", uri="/", handler=StaticFileHandler())  # mistake
Routes([Route("GET", "/", StaticFileHandler())])  # mistake: routes=
Routes("/x", handler=only_request)  # mistake
routes.get("/x", only_request)  # mistake
routes.get("/x", returns_text)  # mistake
routes.get("/x", returns_text_later)  # mistake
routes.get("/x", lambda request: None)  # mistake
routes.get("/x", lambda request, response: response.complete())  # mistake
routes.post("GET", "/x")  # mistake
routes.grouped("x", only_request)  # mistake
routes.grouped("x", (FilterPriority.HIGH, 3))  # mistake
HTTPHandler.redirect("https://x")  # mistake
StaticFileHandler(root=".")  # mistake


@routes.add("GET", "/y")  # mistake
def one(request: HTTPRequest) -> None: ...


@routes.add("GET", "/y")  # mistake
def returning(request: HTTPRequest, response: HTTPResponse) -> str:
    return "lost"


@routes.add("GET", "/y")  # mistake
async def returning_later(request: HTTPRequest, response: HTTPResponse) -> str:
    return "lost"


@routes.get("y")  # mistake
async def got_later(request: HTTPRequest, response: HTTPResponse) -> str:
    return "lost"


@routes.get("y")  # mistake
def got(response: HTTPResponse) -> None: ...


@routes.get  # mistake: no path
def without_path(request: HTTPRequest, response: HTTPResponse) -> None: ...


@routes.add("GET", "/w")
def answers(request: HTTPRequest, response: HTTPResponse) -> None:
    response.append_body(3)  # mistake
    response.set_body(None, jsn={})  # mistake
    response.set_header("Content-Length", 3)  # mistake
    response.add_header("X")  # mistake
    response.add_cookie("name=value")  # mistake
    response.push(lambda: None)  # mistake
    response.push(lambda ok: ok.upper())  # mistake
    response.on_close(lambda: None)  # mistake: a future
    response.complete()  # mistake
    response.completed("200")  # mistake
    response.completed().next()  # mistake
    response.status = "200"  # mistake
    request.param("x").upper()  # mistake: perhaps None
    request.header("x").upper()  # mistake
    request.url_variables.name  # mistake
    request.post_body_bytes.encode()  # mistake
    request.query_params["x"]  # mistake: a list of pairs
    HTTPCookie("name")  # mistake
    HTTPRequest("GET", "/", body="x")  # mistake

    @response.push  # mistake
    def pushed() -> None: ...


# Filters


class ThreeTooFew(HTTPRequestFilter):
    def filter(self, request: HTTPRequest, response: HTTPResponse) -> None: ...  # mistake


class WrongResult(HTTPRequestFilter):
    def filter(
        self, request: HTTPRequest, response: HTTPResponse, callback: Callable[[RequestFilterResult], None]
    ) -> None:
        callback(ResponseFilterResult.DONE)  # mistake
        callback(True)  # mistake
        callback()  # mistake


class WrongCallback(HTTPResponseFilter):
    def filter_headers(  # mistake
        self, response: HTTPResponse, callback: Callable[[RequestFilterResult], None]
    ) -> None: ...


class NoFilter:
    def filter(self, request: HTTPRequest) -> None: ...


def filters(server: HTTPServer) -> None:
    server.set_request_filters([WrongResult()])  # mistake: no pair
    server.set_request_filters([(WrongResult(), "high")])  # mistake
    server.set_request_filters([(WrongResult, FilterPriority.HIGH)])  # mistake: the class
    server.set_request_filters([(NoFilter(), FilterPriority.HIGH)])  # mistake
    server.set_response_filters([(WrongResult(), FilterPriority.HIGH)])  # mistake


# Vapor

room = Room()


def vapor_3(ws: WebSocket, request: HTTPRequest) -> None: ...
def says_yes(request: HTTPRequest) -> bool: return True
async def says_yes_later(request: HTTPRequest) -> bool: return True


routes.web_socket("/z", lambda ws: None)  # mistake
routes.web_socket("/z", vapor_3)  # mistake: the request comes first
routes.web_socket("/z", lambda request, ws: ws.on_text(lambda text: None))  # mistake
routes.web_socket("/z", lambda request, ws: ws.sends("x"))  # mistake
routes.web_socket("/z", lambda request, ws: None, should_upgrade=lambda: None)  # mistake
routes.web_socket("/z", lambda request, ws: None, should_upgrade=lambda request: True)  # mistake
routes.web_socket("/z", lambda request, ws: None, should_upgrade=says_yes)  # mistake
routes.web_socket("/z", lambda request, ws: None, should_upgrade=says_yes_later)  # mistake
routes.web_socket("/z", lambda request, ws: None, should_upgrade=True)  # mistake
routes.web_socket("/z", lambda request, ws: None, max_frame_sise=3)  # mistake
routes.web_socket("/z", lambda request, ws: None, compression="yes")  # mistake
routes.web_socket("/z", lambda request, ws: None, subprotocols="chat")  # mistake: a list
routes.web_socket("/z", subprotocols=[b"chat"])  # mistake
HTTPServer.web_socket_upgrader(on_upgrade=lambda ws: None)  # mistake
HTTPServer.web_socket_upgrader(on_upgrade=lambda request, ws: ws.send("x"))  # mistake: Vapor 3's order
HTTPServer.web_socket_upgrader(should_upgrade=says_yes, on_upgrade=vapor_3)  # mistake


@routes.web_socket("/b")  # mistake
def upgraded(ws: WebSocket) -> None: ...


@routes.web_socket("/b")  # mistake
async def upgraded_later(ws: WebSocket, request: HTTPRequest) -> None: ...


# Perfect 1


def nothing_at_all() -> StaticFileHandler: return StaticFileHandler()


Routing.Routes["*"] = lambda: StaticFileHandler()  # mistake
Routing.Routes["*"] = nothing_at_all  # mistake
Routing.Routes["*"] = lambda response: only_request  # mistake
Routing.Routes["*"] = StaticFileHandler()  # mistake
Routing.Routes[5] = lambda response: StaticFileHandler()  # mistake


# Rooms


def rooms(socket: WebSocket) -> None:
    Room("x", slow="wait")  # mistake
    Room("x", on_drop=lambda socket: None)  # mistake
    Room("x", on_drop=lambda socket, missed: missed.send("x"))  # mistake
    Room(on_dropped=lambda socket, missed: None)  # mistake
    room.send_string_message(b"x")  # mistake
    room.send_string_message("x", exclude="y")  # mistake
    room.send_binary_message("x")  # mistake
    room.join("x")  # mistake
    room.join()  # mistake
    room.send("x")  # mistake
    room.figures.member  # mistake
    for member in room:
        member.join(room)  # mistake


# Clients, timers and threads


def takes_text(ws: str) -> None: ...


def clients(nursery: trio.Nursery) -> None:
    WebSocket.connect("ws://x", reconect=True)  # mistake
    WebSocket.connect("ws://x", reconnect=5)  # mistake
    WebSocket.connect("ws://x", reconnect=Backoff("1"))  # mistake
    WebSocket.connect("ws://x", on_upgrade=lambda request, ws: None)  # mistake
    WebSocket.connect("ws://x", on_upgrade=takes_text)  # mistake
    WebSocket.connect("ws://x", on_upgrade=lambda ws: ws.upper())  # mistake
    WebSocket.connect("ws://x", ssl_context=True)  # mistake
    WebSocket.connect("ws://x", headers=["A: b"])  # mistake
    WebSocket.connect("ws://x", subprotocols=None)  # mistake
    WebSocket.connect("ws://x", subprotocols="echo")  # mistake: a list
    WebSocket.connect("ws://x", on=5)  # mistake
    WebSocket.connect("ws://x", timeout=5)  # mistake
    WebSocket.connect("ws://x").send("x")  # mistake: a future
    WebSocket.connect(url="ws://x")  # mistake
    WebSocket.connect(b"ws://x")  # mistake
    HTTPClient.web_socket("x", "80")  # mistake
    HTTPClient.web_socket(host="x")  # mistake
    HTTPClient.web_socket("x", reconect=True)  # mistake
    HTTPClient.web_socket("x", on=nursery, on_upgrade=takes_text)  # mistake


def time_and_threads(loop: EventLoop, server: HTTPServer) -> None:
    call_later("1", lambda: None)  # mistake
    call_later(lambda: None, 1)  # mistake
    call_later(1, lambda ws: None)  # mistake
    call_later(1, loop)  # mistake
    call_later(1, server.start())  # mistake: called
    call_every(1, lambda x: None)  # mistake
    call_every(1, None)  # mistake
    call_every(1, takes_text)  # mistake
    call_every(1, lambda: None, on="server")  # mistake
    call_every(1, lambda: None).stop()  # mistake
    run_in_thread(lambda: 3, lambda text: text.upper())  # mistake
    run_in_thread(lambda: 3, lambda: None)  # mistake
    run_in_thread(lambda: 3, takes_text)  # mistake
    run_in_thread(takes_text)  # mistake
    run_in_thread(lambda: 3, 5)  # mistake
    SerialQueue(5)  # mistake
    SerialQueue("x").dispatch(lambda: 3, lambda text: text.upper())  # mistake
    SerialQueue("x").dispatch(takes_text)  # mistake
    run(lambda: None)  # mistake
    run(takes_text)  # mistake
    run(lambda nursery: nursery.begin())  # mistake
    run(lambda nursery: None, timeout=5)  # mistake


# Futures


def futures(future: Future[int], opening: Future[WebSocket], loop: EventLoop) -> None:
    opening.when_failure(lambda: None)  # mistake
    opening.when_success(lambda: None)  # mistake
    opening.when_complete(lambda a, b: None)  # mistake
    opening.when_success(takes_text)  # mistake
    opening.when_success(lambda ws: ws.upper())  # mistake
    opening.when_complete(None)  # mistake
    opening.when_complete(lambda result: result.send("x"))  # mistake: an outcome
    opening.wait().sned("x")  # mistake
    opening.send("x")  # mistake
    future.when_success(lambda number: number.upper())  # mistake
    future.when_failure(lambda error: error.upper())  # mistake
    future.map(lambda number: number.upper())  # mistake
    future.map(lambda: None)  # mistake
    future.map(takes_text)  # mistake
    future.flat_map(lambda number: number)  # mistake: no future
    future.flat_map_error(lambda error: 5)  # mistake
    future.flat_map_error(lambda error: opening)  # mistake
    future.wait("5")  # mistake
    future.wait().upper()  # mistake
    promise: Promise[int] = loop.make_promise()
    promise.succeed("x")  # mistake
    promise.fail("x")  # mistake
    promise.wait()  # mistake: its future_result
    opening.cascade(promise)  # mistake

    @future.when_success  # mistake
    def success(text: str) -> None: ...

    @future.when_failure  # mistake
    def failure() -> None: ...

    @future.when_complete  # mistake
    def complete(result: outcome.Outcome[str]) -> None: ...


# Servers


def servers(context: LaunchContext, data: dict[str, Any]) -> None:
    HTTPServer.launch(name="x", port="8181", routes=routes)  # mistake
    HTTPServer.launch(nme="x", port=1, routes=routes)  # mistake
    HTTPServer.launch(host="x", port=1, routes=routes)  # mistake
    HTTPServer.launch(name="x", port=1, routes=Route("GET", "/", StaticFileHandler()))  # mistake
    HTTPServer.launch(name="x", port=1, routes=routes, request_filters=[WrongResult()])  # mistake
    HTTPServer.launch(name="x", port=1, routes=routes, tls_config=("a", "b"))  # mistake
    HTTPServer.launch(name="x", port=1, routes=routes, wait="no")  # mistake
    HTTPServer.launch(name="x", port=1, routes=routes, configuration_data=data)  # mistake: one or the other
    HTTPServer.launch(routes)  # mistake
    HTTPServer.launch(name="x", port=1, routes=routes)[0]  # mistake: one context
    HTTPServer.launch(HTTPServer.server(name="x", port=1)).port  # mistake: a list of them
    HTTPServer.server(nme="x", port=1, routes=routes)  # mistake
    HTTPServer.server(name="x", port=1, routes=routes, wait=False)  # mistake
    HTTPServer.secure_server(name="x", port=1, routes=routes)  # mistake
    HTTPServer.secure_server(("a", "b"), name="x", port=1, routes=routes)  # mistake
    TLSConfiguration(cert="a")  # mistake
    context.port = 5  # mistake
    context.wait("5")  # mistake
    context.stop()  # mistake


def attributes(server: HTTPServer) -> None:
    server.serverPort = 8181  # mistake
    server.server_port = "8181"  # mistake
    server.max_body_size = "1"  # mistake
    server.trusted_proxies = 5  # mistake
    server.trusted_proxies = "10.0.0.1"  # mistake: a list
    server.ssl = "cert.pem"  # mistake
    server.add_routes("/x")  # mistake
    server.on_start(takes_text)  # mistake
    server.on_start(lambda loop: None)  # mistake

    @server.on_start  # mistake
    async def started(context: LaunchContext) -> None: ...


def uploads(request: HTTPRequest) -> None:
    request.postFileUploads  # mistake
    request.post_file_uploads[0]  # mistake: None where the body is no form
    for each in request.post_file_uploads or ():
        each.file.read()  # mistake: a field has none
        each.file_name + each.file_size  # mistake
        each.tmpFileName  # mistake
    MimeType.forExtension("html")  # mistake
    MimeType(type="text")  # mistake
    HTTPServer().set_response_filters([RequestLogger()])  # mistake


def tests(server: TestServer) -> None:
    TestServer(5)  # mistake
    TestServer(documentRoot=".")  # mistake
    server.connect("/", subprotocol=["echo"])  # mistake
    server.connect("/", subprotocols="echo")  # mistake: a list
    server.get("/", header={})  # mistake
    server.post("/", data=5)  # mistake
    server.get("/").status_code  # mistake
    server.advance("20")  # mistake
    server.connect("/").send(5)  # mistake
    server.connect("/").receive_text().decode()  # mistake
