"""A real Firefox, driven over WebDriver BiDi: JSON over a WebSocket, spoken by our own client."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from perfectws import EventLoop, WebSocket
from tests.examples.running import PATIENCE

LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")

#: Waits, in the page, until an expression is true; the text of an element is what is seen of it.
UNTIL = """new Promise((resolve, reject) => {
    const isTrue = () => { try { return Boolean(%s); } catch { return false; } };
    const look = () => { if (isTrue()) { resolve(true); clearInterval(timer); observer.disconnect(); } };
    const observer = new MutationObserver(look);
    const timer = setInterval(look, 200);
    setTimeout(() => reject(new Error("it never came true")), %d);
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
})"""


class Firefox:
    """A browser, and what it is asked."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._ids = count(1)
        self.ask("session.new", capabilities={})

    def ask(self, method: str, **params: Any) -> Any:
        """Send a command and return its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.receive().wait(2 * PATIENCE))
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def window(self) -> FirefoxPage:
        """Open a window."""
        return FirefoxPage(self, self.ask("browsingContext.create", type="window")["context"])


class FirefoxPage:
    """A window of Firefox, and what a person does in it."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox = firefox
        self._context = context

    def open(self, url: str) -> None:
        self._firefox.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return what an expression is in the page."""
        target = {"context": self._context}
        result = self._firefox.ask("script.evaluate", expression=expression, target=target, awaitPromise=True)
        assert result["type"] == "success", (expression, result)
        return result["result"].get("value")

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        self.evaluate(UNTIL % (expression, int(1000 * PATIENCE)))

    def type(self, text: str) -> None:
        """Press the keys of a text, one after the other; a new line is Enter."""
        keys = ["\ue007" if sign == "\n" else sign for sign in text]
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._firefox.ask("input.performActions", context=self._context, actions=[source])


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Run Firefox until the block ends."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.fail("Firefox is not installed; this installs it: bash .ci/setup", pytrace=False)
    command = [path, "--headless", "--remote-debugging-port", "0", "--no-remote", "--profile", str(profile)]
    environment = {**os.environ, "HOME": str(profile), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run,
        EventLoop() as loop,
    ):
        try:
            assert run.stderr is not None
            address = next(match[1] for line in run.stderr if (match := LISTENING.search(line)))
            connecting = WebSocket.connect(
                to=f"{address}/session", on=loop, max_frame_size=64 << 20, max_message_size=64 << 20
            )
            yield Firefox(connecting.wait(PATIENCE))
        finally:
            run.kill()
