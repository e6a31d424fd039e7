"""Frames out: what `build_frame` and its kin put on the wire, by the section of RFC 6455 that says so."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from threading import Thread

import pytest

from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.frames import (
    FrameError,
    build_close_payload,
    build_frame,
    build_masked_binary_frame,
    build_masked_text_frame,
    build_text_frame,
    mask_frame,
    new_mask,
    parse_close_payload,
    shorten_reason,
)
from perfectws.websocket.opcodes import CloseCode, OpcodeType, is_sendable

from ..peer import frame_bytes

MIB = 1024 * 1024
SIZES = pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537])


class TestExamples:
    """§5.7"""

    def test_a_single_frame_unmasked_text_message(self) -> None:
        assert build_frame(OpcodeType.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")

    def test_a_fragmented_unmasked_text_message(self) -> None:
        assert build_frame(OpcodeType.TEXT, b"Hel", is_final=False) == bytes.fromhex("010348656c")
        assert build_frame(OpcodeType.CONTINUATION, b"lo") == bytes.fromhex("80026c6f")

    def test_an_unmasked_ping_and_its_masked_pong(self) -> None:
        assert build_frame(OpcodeType.PING, b"Hello") == bytes.fromhex("890548656c6c6f")
        reader = FrameReader(False, MIB, MIB, 1)
        reader.feed(bytes.fromhex("8a8537fa213d7f9f4d5158"))
        assert reader.next_frame() == (OpcodeType.PONG, b"Hello", True)

    def test_256_bytes_and_64_kib_of_binary(self) -> None:
        assert bytes(build_frame(OpcodeType.BINARY, bytes(256)))[:4] == bytes.fromhex("827e0100")
        assert bytes(build_frame(OpcodeType.BINARY, bytes(65536)))[:10] == bytes.fromhex("827f0000000000010000")


class TestBaseFraming:
    """§5.2"""

    @SIZES
    @pytest.mark.parametrize("is_final", [True, False])
    @pytest.mark.parametrize("is_compressed", [True, False])
    def test_a_frame_has_the_shortest_header_for_its_length(
        self, size: int, is_final: bool, is_compressed: bool
    ) -> None:
        payload = bytes(at % 251 for at in range(size))
        expected = frame_bytes(OpcodeType.BINARY, payload, is_final, 0x40 if is_compressed else 0, mask=b"")
        assert bytes(build_frame(OpcodeType.BINARY, payload, is_final, is_compressed)) == expected


class TestMasking:
    """§5.3"""

    @SIZES
    def test_a_client_masks_what_a_server_sends_plain(self, size: int) -> None:
        payload = bytes(at % 251 for at in range(size))
        masked = mask_frame(build_frame(OpcodeType.BINARY, payload))
        reader = FrameReader(False, MIB, MIB, 1)
        reader.feed(masked)
        assert reader.next_frame() == (OpcodeType.BINARY, payload, True)
        header_size = len(masked) - size - 4
        assert masked == frame_bytes(OpcodeType.BINARY, payload, mask=masked[header_size : header_size + 4])

    @SIZES
    def test_every_way_to_build_a_clients_frame_masks_it(self, size: int) -> None:
        text = "x" * size
        for opcode, frame in [
            (OpcodeType.TEXT, build_masked_text_frame(text)),
            (OpcodeType.BINARY, build_masked_binary_frame(text.encode())),
            (OpcodeType.TEXT, build_frame(OpcodeType.TEXT, text.encode(), is_masked=True)),
        ]:
            built = bytes(frame)
            assert len(frame) == len(built)
            mask = built[len(built) - size - 4 : len(built) - size]
            assert built == frame_bytes(opcode, text, mask=mask)

    def test_each_frame_has_a_fresh_key(self) -> None:
        frame = build_frame(OpcodeType.BINARY, b"")
        assert len({mask_frame(frame) for _ in range(100)}) > 90

    def test_no_key_is_given_twice_also_by_several_threads(self) -> None:
        keys: list[bytes] = []
        threads = [Thread(target=lambda: keys.extend([new_mask() for _ in range(5000)])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {len(key) for key in keys} == {4}
        assert len(set(keys)) > 19_900  # of 2^32: a key in a hundred thousand comes twice by chance

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_forked_child_does_not_mask_with_the_keys_of_its_parent(self) -> None:
        code = (
            "import os\n"
            "from perfectws.websocket.frames import new_mask\n"
            "new_mask()\n"
            "child = os.fork()\n"
            "os.write(1, new_mask())\n"
            "if child: os.waitpid(child, 0)\n"
        )
        written = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True).stdout
        assert len(written) == 8
        assert written[:4] != written[4:]

    @pytest.mark.parametrize("opcode", [OpcodeType.CLOSE, OpcodeType.PING, OpcodeType.CONTINUATION])
    def test_everything_but_the_mask_stays_as_it_was(self, opcode: OpcodeType) -> None:
        assert mask_frame(build_frame(opcode, b"", is_final=False, is_compressed=True))[:2] == bytes(
            (0x40 | opcode, 0x80)
        )


class TestRemembering:
    """A string that is sent to many sockets, one after the other, is one frame"""

    def test_the_last_text_is_built_once(self) -> None:
        text = "".join(["some", " text"])
        assert build_text_frame(text) is build_text_frame(text)
        assert build_text_frame(text) == build_frame(OpcodeType.TEXT, b"some text")

    def test_it_is_known_by_identity_and_not_compared(self) -> None:
        first, second = "".join(["a" * 50, "b"]), "".join(["a" * 50, "b"])
        frame = build_text_frame(first)
        assert first is not second
        assert build_text_frame(second) is not frame
        assert build_text_frame(second) == frame

    def test_another_text_gets_another_frame(self) -> None:
        assert [build_text_frame(text) for text in ("a", "b", "a", "")] == [
            b"\x81\x01a",
            b"\x81\x01b",
            b"\x81\x01a",
            b"\x81\x00",
        ]

    def test_a_long_text_is_not_remembered_and_does_not_displace_the_one_that_is(self) -> None:
        short, long = "".join(["short", "!"]), "x" * 65536
        frame = build_text_frame(short)
        assert build_text_frame(long) is not build_text_frame(long)
        assert build_text_frame(short) is frame

    def test_a_lone_surrogate_is_the_senders_error(self) -> None:
        for build in (build_text_frame, build_masked_text_frame):
            with pytest.raises(UnicodeEncodeError, match="surrogates not allowed: replace them"):
                build("\ud800")


#: RFC 6455 §7.4.1, the IANA registry, and §7.4.2's ranges at both ends.
MAY_BE_SENT = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
MUST_NOT_BE_SENT = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 65535]


class TestClosing:
    """§5.5.1, §7.4"""

    @pytest.mark.parametrize("code", MAY_BE_SENT)
    def test_a_code_that_may_be_sent_is_taken(self, code: int) -> None:
        assert is_sendable(code)
        assert parse_close_payload(build_close_payload(code, "adiós")) == (code, "adiós")
        assert parse_close_payload(struct.pack("!H", code)) == (code, "")

    @pytest.mark.parametrize("code", MUST_NOT_BE_SENT)
    def test_a_code_that_must_not_be_sent_is_refused(self, code: int) -> None:
        assert not is_sendable(code)
        with pytest.raises(FrameError) as caught:
            parse_close_payload(struct.pack("!H", code) + b"reason")
        assert caught.value.code == CloseCode.PROTOCOL_ERROR

    def test_an_empty_close_means_that_there_is_no_status(self) -> None:
        assert parse_close_payload(b"") == (CloseCode.NO_STATUS_RCVD, "")
        assert build_close_payload(CloseCode.NO_STATUS_RCVD, "ignored") == b""

    def test_a_close_of_one_byte_is_refused(self) -> None:
        with pytest.raises(FrameError) as caught:
            parse_close_payload(b"\x03")
        assert caught.value.code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("reason", [b"\xff", b"\xe2\x82", b"ok \xed\xa0\x80"])
    def test_a_reason_that_is_not_utf8_is_refused(self, reason: bytes) -> None:
        with pytest.raises(FrameError) as caught:
            parse_close_payload(struct.pack("!H", 1000) + reason)
        assert caught.value.code == CloseCode.INVALID_DATA

    @pytest.mark.parametrize("character", ["x", "é", "€", "𐍈"])
    @pytest.mark.parametrize("padding", range(4))
    def test_a_long_reason_is_cut_between_characters(self, character: str, padding: int) -> None:
        reason = "x" * padding + character * 200
        short = shorten_reason(reason)
        assert reason.startswith(short)
        assert 123 - len(character.encode()) < len(short.encode()) <= 123

    def test_a_reason_that_fits_stays_as_it_is(self) -> None:
        for reason in ("", "bye", "x" * 123, "é" * 61):
            assert shorten_reason(reason) == reason
