"""Perfect's chat demo (PerfectExamples/Perfect-Chat-Demo, Sources/), line by line: the Swift stands beside it.

Its defects are its own, and stand here as they are; `examples.chat` is the one to use.
"""

from __future__ import annotations

import json as JSON  # noqa: N812
from collections.abc import Callable
from typing import Any

from perfectws import (
    HTTPHandler,
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    OpcodeType,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)

# fmt: off
# ruff: noqa: T201  (the demo prints)


# ChatUser.swift

class UserError(Exception):                                         # enum UserError: Error {
    """failedToCreate"""                                            #     case failedToCreate }


class ChatUser:                                                     # class ChatUser: Hashable {
    email: str                                                      # var email: String
    avatar_uri: str                                                 # var avatarURI: String
    display_name: str                                               # var displayName: String

    def __init__(self, json: dict[str, Any] | None = None) -> None:  # init(json: [String: Any]) throws {
        if json is None:
            # Plain == make a bot!                                  # init() {
            self.email = "nil"                                      #     self.email = "nil"
            self.display_name = "Bot"                               #     self.displayName = "Bot"
            self.avatar_uri = "http://en.gravatar.com/avatar/0"     #     self.avatarURI = "http://en.gravatar…" }
            return
        fields = [json.get(key) for key in ("email", "avatar", "displayName")]
        if not all(isinstance(field, str) for field in fields):     # guard let userEmail = json["email"] as? String, …
            raise UserError                                         # else { throw UserError.failedToCreate }
        self.email, self.avatar_uri, self.display_name = map(str, fields)  # self.email = userEmail …

    def __hash__(self) -> int:                                      # var hashValue: Int {
        return hash(self.email)                                     #     return email.hashValue }

    def __eq__(self, other: object) -> bool:                        # static func == (lhs: ChatUser, rhs: ChatUser) {
        return isinstance(other, ChatUser) and self.email == other.email  # return lhs.email == rhs.email }


# ChatroomService.swift

class Chatroom:                                                     # class Chatroom {
    # This makes it a singleton, where you only use one shared instance of this class across the whole project.
    instance: Chatroom                                              # static let instance = Chatroom()

    def __init__(self) -> None:
        self._chats: dict[ChatUser, WebSocket] = {}                 # private var _chats = [ChatUser: WebSocket]()
        self.bot = ChatUser()                                       # let bot = ChatUser()

    def join(self, user: ChatUser, socket: WebSocket) -> None:      # func join(user: ChatUser, socket: WebSocket) {
        self._chats[user] = socket                                  # _chats[user] = socket
        self.send_message(f"{user.display_name} Joined", from_user=self.bot)  # sendMessage("… Joined", …)

    def leave(self, user: ChatUser) -> None:                        # func leave(user: ChatUser) {
        self._chats.pop(user, None)                                 # _chats.removeValue(forKey: user)
        self.send_message(f"{user.display_name} Left", from_user=self.bot)  # sendMessage("… Left", …)

    def send_message(self, message: str, from_user: ChatUser) -> None:  # func sendMessage(_: String, fromUser user:) {
        user = from_user
        json = {"user": user.display_name,                          # let json = ["user": user.displayName,
                "message": f"{user.display_name}: {message}",       #     "message": "\(user.displayName): \(message)",
                "avatar": user.avatar_uri}                          #     "avatar": user.avatarURI]
        final = JSON.dumps(json)                                    # let final = try json.jsonEncodedString()
        for username, socket in self._chats.items():                # for (username, socket) in _chats {
            if username != user:                                    #     if username != user {
                socket.send_string_message(final, final=True, completion=lambda:  # socket.sendStringMessage(…) {
                    print(f"message: {final} was sent by user: {user.display_name}"))  # print("message: …") }


Chatroom.instance = Chatroom()


# Handlers.swift

def chat_handler(                                                   # func chatHandler(data: [String:Any]) throws
    data: dict[str, Any],                                           #     -> RequestHandler {
) -> Callable[[HTTPRequest, HTTPResponse], None]:
    def handler(request: HTTPRequest, response: HTTPResponse) -> None:  # return { request, response in
        # Provide your closure which will return the service handler.
        def producer(                                               # WebSocketHandler(handlerProducer: {
            request: HTTPRequest, protocols: list[str]              #     (request: HTTPRequest, protocols: [String])
        ) -> WebSocketSessionHandler | None:                        #         -> WebSocketSessionHandler? in
            # Check to make sure the client is requesting our "chat" service.
            if "chat" not in protocols:                             # guard protocols.contains("chat") else {
                return None                                         #     return nil }

            # Return our service handler.
            return ChatHandler()                                    # return ChatHandler()

        WebSocketHandler(handler_producer=producer).handle_request(  # }).handleRequest(
            request=request, response=response)                     #     request: request, response: response) }
    return handler


class ChatHandler(WebSocketSessionHandler):                         # class ChatHandler: WebSocketSessionHandler {
    user: ChatUser | None = None                                    # var user: ChatUser? = nil

    # The name of the super-protocol we implement.
    # This is optional, but it should match whatever the client-side WebSocket is initialized with.
    socket_protocol: str | None = "chat"                            # let socketProtocol: String? = "chat"

    # This function is called by the WebSocketHandler once the connection has been established.
    def handle_session(                                             # func handleSession(
        self, request: HTTPRequest, socket: WebSocket               #     request: HTTPRequest, socket: WebSocket) {
    ) -> None:
        # Read a message from the client as a String.
        @socket.read_string_message                                 # socket.readStringMessage {
        def _(string: str | None, op: OpcodeType, fin: bool) -> None:  # string, op, fin in
            # The data parameter might be nil here if either a timeout
            # or a network error, such as the client disconnecting, occurred.
            # By default there is no timeout.
            if string is None:                                      # guard let string = string else {
                # This block will be executed if, for example, the browser window is closed.
                if self.user is not None:                           # if let chatUser = self.user {
                    print(f"socket closed for {self.user.email}")   #     print("socket closed for \(chatUser.email)")
                    Chatroom.instance.leave(self.user)              #     Chatroom.instance.leave(user: chatUser) }

                socket.close()                                      # socket.close()
                return                                              # return }

            # Print some information to the console for to show the incoming messages.
            print(f"Read msg: {string} op: {op.name} fin: {fin}")   # print("Read msg: \(string) op: \(op) fin: \(fin)")

            try:                                                    # do {
                if not fin or not isinstance(json := JSON.loads(string), dict):  # guard fin == true, let json = …
                    return                                          #     else {return}
                self.user = ChatUser(json)                          # self.user = try ChatUser(json: json)

                if isinstance(message := json.get("message"), str):  # if let message = json["message"] as? String {
                    # If there's a message attached, we send it
                    Chatroom.instance.send_message(message, from_user=self.user)  # Chatroom.instance.sendMessage(…)
                else:                                               # } else {
                    # Otherwise, they must be joining, so add them!
                    Chatroom.instance.join(self.user, socket)       # Chatroom.instance.join(…) }

            except (ValueError, UserError):                         # } catch {
                print("Failed to decode JSON from Received Socket Message")  # print("Failed to decode JSON …") }

            # Done working on this message? Loop back around and read the next message.
            self.handle_session(request, socket)                    # self.handleSession(request:, socket:)


# main.swift

def configuration(port: int, document_root: str) -> dict[str, Any]:
    routes = [                                                      # let routes = [
        {"method": "get", "uri": "/chat", "handler": chat_handler},  # ["method":"get", "uri":"/chat", "handler":…],
        {"method": "get", "uri": "/**", "handler": HTTPHandler.static_files,  # ["method":"get", "uri":"/**", …
         "documentRoot": document_root,                             #     "documentRoot":"./webroot",
         "allowResponseFilters": True},                             #     "allowResponseFilters":true],
    ]                                                               # ]
    return {"servers": [                                            # let config = ["servers": [
        {"name": "Chat", "port": port, "routes": routes},           #     ["name":"Chat", "port":port, "routes":routes]
    ]}                                                              # ]]


def main(port: int = 8181, document_root: str = "./webroot") -> None:
    HTTPServer.launch(                                              # try HTTPServer.launch(
        configuration_data=configuration(port, document_root))      #     configurationData: config)


if __name__ == "__main__":
    main()
