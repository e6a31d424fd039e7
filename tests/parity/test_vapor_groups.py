"""Vapor's groups with middleware: what is added to a group passes its filters, and nothing else does."""

from __future__ import annotations

from ..conftest import Connect
from ..peer import Peer
from .vapor_groups import make_routes

TOKEN = [("Authorization", "Bearer sesame")]


async def get(connect: Connect, path: str, token: bool) -> tuple[int, bytes]:
    peer = await connect.to(make_routes())
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: x",
        *([f"{name}: {value}" for name, value in TOKEN] if token else []),
        "",
        "",
    ]
    await peer.stream.send_all("\r\n".join(lines).encode())
    await peer.read_head()
    return peer.status, await peer.read_body()


async def test_a_route_of_the_group_is_protected(connect: Connect) -> None:
    assert await get(connect, "/users/ada/hello", token=True) == (200, b"hello ada, Vapor")
    assert await get(connect, "/users/ada/hello", token=False) == (401, b"who are you?")


async def test_a_route_beside_the_group_is_not(connect: Connect) -> None:
    assert await get(connect, "/users/ada/public", token=False) == (200, b"public ada")


async def opened(connect: Connect, token: bool) -> Peer:
    peer = await connect.to(make_routes())
    await peer.handshake("/users/ada/echo/3", TOKEN if token else None)
    return peer


async def test_a_web_socket_of_the_group_is_protected_too(connect: Connect) -> None:
    peer = await opened(connect, token=True)
    await peer.send_text("ha")
    assert await peer.receive_text() == "ada: hahaha"
    assert (await opened(connect, token=False)).status == 401
