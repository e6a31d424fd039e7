"""Who talks in a chatroom."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from .names import check_name, fold_name
from .rules import Refused

MIN_SESSION = 16  # characters: fewer could be guessed
MAX_SESSION = 128  # characters
MAX_AVATAR = 2_000  # characters: it is told with each message


class ChatUser:
    """Somebody in a chatroom.

    Attributes:
        email: What Perfect's page tells. Nothing is done with it.
        avatar_uri: What Perfect's page draws its avatar from, or nothing.
        display_name: The name that the others see.
        session: Whose messages are whose: a digest of the secret that a page keeps for as long as its tab lives.

    Source: Perfect's ``ChatUser``.
    """

    # Perfect differs: two users with one email are one, so that anybody can speak as anybody.

    __slots__ = ("avatar_uri", "display_name", "email", "session")

    def __init__(self, display_name: str, *, email: str = "", avatar_uri: str = "", secret: str | None = None) -> None:
        self.email = email
        self.avatar_uri = avatar_uri
        self.display_name = display_name
        # Only the digest is kept, so that who reads the database cannot speak as somebody else.
        self.session = blake2b((secret or secrets.token_hex()).encode(), digest_size=16).hexdigest()

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> ChatUser:
        """Make a user of what Perfect's page sends. Raises `Refused`."""
        fields = [json.get(key) for key in ("email", "avatar", "displayName")]
        if not all(isinstance(field, str) for field in fields):
            raise Refused("bad-message", 'A user is {"email": "…", "avatar": "…", "displayName": "…"}.')
        email, avatar, name = map(str, fields)
        return cls(check_name(name), email=email, avatar_uri=avatar if len(avatar) <= MAX_AVATAR else "")

    @classmethod
    def from_hello(cls, json: Mapping[str, Any]) -> ChatUser:
        """Make a user of the ``hello`` that this example's page sends. Raises `Refused`."""
        name, secret = json.get("name"), json.get("session")
        if not isinstance(name, str) or not isinstance(secret, str) or not MIN_SESSION <= len(secret) <= MAX_SESSION:
            raise Refused(
                "bad-message",
                f"A hello has a name and a session, a secret of {MIN_SESSION} to {MAX_SESSION} characters.",
            )
        return cls(check_name(name), secret=secret)

    @property
    def key(self) -> str:
        """What the name is compared by: two that look alike to a reader are one."""
        return fold_name(self.display_name)


#: Says in Perfect's language what is no user's message. Its name can't be taken.
BOT = ChatUser("Bot", email="nil")
