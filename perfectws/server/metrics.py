"""The figures of a server as Prometheus reads them. prometheus-client only formats: nothing is written per message."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..http.request import HTTPRequest
from ..http.response import HTTPResponse, RequestHandler
from .figures import NO_FIGURES, ServerFigures

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


class _Series(NamedTuple):
    """A field of the figures, as Prometheus is told it.

    Attributes:
        field: Its name in `ServerFigures`, or in `BrokerFigures`.
        name: Prometheus's, less the ``_total`` of a counter.
        text: What it is.
        is_counter: Whether it only grows; else it goes up and down.
    """

    field: str
    name: str
    text: str
    is_counter: bool = False


_counter = partial(_Series, is_counter=True)

#: Source: https://prometheus.io/docs/practices/naming
_SERVER = (
    _Series("workers", "perfectws_workers", "Processes that serve."),
    _Series("uptime", "perfectws_uptime_seconds", "For how long the server has been serving."),
    _Series("connections", "perfectws_connections", "Connections that are open."),
    _counter("accepted", "perfectws_connections_accepted", "Connections that were accepted."),
    _counter("refused", "perfectws_connections_refused", "Connections that found no room."),
    _counter("requests", "perfectws_requests", "HTTP requests, opening handshakes among them."),
    _Series("web_sockets", "perfectws_web_sockets", "WebSockets that are open."),
    _counter("messages_received", "perfectws_messages_received", "Messages that have arrived whole."),
    _counter("messages_sent", "perfectws_messages_sent", "Messages that were given to sockets to be sent."),
    _counter("bytes_received", "perfectws_received_bytes", "Bytes that have arrived."),
    _counter("bytes_sent", "perfectws_sent_bytes", "Bytes that were sent."),
    _Series("rooms", "perfectws_rooms", "Rooms that have members."),
    _Series("members", "perfectws_room_members", "Members of rooms."),
    _counter("deliveries", "perfectws_room_deliveries", "Messages of rooms times the members they were given to."),
    _counter("drops", "perfectws_room_drops", "Messages of rooms that slow members missed."),
    _counter("sheds", "perfectws_connections_shed", "Connections that were closed for max_buffered."),
    _counter("callback_errors", "perfectws_callback_errors", "Exceptions that callbacks have raised."),
    _Series("loop_delay", "perfectws_loop_delay_seconds", "Lateness of the event loop, on average of about a minute."),
    _Series("max_loop_delay", "perfectws_loop_delay_max_seconds", "Lateness of the event loop, at worst in that time."),
)
_BROKER = (
    _counter("published", "perfectws_broker_published", "Messages that reached the log."),
    _Series("queued", "perfectws_broker_queued", "Messages that wait to be sent to the log."),
    _counter("lost", "perfectws_broker_lost", "Messages that never reached the log."),
    _counter("refused", "perfectws_broker_refused", "Messages that the log's server refused."),
    _counter("resent", "perfectws_broker_resent", "Messages that were sent again, since nobody answered."),
    _counter("duplicates", "perfectws_broker_duplicates", "Messages that came again, and were dropped."),
    _counter("gaps", "perfectws_broker_gaps", "How often something was not to be had any more."),
    _counter("reconnects", "perfectws_broker_reconnects", "How often a connection was made anew."),
    _Series("is_connected", "perfectws_broker_connected", "Whether all brokers are connected."),
)


def metrics_handler(registry: CollectorRegistry | None) -> RequestHandler:
    """Return what `HTTPHandler.metrics` does."""
    try:
        import prometheus_client  # noqa: F401  # the extra "metrics" brings it
    except ImportError as error:
        raise ImportError("HTTPHandler.metrics needs prometheus-client: pip install 'perfectws[metrics]'") from error

    def answer(request: HTTPRequest, response: HTTPResponse) -> None:
        figures = getattr(response.server, "figures", NO_FIGURES)
        body, headers = _encode(_gather(figures, registry), request)
        for name, value in headers.items():
            response.set_header(name, value)
        response.set_body(body).completed()

    return answer


class _Collector:
    """Tells prometheus-client the figures of one moment."""

    def __init__(self, figures: ServerFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield each series, with its one value."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        groups: list[tuple[tuple[_Series, ...], Any]] = [(_SERVER, self._figures)]
        if self._figures.broker is not None:
            groups.append((_BROKER, self._figures.broker))
        for series, figures in groups:
            for each in series:
                family = CounterMetricFamily if each.is_counter else GaugeMetricFamily
                yield family(each.name, each.text, value=getattr(figures, each.field))


def _gather(figures: ServerFigures, more: CollectorRegistry | None) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry(auto_describe=True)
    registry.register(_Collector(figures))
    if more is not None:
        registry.register(more)
    return registry


def _encode(registry: CollectorRegistry, request: HTTPRequest) -> tuple[bytes, dict[str, str]]:
    """Return the text, and its headers, in the format and the coding that the client accepts."""
    from prometheus_client.exposition import gzip_accepted

    encode, content_type = _encoder_for(request.header("Accept") or "")
    names = [value for name, value in request.query_params if name == "name[]"]
    body = encode(registry.restricted_registry(names) if names else registry)
    headers = {"Content-Type": content_type, "Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
    if gzip_accepted(request.header("Accept-Encoding") or ""):
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    return body, headers


def _encoder_for(accept: str) -> tuple[Callable[[Any], bytes], str]:
    from prometheus_client.exposition import choose_encoder

    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is none
        return choose_encoder("")
