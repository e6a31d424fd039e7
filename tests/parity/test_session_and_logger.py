"""Perfect's two calls of ``setRequestFilters``: the second one's filters come behind, and none are lost."""

from __future__ import annotations

from perfectws.testing import TestServer

from .session_and_logger import Logger, make_server


def test_filters_that_are_set_twice_all_run_those_of_the_first_call_first() -> None:
    logger = Logger()
    with TestServer(make_server(logger)) as server:
        stranger = server.get("/")
        assert (stranger.status, stranger.text) == (401, "")  # the session still keeps strangers out
        ana = server.get("/", headers={"X-User": "ana"})
        assert (ana.status, ana.text) == (200, "in")
    assert logger.lines == ["401, session kept", "ana asks for /", "200, session kept"]
