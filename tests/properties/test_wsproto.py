"""Our reading of any byte stream is wsproto's, but for the differences that `wsproto_differences` names."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from .streams import Role, byte_streams, chunks, roles
from .wsproto_differences import compare


@settings(max_examples=settings().max_examples * 3)
@given(st.data(), roles)
def test_any_stream_cut_anywhere_is_read_as_wsproto_reads_it(data: st.DataObject, role: Role) -> None:
    for seen in compare(role, data.draw(chunks(data.draw(byte_streams(role))))):
        event(seen)
