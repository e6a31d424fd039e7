"""What an `HTTPConnection` refuses, exactly where the limit is, and what it never keeps."""

import logging

import pytest

from perfectws.transport import HIGH_WATER

from .fakes import Server, echo_path, everything, get, post
from .forms import FORM, field, form

CHUNKED = "Transfer-Encoding: chunked"
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n"


def refused(server: Server, status: int) -> None:
    """Check that the last answer is a refusal and ends the connection."""
    answer = server.answers()[-1]
    assert answer.status == status
    assert answer.header("connection") == "close"
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.body.startswith(b"%d " % status)
    assert answer.body.count(b"\n") == 1
    assert server.transport.linger == 10
    assert server.loop.live_timers == 0
    sent = len(server.transport.sent)
    server.ask(get("/later"))
    assert len(server.transport.sent) == sent


def head_of(size: int) -> bytes:
    return HEAD.replace(b"A: ", b"A: " + b"x" * (size - len(HEAD)))


class TestHeaders:
    @pytest.mark.parametrize("cut", [1000, 999, 500, 1])
    def test_a_head_of_just_the_limit_is_served_however_it_is_cut(self, cut: int) -> None:
        server = Server(everything(echo_path), max_header_size=1000)
        head = head_of(1000)
        for start in range(0, 1000, cut):
            server.receive(head[start : start + cut])
        server.loop.run()
        assert [answer.status for answer in server.answers()] == [200]

    @pytest.mark.parametrize("cut", [1001, 1000, 500, 1])
    def test_a_head_of_one_byte_more_gets_431_however_it_is_cut(self, cut: int) -> None:
        server = Server(everything(echo_path), max_header_size=1000)
        head = head_of(1001)
        for start in range(0, 1001, cut):
            server.receive(head[start : start + cut])
        server.loop.run()
        refused(server, 431)

    def test_a_head_that_never_ends_is_refused_at_the_limit(self) -> None:
        server = Server(max_header_size=1000)
        server.receive(head_of(5000)[:999])
        assert server.transport.sent == b""
        server.receive(b"x")
        refused(server, 431)

    def test_a_request_line_longer_than_the_limit_gets_414(self) -> None:
        for data in (get("/" + "x" * 1000), b"GET /" + b"x" * 995):
            server = Server(max_header_size=1000)
            server.receive(data)
            refused(server, 414)

    def test_a_hundred_headers_are_served_and_one_more_gets_431(self) -> None:
        server = Server(everything(echo_path))
        server.ask(get("/", *[f"A{n}: x" for n in range(99)]))
        assert [answer.status for answer in server.answers()] == [200]
        server.ask(get("/", *[f"A{n}: x" for n in range(100)]))
        refused(server, 431)

    def test_pipelined_heads_may_be_longer_than_the_limit_together(self) -> None:
        server = Server(everything(echo_path), max_header_size=100)
        assert len(server.ask(get("/") * 50)) == 50


class TestBodies:
    def test_the_limit_is_named_with_the_keyword_that_changes_it(self) -> None:
        (answer,) = Server(everything(lambda *_: None), max_body_size=10).ask(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n"
        )
        assert b"the body is longer than 10 bytes, which is this server's max_body_size" in answer.body

    def test_a_body_of_just_the_limit_is_served_and_one_byte_more_gets_413(self) -> None:
        server = Server(everything(echo_path), max_body_size=1000)
        assert server.ask(post("/", b"x" * 1000))[0].status == 200
        server.ask(post("/", b"x" * 1001))
        refused(server, 413)

    def test_a_declared_length_is_judged_before_a_byte_of_it_comes_and_before_100_continue(self) -> None:
        server = Server(max_body_size=1000)
        server.receive(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        assert b"100 Continue" not in server.transport.sent
        refused(server, 413)

    def test_chunks_are_counted_together(self) -> None:
        server = Server(everything(echo_path), max_body_size=1000)
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (
            server.ask(head + b"1F4\r\n" + b"x" * 500 + b"\r\n1F4\r\n" + b"x" * 500 + b"\r\n0\r\n\r\n")[0].status == 200
        )
        server.receive(head + b"1F4\r\n" + b"x" * 500 + b"\r\n1F5\r\n")
        server.receive(b"x" * 500)
        server.receive(b"x")
        refused(server, 413)

    def test_a_chunk_of_2_to_the_60_bytes_is_refused_once_it_is_too_long(self) -> None:
        server = Server(max_body_size=1000)
        server.receive(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n" + b"x" * 1001
        )
        refused(server, 413)

    def test_a_head_request_is_refused_without_a_body(self) -> None:
        server = Server(max_body_size=0)
        server.receive(b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        [answer] = server.answers("HEAD")
        assert (answer.status, answer.body) == (413, b"")
        assert server.transport.sent.endswith(b"\r\n\r\n")


class TestMalformedRequests:
    @pytest.mark.parametrize(
        ("data", "status"),
        [
            (b"nonsense\r\n\r\n", 400),
            (b"GET /\r\n\r\n", 400),
            (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
            (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nx", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
            (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", 501),
            (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1\r\n\r\nx", 501),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            (b"\x16\x03\x01\x02\x00\x01\x00", 400),
            (b"\x00", 400),
            (b" GET / HTTP/1.1\r\n", 400),
        ],
    )
    def test_a_malformed_request_is_refused_in_one_line_and_costs_the_connection(
        self, data: bytes, status: int
    ) -> None:
        server = Server(everything(echo_path))
        server.ask(data)
        refused(server, status)

    def test_a_malformed_request_behind_head_gets_its_answer_with_a_body(self) -> None:
        server = Server(everything(echo_path))
        answers = server.ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n", "HEAD")
        assert [answer.status for answer in answers] == [200, 400]
        assert answers[1].body.startswith(b"400 Bad Request: ")

    def test_what_came_before_a_malformed_request_is_answered_first(self) -> None:
        server = Server(everything(echo_path))
        answers = server.ask(get("/1") + b"nonsense\r\n\r\n" + get("/2"))
        assert [answer.status for answer in answers] == [200, 400]


class TestDeadlines:
    def test_a_slow_head_gets_408(self) -> None:
        server = Server(header_timeout=10)
        server.receive(b"GET / HTTP/1.1\r\n")
        for _ in range(9):
            server.loop.advance(1)
            server.receive(b"A: x\r\n")
        assert server.transport.sent == b""
        server.loop.advance(1)
        refused(server, 408)

    def test_a_connection_that_never_asks_is_closed_without_a_word(self) -> None:
        server = Server(header_timeout=10)
        server.loop.advance(9.9)
        assert server.transport.is_open
        server.loop.advance(0.1)
        assert not server.transport.is_open
        assert server.transport.sent == b""

    def test_an_idle_connection_is_closed_after_the_keep_alive_timeout(self) -> None:
        server = Server(everything(echo_path), keep_alive_timeout=75)
        server.ask(get("/"))
        sent = bytes(server.transport.sent)
        server.loop.advance(74)
        assert server.transport.is_open
        server.loop.advance(1)
        assert not server.transport.is_open
        assert server.transport.sent == sent

    def test_the_second_request_may_take_as_long_as_the_first(self) -> None:
        server = Server(everything(echo_path), header_timeout=10, keep_alive_timeout=75)
        server.ask(get("/"))
        server.loop.advance(70)
        server.receive(b"GET")
        server.loop.advance(9.9)
        assert server.transport.is_open
        server.loop.advance(0.1)
        refused(server, 408)

    def test_a_body_that_pauses_gets_408(self) -> None:
        server = Server(everything(echo_path), keep_alive_timeout=75)
        server.receive(post("/", b"x" * 100)[:-100])
        for _ in range(3):
            server.loop.advance(74)
            server.receive(b"x")
        server.loop.advance(75)
        refused(server, 408)

    @pytest.mark.parametrize("behind", [b"\r\n", b"\n", b"\r\n\r\n\r\n"])
    def test_empty_lines_behind_a_request_make_no_other(self, behind: bytes) -> None:
        server = Server(everything(echo_path), keep_alive_timeout=75)
        server.ask(get("/") + behind)
        sent = bytes(server.transport.sent)
        server.loop.advance(74)
        assert server.transport.is_open
        server.loop.advance(1)
        assert not server.transport.is_open
        assert server.transport.sent == sent

    @pytest.mark.parametrize(("asked", "seconds"), [(b"", 10), (get("/"), 75)])
    def test_nor_do_empty_lines_that_drip_in_keep_the_connection(self, asked: bytes, seconds: int) -> None:
        server = Server(everything(echo_path), header_timeout=10, keep_alive_timeout=75)
        server.ask(asked + b"\r\n")
        for _ in range(seconds - 1):
            server.loop.advance(1)
            server.ask(b"\r\n")
        assert server.transport.is_open
        server.loop.advance(1)
        assert not server.transport.is_open

    def test_a_request_behind_empty_lines_has_as_long_as_any(self) -> None:
        server = Server(everything(echo_path), header_timeout=10, keep_alive_timeout=75)
        server.ask(get("/1") + b"\r\n")
        server.loop.advance(74)
        server.receive(b"\r\n" + get("/2")[:10])
        server.loop.advance(9.9)
        assert [answer.body for answer in server.ask(get("/2")[10:])] == [b"GET /1 ", b"GET /2 "]

    def test_a_peer_that_takes_nothing_of_a_large_response_is_dropped(self) -> None:
        server = Server(
            everything(lambda request, response: response.set_body(bytes(HIGH_WATER)).completed()), write_timeout=40
        )
        server.transport.is_stalled = True
        server.ask(get("/"))
        server.loop.advance(39)
        assert server.transport.is_open
        server.loop.advance(2)
        assert server.transport.is_aborted

    def test_so_is_one_that_takes_some_of_it_and_then_nothing(self) -> None:
        server = Server(
            everything(lambda request, response: response.set_body(bytes(HIGH_WATER)).completed()), write_timeout=40
        )
        server.transport.is_stalled = True
        server.ask(get("/"))
        server.loop.advance(30)
        server.transport.buffered_amount -= 1000
        server.loop.advance(39)
        assert server.transport.is_open
        server.loop.advance(20)
        assert server.transport.is_aborted

    def test_keep_alive_begins_when_the_response_has_left(self) -> None:
        server = Server(
            everything(lambda request, response: response.set_body(bytes(1000)).completed()), keep_alive_timeout=75
        )
        server.transport.is_stalled = True
        server.ask(get("/"))
        for _ in range(5):
            server.loop.advance(70)
            server.transport.buffered_amount -= 100
        assert server.transport.is_open
        server.loop.advance(151)
        assert not server.transport.is_open

    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_that_drips_has_body_timeout_in_all(self, chunked: bool) -> None:
        server = Server(everything(echo_path), body_timeout=300, keep_alive_timeout=75)
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 1000"
        server.receive(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
        for _ in range(5):
            server.loop.advance(59)
            server.receive(b"1\r\nx\r\n" if chunked else b"x")
        assert server.transport.is_open
        server.loop.advance(6)
        assert [answer.status for answer in server.answers()] == [408]

    def test_requests_that_wait_for_a_slow_reader_are_not_idle(self) -> None:
        server = Server(everything(lambda request, response: response.set_body(bytes(HIGH_WATER)).completed()))
        server.transport.is_stalled = True
        server.ask(get("/1") + get("/2"))
        for _ in range(50):
            server.loop.advance(30)
            server.transport.buffered_amount -= 1  # it is slow, but it reads
        assert server.transport.is_open
        server.transport.drain()
        server.loop.run()
        assert len(server.answers()) == 2
        server.loop.advance(75)
        assert not server.transport.is_open

    def test_a_handler_may_take_its_time(self) -> None:
        waiting = []
        server = Server(everything(lambda request, response: waiting.append(response)))
        server.ask(get("/"))
        server.loop.advance(10_000)
        waiting[0].completed()
        assert server.answers()[0].status == 200

    def test_without_timeouts_nothing_ever_ends(self) -> None:
        server = Server(everything(echo_path), header_timeout=None, keep_alive_timeout=None)
        server.ask(get("/") + b"GET")
        server.loop.advance(1e9)
        assert server.transport.is_open
        assert server.loop.timers_started == 0

    def test_a_busy_connection_has_one_timer_which_it_seldom_moves(self) -> None:
        server = Server(everything(echo_path))
        for _ in range(1000):
            server.receive(get("/"))
            server.loop.run()
            server.loop.advance(0.01)
        assert server.loop.live_timers == 1
        assert server.loop.timers_started <= 3


def test_an_error_of_our_own_costs_the_connection_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.service.navigator = None  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR, "perfectws"):
        server.ask(get("/"))
    assert server.transport.is_aborted
    assert caplog.records[0].exc_info


class TestChunks:
    def test_a_body_of_very_many_chunks_takes_many_turns_and_is_read_no_faster_than_that(self) -> None:
        server = Server(everything(lambda request, response: response.completed()))
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        server.receive(head + b"1\r\nx\r\n" * 1000)
        server.receive(b"1\r\nx\r\n" * 10_000)
        assert server.transport.is_paused
        turns = 0
        while server.transport.is_paused:
            server.loop.run_ready()
            turns += 1
        assert turns > 10
        assert server.ask(b"0\r\n\r\n")[0].status == 200

    @pytest.mark.parametrize("turns", [0, 1, 2])
    @pytest.mark.parametrize("cut", [1, 5, 20])
    def test_what_arrives_while_they_wait_for_their_turn_stays_behind_them(self, cut: int, turns: int) -> None:
        server = Server(everything(echo_path))
        head = b"POST /1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        rest = get("/2") + post("/3", b"three")
        server.receive(head + b"1\r\nx\r\n" * 150 + b"0\r\n\r\n" + rest[:cut])
        for _ in range(turns):
            server.loop.run_ready()
        server.receive(rest[cut:-1])
        answers = server.ask(rest[-1:])
        assert [answer.body for answer in answers] == [b"POST /1 " + b"x" * 150, b"GET /2 ", b"POST /3 three"]

    def test_a_body_that_is_cut_off_in_the_midst_of_many_chunks_ends_the_connection(self) -> None:
        server = Server(everything(lambda request, response: response.completed()))
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        server.receive(head + b"1\r\nx\r\n" * 1000)
        server.protocol.eof_received()
        assert server.transport.is_open
        server.loop.run()
        assert not server.transport.is_open
        assert server.answers() == []


class TestFraming:
    """What comes around a body in chunks: as much as a head may have, and 16 bytes more for each byte of the body."""

    @staticmethod
    def ten_chunks(size: int) -> bytes:
        """Return ten bytes with ``size`` bytes around them, in extensions."""
        body = (b"1;" + b"e" * 100 + b"\r\nx\r\n") * 10
        return body + b"0;" + b"e" * (size + 10 - len(body) - 6) + b"\r\n\r\n"

    @pytest.mark.parametrize("cut", [10_000, 500, 37, 1])
    def test_just_the_limit_is_served_and_one_byte_more_gets_400_however_it_is_cut(self, cut: int) -> None:
        server = Server(everything(echo_path), max_header_size=1000)
        for size, statuses in ((1160, [200]), (1160, [200, 200]), (1161, [200, 200, 400])):  # each body for itself
            body = self.ten_chunks(size)
            assert len(body) == size + 10
            server.receive(get("/", CHUNKED))
            for start in range(0, len(body), cut):
                server.receive(body[start : start + cut])
                server.loop.run()
            assert [answer.status for answer in server.answers()] == statuses
        refused(server, 400)

    def test_it_is_refused_before_the_body_ends(self) -> None:
        server = Server(everything(echo_path), max_header_size=1000)
        server.receive(get("/", CHUNKED))
        for _ in range(20):
            server.receive(b"1;" + b"e" * 100 + b"\r\nx\r\n")
            if server.transport.sent:
                break
        assert len(server.answers()) == 1
        refused(server, 400)

    def test_trailers_count_too(self) -> None:
        server = Server(everything(echo_path), max_header_size=1000)
        body = b"1\r\nx\r\n0\r\nA: \r\n\r\n"
        for size, statuses in ((1016, [200]), (1017, [200, 400])):
            server.ask(get("/", CHUNKED) + body.replace(b"A: ", b"A: " + b"a" * (size + 1 - len(body))))
            assert [answer.status for answer in server.answers()] == statuses
        refused(server, 400)

    @pytest.mark.parametrize(("digits", "status"), [(1, 200), (12, 200), (13, 400)])
    def test_a_body_in_chunks_of_a_byte_is_served_unless_their_sizes_are_written_at_length(
        self, digits: int, status: int
    ) -> None:
        server = Server(everything(echo_path), max_header_size=100, max_body_size=1000)
        server.ask(get("/", CHUNKED) + (b"1".zfill(digits) + b"\r\nx\r\n") * 1000 + b"0\r\n\r\n")
        assert [answer.status for answer in server.answers()] == [status]

    def test_a_form_is_limited_as_other_bodies_are(self) -> None:
        server = Server(everything(echo_path), max_header_size=1000)
        server.receive(get("/", FORM, CHUNKED))
        for byte in form(field("name", "x" * 300)):
            server.receive(b"1;" + b"e" * 100 + b"\r\n" + bytes([byte]) + b"\r\n")
        server.loop.run()
        refused(server, 400)

    @pytest.mark.parametrize(
        "first", [get("/", CHUNKED) + b"1\r\nx\r\n0\r\n\r\n", post("/", b"x")], ids=["chunks", "a known length"]
    )
    def test_the_requests_behind_a_body_are_not_counted(self, first: bytes) -> None:
        server = Server(everything(echo_path), max_header_size=100)
        assert [answer.status for answer in server.ask(first + get("/") * 50)] == [200] * 51
