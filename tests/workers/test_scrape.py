"""`HTTPHandler.metrics` and `HTTPHandler.health` of a server that has workers."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial

assert sys.platform != "win32"  # where these are not collected

from prometheus_client.parser import text_string_to_metric_families as parse

from .programs import Client, Start, until


def test_a_scrape_is_the_sum_whichever_worker_answers_it(run: Start) -> None:
    program = run("""
routes.add("GET", "/metrics", HTTPHandler.metrics())
routes.add("GET", "/ready", HTTPHandler.health({"ready": True}))
HTTPServer.launch(address="127.0.0.1", port=0, routes=routes, workers=2, close_timeout=0.2, max_connections=50)
""")
    address = ("127.0.0.1", program.port())
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(address)) for _ in range(12)]
        by_worker = {client.ask("/pid"): client for client in clients}
        assert len(by_worker) == 2
        asked = len(clients)

        def scraped(client: Client) -> dict[str, float]:
            nonlocal asked
            asked += 1
            families = parse(client.ask("/metrics"))
            return {sample.name: sample.value for family in families for sample in family.samples}

        def has_all(client: Client) -> bool:
            return scraped(client)["perfectws_requests_total"] == asked

        for client in by_worker.values():
            until(partial(has_all, client))  # the other worker tells what it did a moment later
            found = scraped(client)
            assert found["perfectws_workers"] == 2
            assert found["perfectws_connections"] == found["perfectws_connections_accepted_total"] == 12
            assert client.ask("/ready") == '{"ready": true}'
            asked += 1
    assert program.stop() == 0
