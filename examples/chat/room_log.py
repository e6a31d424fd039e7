"""The log of a room that is in several processes: the last messages of the `Room` that its pages hear.

What is in it is what the pages were told: messages, and how they were changed. So what a message is now is found by
reading on from where it was said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import time
from typing import Any

from perfectws import Recovery, RoomEntry, WebSocket

from .audience import Audience
from .messages import NOT_THERE, NOT_YOURS, SHOWN, Change, Excerpt, Message, Read, excerpt

#: How many messages and changes a room keeps.
KEPT = 1_000

#: How many are read to show the newest: some of them are changes.
READ = 4 * SHOWN

#: How many messages somebody may have sent before already, who comes from another process.
MAX_AGAIN = 10

_last_id = 0


class BrokeredLog:
    """See `messages.RoomLog`."""

    def __init__(self, room: str, audience: Audience) -> None:
        self._name = room
        self._audience = audience
        #: Who has come, and has said little yet: their next messages may have been said in another process already.
        self._newcomers: dict[str, int] = {}

    def add(self, message: Message, completion: Change) -> None:
        def found(entries: list[RoomEntry]) -> None:
            # Only what has the id in it is looked at more closely.
            marked = [entry for entry in entries if json.dumps(message.client_id) in str(entry.data)]
            for said in self._messages(marked):
                if (said.session, said.client_id) == (message.session, message.client_id):
                    completion(said)
                    return
            completion(replace(message, id=next_id(), is_new=True))

        left = self._newcomers.pop(message.session, 0)
        if left > 1:
            self._newcomers[message.session] = left - 1
        if left > 0:
            self._audience.said.last_messages(KEPT, found)
        else:
            found([])

    def change(self, message_id: int, session: str | None, text: str, completion: Change) -> None:
        def found(entries: list[RoomEntry]) -> None:
            said = [message for message in self._messages(entries) if message.id == message_id]
            if not said:
                completion(NOT_THERE)
            elif session is not None and said[0].session != session:
                completion(NOT_YOURS)
            elif text == "":
                completion(replace(said[0], text="", image="", state="deleted"))
            else:
                completion(replace(said[0], text=text, state="edited"))

        self._audience.said.last_messages(KEPT, found)

    def follow(self, session: str, socket: WebSocket, after: str, completion: Read) -> None:
        self._newcomers[session] = MAX_AGAIN

        def joined(recovery: Recovery) -> None:
            def found(entries: list[RoomEntry]) -> None:
                completion(self._newest(entries)._replace(position=recovery.position))

            if after and recovery.recovered:
                # It was sent what it missed already.
                completion(Excerpt([], goes_on=True, position=recovery.position))
            else:
                self._audience.said.last_messages(READ, found)

        self._audience.join(socket, after or None, joined)

    def newest(self, session: str, after: int, completion: Read) -> None:
        self._newcomers[session] = MAX_AGAIN
        self._audience.said.last_messages(READ, lambda entries: completion(self._newest(entries, after)))

    def older(self, before: int, completion: Read) -> None:
        def found(entries: list[RoomEntry]) -> None:
            messages = self._messages(entries)
            at = next((number for number, message in enumerate(messages) if message.id == before), 0)
            completion(excerpt(messages[:at][::-1]))

        self._audience.said.last_messages(KEPT, found)

    def _newest(self, entries: Sequence[RoomEntry], after: int = 0) -> Excerpt:
        messages = [message for message in self._messages(entries) if message.id > after]
        found = excerpt(messages[::-1])
        return found._replace(more=found.more or len(entries) == READ)

    def _messages(self, entries: Iterable[RoomEntry]) -> list[Message]:
        """Return the messages that are not deleted, as they are now."""
        messages: dict[tuple[str, str], Message] = {}
        for entry in entries:
            told = json.loads(entry.data)
            message = self._message(told["message"])
            key = (message.session, message.client_id)
            if told["type"] == "message":
                messages.setdefault(key, message)
            elif key in messages:
                messages[key] = message
        return [message for message in messages.values() if message.state != "deleted"]

    def _message(self, told: dict[str, Any]) -> Message:
        return Message(
            id=told["id"],
            room=self._name,
            name=told["name"],
            text=told["text"],
            time=told["time"],
            session=told["by"],
            client_id=told["key"],
            image=told.get("image", ""),
            state=told.get("state", ""),
        )


def next_id() -> int:
    """Return a number above all that this process has given: the time in microseconds, or the next one."""
    global _last_id
    _last_id = max(_last_id + 1, int(time() * 1e6))
    return _last_id
