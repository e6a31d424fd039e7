from __future__ import annotations

import pytest

from perfectws import HTTPRequest, HTTPResponse, MimeReader, Routes, WebSocket, call_later


def echo(request: HTTPRequest, socket: WebSocket) -> None:
    """Send back what comes; fail of ``boom``, close at ``bye``, be silent at ``hush``, take a while for ``later``."""

    def answer(socket: WebSocket, message: str | bytes) -> None:
        match message:
            case "boom":
                raise ValueError("boom")
            case "bye":
                socket.close(4000, "bye")
            case "hush":
                pass
            case "later":
                call_later(30, lambda: socket.send("at last"))
            case _:
                socket.send(message)

    socket.on_text(answer)
    socket.on_binary(answer)


def content(part: MimeReader.BodySpec) -> str:
    """Return what a part of a form holds."""
    return part.field_value if part.file is None else part.file.read().decode()


def reflect(request: HTTPRequest, response: HTTPResponse) -> None:
    """Answer with what the request was."""
    uploads = [
        [
            each.field_name,
            each.file_name,
            each.content_type,
            each.file.read().decode() if each.file else each.field_value,
        ]
        for each in request.post_file_uploads or ()
    ]
    seen = {
        "method": str(request.method),
        "path": request.path,
        "query": request.query_params,
        "headers": dict(request.headers),
        "body": (request.post_body_bytes or b"").decode("latin-1"),
        "form": request.post_params,
        "cookies": request.cookies,
        "uploads": uploads,
        "remote": list(request.remote_address),
        "server": list(request.server_address),
        "secure": request.is_secure,
    }
    response.set_body(json=seen).completed()


@pytest.fixture
def routes() -> Routes:
    """An echo, and what shows requests."""
    routes = Routes()
    routes.web_socket("/echo", echo, subprotocols=["echo"], compression=True)
    routes.web_socket("/refuse", echo, should_upgrade=lambda request: None)
    routes.add(uri="/reflect", handler=reflect)
    return routes
