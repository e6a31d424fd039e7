"""Who hears what a room tells, in one language: each message is written once, whoever hears it."""

from __future__ import annotations

from collections.abc import Callable

from perfectws import Recovery, Room, WebSocket


class Audience:
    """The sockets in a room that speak one language.

    Here it is one `Room`. Where several processes serve the chat it is more: what is `said` reaches the sockets of all
    of them and is kept, what is `hinted` reaches all and is not, and what is `told_here` each process tells by itself.
    """

    def __init__(self, here: Room | None = None, said: Room | None = None, hinted: Room | None = None) -> None:
        self._here = Room() if here is None else here
        self.said = self._here if said is None else said
        self._hinted = self._here if hinted is None else hinted

    def join(
        self,
        socket: WebSocket,
        after: str | None = None,
        completion: Callable[[Recovery], object] | None = None,
    ) -> None:
        """Let a socket hear; where several processes do, ``after`` and ``completion`` are those of `Room.join`."""
        for room in {self._here, self._hinted} - {self.said}:
            room.join(socket)
        if completion is None:
            self.said.join(socket)
        else:
            self.said.join(socket, after=after, completion=completion)

    def join_behind(self, socket: WebSocket, is_news: Callable[[str], bool]) -> None:
        """Let a socket hear that was told all by now.

        Args:
            is_news: Tells of a message that was sent by now whether the socket was not told it.
        """
        self.join(socket)

    def leave(self, socket: WebSocket) -> None:
        for room in {self._here, self.said, self._hinted}:
            room.leave(socket)

    def __len__(self) -> int:
        return len(self._here)

    def say(self, text: str, exclude: WebSocket | None = None) -> None:
        """Tell it to all, also to who comes back later."""
        self.said.send_string_message(text, exclude=exclude)

    def hint(self, text: str, exclude: WebSocket | None = None) -> None:
        """Tell it to all who are here now."""
        self._hinted.send_string_message(text, exclude=exclude)

    def tell_here(self, text: str, exclude: WebSocket | None = None) -> None:
        """Tell it to the sockets of this process."""
        self._here.send_string_message(text, exclude=exclude)
