from __future__ import annotations

import asyncio

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from .conversation import SUBPROTOCOL, Conversation, Message, Transcript


async def talk(conversation: Conversation) -> Transcript:
    async with ClientSession() as session, session.ws_connect(conversation.url, protocols=[SUBPROTOCOL]) as client:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send_all(client, conversation))
            echoes = await receive_all(client, conversation)
        return Transcript(client.protocol, echoes, client.close_code)


async def send_all(client: ClientWebSocketResponse, conversation: Conversation) -> None:
    for message in conversation.messages:
        if isinstance(message, str):
            await client.send_str(message)
        else:
            await client.send_bytes(message)


async def receive_all(client: ClientWebSocketResponse, conversation: Conversation) -> list[Message]:
    echoes: list[Message] = []
    while not conversation.is_over(echoes):
        message = await client.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return echoes
        echoes.append(message.data)
    assert conversation.close is not None
    code, reason = conversation.close
    await client.close(code=code, message=reason.encode())
    return echoes
