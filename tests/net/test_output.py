"""The list of writes that every transport keeps: how much of it goes at once, and what is left of a short write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfectws.net.output import Write, count_first, drop_sent
from perfectws.transport import Parts

writes = st.lists(
    st.one_of(
        st.binary(max_size=5),
        st.binary(max_size=5).map(lambda data: memoryview(data)),
        st.builds(Parts, st.binary(min_size=1, max_size=3), st.binary(max_size=5)),
    ),
    min_size=1,
    max_size=6,
).filter(lambda output: any(map(len, output)))


def joined(output: list[Write]) -> bytes:
    return b"".join(map(bytes, output))


@given(writes, st.data())
def test_what_was_not_sent_is_left_and_what_has_begun_is_kept_whole(output: list[Write], data: st.DataObject) -> None:
    whole = joined(output)
    sent = data.draw(st.integers(0, len(whole) - 1), "sent")
    kept = data.draw(st.integers(0, len(output)), "kept")
    of_writes = [(sum(map(len, output[: at + 1])), at < kept) for at in range(len(output))]
    starts = [0, *(end for end, _ in of_writes)]
    kept = drop_sent(output, kept, sent)
    assert joined(output) == whole[sent:]
    # What is kept reaches to the end of the last write that was to be kept, or that has begun.
    until = max(
        (end for (end, was_kept), start in zip(of_writes, starts, strict=False) if was_kept or start < sent), default=0
    )
    assert joined(output[:kept]) == whole[sent : max(until, sent)]


@given(writes, st.integers(0, 30))
def test_as_much_goes_at_once_as_fits_and_at_least_one_write(output: list[Write], most: int) -> None:
    count = count_first(output, most)
    assert 1 <= count <= len(output)
    assert count == 1 or sum(map(len, output[:count])) <= most
    assert count == len(output) or sum(map(len, output[: count + 1])) > most


@given(st.binary(min_size=1, max_size=4), st.binary(max_size=4), st.data())
def test_parts_are_what_they_would_be_joined(head: bytes, body: bytes, data: st.DataObject) -> None:
    parts = Parts(head, body)
    assert (len(parts), bytes(parts)) == (len(head + body), head + body)
    count = data.draw(st.integers(0, len(parts)))
    assert bytes(parts.after(count)) == (head + body)[count:]
