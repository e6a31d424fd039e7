"""The entry point of Perfect's chat demo (``Sources/main.swift`` and ``chatHandler``): the Swift stands beside it."""

from __future__ import annotations

from typing import Any

from perfectws import (
    HTTPHandler,
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    LaunchContext,
    WebSocketHandler,
    WebSocketSessionHandler,
)

from .echo import EchoHandler

# fmt: off
# ruff: noqa: E501  (the Swift is as long as it is)

port = 8181                                                         # let port = 8181


class ChatHandler(EchoHandler):                                     # class ChatHandler: WebSocketSessionHandler {
    socket_protocol = "chat"                                        #     let socketProtocol: String? = "chat"


def chat_handler(data: dict[str, Any]) -> Any:                      # func chatHandler(data: [String:Any]) throws -> RequestHandler {
    def handle(request: HTTPRequest, response: HTTPResponse) -> None:   # return { request, response in

        # Provide your closure which will return the service handler.
        def producer(                                               # WebSocketHandler(handlerProducer: {
            request: HTTPRequest, protocols: list[str]              #     (request: HTTPRequest, protocols: [String])
        ) -> WebSocketSessionHandler | None:                        #         -> WebSocketSessionHandler? in

            # Check to make sure the client is requesting our "echo" service.
            if "chat" not in protocols:                             # guard protocols.contains("chat") else {
                return None                                         #     return nil }

            # Return our service handler.
            return ChatHandler()                                    # return ChatHandler()

        WebSocketHandler(handler_producer=producer).handle_request(  # }).handleRequest(
            request=request, response=response)                     #     request: request, response: response)

    return handle                                                   # } }


routes = [                                                          # let routes = [
    {"method": "get", "uri": "/**", "handler": HTTPHandler.static_files,  # ["method":"get", "uri":"/**", "handler":PerfectHTTPServer.HTTPHandler.staticFiles,
     "documentRoot": "./webroot",                                   #      "documentRoot":"./webroot",
     "allowResponseFilters": True},                                 #      "allowResponseFilters":true],
    {"method": "get", "uri": "/chat", "handler": chat_handler},     #     ["method":"get", "uri":"/chat", "handler":chatHandler],
]                                                                   # ]

config = {                                                          # let config = [
    "servers": [                                                    #     "servers": [
        # Configuration data for one server which:
        # * Serves only public API routes
        {                                                           #         [
            "name": "Chat",                                         #             "name":"Chat",
            "port": port,                                           #             "port":port,
            "routes": routes,                                       #             "routes": routes,
        }                                                           #         ]
    ]                                                               #     ]
}                                                                   # ]


def main(**different: Any) -> list[LaunchContext]:
    # Launch the servers based on the configuration data.
    return HTTPServer.launch(                                       # try HTTPServer.launch(
        configuration_data=config, **different)                     #     configurationData: config)
