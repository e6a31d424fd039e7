"""Vapor's groups with middleware: what is added to a group passes its filters, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perfectws import ConnectionRejected
from perfectws.testing import TestServer

from .vapor_groups import make_routes

TOKEN = {"Authorization": "Bearer sesame"}


@pytest.fixture
def server() -> Iterator[TestServer]:
    with TestServer(make_routes()) as server:
        yield server


def test_a_route_of_the_group_is_protected(server: TestServer) -> None:
    answer = server.get("/users/ada/hello", headers=TOKEN)
    assert (answer.status, answer.text) == (200, "hello ada, Vapor")
    answer = server.get("/users/ada/hello")
    assert (answer.status, answer.text) == (401, "who are you?")


def test_a_route_beside_the_group_is_not(server: TestServer) -> None:
    answer = server.get("/users/ada/public")
    assert (answer.status, answer.text) == (200, "public ada")


def test_a_web_socket_of_the_group_is_protected_too(server: TestServer) -> None:
    with server.connect("/users/ada/echo/3", headers=TOKEN) as ws:
        ws.send("ha")
        assert ws.receive() == "ada: hahaha"
    with pytest.raises(ConnectionRejected) as refused:
        server.connect("/users/ada/echo/3")
    assert (refused.value.status, refused.value.body) == (401, b"who are you?")
