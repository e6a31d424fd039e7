"""The public face: which names it has, and what is loaded when. That decides how long ``import perfectws`` takes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import perfectws

FOLDER = Path(perfectws.__file__).parent.parent

#: The package as it runs: type checkers see another half of its file.
FACE: Any = perfectws

#: What takes long to load, and is needed by few or by none.
HEAVY = {"asyncio", "difflib", "email", "mimetypes", "perfectws.server.configuration", "perfectws.server.static_files"}

#: Serves a request, a WebSocket and a file; prints what was loaded between "it listens" and the end.
SERVE = """
import json, socket, sys
import perfectws
from perfectws import HTTPServer, Routes, WebSocketHandler

class Echo:
    socket_protocol = None

    def handle_session(self, request, websocket):
        timer = perfectws.call_later(60, print)
        timer.cancel()
        room = perfectws.Room()
        room.join(websocket)
        perfectws.WebSocket.connect(to="ws://127.0.0.1:1").when_failure(lambda error: None)

        def echo(string, op, fin):
            if string is not None:
                room.send_string_message(string)
                websocket.send_string_message(string, completion=websocket.close)
        websocket.read_string_message(echo)

def page(request, response):
    request.cookies, request.post_params
    cookie = perfectws.HTTPCookie("a", "b", expires=perfectws.Expiration.relative_seconds(60))
    response.add_cookie(cookie).set_body(json={"a": 1}).completed()

def ask(request, last=b"no such bytes"):
    answer = b""
    with socket.create_connection(("127.0.0.1", context.port), 30) as peer:
        peer.sendall(request)
        while last not in answer and (received := peer.recv(65536)):
            answer += received
    return answer

routes = Routes()
routes.add("GET", "/page", page)
routes.add("GET", "/echo", WebSocketHandler(lambda request, protocols: Echo()))
context = HTTPServer.launch(wait=False, address="127.0.0.1", port=0, routes=routes, document_root=sys.argv[1])
before = set(sys.modules)
assert before >= {"perfectws.client.connector", "perfectws.client.timing", "perfectws.rooms.room"}  # for callbacks
answers = [
    ask(b"GET /page HTTP/1.1\\r\\nHost: a\\r\\nCookie: a=b\\r\\nConnection: close\\r\\n\\r\\n"),
    ask(
        b"GET /file.txt HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n"
        b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\\r\\n\\r\\n"
    ),
    ask(
        b"GET /echo HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\n\\r\\n"
        b"\\x81\\x85\\0\\0\\0\\0hello",
        b"\\x88\\x02\\x03\\xe8",
    ),
]
loaded = sorted(set(sys.modules) - before)
context.terminate().wait(30)
print(json.dumps({"answers": [answer.decode("latin-1") for answer in answers], "loaded": loaded}))
"""


def run(code: str, *arguments: str) -> Any:
    """Run a script in a fresh interpreter, and return the JSON that it prints."""
    command = [sys.executable, "-c", code, *arguments]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=60, cwd=FOLDER, check=True).stdout)


def modules_after(statement: str) -> set[str]:
    """Return what a statement loads in a fresh interpreter."""
    code = f"import sys; before = {{*sys.modules}}\n{statement}\nloaded = {{*sys.modules}} - before\n"
    return set(run(code + "import json; print(json.dumps(sorted(loaded)))"))


def names_for_type_checkers() -> dict[str, str]:
    """Return the public names that type checkers see, and the module that each is imported from."""
    tree = ast.parse(Path(perfectws.__file__).read_text())
    branch = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in branch.body if isinstance(node, ast.ImportFrom)]
    # "X as X" is what exports X, to mypy and to pyright.
    return {
        alias.asname or "": f"{node.module}" for node in imports for alias in node.names if alias.asname == alias.name
    }


def test_type_checkers_see_the_names_that_there_are_and_where_they_are_from() -> None:
    assert names_for_type_checkers() == FACE._MODULES


def test_no_name_is_listed_twice() -> None:
    assert len(FACE.__all__) == sum(map(len, FACE._NAMES.values()))


def test_every_name_is_there_and_listed_by_dir() -> None:
    assert all(getattr(perfectws, name) is not None for name in FACE.__all__)
    assert set(FACE.__all__) <= set(dir(perfectws))
    assert "__version__" in dir(perfectws)


def test_a_star_imports_every_name() -> None:
    found: dict[str, object] = {}
    exec("from perfectws import *", found)
    assert found.keys() - {"__builtins__"} == set(FACE.__all__)


def test_a_name_that_there_is_not_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'perfectws' has no attribute 'HTTPSever'"):
        FACE.HTTPSever  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'HTTPSever' from 'perfectws'"):
        exec("from perfectws import HTTPSever")


def test_the_package_alone_loads_none_of_its_modules() -> None:
    loaded = modules_after("import perfectws")
    assert not [name for name in loaded if name.startswith("perfectws.")]
    assert not loaded & (HEAVY | {"json", "ssl", "trio"})


def test_a_server_loads_nothing_that_few_need() -> None:
    loaded = modules_after("from perfectws import HTTPServer, Room, Routes, WebSocketHandler")
    assert not loaded & HEAVY
    assert not loaded & {"perfectws.client.connect", "perfectws.http.http11"}  # what serves is loaded as it is bound


def test_a_client_loads_no_server() -> None:
    loaded = modules_after("from perfectws import WebSocket, run")
    assert not loaded & (HEAVY | {"json", "perfectws.server", "perfectws.http.http11"})
    assert "perfectws.client" in loaded  # what connects comes with the name


def test_nothing_is_loaded_while_a_server_serves(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("a file")
    told = run(SERVE, str(tmp_path))
    page, file, echo = told["answers"]
    assert page.startswith("HTTP/1.1 200")
    assert "Set-Cookie: a=b" in page
    assert file.startswith("HTTP/1.1 200")
    assert file.endswith("a file")
    assert echo.startswith("HTTP/1.1 101")
    assert echo.count("hello") == 2
    assert not [name for name in told["loaded"] if not name.startswith("encodings.")]
