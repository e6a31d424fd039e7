"""`Headers`: names in any case, values that cannot break the message."""

from collections.abc import Callable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.errors import LocalProtocolError
from perfectws.http import headers as headers_module
from perfectws.http.headers import Headers


def test_a_header_is_found_in_any_case() -> None:
    headers = Headers([("Content-Type", "text/html")])
    assert headers.get("content-TYPE") == "text/html"
    assert "CONTENT-TYPE" in headers
    assert headers.get("Content-Length") is None


def test_iteration_gives_the_pairs_in_order_as_they_were_written() -> None:
    headers = Headers([("X-b", "1"), ("x-A", "2"), ("X-B", "3")])
    assert list(headers) == [("X-b", "1"), ("x-A", "2"), ("X-B", "3")]
    assert len(headers) == 3


def test_several_headers_of_one_name_are_joined_by_commas_and_cookies_by_semicolons() -> None:
    headers = Headers([("Accept", "a"), ("accept", "b"), ("Cookie", "x=1"), ("Cookie", "y=2")])
    assert headers.get("Accept") == "a, b"
    assert headers.get("Cookie") == "x=1; y=2"
    assert headers.get_all("ACCEPT") == ["a", "b"]


def test_set_replaces_all_headers_of_that_name() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])
    headers.set("A", "4")
    assert list(headers) == [("B", "2"), ("A", "4")]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x", "a\nb", "a\rb", "a\x00b", "\x7f", "a\x0bb"])
def test_a_value_with_a_control_character_is_refused(value: str) -> None:
    with pytest.raises(LocalProtocolError, match="line break or a control character"):
        Headers().add("X", value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ä", "a\r\n", "a\n"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="cannot be the name of a header"):
        Headers().set(name, "x")


def test_a_value_that_is_no_string_is_refused_in_clear_words() -> None:
    with pytest.raises(TypeError, match="a header is a pair of str"):
        Headers().add("Content-Length", 5)  # type: ignore[arg-type]


def test_a_tab_and_letters_beyond_ascii_may_stand_in_a_value() -> None:
    assert Headers([("X", " grün\tblau ")]).encode() == "X: grün\tblau\r\n".encode()


def test_a_head_is_parsed_with_bare_line_feeds_and_folded_lines() -> None:
    headers = Headers.parse(b"GET / HTTP/1.1\nA:1\r\nB: x\r\n\t y\r\nC:\r\n\r\n")
    assert list(headers) == [("A", "1"), ("B", "x y"), ("C", "")]


@given(st.lists(st.sampled_from(["b", "c d", "", " ", "\t", "e\t"]), max_size=6), st.sampled_from(["\r\n", "\n"]))
def test_what_is_folded_means_what_h11_takes_it_for(pieces: list[str], line_end: str) -> None:
    head = "GET / HTTP/1.1\r\nHost: x\r\nA: a" + "".join(f"{line_end} {piece}" for piece in pieces) + "\r\nB: b\r\n\r\n"
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(head.encode())
    event = parser.next_event()
    assert isinstance(event, h11.Request)
    theirs = [(name.decode(), value.decode().split()) for name, value in event.headers.raw_items()]
    assert [(name, value.split()) for name, value in Headers.parse(head.encode())] == theirs


def test_a_value_that_is_folded_a_hundred_thousand_times_is_read() -> None:
    assert Headers.parse(b"x\r\nA: a" + b"\r\n\t b" * 100_000).get("A") == "a" + " b" * 100_000


def test_bytes_that_are_not_utf_8_are_read_as_latin_1() -> None:
    assert Headers.parse(b"x\r\nA: \xe4\r\n\r\n").get("A") == "ä"
    assert Headers.parse("x\r\nA: ä\r\n\r\n".encode()).get("A") == "ä"


def test_a_copy_is_independent_and_equal() -> None:
    headers = Headers([("A", "1")])
    copy = headers.copy()
    assert copy == headers
    copy.add("B", "2")
    assert copy != headers
    assert repr(headers) == "Headers([('A', '1')])"


@given(st.lists(st.tuples(st.from_regex(r"[A-Za-z-]{1,9}", fullmatch=True), st.text())))
def test_what_is_accepted_comes_back_from_the_wire(pairs: list[tuple[str, str]]) -> None:
    headers = Headers()
    for name, value in pairs:
        try:
            headers.add(name, value)
        except LocalProtocolError:
            continue
        except UnicodeEncodeError:
            continue
    try:
        wire = headers.encode()
    except UnicodeEncodeError:  # lone surrogates, which no text holds
        return
    assert Headers.parse(b"\r\n" + wire) == headers


def test_what_is_looked_up_by_name_follows_every_change() -> None:
    headers = Headers([("A", "1"), ("b", "2"), ("a", "3")])
    assert headers.by_name() == {"a": ["1", "3"], "b": ["2"]}
    headers.get_all("a").clear()
    assert headers.get_all("A") == ["1", "3"]
    headers.add("B", "4")
    assert (headers.get_all("b"), headers.by_name()["b"]) == (["2", "4"], ["2", "4"])
    headers.set("a", "5")
    assert headers.by_name() == {"b": ["2", "4"], "a": ["5"]}
    headers.remove("b")
    assert (headers.get_all("b"), headers.names()) == ([], ["a"])


def test_headers_know_whether_they_are_as_they_arrived() -> None:
    changes: list[Callable[[Headers], None]] = [
        lambda h: h.add("b", "1"),
        lambda h: h.set("a", "1"),
        lambda h: h.remove("a"),
    ]
    for change in changes:
        headers = Headers.parse(b"GET / HTTP/1.1\r\nA: 1\r\n\r\n")
        assert headers.is_as_received
        change(headers)
        assert not headers.is_as_received
    assert not Headers([("a", "b")]).is_as_received


def test_plain_lines_are_fields_as_parsed_ones_are() -> None:
    lines = ["Host: x", "Accept: a: b", "X: 1", "accept: c", "x: 2"]
    plain = Headers.plain(lines)
    assert plain is not None
    assert len(plain) == 5
    assert plain.is_as_received
    assert plain.get_all("ACCEPT") == ["a: b", "c"]
    assert plain.by_name() == {"host": ["x"], "accept": ["a: b", "c"], "x": ["1", "2"]}
    assert plain == Headers.parse("\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode())


@pytest.mark.parametrize(
    "line", ["", "X", "X:y", "X: ", "X:  y", "X: y ", "X : y", " X: y", "X: a\tb", "X: \xe4", "X: \n"]
)
def test_a_line_that_is_less_plain_makes_all_of_them_so(line: str) -> None:
    assert Headers.plain(["Host: x", line]) is None


def test_lines_that_many_clients_send_alike_are_known_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, tuple[str, list[str]]] = {}
    monkeypatch.setattr(headers_module, "_known_lines", known)
    secret = ["Cookie: session=1", "Authorization: Basic eA==", "Sec-WebSocket-Key: eA==", "X-Token: 1"]
    for _ in range(2):
        assert Headers.plain(["Host: x", "User-Agent: " + "x" * 300, *secret]) is not None
    assert known == {"Host: x": ("host", ["x"])}
    for number in range(2000):
        assert Headers.plain([f"User-Agent: {number}"]) is not None
    assert len(known) == 1000


def test_what_is_known_of_a_line_is_not_changed_by_who_looks_at_it() -> None:
    first = Headers.plain(["Host: known"])
    assert first is not None
    first.get_all("host").append("more")
    first.add("Host", "more")
    again = Headers.plain(["Host: known"])
    assert again is not None
    assert again.get_all("host") == ["known"]
