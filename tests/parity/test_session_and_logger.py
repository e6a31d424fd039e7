"""Perfect's two calls of ``setRequestFilters``: the second one's filters come behind, and none are lost."""

from __future__ import annotations

import httpx

from perfectws import HTTPServer

from .session_and_logger import Logger, make_server


def test_filters_that_are_set_twice_all_run_those_of_the_first_call_first() -> None:
    logger = Logger()
    (context,) = HTTPServer.launch(make_server(logger), wait=False)
    with context, httpx.Client(base_url=f"http://127.0.0.1:{context.port}", trust_env=False, timeout=30) as client:
        stranger = client.get("/")
        assert (stranger.status_code, stranger.text) == (401, "")  # the session still keeps strangers out
        ana = client.get("/", headers={"X-User": "ana"})
        assert (ana.status_code, ana.text) == (200, "in")
    assert logger.lines == ["401, session kept", "ana asks for /", "200, session kept"]
