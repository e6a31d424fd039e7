"""``permessage-deflate``: negotiation, round trips, and what an inflater must not be made to do. By RFC 7692."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from time import perf_counter
from typing import Any

import pytest

from perfectws import DeflateOptions
from perfectws.websocket.deflate import Deflate, answer_offers, deflate_options
from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import Frame, FrameError
from perfectws.websocket.opcodes import CloseCode, OpcodeType

from .. import reading
from ..peer import BINARY, CONTINUATION, PING, TEXT, frame_bytes
from ..reading import frames_in

MIB = 1024 * 1024
RSV1 = 0x40
WINDOW_15 = DeflateOptions(window_bits=15)
#: What zlib compresses, whatever else is installed.
SMALL = DeflateOptions(level=9, window_bits=15)
ROLES = pytest.mark.parametrize("is_client", [False, True], ids=["server", "client"])


def agree(offer: str = "permessage-deflate", options: DeflateOptions = WINDOW_15) -> Deflate:
    answer = answer_offers([offer], options)
    assert answer is not None
    return answer[1]


def new_reader(
    deflate: Deflate | None = None, is_client: bool = False, max_frame_size: int = MIB, max_message_size: int = MIB
) -> FrameReader:
    return FrameReader(is_client, max_frame_size, max_message_size, 4096, agree() if deflate is None else deflate)


def new_reader_of_messages(max_message_size: int) -> FrameReader:
    reader = new_reader(max_message_size=max_message_size)
    reader.reads_messages = True
    return reader


@pytest.fixture(autouse=True, params=[reading.frames_in, reading.all_next_frames], ids=["any way", "general way"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in the fast ways where they go, and in none of them."""
    monkeypatch.setitem(globals(), "frames_in", request.param)


def read(reader: FrameReader, data: bytes) -> list[Frame]:
    return list(frames_in(reader, data))


def refused(reader: FrameReader, data: bytes) -> FrameError:
    with pytest.raises(FrameError) as caught:
        read(reader, data)
    return caught.value


class Deflater:
    """A peer's compressor, made of zlib alone."""

    def __init__(self, bits: int = 15, takeover: bool = True) -> None:
        self.bits = bits
        self.takeover = takeover
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, -bits)

    def __call__(self, data: bytes) -> bytes:
        if not self.takeover:
            self._compressor = zlib.compressobj(6, zlib.DEFLATED, -self.bits)
        return (self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def compressed(payload: bytes, opcode: int = TEXT, fin: bool = True, is_client: bool = False) -> bytes:
    return frame_bytes(opcode, payload, fin, RSV1, b"" if is_client else None)


#: §7.1: what is offered, what we would like, and our answer (None: declined).
NEGOTIATIONS = [
    ("permessage-deflate", {}, "permessage-deflate"),
    ("PerMessage-Deflate", {}, "permessage-deflate"),
    (
        "permessage-deflate; server_no_context_takeover",
        {},
        "permessage-deflate; server_no_context_takeover",
    ),
    (
        "permessage-deflate; client_no_context_takeover",
        {},
        "permessage-deflate; client_no_context_takeover",
    ),
    (
        "permessage-deflate",
        {"context_takeover": False},
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ),
    # a window of our own: the server's may always be named, the client's only where the offer names it
    ("permessage-deflate", {"window_bits": 12}, "permessage-deflate; server_max_window_bits=12"),
    ("permessage-deflate; client_max_window_bits", {}, "permessage-deflate"),
    (
        "permessage-deflate; client_max_window_bits",
        {"window_bits": 12},
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    ),
    ("permessage-deflate; client_max_window_bits=10", {}, "permessage-deflate; client_max_window_bits=10"),
    (
        "permessage-deflate; client_max_window_bits=15",
        {"window_bits": 9},
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    ),
    # §7.1.2.1: the offer of a server's window is accepted by an answer that names it, as large or smaller
    ("permessage-deflate; server_max_window_bits=10", {}, "permessage-deflate; server_max_window_bits=10"),
    ("permessage-deflate; server_max_window_bits=15", {}, "permessage-deflate; server_max_window_bits=15"),
    (
        "permessage-deflate; server_max_window_bits=14",
        {"window_bits": 11},
        "permessage-deflate; server_max_window_bits=11",
    ),
    # a value is a token, or one in quotes
    ('permessage-deflate; server_max_window_bits="1\\0"', {}, "permessage-deflate; server_max_window_bits=10"),
    ('permessage-deflate; server_max_window_bits=""10""', {}, None),
    ('permessage-deflate; server_max_window_bits="10', {}, None),
    ('permessage-deflate; server_max_window_bits=10"', {}, None),
    ('permessage-deflate; server_max_window_bits=""', {}, None),
    ('permessage-deflate; client_max_window_bits=""', {}, None),
    ('permessage-deflate; server_no_context_takeover=""', {}, None),
    ('permessage-deflate; server_max_window_bits="10; server_no_context_takeover"', {}, None),
    ('permessage-deflate; server_max_window_bits="10"', {}, "permessage-deflate; server_max_window_bits=10"),
    ("permessage-deflate ; server_max_window_bits = 10", {}, "permessage-deflate; server_max_window_bits=10"),
    # declined: zlib cannot do it, or §7 says that there is no such parameter or value
    ("permessage-deflate; server_max_window_bits=8", {}, None),
    ("permessage-deflate; client_max_window_bits=8", {}, None),
    ("permessage-deflate; server_max_window_bits", {}, None),
    ("permessage-deflate; server_max_window_bits=", {}, None),
    ("permessage-deflate; server_max_window_bits=16", {}, None),
    ("permessage-deflate; server_max_window_bits=7", {}, None),
    ("permessage-deflate; server_max_window_bits=09", {}, None),
    ("permessage-deflate; server_max_window_bits=+9", {}, None),
    ("permessage-deflate; server_max_window_bits=1٠", {}, None),
    ("permessage-deflate; server_max_window_bits=ten", {}, None),
    ("permessage-deflate; client_max_window_bits=16", {}, None),
    ("permessage-deflate; client_max_window_bits=", {}, None),
    ("permessage-deflate; server_no_context_takeover=true", {}, None),
    ("permessage-deflate; client_no_context_takeover=1", {}, None),
    ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", {}, None),
    ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", {}, None),
    ("permessage-deflate; unheard_of", {}, None),
    ("permessage-deflate; unheard_of=1", {}, None),
    ("permessage-deflate;", {}, None),
    ("x-webkit-deflate-frame", {}, None),
    ("permessage-deflate-frame", {}, None),
    ("permessage-bzip2", {}, None),
    ("", {}, None),
]


class TestNegotiation:
    """§5, §7.1"""

    @pytest.mark.parametrize(("offer", "wishes", "expected"), NEGOTIATIONS)
    def test_an_offer_gets_the_answer_that_it_must(
        self, offer: str, wishes: dict[str, Any], expected: str | None
    ) -> None:
        answer = answer_offers([offer], DeflateOptions(**{"window_bits": 15, **wishes}))
        assert (None if answer is None else answer[0]) == expected

    def test_the_first_offer_that_can_be_met_is_taken(self) -> None:
        offers = [
            "x-other",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate",
            "permessage-deflate; x",
        ]
        answer = answer_offers(offers, WINDOW_15)
        assert answer is not None
        assert answer[0] == "permessage-deflate"

    def test_no_offer_gets_no_answer(self) -> None:
        assert answer_offers([], WINDOW_15) is None

    def test_each_connection_has_its_own(self) -> None:
        assert agree() is not agree()


class TestOptions:
    def test_the_keyword_is_off_or_on_or_options(self) -> None:
        assert deflate_options(None) is None
        assert deflate_options(False) is None
        assert deflate_options(True) == deflate_options({}) == DeflateOptions()
        assert deflate_options({"level": 1}) == DeflateOptions(level=1)
        assert deflate_options(WINDOW_15) is WINDOW_15

    @pytest.mark.parametrize("wrong", ["yes", 1, {"levle": 3}, ["level"]])
    def test_something_else_is_refused_by_name(self, wrong: object) -> None:
        with pytest.raises(TypeError, match="compression"):
            deflate_options(wrong)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("option", "value"),
        [("level", 0), ("level", 10), ("level", "6"), ("window_bits", 8), ("window_bits", 16), ("min_size", -1)],
    )
    def test_an_option_out_of_range_is_refused_by_name(self, option: str, value: object) -> None:
        with pytest.raises(ValueError, match=f"compression: {option}"):
            deflate_options({option: value})


class TestExamples:
    """§7.2.3, each with the bytes that stand there"""

    @staticmethod
    def read_hex(*frames: str) -> list[Frame]:
        return read(new_reader(is_client=True), bytes.fromhex("".join(frames)))

    def test_a_message_of_one_block(self) -> None:
        assert self.read_hex("c107f248cdc9c90700") == [(OpcodeType.TEXT, "Hello", True)]

    def test_a_message_of_one_block_in_two_fragments(self) -> None:
        frames = self.read_hex("4103f248cd", "8004c9c90700")
        assert "".join(str(frame[1]) for frame in frames) == "Hello"
        assert [frame[::2] for frame in frames] == [(OpcodeType.TEXT, False), (OpcodeType.CONTINUATION, True)]

    def test_a_second_message_refers_to_the_first(self) -> None:
        assert [frame[1] for frame in self.read_hex("c107f248cdc9c90700", "c105f200110000")] == ["Hello"] * 2

    def test_a_block_without_compression(self) -> None:
        assert self.read_hex("c10b000500faff48656c6c6f00") == [(OpcodeType.TEXT, "Hello", True)]

    def test_a_block_marked_as_the_last(self) -> None:
        assert self.read_hex("c108f348cdc9c9070000") == [(OpcodeType.TEXT, "Hello", True)]

    def test_messages_go_on_behind_a_block_marked_as_the_last(self) -> None:
        assert [frame[1] for frame in self.read_hex("c108f348cdc9c9070000", "c107f248cdc9c90700")] == ["Hello"] * 2
        # without the octet of §7.2.3.4, which is there for senders that strip four
        assert [frame[1] for frame in self.read_hex("c107f348cdc9c90700", "c107f248cdc9c90700")] == ["Hello"] * 2

    def test_two_blocks_in_one_message(self) -> None:
        assert self.read_hex("c10df248050000 00ffffcac9c90700") == [(OpcodeType.TEXT, "Hello", True)]

    def test_an_empty_message(self) -> None:
        assert self.read_hex("c10100") == [(OpcodeType.TEXT, "", True)]

    def test_ours_are_the_same(self) -> None:
        deflater = agree(options=SMALL).deflater(False)
        assert deflater.compress(b"Hello").hex() == "f248cdc9c90700"
        assert deflater.compress(b"Hello").hex() == "f200110000"
        assert deflater.compress(b"").hex() == "00"
        assert deflater.compress(b"").hex() == "00"
        fresh = agree("permessage-deflate; server_no_context_takeover", SMALL).deflater(False)
        for _ in range(2):
            assert fresh.compress(b"Hello").hex() == "f248cdc9c90700"


TEXTS = [("the quick brown fox " * n + str(n)) for n in (1, 2, 3, 50, 5000)]


class TestRoundTrips:
    @ROLES
    @pytest.mark.parametrize("bits", range(9, 16))
    @pytest.mark.parametrize("takeover", [True, False])
    @pytest.mark.parametrize("level", [1, 6, 9])
    def test_what_one_side_compresses_the_other_reads(
        self, is_client: bool, bits: int, takeover: bool, level: int
    ) -> None:
        options = DeflateOptions(level, bits, takeover)
        agreed = agree("permessage-deflate; client_max_window_bits", options)
        deflater, reader = agreed.deflater(not is_client), new_reader(agreed, is_client)
        for text in TEXTS:
            payload = deflater.compress(text.encode())
            assert read(reader, compressed(payload, is_client=is_client)) == [(OpcodeType.TEXT, text, True)]

    @pytest.mark.parametrize("takeover", [True, False])
    def test_each_side_has_the_window_that_was_agreed_for_it(self, takeover: bool) -> None:
        noise = random.Random(7692).randbytes(2000)
        flags = "" if takeover else "; server_no_context_takeover; client_no_context_takeover"
        offer = f"permessage-deflate; server_max_window_bits=9; client_max_window_bits=15{flags}"
        sizes = {is_client: len(agree(offer).deflater(is_client).compress(noise * 2)) for is_client in (False, True)}
        assert sizes[False] > 4000 > 2100 > sizes[True]  # 512 bytes of window find no repetition 2,000 bytes back

    def test_context_is_kept_or_not_as_agreed(self) -> None:
        noise = random.Random(7692).randbytes(2000)
        for flag, again in (("", 100), ("; server_no_context_takeover", 2100)):
            deflater = agree("permessage-deflate" + flag).deflater(False)
            first, second = (len(deflater.compress(noise)) for _ in range(2))
            assert first >= 2000
            assert again - 100 < second < again + 100

    def test_a_peer_that_keeps_a_context_that_it_may_not_is_refused(self) -> None:
        deflater = Deflater()
        reader = new_reader(agree("permessage-deflate; client_no_context_takeover"))
        noise = random.Random(7692).randbytes(100)
        assert len(read(reader, compressed(deflater(noise), BINARY))) == 1
        assert refused(reader, compressed(deflater(noise), BINARY)).code == CloseCode.INVALID_DATA

    @pytest.mark.parametrize("pieces", [1, 2, 5, 50])
    def test_a_message_in_fragments_with_pings_between(self, pieces: int) -> None:
        deflater, reader = Deflater(), new_reader()
        for text in TEXTS:
            raw = deflater(text.encode())
            size = -(-len(raw) // pieces)
            parts = [raw[at * size : (at + 1) * size] for at in range(pieces)]
            data = b"".join(
                frame_bytes(CONTINUATION if at else TEXT, part, at == pieces - 1, 0 if at else RSV1)
                + frame_bytes(PING, str(at))
                for at, part in enumerate(parts)
            )
            frames = read(reader, data)
            assert "".join(str(frame[1]) for frame in frames if frame[0] is not OpcodeType.PING) == text
            assert sum(frame[0] is OpcodeType.PING for frame in frames) == pieces

    def test_compressed_and_plain_messages_mix(self) -> None:
        deflater, reader = Deflater(), new_reader()
        data = b"".join(
            compressed(deflater(f"packed {at}".encode()))
            + frame_bytes(TEXT, f"plain {at}")
            + frame_bytes(TEXT, f"plain {at} in ", fin=False)
            + frame_bytes(CONTINUATION, "two")
            + compressed(deflater(b"packed, too"), BINARY)
            for at in range(10)
        )
        assert [frame[1] for frame in read(reader, data)] == [
            payload
            for at in range(10)
            for payload in (f"packed {at}", f"plain {at}", f"plain {at} in ", "two", b"packed, too")
        ]

    @ROLES
    @pytest.mark.parametrize("takeover", [True, False])
    def test_each_fragment_can_be_read_when_it_has_come(self, is_client: bool, takeover: bool) -> None:
        options = DeflateOptions(window_bits=15, context_takeover=takeover)
        agreed = agree("permessage-deflate; client_max_window_bits", options)
        deflater, reader = agreed.deflater(not is_client), new_reader(agreed, is_client)
        for parts in (["first, ", "second, ", "", "last"], ["", "x" * 70_000, ""], ["a", ""], ["", "b"]):
            for at, part in enumerate(parts):
                is_last, opcode = at == len(parts) - 1, CONTINUATION if at else TEXT
                payload = deflater.compress(part.encode(), is_last)
                data = frame_bytes(opcode, payload, is_last, 0 if at else RSV1, b"" if is_client else None)
                assert read(reader, data) == [(OpcodeType(opcode), part, is_last)]

    def test_a_fragmented_send_of_nothing_is_a_message(self) -> None:
        deflater, reader = agree().deflater(True), new_reader()
        for _ in range(3):
            begin = deflater.compress(b"", is_final=False)
            end = deflater.compress(b"")
            data = compressed(begin, fin=False) + frame_bytes(CONTINUATION, end)
            assert [frame[1] for frame in read(reader, data)] == ["", ""]
        last = deflater.compress(b"the end")
        assert read(reader, compressed(last)) == [(OpcodeType.TEXT, "the end", True)]


class TestWhatIsRefused:
    """§8, and our own: nothing inflates past its limit"""

    def test_rsv1_is_refused_on_continuations_and_control_frames(self) -> None:
        begun = compressed(Deflater()(b"x"), fin=False)
        assert refused(new_reader(), begun + frame_bytes(CONTINUATION, b"", rsv=RSV1)).code == CloseCode.PROTOCOL_ERROR
        assert refused(new_reader(), frame_bytes(PING, b"", rsv=RSV1)).code == CloseCode.PROTOCOL_ERROR

    def test_the_other_reserved_bits_are_refused_still(self) -> None:
        for rsv in (0x10, 0x20, 0x50):
            assert refused(new_reader(), frame_bytes(TEXT, b"", rsv=rsv)).code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize(
        "raw", [b"\x07", b"\xff\xff\xff", b"Hello", b"\x00\x05\x00\x05\x00Hello", b"\xf2\x00\x11\x00\x00"]
    )
    @pytest.mark.parametrize("padding", [0, 200])
    def test_damaged_data_is_refused(self, raw: bytes, padding: int) -> None:
        start = Deflater()(b"x" * padding) if padding else b""
        assert refused(new_reader(), compressed(start + raw + bytes(4))).code == CloseCode.INVALID_DATA

    def test_text_that_inflates_to_no_utf8_is_refused(self) -> None:
        assert refused(new_reader(), compressed(Deflater()(b"\xff\xfe"))).code == CloseCode.INVALID_DATA
        assert read(new_reader(), compressed(Deflater()(b"\xff\xfe"), BINARY))[0][1] == b"\xff\xfe"

    def test_a_frame_that_inflates_to_just_the_limit_passes_and_to_one_byte_more_does_not(self) -> None:
        for limit in (100, 125, 126, 65536):
            reader, deflater = new_reader(max_frame_size=limit), Deflater()
            assert len(read(reader, compressed(deflater(b"x" * limit), BINARY))) == 1
            data = compressed(deflater(b"x" * (limit + 1)), BINARY)
            assert refused(reader, data).code == CloseCode.MESSAGE_TOO_BIG

    def test_the_limit_of_a_message_counts_what_it_inflates_to(self) -> None:
        assert len(read(new_reader_of_messages(1000), compressed(Deflater()(b"x" * 1000), BINARY))) == 1
        raw = Deflater()(b"x" * 1001)
        data = frame_bytes(BINARY, raw[:4], False, RSV1) + frame_bytes(CONTINUATION, raw[4:])
        assert refused(new_reader_of_messages(1000), data).code == CloseCode.MESSAGE_TOO_BIG

    def test_a_bomb_is_refused_with_little_memory(self) -> None:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        mebibyte = compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
        bomb = (mebibyte * 256)[:-4]
        assert len(zlib.decompressobj(-15).decompress(bomb[: len(mebibyte) * 2])) == 2 * MIB
        assert len(bomb) < 300_000
        data = compressed(bomb, BINARY)
        reader = new_reader()
        tracemalloc.start()
        try:
            assert refused(reader, data).code == CloseCode.MESSAGE_TOO_BIG
            assert tracemalloc.get_traced_memory()[1] < 8 * MIB
        finally:
            tracemalloc.stop()

    def test_what_comes_before_a_damaged_message_in_the_same_read_is_read(self) -> None:
        deflater, reader = Deflater(), new_reader()
        data = compressed(deflater(b"one")) + compressed(b"\xff" * 9) + compressed(deflater(b"two"))
        frames = frames_in(reader, data)
        assert next(frames) == (OpcodeType.TEXT, "one", True)
        with pytest.raises(FrameError) as caught:
            next(frames)
        assert caught.value.code == CloseCode.INVALID_DATA

    def test_a_message_that_inflates_to_much_is_the_last_that_is_read_at_once(self) -> None:
        deflater, reader = Deflater(), new_reader()
        reader.feed(b"".join(compressed(deflater(bytes(200_000)), BINARY) for _ in range(9)))
        assert len(reader.whole_frames(16, 65536)) == 1
        assert len(reader.whole_frames(16, 210_000)) == 2

    @pytest.mark.parametrize("stream", [b"\x03\x00", b"\x01\x00\x00\xff\xff", Deflater()(b"") + b"\x03\x00"])
    def test_thousands_of_tiny_streams_in_a_frame_are_refused_at_once(self, stream: bytes) -> None:
        data = compressed(stream * (MIB // len(stream)), BINARY)
        reader = new_reader()
        began = perf_counter()
        assert refused(reader, data).code == CloseCode.INVALID_DATA
        assert perf_counter() - began < 1

    def test_a_few_streams_in_a_frame_are_one_message(self) -> None:
        parts = [zlib.compressobj(6, zlib.DEFLATED, -15) for _ in range(16)]
        raw = b"".join(part.compress(b"part ") + part.flush(zlib.Z_FINISH) for part in parts)
        assert read(new_reader(), compressed(raw)) == [(OpcodeType.TEXT, "part " * 16, True)]
