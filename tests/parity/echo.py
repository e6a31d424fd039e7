"""The echo server of Perfect's guide (PerfectDocs, guide/webSockets.md), line by line: the Swift stands beside it."""

from __future__ import annotations

from perfectws import (
    HTTPRequest,
    HTTPResponse,
    OpcodeType,
    Routes,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)

# fmt: off
# ruff: noqa: T201  (the guide prints)


def make_routes() -> Routes:                                        # func makeRoutes() -> Routes {
    routes = Routes()                                               # var routes = Routes()

    @routes.add(method="GET", uri="/echo")                          # routes.add(method: .get, uri: "/echo", handler: {
    def _(request: HTTPRequest, response: HTTPResponse) -> None:    #     request, response in
        # Provide your closure which will return the service handler.
        def producer(                                               # WebSocketHandler(handlerProducer: {
            request: HTTPRequest, protocols: list[str]              #     (request: WebRequest, protocols: [String])
        ) -> WebSocketSessionHandler | None:                        #         -> WebSocketSessionHandler? in
            # Check to make sure the client is requesting our "echo" service.
            if "echo" not in protocols:                             # guard protocols.contains("echo") else {
                return None                                         #     return nil }

            # Return our service handler.
            return EchoHandler()                                    # return EchoHandler()

        WebSocketHandler(handler_producer=producer).handle_request(  # }).handleRequest(
            request=request, response=response)                     #     request: request, response: response)
    return routes                                                   # return routes


class EchoHandler(WebSocketSessionHandler):                         # class EchoHandler: WebSocketSessionHandler {
    # The name of the super-protocol we implement.
    # This is optional, but it should match whatever the client-side WebSocket is initialized with.
    socket_protocol: str | None = "echo"                            # let socketProtocol: String? = "echo"

    # This function is called by the WebSocketHandler once the connection has been established.
    def handle_session(                                             # func handleSession(
        self, request: HTTPRequest, socket: WebSocket               #     request: WebRequest, socket: WebSocket) {
    ) -> None:
        # Read a message from the client as a String.
        @socket.read_string_message                                 # socket.readStringMessage {
        def _(string: str | None, op: OpcodeType, fin: bool) -> None:  # string, op, fin in
            # The data parameter might be nil here if either a timeout
            # or a network error, such as the client disconnecting, occurred.
            # By default there is no timeout.
            if string is None:                                      # guard let string = string else {
                # This block will be executed if, for example, the browser window is closed.
                socket.close()                                      # socket.close()
                return                                              # return }

            # Print some information to the console for informational purposes.
            print(f"Read msg: {string} op: {op.name} fin: {fin}")   # print("Read msg: \(string) op: \(op) fin: \(fin)")

            # Echo the data received back to the client.
            # Pass true for final. This will usually be the case, but WebSockets has
            # the concept of fragmented messages.
            socket.send_string_message(                             # socket.sendStringMessage(
                string, final=True, completion=lambda:              #     string, final: true) {
                # This callback is called once the message has been sent.
                # Recurse to read and echo new message.
                self.handle_session(request, socket=socket))        # self.handleSession(request, socket: socket)
