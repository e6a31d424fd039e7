"""What every foreign client is told to do, and what it reports.

A client sends all of a conversation's messages without waiting for their echoes, and takes down what comes back. Then
it closes with the code given, or, if none is given, goes on reading until the server closes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import trio

SUBPROTOCOL = "echo"
PATIENCE = 60.0  # seconds; a bound for a machine under load, not a measure

#: Payload lengths in bytes: on both sides of each bound of RFC 6455 §5.2, the long ones not too often.
SIZES = (0, 1, 5, 64, 125, 126, 127, 200, 500, 1000, 2000, 64, 125, 126, 4096, 16384, 65535, 65536)

Message = str | bytes


@dataclass(frozen=True)
class Conversation:
    url: str
    messages: list[Message]
    close: tuple[int, str] | None

    def is_over(self, echoes: list[Message]) -> bool:
        """Whether it is for the client to close now."""
        return self.close is not None and len(echoes) == len(self.messages)


@dataclass(frozen=True)
class Transcript:
    subprotocol: str | None
    echoes: list[Message]
    close_code: int | None


Client = Callable[[Conversation], Awaitable[Transcript]]


def text_of(size: int, number: int) -> str:
    """A text of that many bytes in UTF-8, of characters of one to four bytes, another for each number."""
    letters = "aé€😀ßz"
    start = number % len(letters)
    repeated = f"{number} {letters[start:]}{letters[:start]}" * (size // 8 + 1)
    text = repeated.encode()[:size].decode(errors="ignore")
    return text + "." * (size - len(text.encode()))


def mixed_messages(count: int) -> list[Message]:
    """Texts and binaries in turn, of every length in `SIZES`."""
    noise = random.Random(count)
    sizes = [SIZES[number // 2 % len(SIZES)] for number in range(count)]
    return [text_of(size, number) if number % 2 else noise.randbytes(size) for number, size in enumerate(sizes)]


def in_asyncio(talk: Callable[[Conversation], Coroutine[Any, Any, Transcript]]) -> Client:
    """Make an asyncio client one that trio can await: it runs in a thread, beside the server."""

    async def bounded(conversation: Conversation) -> Transcript:
        async with asyncio.timeout(PATIENCE):
            return await talk(conversation)

    async def client(conversation: Conversation) -> Transcript:
        return await trio.to_thread.run_sync(lambda: asyncio.run(bounded(conversation)))

    return client
