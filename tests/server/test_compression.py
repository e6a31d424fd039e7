"""`ContentCompression`: what is compressed, how, and what is left alone."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from perfectws import HTTPFilter, HTTPRequest, HTTPResponse
from perfectws.http.filters import RESPONSE_FILTER, FilterPriority, with_filters
from perfectws.http.routing import Routes
from perfectws.server.compression import MIN_SIZE, THREAD_SIZE, ContentCompression, choose_coding
from tests.http.fakes import Answer, Server, everything, get

TEXT = ("grüße " * 1000).encode()
GZIP = "Accept-Encoding: gzip"


def serve(handler: Any, data: dict[str, Any] | None = None, routes: Routes | None = None) -> Server:
    filters = with_filters((), [(HTTPFilter.content_compression(data), FilterPriority.HIGH)], RESPONSE_FILTER)
    return Server(routes or everything(handler), response_filters=filters)


def text(request: HTTPRequest, response: HTTPResponse) -> None:
    response.set_header("Content-Type", "text/plain").set_body(TEXT).completed()


def with_headers(*headers: tuple[str, str], body: bytes = TEXT, status: int = 200) -> Any:
    def handler(request: HTTPRequest, response: HTTPResponse) -> None:
        for name, value in (("Content-Type", "text/plain"), *headers):
            response.set_header(name, value)
        response.set_body(body).completed(status)

    return handler


def fetch(handler: Any, *headers: str, data: dict[str, Any] | None = None) -> Answer:
    return serve(handler, data).ask(get("/", *(headers or (GZIP,))))[0]


def unpacked(answer: Answer) -> bytes:
    match answer.header("content-encoding"):
        case "gzip":
            return gzip.decompress(answer.body)
        case "deflate":
            return zlib.decompress(answer.body)
        case coding:
            assert coding is None
            return answer.body


class TestCodings:
    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    def test_each_coding_gives_the_same_body(self, coding: str) -> None:
        answer = fetch(text, f"Accept-Encoding: {coding}")
        assert answer.header("content-encoding") == coding
        assert answer.header("content-length") == str(len(answer.body))
        assert answer.header("vary") == "Accept-Encoding"
        assert len(answer.body) < len(TEXT) / 10
        assert unpacked(answer) == TEXT

    @pytest.mark.parametrize(
        ("accepted", "coding"),
        [
            ("gzip, deflate, br", "gzip"),
            ("deflate, gzip", "gzip"),
            ("deflate;q=1, gzip;q=0.5", "deflate"),
            ("GZIP;Q=1.000", "gzip"),
            ("gzip ; q = 0.001", "gzip"),
            ("*", "gzip"),
            ("gzip;q=0, *", "deflate"),
            ("*;q=0", None),
            ("*;q=0, deflate", "deflate"),
            ("identity", None),
            ("br", None),
            ("", None),
            ("gzip;q=0", None),
            ("gzip;q=2", None),
            ("gzip;nonsense", None),
            ("notgzip", None),
        ],
    )
    def test_the_client_chooses(self, accepted: str, coding: str | None) -> None:
        assert choose_coding(accepted) == coding

    @given(st.text())
    def test_no_header_makes_it_raise(self, accepted: str) -> None:
        assert choose_coding(accepted) in ("gzip", "deflate", None)

    def test_a_client_that_accepts_none_gets_the_body_and_the_same_vary(self) -> None:
        answer = fetch(text, "Accept: */*")
        assert (answer.body, answer.header("content-encoding")) == (TEXT, None)
        assert answer.header("vary") == "Accept-Encoding"


class TestLeftAlone:
    @pytest.mark.parametrize(
        "handler",
        [
            with_headers(body=b"x" * (MIN_SIZE - 1)),
            with_headers(("Content-Encoding", "br")),
            with_headers(("Content-Type", "image/png")),
            with_headers(("Content-Type", "video/mp4")),
            with_headers(("Content-Type", "application/zip")),
            with_headers(("Cache-Control", "private, No-Transform")),
        ],
    )
    def test_what_is_small_compressed_or_a_part_is_sent_as_it_is(self, handler: Any) -> None:
        answer = fetch(handler)
        assert answer.header("content-encoding") in (None, "br")
        assert answer.header("vary") is None

    def test_a_part_is_sent_as_it_is_with_the_vary_that_the_whole_has(self) -> None:
        part = ("Content-Range", "bytes 0-9/10")
        answer = fetch(with_headers(part, status=206))
        assert (answer.header("content-encoding"), answer.header("vary")) == (None, "Accept-Encoding")
        assert fetch(with_headers(part, ("Content-Type", "image/png"), status=206)).header("vary") is None

    def test_a_body_of_just_the_least_size_is_compressed(self) -> None:
        assert fetch(with_headers(body=b"x" * MIN_SIZE)).header("content-encoding") == "gzip"

    def test_pictures_that_are_text_are_compressed(self) -> None:
        assert fetch(with_headers(("Content-Type", "image/svg+xml"))).header("content-encoding") == "gzip"

    def test_no_content_has_no_body_to_compress(self) -> None:
        assert fetch(with_headers(body=b"", status=204)).status == 204

    def test_a_handler_may_forbid_it_as_in_perfect(self) -> None:
        def handler(request: HTTPRequest, response: HTTPResponse) -> None:
            request.scratch_pad["no-compression"] = True
            text(request, response)

        assert fetch(handler).header("content-encoding") is None

    def test_two_such_filters_compress_once(self) -> None:
        filters = [(HTTPFilter.content_compression(), priority) for priority in FilterPriority]
        server = Server(everything(text), response_filters=with_filters((), filters, RESPONSE_FILTER))
        assert unpacked(server.ask(get("/", GZIP))[0]) == TEXT


class TestTypes:
    def test_perfects_keys_choose_the_types(self) -> None:
        data = {"compressTypes": ["text/*", "application/json"], "ignoreTypes": ["text/css"]}
        for media_type, coding in [
            ("text/html; charset=utf-8", "gzip"),
            ("TEXT/HTML", "gzip"),
            ("text/css", None),
            ("application/json", "gzip"),
            ("application/jsonp", None),
        ]:
            answer = fetch(with_headers(("Content-Type", media_type)), data=data)
            assert answer.header("content-encoding") == coding, media_type

    def test_types_ignored_by_the_application_replace_the_usual_ones(self) -> None:
        answer = fetch(with_headers(("Content-Type", "image/png")), data={"ignoreTypes": []})
        assert answer.header("content-encoding") == "gzip"

    def test_without_a_type_the_paths_counts_as_in_perfect(self) -> None:
        server = serve(lambda request, response: response.set_body(TEXT).completed())
        assert [answer.header("content-encoding") for answer in server.ask(get("/a.html", GZIP) + get("/a", GZIP))] == [
            "gzip",
            None,
        ]

    @pytest.mark.parametrize("wrong", ["text/*", [1]])
    def test_a_type_alone_is_no_list(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="compressTypes"):
            ContentCompression(wrong)


class TestHeaders:
    @pytest.mark.parametrize(("etag", "weak"), [('"abc"', 'W/"abc"'), ('W/"abc"', 'W/"abc"')])
    def test_a_strong_etag_becomes_weak(self, etag: str, weak: str) -> None:
        assert fetch(with_headers(("ETag", etag))).header("etag") == weak
        assert fetch(with_headers(("ETag", etag)), "Accept: */*").header("etag") == etag

    @pytest.mark.parametrize(
        ("vary", "then"),
        [("Origin", "Origin, Accept-Encoding"), ("accept-encoding", "accept-encoding"), ("*", "*")],
    )
    def test_vary_is_added_to_what_is_there(self, vary: str, then: str) -> None:
        answer = fetch(with_headers(("Vary", vary)))
        assert ", ".join(value for name, value in answer.headers if name == "vary") == then

    def test_a_length_that_the_handler_gave_is_given_anew(self) -> None:
        answer = fetch(with_headers(("Content-Length", str(len(TEXT)))))
        assert answer.header("content-length") == str(len(answer.body))
        assert unpacked(answer) == TEXT

    def test_head_says_what_get_would_and_sends_nothing(self) -> None:
        server = serve(with_headers(("ETag", '"x"')))
        (answer,) = server.ask(b"HEAD / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", "HEAD")
        assert (answer.header("content-encoding"), answer.header("etag")) == ("gzip", 'W/"x"')
        assert answer.header("content-length") is None
        assert server.transport.sent.endswith(b"\r\n\r\n")
        assert server.transport.is_open

    def test_not_modified_has_no_body_and_the_headers_of_the_200(self) -> None:
        handler = with_headers(("ETag", '"x"'), body=b"", status=304)
        answer = fetch(handler, GZIP, 'If-None-Match: W/"x"')
        assert (answer.status, answer.body, answer.header("etag")) == (304, b"", 'W/"x"')
        assert answer.header("vary") == "Accept-Encoding"
        assert fetch(handler, GZIP, 'If-None-Match: "x"').header("etag") == '"x"'


class TestStreaming:
    def test_each_piece_reaches_the_client_when_it_is_pushed(self) -> None:
        kept: list[HTTPResponse] = []

        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_header("Content-Type", "text/event-stream")
            response.append_body("one\n").push()
            kept.append(response)

        server = serve(stream)
        (answer,) = server.ask(get("/", GZIP))
        assert not answer.is_complete
        assert zlib.decompressobj(31).decompress(answer.body) == b"one\n"
        kept[0].append_body("two\n").completed()
        server.loop.run()
        (answer,) = server.answers()
        assert answer.is_complete
        assert unpacked(answer) == b"one\ntwo\n"

    @given(st.lists(st.binary(max_size=3000), max_size=8), st.sampled_from(["gzip", "deflate"]))
    def test_any_pieces_come_back_as_they_were(self, pieces: list[bytes], coding: str) -> None:
        def stream(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_header("Content-Type", "text/plain")
            for piece in pieces:
                response.append_body(piece).push()
            response.completed()

        answer = fetch(stream, f"Accept-Encoding: {coding}")
        assert unpacked(answer) == b"".join(pieces)

    async def test_a_large_piece_is_compressed_in_a_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        threads: list[object] = []
        run_sync = trio.to_thread.run_sync

        async def spy(function: Any, *args: Any) -> object:
            threads.append(function)
            return await run_sync(function, *args)

        monkeypatch.setattr(trio.to_thread, "run_sync", spy)
        request = HTTPRequest(headers=[("Accept-Encoding", "gzip")])
        response = HTTPResponse(request).set_header("Content-Type", "text/plain").set_body(b"x" * THREAD_SIZE)
        response.is_final = True
        results: list[object] = []
        compression = ContentCompression()
        compression.filter_headers(response, results.append)
        compressing: Any = compression.filter_body(response, results.append)
        assert len(results) == 1
        await compressing
        assert len(threads) == 1
        assert len(results) == 2
        assert gzip.decompress(response.body_bytes) == b"x" * THREAD_SIZE
