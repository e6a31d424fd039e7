"""`RequestLogger`: a line of the access log for each request that passes it, and never two."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from perfectws import FilterPriority, HTTPRequest, HTTPResponse, HTTPServer, RequestLogger, Routes
from perfectws.http.access_log import access_logger
from perfectws.server.configuration import parse_configuration
from tests.http.fakes import Server, echo_path, everything, get, post
from tests.peer import CLOSE, HANDSHAKE_KEY, close_payload, frame_bytes

LINE = re.compile(r'192\.0\.2\.7 - - \[.+\] "(.+)" (\d+|-) (\d+) \d+\.\d{3} "-" \S+( \d+ \d+)?')


def make(routes: Routes | Any, logger: RequestLogger | None = None) -> Server:
    """Serve with the logger set as Perfect's guide sets it."""
    logger = logger or RequestLogger()
    described = HTTPServer()
    described.set_request_filters([(logger, FilterPriority.HIGH)])
    described.set_response_filters([(logger, FilterPriority.LOW)])
    service = described._make_service()
    return Server(routes, request_filters=service.request_filters, response_filters=service.response_filters)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, int]]:
    """Return the request, the status and the size of each line."""
    records = [record for record in caplog.records if record.name == "perfectws.access"]
    assert all(record.levelno == logging.INFO for record in records)
    found = [LINE.fullmatch(record.getMessage()) for record in records]
    return [(match[1], match[2], int(match[3])) for match in found if match is not None]


@pytest.mark.parametrize("level", [logging.WARNING, logging.INFO])
def test_each_request_is_one_line_whether_the_access_log_is_on_or_off(
    caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest, level: int
) -> None:
    before = access_logger.level
    access_logger.setLevel(level)
    request.addfinalizer(lambda: access_logger.setLevel(before))
    server = make(everything(echo_path))
    server.ask(get("/a?b=c") + post("/d", b"body") + b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "POST", "HEAD")
    expected = [("GET /a?*** HTTP/1.1", "200", 11), ("POST /d HTTP/1.1", "200", 12), ("HEAD / HTTP/1.1", "200", 0)]
    assert lines(caplog) == expected


def test_without_it_the_log_stays_off(caplog: pytest.LogCaptureFixture) -> None:
    make(everything(echo_path)).ask(get("/"))
    Server(everything(echo_path)).ask(get("/other"))
    assert [line[0] for line in lines(caplog)] == ["GET / HTTP/1.1"]


def test_what_is_disabled_for_all_loggers_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    logging.disable(logging.INFO)
    try:
        make(everything(echo_path)).ask(get("/"))
    finally:
        logging.disable(logging.NOTSET)
    assert lines(caplog) == []


def test_a_line_has_all_bytes_of_a_streamed_body(caplog: pytest.LogCaptureFixture) -> None:
    def stream(request: HTTPRequest, response: HTTPResponse) -> None:
        response.append_body(bytes(1000)).push(lambda ok: response.append_body(bytes(500)).completed())

    make(everything(stream)).ask(get("/"))
    assert lines(caplog) == [("GET / HTTP/1.1", "200", 1500)]


def test_a_client_that_leaves_before_the_answer_leaves_a_line(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[HTTPResponse] = []
    server = make(everything(lambda request, response: kept.append(response)))
    server.ask(get("/slow"))
    assert lines(caplog) == []
    server.lose()
    assert lines(caplog) == [("GET /slow HTTP/1.1", "-", 0)]


def test_what_fails_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: HTTPRequest, response: HTTPResponse) -> None:
        raise ValueError

    make(everything(fail)).ask(get("/"))
    assert [line[1] for line in lines(caplog)] == ["500"]


def test_a_web_socket_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    routes = Routes()
    routes.web_socket("/chat", lambda request, socket: None, ping_interval=None)
    server = make(routes)
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    server.receive(get("/chat", *upgrade, f"Sec-WebSocket-Key: {HANDSHAKE_KEY}"))
    server.loop.run()
    server.receive(frame_bytes(CLOSE, close_payload(4001)))
    server.loop.run()
    server.lose()
    assert [line[1] for line in lines(caplog)] == ["101", "4001"]


def test_a_request_has_an_id_and_the_time_of_its_beginning() -> None:
    pads: list[dict[str, Any]] = []
    requests: list[HTTPRequest] = []

    def keep(request: HTTPRequest, response: HTTPResponse) -> None:
        requests.append(request)
        pads.append(request.scratch_pad)
        response.completed()

    for server in (make(everything(keep)), make(everything(keep))):
        server.ask(get("/") * 2)
    assert len({pad["requestID"] for pad in pads}) == 4
    assert pads[0]["requestID"] == requests[0].id
    assert pads[0]["start"] <= pads[1]["start"]


def test_a_response_without_a_connection_has_no_line(caplog: pytest.LogCaptureFixture) -> None:
    results: list[object] = []
    request = HTTPRequest()
    RequestLogger().filter(request, HTTPResponse(request), results.append)
    assert len(results) == 1
    assert lines(caplog) == []


def test_a_configuration_can_name_it(caplog: pytest.LogCaptureFixture) -> None:
    described = parse_configuration(
        {
            "servers": [
                {
                    "name": "x",
                    "port": 0,
                    "filters": [
                        {"type": "request", "priority": "high", "name": RequestLogger.filter_api_request},
                        {"type": "response", "priority": "low", "name": RequestLogger.filter_api_response},
                    ],
                }
            ]
        }
    )
    service = HTTPServer.server(**described[0])._make_service()
    filters = service.request_filters, service.response_filters
    Server(everything(echo_path), request_filters=filters[0], response_filters=filters[1]).ask(get("/"))
    assert lines(caplog) == [("GET / HTTP/1.1", "200", 6)]
