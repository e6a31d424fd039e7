"""Frames in: what `FrameReader` takes and refuses, by the section of RFC 6455 that says so."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame, FrameError
from perfectws.websocket.opcodes import CloseCode, OpcodeType

from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame_bytes
from ..reading import frames_in

MIB = 1024 * 1024
MASK = b"\x37\xfa\x21\x3d"  # RFC 6455 §5.7
ROLES = pytest.mark.parametrize("is_client", [False, True], ids=["server", "client"])


def new_reader(
    is_client: bool = False,
    max_frame_size: int = MIB,
    max_message_size: int = MIB,
    max_fragments: int = 4096,
    reads_messages: bool = False,
) -> FrameReader:
    reader = FrameReader(is_client, max_frame_size, max_message_size, max_fragments)
    reader.reads_messages = reads_messages
    return reader


def read(reader: FrameReader, *pieces: bytes) -> list[Frame]:
    """Feed pieces one by one, and return every frame that comes of them."""
    frames: list[Frame] = []
    for piece in pieces:
        frames += frames_in(reader, piece)
    return frames


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def refused(reader: FrameReader, *pieces: bytes) -> FrameError:
    """Feed pieces, the last of which must be refused and none before it; return the refusal."""
    read(reader, *pieces[:-1])
    with pytest.raises(FrameError) as caught:
        read(reader, pieces[-1])
    return caught.value


def wire(opcode: int, payload: bytes | str = b"", fin: bool = True, rsv: int = 0, is_client: bool = False) -> bytes:
    """Return a frame as the peer of that role sends it."""
    return frame_bytes(opcode, payload, fin, rsv, b"" if is_client else MASK)


class TestBaseFraming:
    """§5.2"""

    @ROLES
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537])
    @pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "cut"])
    def test_a_payload_of_any_length_is_read(self, is_client: bool, size: int, is_cut: bool) -> None:
        payload = bytes(at % 251 for at in range(size))
        data = wire(BINARY, payload, is_client=is_client)
        pieces = [data[:1], data[1:5], data[5:13], data[13:14], data[14:-1], data[-1:]] if is_cut else [data]
        assert read(new_reader(is_client), *pieces) == [(OpcodeType.BINARY, payload, True)]

    @ROLES
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
    def test_a_text_of_any_length_is_read(self, is_client: bool, size: int) -> None:
        data = wire(TEXT, "x" * size, is_client=is_client)
        assert read(new_reader(is_client), data) == [(OpcodeType.TEXT, "x" * size, True)]

    @ROLES
    def test_frames_that_arrive_byte_by_byte_are_the_same_frames(self, is_client: bool) -> None:
        data = b"".join(wire(TEXT, "ü" * size, is_client=is_client) for size in (0, 1, 62, 63, 200))
        assert read(new_reader(is_client), *byte_by_byte(data)) == read(new_reader(is_client), data)

    def test_many_frames_in_one_piece_are_read_in_order(self) -> None:
        data = b"".join(wire(TEXT, str(number)) for number in range(1000))
        assert [frame[1] for frame in read(new_reader(), data)] == [str(number) for number in range(1000)]

    @pytest.mark.parametrize("length", [0, 1, 125])
    def test_a_length_in_two_bytes_where_one_would_do_is_refused(self, length: int) -> None:
        assert refused(new_reader(), b"\x82\xfe" + struct.pack("!H", length)).code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("length", [0, 125, 126, 65535])
    def test_a_length_in_eight_bytes_where_fewer_would_do_is_refused(self, length: int) -> None:
        assert refused(new_reader(), b"\x82\xff" + struct.pack("!Q", length)).code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, (1 << 63) + 5])
    def test_a_length_with_its_most_significant_bit_set_is_refused(self, length: int) -> None:
        assert refused(new_reader(), b"\x82\xff" + struct.pack("!Q", length)).code == CloseCode.PROTOCOL_ERROR

    @ROLES
    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    def test_a_reserved_opcode_is_refused(self, is_client: bool, opcode: int) -> None:
        assert refused(new_reader(is_client), wire(opcode, is_client=is_client)[:2]).code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
    @pytest.mark.parametrize("rsv", [0x10, 0x20, 0x40, 0x70])
    def test_a_reserved_bit_is_refused(self, opcode: int, rsv: int) -> None:
        assert refused(new_reader(), wire(opcode, rsv=rsv)[:2]).code == CloseCode.PROTOCOL_ERROR

    def test_a_header_is_judged_before_its_mask_has_come(self) -> None:
        assert refused(new_reader(), b"\x83", b"\x80").code == CloseCode.PROTOCOL_ERROR

    def test_a_refused_connection_stays_refused(self) -> None:
        reader = new_reader()
        refused(reader, wire(3))
        with pytest.raises(FrameError):
            reader.next_frame()


class TestMasking:
    """§5.1, §5.3"""

    def test_a_server_refuses_a_frame_without_a_mask(self) -> None:
        assert refused(new_reader(), wire(TEXT, "hi", is_client=True)[:2]).code == CloseCode.PROTOCOL_ERROR

    def test_a_client_refuses_a_frame_with_a_mask(self) -> None:
        assert refused(new_reader(is_client=True), wire(TEXT, "hi")[:2]).code == CloseCode.PROTOCOL_ERROR

    def test_a_masked_empty_frame_still_has_its_key(self) -> None:
        reader = new_reader()
        assert read(reader, b"\x81\x80" + MASK[:3]) == []
        assert read(reader, MASK[3:]) == [(OpcodeType.TEXT, "", True)]

    @pytest.mark.parametrize("cut", range(1, 12))
    def test_the_key_turns_with_the_payload_wherever_it_is_cut(self, cut: int) -> None:
        payload = bytes(range(200))
        data = wire(BINARY, payload)
        assert read(new_reader(), data[: 8 + cut], data[8 + cut : 9 + 2 * cut], data[9 + 2 * cut :]) == [
            (OpcodeType.BINARY, payload, True)
        ]


class TestFragmentation:
    """§5.4"""

    def test_each_fragment_is_a_frame_with_the_opcode_that_it_has(self) -> None:
        data = wire(TEXT, "a", fin=False) + wire(CONTINUATION, "b", fin=False) + wire(CONTINUATION, "c")
        assert read(new_reader(), data) == [
            (OpcodeType.TEXT, "a", False),
            (OpcodeType.CONTINUATION, "b", False),
            (OpcodeType.CONTINUATION, "c", True),
        ]

    def test_fragments_may_be_empty(self) -> None:
        data = wire(BINARY, b"", fin=False) + wire(CONTINUATION, b"", fin=False) + wire(CONTINUATION, b"")
        assert [frame[1:] for frame in read(new_reader(), data)] == [(b"", False), (b"", False), (b"", True)]

    def test_control_frames_may_stand_between_fragments(self) -> None:
        data = wire(TEXT, "a", fin=False) + wire(PING, "p") + wire(CONTINUATION, "b", fin=False) + wire(PONG, "q")
        frames = read(new_reader(), data + wire(CONTINUATION, "c"))
        assert [frame[0] for frame in frames] == [TEXT, PING, CONTINUATION, PONG, CONTINUATION]

    def test_a_continuation_of_nothing_is_refused(self) -> None:
        assert refused(new_reader(), wire(CONTINUATION, "a")[:2]).code == CloseCode.PROTOCOL_ERROR

    def test_a_continuation_behind_a_whole_message_is_refused(self) -> None:
        assert refused(new_reader(), wire(TEXT, "a"), wire(CONTINUATION, "b")).code == CloseCode.PROTOCOL_ERROR

    def test_a_continuation_behind_the_last_fragment_is_refused(self) -> None:
        message = wire(TEXT, "a", fin=False) + wire(CONTINUATION, "b")
        assert refused(new_reader(), message, wire(CONTINUATION, "c")).code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    @pytest.mark.parametrize("fin", [True, False])
    def test_a_new_message_inside_a_fragmented_one_is_refused(self, opcode: int, fin: bool) -> None:
        begun = wire(TEXT, "a", fin=False)
        assert refused(new_reader(), begun, wire(opcode, "b", fin)[:2]).code == CloseCode.PROTOCOL_ERROR


class TestControlFrames:
    """§5.5"""

    @ROLES
    @pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
    @pytest.mark.parametrize("size", [0, 1, 124, 125])
    def test_a_control_frame_has_up_to_125_bytes(self, is_client: bool, opcode: int, size: int) -> None:
        data = wire(opcode, b"x" * size, is_client=is_client)
        assert read(new_reader(is_client), data) == [(opcode, b"x" * size, True)]
        assert read(new_reader(is_client), *byte_by_byte(data)) == [(opcode, b"x" * size, True)]

    @pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
    @pytest.mark.parametrize("size", [126, 65535, 65536])
    def test_a_longer_one_is_refused_before_its_length_has_come(self, opcode: int, size: int) -> None:
        assert refused(new_reader(), wire(opcode, b"x" * size)[:2]).code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
    def test_a_fragmented_one_is_refused(self, opcode: int) -> None:
        assert refused(new_reader(), wire(opcode, b"", fin=False)[:2]).code == CloseCode.PROTOCOL_ERROR

    def test_a_control_frame_comes_whole_whatever_the_limit_of_frames(self) -> None:
        assert read(new_reader(max_frame_size=1), wire(PING, b"x" * 125)) == [(OpcodeType.PING, b"x" * 125, True)]


class TestLimits:
    """§10.4, and our own: no larger frame, message or number of fragments than the options allow"""

    @ROLES
    @pytest.mark.parametrize("length", [MIB + 1, 1 << 31, 1 << 62, (1 << 63) - 1])
    def test_a_declared_length_past_the_limit_is_refused_at_the_header(self, is_client: bool, length: int) -> None:
        header = struct.pack("!BBQ", 0x82, 127 if is_client else 255, length)
        assert refused(new_reader(is_client), header[:-1], header[-1:]).code == CloseCode.MESSAGE_TOO_BIG

    def test_nothing_of_a_frame_past_the_limit_is_kept(self) -> None:
        reader = new_reader()
        tracemalloc.start()
        try:
            refused(reader, struct.pack("!BBQ", 0x82, 255, 1 << 62))
            assert tracemalloc.get_traced_memory()[1] < 64 * 1024
        finally:
            tracemalloc.stop()
        assert reader.missing == 0

    @pytest.mark.parametrize("limit", [1, 100, 125, 126, 1000, 65535, 65536])
    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    @pytest.mark.parametrize("reads_messages", [False, True])
    def test_a_frame_of_just_the_limit_passes_and_of_one_byte_more_does_not(
        self, limit: int, opcode: int, reads_messages: bool
    ) -> None:
        reader = new_reader(max_frame_size=limit, reads_messages=reads_messages)
        assert len(read(reader, wire(opcode, b"x" * limit))) == 1
        assert refused(reader, wire(opcode, b"x" * (limit + 1))[:14]).code == CloseCode.MESSAGE_TOO_BIG

    def test_frame_wise_reading_knows_no_limit_of_a_message(self) -> None:
        reader = new_reader(max_frame_size=100, max_message_size=150, max_fragments=2)
        data = wire(TEXT, "x" * 100, fin=False) + wire(CONTINUATION, "x" * 100, fin=False) * 10
        assert len(read(reader, data)) == 11

    def test_a_whole_message_of_just_its_limit_passes_and_of_one_byte_more_does_not(self) -> None:
        reader = new_reader(max_message_size=150, reads_messages=True)
        begun = wire(TEXT, "x" * 100, fin=False)
        assert len(read(reader, begun + wire(CONTINUATION, "x" * 50))) == 2
        assert refused(reader, begun, wire(CONTINUATION, "x" * 51)[:2]).code == CloseCode.MESSAGE_TOO_BIG

    def test_the_limit_of_a_message_counts_for_one_of_a_single_frame(self) -> None:
        reader = new_reader(max_message_size=100, reads_messages=True)
        assert len(read(reader, wire(TEXT, "x" * 100))) == 1
        assert refused(reader, wire(TEXT, "x" * 101)).code == CloseCode.MESSAGE_TOO_BIG

    def test_a_message_of_just_so_many_fragments_passes_and_of_one_more_does_not(self) -> None:
        reader = new_reader(max_fragments=3, reads_messages=True)
        begun = wire(TEXT, "", fin=False) + wire(CONTINUATION, "", fin=False)
        assert len(read(reader, begun + wire(CONTINUATION, ""))) == 3
        more = begun + wire(CONTINUATION, "", fin=False)
        assert refused(reader, more, wire(CONTINUATION, "")).code == CloseCode.POLICY_VIOLATION

    def test_the_limits_of_a_message_begin_anew_with_each(self) -> None:
        reader = new_reader(max_message_size=10, max_fragments=2, reads_messages=True)
        message = wire(TEXT, "x" * 5, fin=False) + wire(PING) + wire(CONTINUATION, "x" * 5)
        assert len(read(reader, message * 20 + wire(BINARY, b"x" * 10))) == 61

    def test_missing_tells_how_much_of_the_frame_under_way_is_to_come(self) -> None:
        reader = new_reader()
        data = wire(BINARY, bytes(1000))
        read(reader, data[:100])
        assert reader.missing == len(data) - 100
        read(reader, data[100:])
        assert reader.missing == 0

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    @pytest.mark.parametrize("fin", [True, False])
    def test_a_payload_in_tiny_pieces_takes_little_more_memory_than_its_size(self, opcode: int, fin: bool) -> None:
        reader, size = new_reader(), 20_000
        data = wire(opcode, b"x" * size, fin)
        tracemalloc.start()
        try:
            for at in range(len(data) - 1):
                assert read(reader, data[at : at + 1]) == []
            assert tracemalloc.get_traced_memory()[1] < 4 * size
        finally:
            tracemalloc.stop()
        [frame] = read(reader, data[-1:])
        assert len(frame[1]) == size

    def test_what_was_read_is_let_go(self) -> None:
        reader = new_reader()
        tracemalloc.start()
        try:
            for _ in range(20):
                read(reader, wire(BINARY, bytes(50_000)))
            assert tracemalloc.get_traced_memory()[0] < 32 * 1024
        finally:
            tracemalloc.stop()


#: One, two, three and four bytes long.
CHARACTERS = "$£€𐍈"

#: Not UTF-8, and the index of the first byte that makes it so.
NOT_UTF8 = [
    (b"\x80", 0),  # a continuation byte
    (b"\xff", 0),
    (b"\xc0\xaf", 0),  # overlong
    (b"\xe0\x80\xaf", 1),  # overlong
    (b"\xed\xa0\x80", 2),  # a surrogate; its second byte is bad, which Python's decoder sees at the third
    (b"\xf4\x90\x80\x80", 1),  # past U+10FFFF
    (b"\xf5", 0),
    (b"\xe2\x82X", 2),  # cut short
]


class TestUTF8:
    """§8.1"""

    @ROLES
    @pytest.mark.parametrize("size", [0, 200, 70_000])
    def test_a_text_cut_at_any_byte_is_read(self, is_client: bool, size: int) -> None:
        text = "x" * size + CHARACTERS
        data = wire(TEXT, text, is_client=is_client)
        for cut in range(len(data) - 11, len(data)):
            assert read(new_reader(is_client), data[:cut], data[cut:]) == [(OpcodeType.TEXT, text, True)]

    @pytest.mark.parametrize("cut", range(len(CHARACTERS.encode()) + 1))
    def test_a_character_cut_by_a_fragments_end_comes_whole_with_the_next(self, cut: int) -> None:
        raw = CHARACTERS.encode()
        first, second = read(new_reader(), wire(TEXT, raw[:cut], fin=False) + wire(CONTINUATION, raw[cut:]))
        assert first[1] == raw[:cut].decode(errors="ignore")
        assert str(first[1]) + str(second[1]) == CHARACTERS

    def test_a_character_may_be_spread_over_four_fragments_with_pings_between(self) -> None:
        a, b, c, d = byte_by_byte("𐍈".encode())
        data = wire(TEXT, a, fin=False) + wire(PING) + wire(CONTINUATION, b, fin=False) + wire(PING)
        data += wire(CONTINUATION, c, fin=False) + wire(PING) + wire(CONTINUATION, d)
        assert [frame[1] for frame in read(new_reader(), data) if frame[0] != PING] == ["", "", "", "𐍈"]

    @pytest.mark.parametrize(("raw", "bad_at"), NOT_UTF8)
    @pytest.mark.parametrize("size", [0, 200])
    def test_bad_text_is_refused_whole_or_in_fragments(self, raw: bytes, bad_at: int, size: int) -> None:
        text = b"x" * size + raw
        assert refused(new_reader(), wire(TEXT, text)).code == CloseCode.INVALID_DATA
        begun = wire(TEXT, b"x" * size, fin=False)
        assert refused(new_reader(), begun, wire(CONTINUATION, raw)).code == CloseCode.INVALID_DATA

    @pytest.mark.parametrize(("raw", "bad_at"), NOT_UTF8)
    @pytest.mark.parametrize("size", [0, 200])
    def test_bad_text_is_refused_at_its_first_bad_byte(self, raw: bytes, bad_at: int, size: int) -> None:
        data = wire(TEXT, b"x" * size + raw + b"y" * 1000)
        bad = 8 + size + bad_at
        assert refused(new_reader(), data[:bad], data[bad : bad + 1]).code == CloseCode.INVALID_DATA

    @ROLES
    @pytest.mark.parametrize(("raw", "bad_at"), NOT_UTF8)
    def test_bad_text_of_a_fragment_is_refused_at_its_first_bad_byte(
        self, raw: bytes, bad_at: int, is_client: bool
    ) -> None:
        begun = wire(TEXT, b"begun: ", fin=False, is_client=is_client)
        for fin in (False, True):
            for earlier in (b"", begun + wire(CONTINUATION, b"", fin=False, is_client=is_client)):
                data = earlier + wire(CONTINUATION if earlier else TEXT, raw + b"y" * 100, fin, is_client=is_client)
                bad = len(data) - len(raw) - 100 + bad_at
                error = refused(new_reader(is_client), data[:bad], data[bad : bad + 1])
                assert error.code == CloseCode.INVALID_DATA

    @pytest.mark.parametrize("cut", range(1, 4))
    def test_a_character_that_goes_wrong_in_the_next_fragment_is_refused_there(self, cut: int) -> None:
        begun = wire(TEXT, b"x" + "𐍈".encode()[:cut], fin=False) + wire(PING)
        rest = wire(CONTINUATION, b"y" * 100)
        assert refused(new_reader(), begun + rest[:6], rest[6:7]).code == CloseCode.INVALID_DATA

    @pytest.mark.parametrize("size", [1, 2, 3])
    def test_a_text_that_ends_inside_a_character_is_refused(self, size: int) -> None:
        cut = "𐍈".encode()[:size]
        for text in (cut, b"x" * 200 + cut):
            assert refused(new_reader(), wire(TEXT, text)).code == CloseCode.INVALID_DATA
        begun = wire(TEXT, cut, fin=False)
        assert refused(new_reader(), begun, wire(CONTINUATION)).code == CloseCode.INVALID_DATA

    def test_binary_may_hold_anything(self) -> None:
        data = wire(BINARY, b"\xff", fin=False) + wire(CONTINUATION, b"\xfe") + wire(BINARY, b"\x80")
        assert [frame[1] for frame in read(new_reader(), data)] == [b"\xff", b"\xfe", b"\x80"]

    def test_a_broken_character_does_not_leak_into_the_next_message(self) -> None:
        data = wire(TEXT, "a", fin=False) + wire(CONTINUATION, "é") + wire(TEXT, "b", fin=False) + wire(CONTINUATION)
        assert [frame[1] for frame in read(new_reader(), data)] == ["a", "é", "b", ""]
