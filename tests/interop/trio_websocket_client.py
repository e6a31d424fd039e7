from __future__ import annotations

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from .conversation import SUBPROTOCOL, Conversation, Message, Transcript


async def talk(conversation: Conversation) -> Transcript:
    async with open_websocket_url(conversation.url, subprotocols=[SUBPROTOCOL]) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_all, client, conversation)
            echoes = await receive_all(client, conversation)
        return Transcript(client.subprotocol, echoes, client.closed.code)


async def send_all(client: WebSocketConnection, conversation: Conversation) -> None:
    for message in conversation.messages:
        await client.send_message(message)


async def receive_all(client: WebSocketConnection, conversation: Conversation) -> list[Message]:
    echoes: list[Message] = []
    try:
        while not conversation.is_over(echoes):
            echoes.append(await client.get_message())
    except ConnectionClosed:
        return echoes
    assert conversation.close is not None
    await client.aclose(*conversation.close)
    return echoes
