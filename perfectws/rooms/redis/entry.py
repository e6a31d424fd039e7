"""What a process said to a room in one turn, as bytes: an *entry* of the room's log, announced on its channel.

::

    instance   16 bytes   who said it: a room of a process, for as long as it lives
    sequence    8 bytes   the number of the first message; each has the next
    count       4 bytes   how many messages follow; none only if some are missing
    missing     4 bytes   how many messages before the first are in no log: the queue was full, or they were refused
    when        8 bytes   when they were sent, in milliseconds since 1970
    message               opcode (1 byte), length (4 bytes), payload

Numbers are big-endian. What comes from Redis may be written by anybody who has its password: what cannot be read is
``None``, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from ...websocket.opcodes import OpcodeType
from ..broker import LogMessage
from ..instance import INSTANCE_SIZE
from ..position import Position

#: The largest sequence number: it fits into 8 bytes with room for the count.
_MAX_SEQUENCE = (1 << 63) - 1
#: The most that ``missing`` says.
MAX_MISSING = (1 << 32) - 1
_HEAD = Struct(f"!{INSTANCE_SIZE}sQIIQ")
_MESSAGE = Struct("!BI")
#: What an entry takes before its first message, and each message beside its payload, in bytes.
HEAD_SIZE, MESSAGE_SIZE = _HEAD.size, _MESSAGE.size


#: One message of an entry: text or binary, and what it says; a text is UTF-8. No class, which would cost more to make.
WireMessage = tuple[OpcodeType, bytes]


class Entry(NamedTuple):
    """What one process said to a room at once.

    Attributes:
        instance: Who said it.
        sequence: The number of the first message.
        messages: The messages; none if all that is to be said is that some are missing.
        missing: How many messages before the first are in no log.
        when: When they were sent, in milliseconds since 1970.
    """

    instance: bytes
    sequence: int
    messages: Sequence[WireMessage]
    missing: int = 0
    when: int = 0

    def encode(self) -> bytes:
        """Return the entry as bytes."""
        parts = [_HEAD.pack(self.instance, self.sequence, len(self.messages), self.missing, self.when)]
        pack = _MESSAGE.pack
        for opcode, payload in self.messages:
            parts += (pack(opcode, len(payload)), payload)
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> Entry | None:
        """Return the entry that ``data`` is; ``None`` if it is none."""
        if len(data) < HEAD_SIZE:
            return None
        instance, sequence, count, missing, when = _HEAD.unpack_from(data)
        least, most = (0 if missing else 1), (len(data) - HEAD_SIZE) // MESSAGE_SIZE
        if not 1 <= sequence <= _MAX_SEQUENCE or not least <= count <= most:
            return None
        messages = _messages(data, count)
        return None if messages is None else cls(instance, sequence, messages, missing, when)

    def log_messages(self, position: Position) -> list[LogMessage]:
        """Return its messages, as the log has them under this number."""
        instance, first, when = self.instance, self.sequence, self.when / 1000
        last = len(self.messages) - 1
        return [
            LogMessage(instance, first + index, opcode, payload, when, position, index == last)
            for index, (opcode, payload) in enumerate(self.messages)
        ]


def sent_by(instance: bytes, data: bytes) -> range | None:
    """Return the sequence numbers of an entry, if this instance sent it, and nothing is missing before it."""
    if not instance or len(data) < HEAD_SIZE or not data.startswith(instance):
        return None
    _, sequence, count, missing, _ = _HEAD.unpack_from(data)
    return None if missing or not 1 <= sequence <= _MAX_SEQUENCE or not count else range(sequence, sequence + count)


def _messages(data: bytes, count: int) -> list[WireMessage] | None:
    """Return the messages of an entry, ``None`` if they do not fill it exactly."""
    messages: list[WireMessage] = []
    start, size, unpack = HEAD_SIZE, len(data), _MESSAGE.unpack_from
    for _ in range(count):
        if start + MESSAGE_SIZE > size:
            return None
        number, length = unpack(data, start)
        start += MESSAGE_SIZE + length
        payload = data[start - length : start]
        opcode = _OPCODES.get(number)
        if opcode is None or start > size or not (payload.isascii() or _is_message(opcode, payload)):
            return None
        messages.append((opcode, payload))
    return messages if start == size else None


_OPCODES = {int(opcode): opcode for opcode in (OpcodeType.TEXT, OpcodeType.BINARY)}


def _is_message(opcode: OpcodeType, payload: bytes) -> bool:
    """Tell whether this may be sent to a member: a browser that gets a text that is not UTF-8 closes."""
    if opcode is OpcodeType.BINARY:
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
