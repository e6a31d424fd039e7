"""What goes over the wire: an entry comes back as it was, and what is none is told apart without an exception."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfectws import OpcodeType
from perfectws.rooms.redis.entry import HEAD_SIZE, MAX_MISSING, MESSAGE_SIZE, Entry, sent_by

texts = st.text().map(lambda text: (OpcodeType.TEXT, text.encode()))
binaries = st.binary().map(lambda data: (OpcodeType.BINARY, data))
entries = st.builds(
    Entry,
    instance=st.binary(min_size=16, max_size=16),
    sequence=st.integers(1, (1 << 63) - 1),
    messages=st.lists(texts | binaries, max_size=8),
    missing=st.integers(0, MAX_MISSING),
    when=st.integers(0, (1 << 64) - 1),
).filter(lambda entry: entry.messages or entry.missing)


@given(entries)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert Entry.decode(entry.encode()) == entry


@given(st.binary())
def test_bytes_that_are_no_entry_never_raise(data: bytes) -> None:
    assert Entry.decode(data) is None or Entry.decode(data) == Entry.decode(data)


@given(entries, st.data())
def test_an_entry_that_is_cut_or_longer_is_none(entry: Entry, data: st.DataObject) -> None:
    wire = entry.encode()
    assert Entry.decode(wire[: data.draw(st.integers(0, len(wire) - 1))]) is None
    assert Entry.decode(wire + data.draw(st.binary(min_size=1))) is None


@given(entries, st.data())
def test_one_wrong_byte_never_raises(entry: Entry, data: st.DataObject) -> None:
    wire = bytearray(entry.encode())
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    decoded = Entry.decode(bytes(wire))
    assert decoded is None or decoded.encode() == wire


@given(entries)
def test_what_this_process_said_is_known_by_its_head(entry: Entry) -> None:
    own = range(entry.sequence, entry.sequence + len(entry.messages)) or None
    assert sent_by(entry.instance, entry._replace(missing=0).encode()) == own
    assert sent_by(entry.instance[::-1] + b"x", entry._replace(missing=0).encode()) is None
    assert sent_by(b"", entry._replace(missing=0).encode()) is None, "it has said nothing yet"
    assert sent_by(entry.instance, entry._replace(missing=1).encode()) is None, "a gap is to be told"


@given(data=st.binary(max_size=60))
def test_what_only_begins_as_an_entry_of_this_process_never_raises(data: bytes) -> None:
    own = sent_by(b"i" * 16, b"i" * 16 + data)
    assert own is None or (own.start >= 1 and len(own))


def test_a_count_that_nothing_follows_costs_nothing() -> None:
    huge = _head(count=0xFFFFFFFF)
    assert Entry.decode(huge) is None
    assert Entry.decode(huge + bytes(MESSAGE_SIZE)) is None
    assert len(huge) == HEAD_SIZE


def test_a_text_that_is_not_utf_8_and_a_control_frame_are_no_messages() -> None:
    for opcode, payload in ((1, b"\xff"), (8, b""), (9, b""), (0, b""), (255, b"")):
        message = bytes([opcode]) + len(payload).to_bytes(4, "big") + payload
        assert Entry.decode(_head(count=1) + message) is None
        assert Entry.decode(_head(count=1) + b"\x01" + message[1:].replace(b"\xff", b"f")) is not None


def _head(count: int) -> bytes:
    return bytes(16) + (1).to_bytes(8, "big") + count.to_bytes(4, "big") + bytes(12)
