"""Our reading of any byte stream is wsproto's, errors and close codes included, but for what is listed here by name.

PING_LOSES_FLAG, DEAF_AFTER_BFINAL and PIECEWISE stand in `oracle`, where wsproto is corrected or stopped for them.
"""

from __future__ import annotations

from struct import pack

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import FrameError, parse_close_payload
from perfectws.websocket.opcodes import CloseCode, OpcodeType

from ..reading import frames_in
from .oracle import Oracle, Outcome
from .streams import Role

UNLIMITED = (1 << 63) - 1
#: The longest frame that is completed to see what becomes of it.
FILLABLE = 1 << 20


class Reading:
    """Our reading of a stream, as `Oracle` is wsproto's."""

    def __init__(self, role: Role) -> None:
        self.reader = FrameReader(role.is_client, UNLIMITED, UNLIMITED, UNLIMITED, role.new_deflate())
        self.outcome = Outcome()
        self.error_text = ""
        self.close_payload = b""
        self.has_ended = False

    def feed(self, data: bytes) -> None:
        if self.has_ended:
            return
        try:
            for opcode, payload, is_final in frames_in(self.reader, data):
                if opcode is OpcodeType.CLOSE:
                    assert isinstance(payload, bytes)
                    self.close_payload = payload
                    self.outcome.frames.append((opcode, parse_close_payload(payload), True))
                    self.has_ended = True
                    return
                self.outcome.frames.append((opcode, payload, is_final))
        except FrameError as error:
            self.outcome.error, self.error_text = int(error.code), str(error)
            self.has_ended = True


def catch_up(ours: Reading, theirs: Oracle) -> list[str]:
    """Give the slower of the two what it waits for, if only one has ended with an error. Return why it was slower."""
    if ours.outcome.error is not None and not theirs.has_ended:
        # JUDGES_LATER: wsproto judges a mask when the length is complete, and a frame's place in its message when
        # payload has come; we do both as soon as the bytes are there. Twelve bytes complete any header, and the rest
        # is payload.
        theirs.feed(bytes(13))
        return ["wsproto judges later"]
    if theirs.outcome.error is not None and not ours.has_ended:
        # COMPRESSED_PIECEWISE: wsproto decodes compressed frames as they arrive, we when they are whole.
        assert ours.reader._inflates
        assert theirs.outcome.error == CloseCode.INVALID_DATA
        assert ours.reader.missing > 0
        if ours.reader.missing < FILLABLE:
            ours.feed(bytes(ours.reader.missing))
        return ["wsproto fails inside a frame"]
    return []


def is_known_difference(ours: Reading, theirs: Oracle) -> bool:
    errors = (ours.outcome.error, theirs.outcome.error)
    if ours.close_payload.startswith(pack("!H", CloseCode.BAD_GATEWAY)):
        # CLOSE_1014: wsproto does not know Bad Gateway, which IANA has registered, and looks no further.
        return theirs.outcome.error == CloseCode.PROTOCOL_ERROR
    if ours.reader.missing >= FILLABLE:
        return ours.reader._inflates and errors == (None, CloseCode.INVALID_DATA)  # COMPRESSED_PIECEWISE
    # INFLATES_FIRST: wsproto inflates a frame before it sees that its place is inside another message.
    is_misplaced = ours.error_text == "a new message began inside a fragmented one"
    return is_misplaced and errors == (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA)


def compare(role: Role, pieces: list[bytes]) -> list[str]:
    """Fail unless both read the same, but for the differences above. Return what was seen on the way."""
    ours, theirs = Reading(role), Oracle(role)
    for piece in pieces:
        ours.feed(piece)
        theirs.feed(piece)
    seen = catch_up(ours, theirs)
    assert ours.outcome.frames[: len(theirs.outcome.frames)] == theirs.outcome.frames
    if theirs.is_deaf:
        seen.append("BFINAL")
    elif ours.outcome != theirs.outcome:
        assert is_known_difference(ours, theirs), (ours.outcome, ours.error_text, theirs.outcome)
        seen.append("known difference")
    return [*seen, f"ended with {ours.outcome.error}"]
