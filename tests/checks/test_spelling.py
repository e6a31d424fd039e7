"""A misspelt name is refused where it is written, and told how it is spelt here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from perfectws import (
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    LocalProtocolError,
    RouteError,
    Routes,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)
from perfectws.checks.spelling import header_name, right_spelling, snake_case

from ..calls import Calls
from ..conftest import Connect


@pytest.mark.parametrize(
    ("swift", "python"),
    [
        ("serverPort", "server_port"),
        ("socketProtocol", "socket_protocol"),
        ("documentURL", "document_url"),
        ("custom404", "custom404"),
        ("plain", "plain"),
    ],
)
def test_swifts_names_are_known(swift: str, python: str) -> None:
    assert snake_case(swift) == python


def test_what_is_near_is_guessed_and_what_is_not_is_not() -> None:
    names = ["routes", "document_root", "documentRoot", "address"]
    assert right_spelling("routs", names) == "routes"
    assert right_spelling("documentRoots", names) == "documentRoot"
    assert right_spelling("host", names) == "address"
    assert right_spelling("colour", names) is None


@pytest.mark.parametrize(
    ("case", "name"), [(".contentType", "Content-Type"), (".eTag", "E-Tag"), (".origin", "Origin")]
)
def test_swifts_cases_stand_for_headers(case: str, name: str) -> None:
    assert header_name(case) == name


class TestAServersSettings:
    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("serverPort", "write server_port"),
            ("serverAddress", "write server_address"),
            ("documentRoot", "write document_root"),
            ("trusted_proxy", "write trusted_proxies"),
            ("max_body_sise", "write max_body_size"),
            ("runAsUser", "what can be set are .*server_name"),
        ],
    )
    def test_one_that_there_is_not_is_refused(self, name: str, says: str) -> None:
        with pytest.raises(AttributeError, match=f"an HTTPServer has no '{name}': {says}"):
            setattr(HTTPServer(), name, 8181)

    def test_a_subclass_may_have_attributes_of_its_own(self) -> None:
        class Chat(HTTPServer):
            def __init__(self) -> None:
                super().__init__()
                self.rooms: dict[str, str] = {}
                self.timeOut = 5

        assert Chat().rooms == {}
        with pytest.raises(AttributeError, match="write server_port"):
            Chat().serverPort = 5  # type: ignore[attr-defined]  # on purpose


#: Seen by no type checker, which would refuse what is wrong on purpose.
SERVER, SOCKET = cast(Any, HTTPServer), cast(Any, WebSocket)
RESPONSE = HTTPResponse(HTTPRequest())
ROUTES, HANDLER = cast(Any, Routes), cast(Any, WebSocketHandler)


def handler(request: HTTPRequest, response: HTTPResponse) -> None: ...


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: SERVER.launch(host="127.0.0.1", port=0, routes=Routes()), TypeError, "'host': did you mean 'address'"),
        (lambda: SERVER.launch(serverPort=0, routes=Routes()), TypeError, "a server has no keyword 'serverPort'"),
        (lambda: SOCKET.connect("ws://h", timeout=5), TypeError, "'timeout': did you mean 'open_timeout'"),
        (lambda: SOCKET.connect("ws://h", onUpgrade=print), TypeError, "'onUpgrade': did you mean 'on_upgrade'"),
        (lambda: SOCKET.connect("ws://h", subprotocol="a"), TypeError, "did you mean 'subprotocols'"),
        (lambda: ROUTES().web_socket("/x", handler, maxFrameSize=5), TypeError, "did you mean 'max_frame_size'"),
        (lambda: HANDLER(handler, ping_intervall=5), TypeError, "a WebSocket has no keyword"),
        (lambda: Routes().add(".get", "/x", handler), RouteError, "spelling of a request method: write 'GET'"),
        (lambda: RESPONSE.set_header(".contentType", "a"), LocalProtocolError, "write 'Content-Type'"),
        (lambda: RESPONSE.add_header(".eTag", "a"), LocalProtocolError, "is Swift's spelling"),
        (lambda: HTTPRequest().header(".origin"), LocalProtocolError, "write 'Origin'"),
    ],
)  # fmt: skip
def test_what_is_written_as_in_swift_or_wrong_says_what_to_write(
    call: Callable[[], Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize(
    ("name", "says"),
    [("socketProtocol", "has socket_protocol"), ("handleSession", r"has handle_session\(request, socket\)")],
)
def test_a_session_handler_in_swifts_spelling_is_refused_when_it_is_defined(name: str, says: str) -> None:
    with pytest.raises(TypeError, match=f"Echo has {name}, which nobody asks for: a session handler {says}"):
        type("Echo", (WebSocketSessionHandler,), {name: "echo"})


async def test_what_a_callback_gets_wrong_is_told_in_the_log(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.readStringMessage(Calls())  # type: ignore[attr-defined]  # on purpose

    peer = await connect(session)
    assert (await peer.receive_close()).close_code == 1011
    assert "AttributeError: 'WebSocket' object has no attribute 'readStringMessage'" in caplog.text
    assert "WebSocket has read_string_message." in caplog.text


async def test_a_setting_of_a_socket_in_swifts_spelling_is_refused(connect: Connect) -> None:
    _, socket = await connect.socket()
    with pytest.raises(AttributeError, match="WebSocket has no attribute 'readTimeoutSeconds': write read_timeout_sec"):
        socket.readTimeoutSeconds = 5  # type: ignore[attr-defined]  # on purpose
    with pytest.raises(AttributeError, match="write ping_interval"):
        socket.pingInterval  # type: ignore[attr-defined]  # noqa: B018
