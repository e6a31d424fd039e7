"""One of several servers that are one chat: rooms reach over all of them by Redis."""

import os

from perfectws import HTTPHandler, HTTPServer, RedisBroker, Room, Routes

room = Room("lobby", broker=RedisBroker(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")), history=100)
routes = Routes()
routes.add("GET", "/live", HTTPHandler.health())
routes.add("GET", "/ready", HTTPHandler.health({"ready": True}))
routes.add("GET", "/metrics", HTTPHandler.metrics())


@routes.web_socket("/chat", max_frame_size=16 * 1024)
def opened(request, socket):
    room.join(socket)
    room.send_string_message(f"somebody came from {request.remote_address[0]}")
    socket.on_text(lambda socket, text: room.send_string_message(text))


if __name__ == "__main__":
    HTTPServer.launch(
        name="chat",
        address=os.environ.get("ADDRESS", "0.0.0.0"),
        port=8181,
        routes=routes,
        trusted_proxies=os.environ.get("TRUSTED_PROXIES", "").split(),
    )
