"""A page that knows who you are, by a cookie: log in, reload, open a WebSocket, log out.

::

    python -m examples.sessions [--address ADDRESS] [--port PORT]
"""

from __future__ import annotations

import argparse
import logging
from html import escape

from perfectws import FilterPriority, HTTPRequest, HTTPResponse, HTTPServer, LaunchFailure, Routes, WebSocket

from .driver import Session, SessionMemoryDriver

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sessions</title>
<style>body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem }}</style>
<h1>{greeting}</h1>
<p>You have been here {visits}.</p>
<form method="post" action="{action}"><input type="hidden" name="_csrf" value="{csrf}">{fields}</form>
</html>
"""
LOGIN = '<label>Your name <input name="name" required autocomplete="username"></label> <button>Log in</button>'
LOGOUT = "<button>Log out</button>"


def make_routes(driver: SessionMemoryDriver) -> Routes:
    routes = Routes()

    @routes.get("/")
    def page(request: HTTPRequest, response: HTTPResponse) -> None:
        session: Session = request.scratch_pad["session"]
        visits = session.data["visits"] = session.data.get("visits", 0) + 1
        name = session.data.get("name")
        html = PAGE.format(
            greeting=f"Hello, {escape(name)}" if name else "Who are you?",
            visits="once" if visits == 1 else f"{visits} times",
            csrf=session.csrf,
            action="/logout" if name else "/login",
            fields=LOGOUT if name else LOGIN,
        )
        response.set_header("Content-Type", "text/html; charset=utf-8").set_header("Cache-Control", "no-store")
        response.set_body(html).completed()

    @routes.post("/login")
    def login(request: HTTPRequest, response: HTTPResponse) -> None:
        session = driver.renew(request)
        session.data["name"] = (request.param("name") or "").strip()[:40]
        response.set_header("Location", "/").completed(303)

    @routes.post("/logout")
    def logout(request: HTTPRequest, response: HTTPResponse) -> None:
        driver.end(request.scratch_pad.pop("session"))
        response.set_header("Location", "/").completed(303)

    @routes.web_socket("/greeting")
    def greeting(request: HTTPRequest, ws: WebSocket) -> None:
        session: Session = request.scratch_pad["session"]
        ws.send(f"Hello, {session.data.get('name', 'whoever you are')}")

    return routes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.sessions", description="Serve a page with a session.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8383, help="the port; 0 takes any free one (default: %(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    driver = SessionMemoryDriver()
    filters = [(driver, FilterPriority.HIGH)]
    try:
        HTTPServer.launch(
            name="localhost",
            address=arguments.address,
            port=arguments.port,
            routes=make_routes(driver),
            request_filters=filters,
            response_filters=filters,
        )
    except LaunchFailure as failure:
        parser.exit(1, f"{failure}\n")


if __name__ == "__main__":
    main()
