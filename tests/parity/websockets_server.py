"""The entry point of Perfect's WebSockets server example (``Sources/main.swift``): the Swift stands beside it."""

from __future__ import annotations

from typing import Any

from perfectws import (
    FilterPriority,
    HTTPFilter,
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    LaunchContext,
    Routes,
    StaticFileHandler,
    WebSocketHandler,
    WebSocketSessionHandler,
)

from .echo import EchoHandler

# fmt: off
# ruff: noqa: E501  (the Swift is as long as it is)


def main(port: int = 8181, **different: Any) -> LaunchContext:
    # Launch the HTTP server on port 8181
    return HTTPServer.launch(                                       # try HTTPServer.launch(
        name="websockets server",                                   #     name: "websockets server",
        port=port,                                                  #     port: 8181,
        routes=make_routes(),                                       #     routes: makeRoutes(),
        response_filters=[                                          #     responseFilters: [
            (HTTPFilter.content_compression(data={}),               #         (try HTTPFilter.contentCompression(data: [:]),
             FilterPriority.HIGH)                                   #          .high)
        ], **different)                                             #     ])


def make_routes() -> Routes:                                        # func makeRoutes() -> Routes {

    routes = Routes()                                               # var routes = Routes()

    # Add a default route which lets us serve the static index.html file
    @routes.add(method="GET", uri="*")                              # routes.add(method: .get, uri: "*", handler: {
    def _(request: HTTPRequest, response: HTTPResponse) -> None:    #     request, response in
        StaticFileHandler(document_root=request.document_root       #     StaticFileHandler(documentRoot: request.documentRoot)
                          ).handle_request(request, response)       #         .handleRequest(request: request, response: response)
                                                                    # })
    # Add the endpoint for the WebSocket example system
    @routes.add(method="GET", uri="/echo")                          # routes.add(method: .get, uri: "/echo", handler: {
    def _(request: HTTPRequest, response: HTTPResponse) -> None:    #     request, response in

        # To add a WebSocket service, set the handler to WebSocketHandler.
        # Provide your closure which will return your service handler.
        def producer(                                               # WebSocketHandler(handlerProducer: {
            request: HTTPRequest, protocols: list[str]              #     (request: HTTPRequest, protocols: [String])
        ) -> WebSocketSessionHandler | None:                        #         -> WebSocketSessionHandler? in

            # Check to make sure the client is requesting our "echo" service.
            if "echo" not in protocols:                             # guard protocols.contains("echo") else {
                return None                                         #     return nil }

            # Return our service handler.
            return EchoHandler()                                    # return EchoHandler()

        WebSocketHandler(handler_producer=producer).handle_request(  # }).handleRequest(
            request=request, response=response)                     #     request: request, response: response)
                                                                    # })
    return routes                                                   # return routes
