"""The numbers of RFC 6455: its version, opcodes and close codes."""

from __future__ import annotations

from enum import IntEnum

#: The version of the protocol, as ``Sec-WebSocket-Version`` has it. Source: RFC 6455 §4.1.
VERSION = "13"
#: The longest payload of a control frame, in bytes. Source: RFC 6455 §5.5.
MAX_CONTROL_PAYLOAD = 125
#: The longest reason of a close frame, in bytes of UTF-8: two bytes before it are the code. Source: RFC 6455 §5.5.1.
MAX_CLOSE_REASON = MAX_CONTROL_PAYLOAD - 2


class OpcodeType(IntEnum):
    """What a frame is, and what a continuation is told that it received.

    Source: RFC 6455 §5.2 and §11.8; Perfect's ``WebSocket.OpcodeType``. `INVALID` is never on the wire: it says that a
    read could not be served.
    """

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA
    INVALID = 0xB


class CloseCode(IntEnum):
    """Why a connection ends.

    `NO_STATUS_RCVD`, `ABNORMAL_CLOSURE` and `TLS_HANDSHAKE` are only ever told, never sent. Vapor's names are second
    names of the same members.

    Source: RFC 6455 §7.4.1 and the IANA registry of WebSocket close codes; websocket-kit's ``WebSocketErrorCode``.
    """

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015

    # As Vapor calls them, where it differs.
    UNACCEPTABLE_DATA = UNSUPPORTED_DATA
    DATA_INCONSISTENT_WITH_MESSAGE = INVALID_DATA
    MESSAGE_TOO_LARGE = MESSAGE_TOO_BIG
    MISSING_EXTENSION = MANDATORY_EXTENSION
    UNEXPECTED_SERVER_ERROR = INTERNAL_ERROR


_NEVER_SENT = frozenset({CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE})
_REGISTERED = frozenset(CloseCode) - _NEVER_SENT


def is_sendable(code: int) -> bool:
    """Tell whether ``code`` may stand in a close frame.

    Source: RFC 6455 §7.4.2: 1000 to 2999 are the protocol's, 3000 to 3999 libraries', 4000 to 4999 applications'.
    """
    return code in _REGISTERED or 3000 <= code <= 4999
