"""What was received and waits, and the order in which it is consumed."""

from perfectws.http.input import Input


def received(*pieces: bytes) -> Input:
    data = Input()
    for piece in pieces:
        data += piece
    return data


def test_a_head_is_cut_out_as_a_whole_and_what_is_behind_it_stays() -> None:
    data = received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nbehind")
    assert data.cut_head() == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert data == b"behind"


def test_heads_are_cut_out_in_order_however_they_are_cut() -> None:
    heads = [b"A\r\n\r\n", b"B\n\n", b"C\r\nD\n\r\n"]
    for size in range(1, 8):
        data, found = Input(), []
        stream = b"".join(heads)
        for start in range(0, len(stream), size):
            data += stream[start : start + size]
            while (head := data.cut_head()) is not None:
                found.append(head)
        assert found == heads
        assert not data


def test_empty_lines_before_a_head_are_dropped() -> None:
    data = received(b"\r\n")
    assert data.cut_head() is None
    assert not data
    data += b"\n\r\nA\r\n\r\n"
    assert data.cut_head() == b"A\r\n\r\n"


def test_all_of_it_can_be_taken_and_what_is_not_used_comes_before_what_has_arrived_since() -> None:
    data = received(b"a", b"bc")
    assert data.take() == b"abc"
    assert not data
    data += b"de"
    data.put_back(b"c")
    assert data == b"cde"
    assert data.take() == b"cde"


def test_a_head_whose_beginning_was_put_back_is_found() -> None:
    data = received(b"\r\n\r\n")
    data.put_back(b"GET / HTTP/1.1\r\nHost: x")
    assert data.cut_head() == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_first_look_finds_what_ends_with_the_first_blank_line_and_leaves_it_there() -> None:
    data = received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert data.first_look() == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    data += b"GET /next"
    assert data.first_look() == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    data.drop(len(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert data == b"GET /next"
    assert data.first_look() is None


def test_no_second_look_is_taken_at_a_head_that_drips() -> None:
    data = received(b"GET / HTTP/1.1\r\n")
    assert data.cut_head() is None  # so from here on it is known how far there is none
    data += b"Host: x\r\n\r\n"
    assert data.first_look() is None
    assert data.cut_head() == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    data += b"A\r\n\r\n"
    assert data.first_look() == b"A\r\n\r\n"
