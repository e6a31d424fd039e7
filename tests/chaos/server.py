"""A server that gets into trouble: it echoes and takes uploads, and some of the trouble it makes for itself.

``python -m tests.chaos.server '{"ping_interval": 1}' '{"max_body_size": 1000}'``: the options of its WebSockets, and
the keywords of its launch, of which ``certificate`` is the path of one.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import time
from pathlib import Path

real_time = time.time
#: By how many seconds the clock on the wall is wrong.
wrong_by = 0.0


def wrong_time() -> float:
    """Return what the clock on the wall shows."""
    return real_time() + wrong_by


time.time = wrong_time  # before anybody has imported it by its name

from perfectws import HTTPRequest, HTTPResponse, HTTPServer, Routes, TLSConfiguration, WebSocket, call_later  # noqa: E402


def echo(request: HTTPRequest, ws: WebSocket) -> None:
    """Send back what comes."""
    ws.on_text(lambda ws, text: ws.send(text))
    ws.on_binary(lambda ws, data: ws.send(data))


def measure(request: HTTPRequest, response: HTTPResponse) -> None:
    """Tell how long the uploads are, or else the body."""
    uploads = request.post_file_uploads or ()
    sizes = [upload.file_size for upload in uploads if upload.file_name] or [len(request.post_body_bytes or b"")]
    response.set_body(json=sizes).completed()


def set_clock(request: HTTPRequest, response: HTTPResponse) -> None:
    """Let the clock jump."""
    global wrong_by
    wrong_by = float(request.param("by", "0") or 0)
    response.completed()


def limit_memory(request: HTTPRequest, response: HTTPResponse) -> None:
    """Let the process have so many bytes more than now; with a negative number, as many as there are."""
    more = int(request.param("more", "-1") or -1)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = hard if more < 0 else pages * os.sysconf("SC_PAGE_SIZE") + more
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    response.completed()


def answer_late(request: HTTPRequest, response: HTTPResponse) -> None:
    """Answer after a while, with how long that was."""
    began = time.monotonic()
    seconds = float(request.param("seconds", "0") or 0)
    call_later(seconds, lambda: response.set_body(json=time.monotonic() - began).completed())


def main() -> None:
    """Serve."""
    options, keywords = (json.loads(argument) for argument in sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    routes = Routes()
    routes.web_socket("/echo", echo, **options)
    routes.add("GET", "/pid", lambda request, response: response.set_body(str(os.getpid())).completed())
    routes.add("POST", "/measure", measure)
    routes.add("GET", "/clock", set_clock)
    routes.add("GET", "/memory", limit_memory)
    routes.add("GET", "/late", answer_late)
    if certificate := keywords.pop("certificate", None):
        keywords["tls_config"] = TLSConfiguration(cert_path=certificate)
    HTTPServer.launch(name="chaos", address="127.0.0.1", port=0, routes=routes, **keywords)


if __name__ == "__main__":
    main()
