"""A page's blocks of code, run from the first to the last in one namespace, as a reader would run them.

- ``python`` is run. What it launches serves in a thread, on a port that the kernel chooses, until the page ends or
  launches another server on the same port; a path below /run is one below the page's folder. A client that connects to
  the port that the page names gets there.
- ``text`` is what has been printed since the last block; with the caption *The log*, lines that perfectws has logged,
  in which ``…`` is whatever is left out.
- ``sh`` and ``powershell`` are commands that `tests.docs.commands` knows.
- Data (``json``, ``toml``, ``ini``, ``yaml``) is read. ``html``, ``css`` and ``js`` have a caption, and a browser of
  the page's.
- A block with a caption is a file; all are written first.
- ``swift`` is left alone, and so is a block without a language, which is a picture.
- ``<!-- invisible-code-block: python … -->``, which no reader sees, drives and checks what the others do.

An error in perfectws's log is a failure, unless the page has put a part of it into ``expected_errors``. A hidden block
may start a program, such as Redis, tell the page's clients its port by ``real_ports``, and end it by ``at_end``.
"""

from __future__ import annotations

import configparser
import io
import json
import logging
import re
import socket
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from sybil import Document, Example, Region
from sybil.parsers.myst import CodeBlockParser

from perfectws import HTTPServer, LaunchContext
from perfectws.server.launch import launch

from .commands import check_commands
from .pages import ROOT

#: Seconds that a page may take to print what it says that it prints.
PATIENCE = 30
#: The caption of what has been logged.
LOG = "The log"


class Blocks(CodeBlockParser):
    """Finds the blocks of a page, whatever their language."""

    language = "any"

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in self.lexers(document):
            if not region.lexemes["arguments"].startswith("{"):  # else a directive, which is found by itself too
                region.parsed = region.lexemes
                region.evaluator = self.evaluate
                yield region

    def evaluate(self, example: Example) -> None:
        """Nothing is run while a page is taken apart."""


def blocks_of(page: Path) -> list[Example]:
    """Return the blocks of a page, in order."""
    return list(Document.parse(str(page), Blocks()).examples())


def caption_of(block: Example) -> str | None:
    """Return what stands above a block: the name of a file, or `LOG`."""
    options: dict[str, str] = block.parsed.get("options") or {}
    return options.get("caption")


class RunningPage:
    """One page while its blocks are run.

    Args:
        page: The page.
        folder: Where it writes its files.
        log: Gives what has been logged.
    """

    def __init__(self, page: Path, folder: Path, log: Callable[[], str]) -> None:
        self.page = page
        self.log = log
        self.folder = folder
        self.printed = io.StringIO()
        #: The ports that the page names, and those that the kernel gave instead.
        self.ports: dict[int, int] = {}
        self.namespace: dict[str, Any] = {"__name__": "__main__", "expected_errors": [], "real_ports": self.ports}
        self.contexts: list[LaunchContext] = []
        self._at_end = ExitStack()
        self.namespace["at_end"] = self._at_end.callback

    def run(self) -> None:
        """Run every block."""
        blocks = blocks_of(self.page)
        for example in blocks:
            self._write_file(caption_of(example), str(example.parsed["source"]))
        with redirect_stdout(self.printed):
            for example in blocks:
                self._run_block(example)

    def _write_file(self, caption: str | None, source: str) -> None:
        if caption not in (None, LOG):
            path = self.folder / str(caption)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")

    def _run_block(self, example: Example) -> None:
        language, source = example.parsed["arguments"], str(example.parsed["source"])
        caption = caption_of(example)
        if caption == LOG:
            self._check_log(source)
            return
        run = getattr(self, f"_run_{language}", None)
        assert run is not None, f"{self.page}:{example.line}: nobody runs a block of {language!r}"
        run(source, example.line, caption)

    def _run_python(self, source: str, line: int, caption: str | None) -> None:
        code = source if caption else "\n" * line + source  # so that a traceback has the lines of the file, or the page
        exec(compile(code, caption or str(self.page), "exec", dont_inherit=True), self.namespace)

    def _run_text(self, source: str, line: int, caption: str | None) -> None:
        end = time.monotonic() + PATIENCE
        while (printed := self._take_if(source)) != source.strip() and time.monotonic() < end:
            time.sleep(0.005)
        assert printed == source.strip(), f"{self.page}:{line}: it prints\n{printed}"

    def _check_log(self, source: str) -> None:
        log = self.with_ports_of_the_page(self.log())
        for line in source.strip().splitlines():
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(pattern, log), f"{self.page}: {line!r} is not in the log:\n{log}"

    def _take_if(self, expected: str) -> str:
        """Return what was printed; once it is what is expected, it is taken."""
        printed = self.with_ports_of_the_page(self.printed.getvalue()).strip()
        if printed == expected.strip():
            self.printed.seek(0)
            self.printed.truncate()
        return printed

    def _run_sh(self, source: str, line: int, caption: str | None) -> None:
        check_commands(source)

    _run_powershell = _run_sh

    def _run_swift(self, source: str, line: int, caption: str | None) -> None:
        """Nobody has Swift here."""

    def _run_json(self, source: str, line: int, caption: str | None) -> None:
        json.loads(source)

    def _run_toml(self, source: str, line: int, caption: str | None) -> None:
        tomllib.loads(source)

    def _run_ini(self, source: str, line: int, caption: str | None) -> None:
        configparser.ConfigParser(strict=False, interpolation=None).read_string(source)

    def _run_yaml(self, source: str, line: int, caption: str | None) -> None:
        yaml.safe_load(source)

    def _run_html(self, source: str, line: int, caption: str | None) -> None:
        """A browser has it: `tests.docs.test_browser`."""

    _run_css = _run_js = _run_html

    # Ports

    def with_real_ports(self, text: str) -> str:
        """Return a text with the ports that the servers have got."""
        return _replaced(text, self.ports)

    def with_ports_of_the_page(self, text: str) -> str:
        """Return a text with the ports that the page names."""
        return _replaced(text, {real: named for named, real in self.ports.items()})

    # What a page's programs do differently here

    def bind(self, server: HTTPServer, bind: Callable[..., None], *inherited: object) -> None:
        """Let a server listen on this machine only, and on any port."""
        named = next((named for named, real in self.ports.items() if real == server.server_port), server.server_port)
        self._stop_server_on(named)
        server.server_port = 0
        if server.server_address == "0.0.0.0":
            server.server_address = "127.0.0.1"
        if server.server_address.startswith("unix:/run/"):
            path = self.folder / server.server_address.removeprefix("unix:/")
            path.parent.mkdir(parents=True, exist_ok=True)
            server.server_address = f"unix:{path}"
        bind(server, *inherited)
        self.ports[named] = server.server_port

    def _stop_server_on(self, port: int) -> None:
        for context in self.contexts:
            if port and context.port == self.ports.get(port) and not context.terminated:
                context.terminate().wait(PATIENCE)

    def launch(self, servers: Sequence[Any], **of_processes: object) -> list[LaunchContext]:
        """Launch servers in a thread, also where a program would wait for their end, or have workers."""
        contexts = launch(servers, wait=False)
        self.contexts += contexts
        return contexts

    def connect(self, client: socket.socket, address: Any, connect: Callable[[socket.socket, Any], Any]) -> Any:
        """Connect to the server that the page has launched on a port, whatever the client is."""
        if isinstance(address, tuple):
            address = (address[0], self.ports.get(address[1], address[1]), *address[2:])
        return connect(client, address)

    def end(self) -> None:
        """Stop all servers."""
        for context in self.contexts:
            context.terminate()
        for context in self.contexts:
            context.wait(PATIENCE)
        self._at_end.close()


def _replaced(text: str, ports: dict[int, int]) -> str:
    if not ports:
        return text
    return re.sub(rf"\b({'|'.join(map(str, ports))})\b", lambda found: str(ports[int(found[1])]), text)


def threads_left(before: set[threading.Thread]) -> list[str]:
    """Return the names of the threads that a page has begun and that do not end: no worker could be forked then."""
    begun = [each for each in threading.enumerate() if each not in before and not each.name.startswith("Trio thread")]
    for thread in begun:
        thread.join(PATIENCE)
    return [thread.name for thread in begun if thread.is_alive()]


@contextmanager
def running(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[RunningPage]:
    """Run a page's blocks; what they have launched serves until the ``with`` block ends."""
    # As it is: a page that turns the access log on does so for itself.
    caplog.set_level(logging.getLogger("perfectws.access").level, "perfectws.access")
    caplog.set_level(logging.INFO, "perfectws")
    running = RunningPage(page, folder, lambda: caplog.text)
    threads = set(threading.enumerate())
    bind, connect = HTTPServer.bind, socket.socket.connect
    monkeypatch.setattr(HTTPServer, "bind", lambda server, *inherited: running.bind(server, bind, *inherited))
    monkeypatch.setattr(socket.socket, "connect", lambda client, address: running.connect(client, address, connect))
    connect_ex = socket.socket.connect_ex
    monkeypatch.setattr(
        socket.socket, "connect_ex", lambda client, address: running.connect(client, address, connect_ex)
    )
    report = threading.excepthook  # pytest's, which minds a thread that exits
    monkeypatch.setattr(threading, "excepthook", lambda end: None if end.exc_type is SystemExit else report(end))
    monkeypatch.setattr("perfectws.server.server.launch", running.launch)
    monkeypatch.setattr("perfectws.server.server.make_plan", lambda *_, **__: None)  # workers: `tests.workers`
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), str(ROOT), *sys.path])
    try:
        running.run()
        yield running
    finally:
        running.end()
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert not threads_left(threads)
    expected = running.namespace["expected_errors"]
    assert not [error for error in errors if not any(part in error for part in expected)]
