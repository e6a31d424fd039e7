from __future__ import annotations

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .conversation import SUBPROTOCOL, Conversation, Message, Transcript


async def talk(conversation: Conversation) -> Transcript:
    headers = {"Sec-WebSocket-Protocol": SUBPROTOCOL}
    transport, listener = await ws_connect(lambda: Listener(conversation), conversation.url, extra_headers=headers)
    await transport.wait_disconnected()
    assert isinstance(listener, Listener)
    return Transcript(transport.response.headers.get("Sec-WebSocket-Protocol"), listener.echoes, listener.close_code)


class Listener(WSListener):
    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.echoes: list[Message] = []
        self.close_code: int | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        for message in self.conversation.messages:
            if isinstance(message, str):
                transport.send(WSMsgType.TEXT, message.encode())
            else:
                transport.send(WSMsgType.BINARY, message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.close_code = int(frame.get_close_code())  # type: ignore[call-overload]  # an int, whatever the stub says
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            self.take(transport, frame)

    def take(self, transport: WSTransport, frame: WSFrame) -> None:
        assert frame.fin
        if frame.msg_type == WSMsgType.TEXT:
            self.echoes.append(frame.get_payload_as_utf8_text())
        else:
            self.echoes.append(frame.get_payload_as_bytes())
        if self.conversation.close is not None and self.conversation.is_over(self.echoes):
            code, reason = self.conversation.close
            transport.send_close(code, reason.encode())  # type: ignore[arg-type]  # the same
