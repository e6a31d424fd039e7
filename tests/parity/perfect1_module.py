"""The Perfect 1 module of the older guide (``PerfectHandlers.swift``): the Swift stands beside it."""

from __future__ import annotations

from perfectws import HTTPRequest, Routing, StaticFileHandler, WebSocketHandler, WebSocketSessionHandler
from tests.parity.echo import EchoHandler

# fmt: off
# ruff: noqa: E501  (the Swift is as long as it is)


# This is the function which all Perfect Server modules must expose.
# The system will load the module and call this function.
# In here, register any handlers or perform any one-time tasks.
def perfect_server_module_init() -> None:                           # public func PerfectServerModuleInit() {

    # Initialize the routing system
    Routing.Handler.register_globally()                             #     Routing.Handler.registerGlobally()

    # Add a default route which lets us serve the static index.html file
    Routing.Routes["*"] = lambda _: StaticFileHandler()             #     Routing.Routes["*"] = { _ in return StaticFileHandler() }

    # Add the endpoint for the WebSocket example system
    def echo(_: object) -> WebSocketHandler:                        #     Routing.Routes["GET", "/echo"] = { _ in

        # To add a WebSocket service, set the handler to WebSocketHandler.
        # Provide your closure which will return your service handler.
        def producer(                                               #         return WebSocketHandler(handlerProducer: {
            request: HTTPRequest, protocols: list[str]              #             (request: WebRequest, protocols: [String])
        ) -> WebSocketSessionHandler | None:                        #                 -> WebSocketSessionHandler? in

            # Check to make sure the client is requesting our "echo" service.
            if "echo" not in protocols:                             #             guard protocols.contains("echo") else {
                return None                                         #                 return nil }

            # Return our service handler.
            return EchoHandler()                                    #             return EchoHandler()

        return WebSocketHandler(handler_producer=producer)          #         })

    Routing.Routes["GET", "/echo"] = echo                           #     }
