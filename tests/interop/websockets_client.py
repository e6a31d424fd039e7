from __future__ import annotations

import asyncio

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from .conversation import SUBPROTOCOL, Conversation, Message, Transcript


async def talk(conversation: Conversation) -> Transcript:
    async with connect(conversation.url, subprotocols=[Subprotocol(SUBPROTOCOL)], proxy=None) as client:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send_all(client, conversation))
            echoes = await receive_all(client, conversation)
        return Transcript(client.subprotocol, echoes, client.close_code)


async def send_all(client: ClientConnection, conversation: Conversation) -> None:
    for message in conversation.messages:
        await client.send(message)


async def receive_all(client: ClientConnection, conversation: Conversation) -> list[Message]:
    echoes: list[Message] = []
    try:
        while not conversation.is_over(echoes):
            echoes.append(await client.recv())
    except ConnectionClosed:
        return echoes
    assert conversation.close is not None
    await client.close(*conversation.close)
    return echoes
