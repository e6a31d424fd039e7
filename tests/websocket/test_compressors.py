"""Whatever compresses, zlib inflates it again, within the window that was agreed on."""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Callable

import pytest

from perfectws.websocket import compressors
from perfectws.websocket.compressors import Compressor, compress_with_zlib, new_compressor

TAIL = b"\x00\x00\xff\xff"
NOISE = random.Random(7692).randbytes(20_000)
MESSAGES = [
    b"",
    b"a",
    b"",
    b"the quick brown fox " * 50,
    NOISE[:300],
    NOISE[:300],
    *(NOISE[at : at + 2000] + b"{}" * 100 for at in range(0, 8000, 500)),
    NOISE,
    NOISE,
    bytes(70_000),
    b'{"type": "message", "text": "hello"}' * 500,
]


@pytest.fixture(params=[new_compressor, compress_with_zlib], ids=["what is installed", "zlib"])
def new(request: pytest.FixtureRequest) -> Callable[[int, int, bytes], Compressor]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    monkeypatch.setattr(compressors, "_found", None)


@pytest.mark.parametrize("window_bits", range(9, 16))
@pytest.mark.parametrize("level", [1, 6, 9])
def test_a_peer_with_the_window_agreed_on_reads_every_message(
    new: Callable[[int, int, bytes], Compressor], level: int, window_bits: int
) -> None:
    compressor, inflate = new(level, window_bits, b""), zlib.decompressobj(-window_bits)
    for message in MESSAGES:
        payload = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        assert payload.endswith(TAIL)
        assert inflate.decompress(payload) == message
        assert not inflate.eof


@pytest.mark.parametrize("window_bits", range(9, 16))
def test_a_message_may_refer_to_what_the_window_holds(
    new: Callable[[int, int, bytes], Compressor], window_bits: int
) -> None:
    content = NOISE[: min(4096, 1 << window_bits)]
    compressor, inflate = new(6, window_bits, content), zlib.decompressobj(-window_bits, zdict=content)
    message = content[-200:]
    payload = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert len(payload) < 30
    assert inflate.decompress(payload) == message


def test_what_asks_for_small_messages_is_compressed_by_zlib() -> None:
    assert isinstance(new_compressor(7, 12), type(zlib.compressobj()))


@pytest.mark.usefixtures("without_isal")
def test_without_speedups_zlib_compresses() -> None:
    assert isinstance(new_compressor(1, 12), type(zlib.compressobj()))


def test_with_speedups_isa_l_compresses_up_to_the_default_level() -> None:
    isal_zlib = pytest.importorskip("isal.isal_zlib")
    for level in (1, 6):
        assert isinstance(new_compressor(level, 12), type(isal_zlib.compressobj()))
