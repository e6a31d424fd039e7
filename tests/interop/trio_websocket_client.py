from __future__ import annotations

from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from .conversation import SUBPROTOCOL, Conversation, Message, Transcript


async def talk(conversation: Conversation) -> Transcript:
    url = urlsplit(conversation.url)
    assert url.hostname is not None
    assert url.port is not None
    # trio-websocket 0.12 leaves its own stream open when the server closes; so we open it, and close it.
    async with await trio.open_tcp_stream(url.hostname, url.port) as stream, trio.open_nursery() as nursery:
        client = await wrap_client_stream(nursery, stream, url.netloc, url.path, subprotocols=[SUBPROTOCOL])
        nursery.start_soon(send_all, client, conversation)
        echoes = await receive_all(client, conversation)
    return Transcript(client.subprotocol, echoes, client.closed.code if client.closed else None)


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
