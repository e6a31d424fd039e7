"""Node's ``ws``, in a process of its own; see ``node_client.mjs``."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import trio

from .conversation import SUBPROTOCOL, Conversation, Message, Transcript

HERE = Path(__file__).parent


async def talk(conversation: Conversation) -> Transcript:
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules" / "ws").is_dir():
        pytest.fail("Node or its package ws is not installed; this installs them: bash .ci/setup", pytrace=False)
    task = {
        "url": conversation.url,
        "subprotocol": SUBPROTOCOL,
        "messages": [packed(message) for message in conversation.messages],
        "close": conversation.close,
    }
    command = [node, str(HERE / "node_client.mjs")]
    ended = await trio.run_process(command, stdin=json.dumps(task).encode(), capture_stdout=True)
    report = json.loads(ended.stdout)
    return Transcript(report["subprotocol"], [unpacked(echo) for echo in report["echoes"]], report["closeCode"])


def packed(message: Message) -> dict[str, str]:
    if isinstance(message, str):
        return {"text": message}
    return {"binary": base64.b64encode(message).decode()}


def unpacked(message: dict[str, Any]) -> Message:
    if "text" in message:
        return str(message["text"])
    return base64.b64decode(message["binary"])
