"""`HTTPHandler.metrics`, read by prometheus-client's own parsers."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from perfectws import HTTPHandler, HTTPRequest, HTTPRequestFilter, HTTPResponse, HTTPServer, RequestFilterResult, Routes
from perfectws.http.filters import FilterPriority
from perfectws.rooms.figures import BrokerFigures
from perfectws.server import metrics
from perfectws.server.figures import ServerFigures
from tests.server.conftest import PATIENCE, Launch, Raw, url
from tests.server.test_figures import SOME, UPGRADE

Samples = dict[str, float]


def routes(data: dict[str, Any] | None = None) -> Routes:
    routes = Routes()
    routes.add("GET", "/metrics", HTTPHandler.metrics(data))
    routes.web_socket("/echo", lambda request, socket: socket.on_text(lambda socket, text: socket.send(text)))
    return routes


def scrape(address: str, **headers: str) -> httpx.Response:
    answer = httpx.get(address, headers=headers, trust_env=False, timeout=PATIENCE)
    assert answer.status_code == 200
    return answer


def samples(text: str, parser: Callable[[str], Any] = parse) -> Samples:
    return {sample.name: sample.value for family in parser(text) for sample in family.samples}


def test_a_scrape_has_each_figure_once_as_prometheus_names_it(launch: Launch) -> None:
    context = launch(routes=routes())
    with Raw(("127.0.0.1", context.port)) as raw:
        raw.send(UPGRADE)
        while b"\r\n\r\n" not in raw.buffer:
            raw.buffer += raw.socket.recv(1000)
        raw.send(b"\x81\x83\0\0\0\0abc")
        assert raw.socket.recv(1000) == b"\x81\x03abc"
        answer = scrape(url(context, "/metrics"))
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    found = samples(answer.text)
    assert {
        name: value for name, value in found.items() if value and "bytes" not in name and "seconds" not in name
    } == {
        "perfectws_workers": 1,
        "perfectws_connections": 2,
        "perfectws_connections_accepted_total": 2,
        "perfectws_requests_total": 2,
        "perfectws_web_sockets": 1,
        "perfectws_messages_received_total": 1,
        "perfectws_messages_sent_total": 1,
    }
    assert found["perfectws_received_bytes_total"] > len(UPGRADE)
    assert found["perfectws_sent_bytes_total"] > 5
    assert len(found) == len(ServerFigures._fields) - 1  # there is no broker


def test_counters_are_counters_and_all_are_explained(launch: Launch) -> None:
    context = launch(routes=routes())
    families = list(parse(scrape(url(context, "/metrics")).text))
    for family in families:
        assert family.documentation
        assert (family.type == "counter") == all(each.name.endswith("_total") for each in family.samples)
        assert family.type in ("counter", "gauge")


def test_no_figure_is_left_out() -> None:
    assert [each.field for each in metrics._SERVER] == list(ServerFigures._fields[:-1])
    assert [each.field for each in metrics._BROKER] == list(BrokerFigures._fields)


def test_a_scrape_is_the_sum_of_all_workers_brokers_included(launch: Launch) -> None:
    context = launch(routes=routes())
    cast(HTTPServer, context.server).add_figures(lambda: [SOME, SOME])
    found = samples(scrape(url(context, "/metrics")).text)
    assert found["perfectws_workers"] == 3
    assert found["perfectws_requests_total"] == 2 * SOME.requests + 1
    assert found["perfectws_broker_published_total"] == 2
    assert found["perfectws_broker_connected"] == 1
    assert len(found) == len(ServerFigures._fields) - 1 + len(BrokerFigures._fields)


def test_openmetrics_is_given_to_whoever_accepts_it(launch: Launch) -> None:
    context = launch(routes=routes())
    answer = scrape(url(context, "/metrics"), Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    assert samples(answer.text, parse_openmetrics)["perfectws_connections"] == 1


@pytest.mark.parametrize(
    "accept", ["text/plain;version=x", "application/openmetrics-text;version=a.9", ";;,,", "a" * 4000]
)
def test_whoever_accepts_nonsense_gets_plain_text(launch: Launch, accept: str) -> None:
    context = launch(routes=routes())
    answer = scrape(url(context, "/metrics"), Accept=accept)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert context.figures.callback_errors == 0


def test_it_is_compressed_for_whoever_accepts_gzip_and_for_nobody_else(launch: Launch) -> None:
    context = launch(routes=routes())
    with Raw(("127.0.0.1", context.port)) as raw:
        for accepted, is_compressed in [(b"gzip", True), (b"br", False)]:
            head, body = raw.ask(b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %b\r\n\r\n" % accepted)
            assert (b"Content-Encoding: gzip" in head) == is_compressed
            text = (gzip.decompress(body) if is_compressed else body).decode()
            assert samples(text)["perfectws_connections"] == 1


def test_names_choose_from_it(launch: Launch) -> None:
    context = launch(routes=routes())
    address = url(context, "/metrics?name[]=perfectws_connections&name[]=perfectws_requests_total&name[]=other")
    assert samples(scrape(address).text) == {"perfectws_connections": 1, "perfectws_requests_total": 1}


def test_an_applications_own_metrics_are_told_as_well(launch: Launch) -> None:
    registry = CollectorRegistry()
    Counter("my_orders", "Orders.", registry=registry).inc(3)
    context = launch(routes=routes({"registry": registry}))
    found = samples(scrape(url(context, "/metrics")).text)
    assert found["my_orders_total"] == 3
    assert found["perfectws_connections"] == 1


def test_it_is_as_open_as_the_route_and_a_filter_may_ask_who_it_is(launch: Launch) -> None:
    class Guard(HTTPRequestFilter):
        def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Any) -> None:
            if request.header("Authorization") == "Bearer secret":
                callback(RequestFilterResult.CONTINUE)
            else:
                response.completed(401)
                callback(RequestFilterResult.HALT)

    context = launch(routes=routes(), request_filters=[(Guard(), FilterPriority.HIGH)])
    address = url(context, "/metrics")
    assert httpx.get(address, trust_env=False, timeout=PATIENCE).status_code == 401
    assert "perfectws_connections" in scrape(address, Authorization="Bearer secret").text


def test_a_configuration_names_it(launch: Launch) -> None:
    route = {"method": "get", "uri": "/metrics", "handler": "HTTPHandler.metrics"}
    server = {"name": "test", "address": "127.0.0.1", "port": 0, "routes": [route]}
    (context,) = HTTPServer.launch(wait=False, configuration_data={"servers": [server]})
    with context:
        assert "perfectws_connections" in scrape(url(context, "/metrics")).text


def test_in_a_test_there_is_no_server_and_it_has_done_nothing() -> None:
    request = HTTPRequest(method="GET", uri="/metrics")
    response = HTTPResponse(request)
    HTTPHandler.metrics()(request, response)
    assert set(samples(response.body_bytes.decode()).values()) == {0}


def test_without_prometheus_client_it_says_which_extra_brings_it() -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None; from perfectws import HTTPHandler; HTTPHandler.metrics()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert "HTTPHandler.metrics needs prometheus-client: pip install 'perfectws[metrics]'" in ran.stderr
