"""RLIMIT_AS: a server that gets no more memory; it costs who asks for it, and nobody else anything."""

from __future__ import annotations

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from perfectws import CloseCode

from ..conftest import PATIENCE
from .serving import opened, serving, talk, url

MIB = 1024 * 1024
#: What one peer sends, and what there is: of a message there are at least two copies.
MUCH, LITTLE = 32 * MIB, 24 * MIB


#: Limits that an application has set too high.
OPTIONS = {"max_message_size": 4 * MUCH, "max_frame_size": 4 * MUCH}


def test_who_sends_more_than_there_is_room_for_is_refused_and_the_others_are_served(http: httpx.Client) -> None:
    with serving(OPTIONS, max_body_size=4 * MUCH) as server, opened(server.port) as neighbour:
        talk(neighbour, "before")
        assert http.get(url(server, f"/memory?more={LITTLE}")).is_success
        for _ in range(2):
            with opened(server.port) as greedy:
                with pytest.raises(ConnectionClosed) as closed:
                    exchange(greedy, bytes(MUCH))
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == CloseCode.MESSAGE_TOO_BIG
                assert closed.value.rcvd.reason == "there is no memory for it"
            assert http.post(url(server, "/measure"), content=bytes(MUCH)).status_code == 503
            talk(neighbour, "meanwhile", "x" * 100_000)

        assert http.get(url(server, "/memory?more=-1")).is_success
        with opened(server.port) as greedy:
            assert exchange(greedy, bytes(MUCH)) == bytes(MUCH)
        assert http.post(url(server, "/measure"), content=bytes(MUCH)).json() == [MUCH]
        talk(neighbour, "after")
        neighbour.close()
        assert server.stop() == 0
        message, body = server.complaints()
        assert message.startswith("ERROR: There is no memory for what is sent to echo (/echo from 127.0.0.1:")
        assert body == "WARNING: There is no memory for the body of a request: it is answered by 503"


def exchange(connection: ClientConnection, data: bytes) -> str | bytes:
    """Send data, and return what comes back."""
    connection.send(data)
    return connection.recv(PATIENCE)
