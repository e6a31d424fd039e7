"""Law 11: the opening handshake as a function of the request. By RFC 6455 §4.2."""

from __future__ import annotations

import re

import pytest

from perfectws import DeflateOptions, HTTPRequest
from perfectws.log_limit import LogLimit
from perfectws.websocket import server_handshake
from perfectws.websocket.server_handshake import (
    PROTOCOLS_NOT_SUPPORTED,
    Offer,
    Refusal,
    accept,
    choose_subprotocol,
    read_offer,
)

from ..peer import HANDSHAKE_ACCEPT, HANDSHAKE_KEY

Lines = list[tuple[str, str]]
HANDSHAKE: Lines = [
    ("Host", "test"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", HANDSHAKE_KEY),
    ("Sec-WebSocket-Version", "13"),
]


def handshake(*more: tuple[str, str], without: str | None = None) -> Lines:
    """Return the lines of a handshake: those of a header that is in ``more`` replace the usual one."""
    replaced = {name for name, _ in more} | {without}
    return [line for line in HANDSHAKE if line[0] not in replaced] + list(more)


def judge(lines: Lines, method: str = "GET", version: tuple[int, int] = (1, 1)) -> Offer | Refusal:
    return read_offer(HTTPRequest(method=method, uri="/", headers=lines, protocol_version=version))


ACCEPTED = {
    "the sample of the RFC": handshake(),
    "tokens in any case": handshake(("Upgrade", "WebSocket"), ("Connection", "uPGRADE")),
    "names in any case": [(name.upper(), value) for name, value in HANDSHAKE],
    "more tokens beside": handshake(("Upgrade", "h2c, websocket"), ("Connection", "keep-alive, Upgrade")),
    "a header in two lines": handshake(("Connection", "keep-alive"), ("Connection", "Upgrade")),
    "an upgrade in two lines": handshake(("Upgrade", "h2c"), ("Upgrade", "websocket")),
    "empty elements": handshake(("Connection", ",, Upgrade ,")),
    "no spaces": handshake(("Connection", "close,upgrade")),
    "spaces about the key": handshake(("Sec-WebSocket-Key", f"  {HANDSHAKE_KEY} ")),
    "any origin": handshake(("Origin", "https://evil.example")),
}


@pytest.mark.parametrize("lines", ACCEPTED.values(), ids=ACCEPTED)
def test_a_valid_handshake_is_an_offer(lines: Lines) -> None:
    assert judge(lines) == Offer(HANDSHAKE_KEY, [], [])


#: headers, method, version, status, and what the text says
REFUSED: dict[str, tuple[Lines, str, tuple[int, int], int, str]] = {
    "a plain GET": ([("Host", "test")], "GET", (1, 1), 400, "WebSocket client"),
    "a POST": (handshake(), "POST", (1, 1), 400, "GET"),
    "a HEAD": (handshake(), "HEAD", (1, 1), 400, "GET"),
    "HTTP/1.0": (handshake(), "GET", (1, 0), 400, "HTTP/1.1"),
    "no Upgrade": (handshake(without="Upgrade"), "GET", (1, 1), 400, "WebSocket client"),
    "no Connection": (handshake(without="Connection"), "GET", (1, 1), 400, "WebSocket client"),
    "another Upgrade": (handshake(("Upgrade", "h2c")), "GET", (1, 1), 400, "WebSocket client"),
    "a token that holds the right one": (handshake(("Upgrade", "websockets")), "GET", (1, 1), 400, "WebSocket client"),
    "a version behind the token": (handshake(("Upgrade", "websocket/13")), "GET", (1, 1), 400, "WebSocket client"),
    "Connection by substring": (handshake(("Connection", "no-upgrade")), "GET", (1, 1), 400, "WebSocket client"),
    "Connection: keep-alive": (handshake(("Connection", "keep-alive")), "GET", (1, 1), 400, "WebSocket client"),
    "no version": (handshake(without="Sec-WebSocket-Version"), "GET", (1, 1), 400, "Sec-WebSocket-Version"),
    "version 8": (handshake(("Sec-WebSocket-Version", "8")), "GET", (1, 1), 426, "13"),
    "version 14": (handshake(("Sec-WebSocket-Version", "14")), "GET", (1, 1), 426, "13"),
    "two versions": (handshake(("Sec-WebSocket-Version", "13, 8")), "GET", (1, 1), 426, "13"),
    "no version number": (handshake(("Sec-WebSocket-Version", "")), "GET", (1, 1), 426, "13"),
    "no key": (handshake(without="Sec-WebSocket-Key"), "GET", (1, 1), 400, "Sec-WebSocket-Key"),
    "an empty key": (handshake(("Sec-WebSocket-Key", "")), "GET", (1, 1), 400, "Sec-WebSocket-Key"),
    "a key of 15 bytes": (handshake(("Sec-WebSocket-Key", "MTIzNDU2Nzg5MDEyMzQ1")), "GET", (1, 1), 400, "16 bytes"),
    "a key of 17 bytes": (handshake(("Sec-WebSocket-Key", "MTIzNDU2Nzg5MDEyMzQ1Njc=")), "GET", (1, 1), 400, "16 bytes"),
    "a key without padding": (handshake(("Sec-WebSocket-Key", HANDSHAKE_KEY[:-2])), "GET", (1, 1), 400, "base64"),
    "a key that is no base64": (handshake(("Sec-WebSocket-Key", "!" * 24)), "GET", (1, 1), 400, "base64"),
    "a key that is no ASCII": (handshake(("Sec-WebSocket-Key", "é" * 24)), "GET", (1, 1), 400, "base64"),
    "a key with a space": (handshake(("Sec-WebSocket-Key", "dGhlIHNhbXBs ZSBub25jZQ==")), "GET", (1, 1), 400, "base64"),
    "two keys": (
        handshake(("Sec-WebSocket-Key", HANDSHAKE_KEY), ("Sec-WebSocket-Key", HANDSHAKE_KEY)),
        "GET",
        (1, 1),
        400,
        "one value",
    ),
    "a subprotocol that is no token": (handshake(("Sec-WebSocket-Protocol", "a b")), "GET", (1, 1), 400, "tokens"),
    "a quoted subprotocol": (handshake(("Sec-WebSocket-Protocol", '"chat"')), "GET", (1, 1), 400, "tokens"),
}


@pytest.mark.parametrize(("lines", "method", "version", "status", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_handshake_is_refused_with_a_status_and_one_line(
    lines: Lines, method: str, version: tuple[int, int], status: int, text: str
) -> None:
    refusal = judge(lines, method, version)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status
    assert text in refusal.text
    assert "\n" not in refusal.text


def test_a_wrong_version_is_told_the_right_one() -> None:
    refusal = judge(handshake(("Sec-WebSocket-Version", "8")))
    assert isinstance(refusal, Refusal)
    assert dict(refusal.headers) == {
        "Sec-WebSocket-Version": "13",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
    }


class TestSubprotocols:
    """§4.2.2 /subprotocol/"""

    @pytest.mark.parametrize(
        "lines",
        [
            [("Sec-WebSocket-Protocol", "chat, echo")],
            [("Sec-WebSocket-Protocol", "chat"), ("Sec-WebSocket-Protocol", "echo")],
            [("sec-websocket-protocol", "chat,echo")],
            [("Sec-WebSocket-Protocol", " ,chat,, echo,")],
        ],
    )
    def test_the_offer_names_them_in_order(self, lines: Lines) -> None:
        offer = judge(handshake(*lines))
        assert isinstance(offer, Offer)
        assert offer.protocols == ["chat", "echo"]

    @pytest.mark.parametrize(
        ("offered", "supported", "chosen"),
        [
            ([], [], None),
            ([], ["echo"], None),
            (["echo"], [], None),
            (["echo"], ["echo"], "echo"),
            (["chat", "echo"], ["echo"], "echo"),
            (["chat", "echo"], ["other", "echo", "chat"], "echo"),  # our preference counts
            (["chat"], ["echo"], PROTOCOLS_NOT_SUPPORTED),
            (["Echo"], ["echo"], PROTOCOLS_NOT_SUPPORTED),  # they are compared as they are
            (["echo2"], ["echo"], PROTOCOLS_NOT_SUPPORTED),
        ],
    )
    def test_the_supported_one_is_chosen_if_it_was_offered(
        self, offered: list[str], supported: list[str], chosen: str | Refusal | None
    ) -> None:
        assert choose_subprotocol(offered, supported) == chosen

    def test_the_refusal_says_what_perfect_says(self) -> None:
        assert (PROTOCOLS_NOT_SUPPORTED.status, PROTOCOLS_NOT_SUPPORTED.text) == (
            400,
            "WebSocket protocols not supported.",
        )


class TestOrigins:
    """§10.2"""

    ALLOWED = ("https://chat.example", re.compile(r"https://[a-z]+\.chat\.example(:\d+)?"))

    @pytest.mark.parametrize(
        "origin", ["https://chat.example", "https://a.chat.example", "https://b.chat.example:8443"]
    )
    def test_one_of_the_list_may_connect(self, origin: str) -> None:
        request = HTTPRequest(headers=handshake(("Origin", origin)))
        assert isinstance(read_offer(request, self.ALLOWED), Offer)

    @pytest.mark.parametrize(
        "lines",
        [
            [],
            [("Origin", "")],
            [("Origin", "null")],
            [("Origin", "http://chat.example")],
            [("Origin", "https://chat.example.evil.example")],
            [("Origin", "https://evil.example/https://chat.example")],
            [("Origin", "https://a.chat.example.evil.example")],  # a pattern matches the whole
            [("Origin", "xhttps://a.chat.example")],
            [("Origin", "https://chat.example:443")],
            [("Origin", "https://chat.example"), ("Origin", "https://chat.example")],
        ],
    )
    def test_another_is_forbidden(self, lines: Lines) -> None:
        refusal = read_offer(HTTPRequest(headers=handshake(*lines)), self.ALLOWED)
        assert isinstance(refusal, Refusal)
        assert refusal.status == 403

    def test_an_empty_list_lets_nobody_connect(self) -> None:
        refusal = read_offer(HTTPRequest(headers=handshake(("Origin", "https://chat.example"))), ())
        assert isinstance(refusal, Refusal)


class TestAcceptance:
    """§4.2.2"""

    OFFER = Offer(HANDSHAKE_KEY, ["echo"], ["x-other", "permessage-deflate; client_max_window_bits"])

    def test_the_key_is_answered_as_in_the_rfc(self) -> None:
        headers, deflate = accept(self.OFFER, None, None)
        assert list(headers) == [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", HANDSHAKE_ACCEPT),
        ]
        assert deflate is None

    def test_the_subprotocol_is_named_once(self) -> None:
        headers, _ = accept(self.OFFER, "echo", None)
        assert [value for name, value in headers if name == "Sec-WebSocket-Protocol"] == ["echo"]

    def test_compression_is_answered_if_it_is_on_and_offered(self) -> None:
        headers, deflate = accept(self.OFFER, None, DeflateOptions(window_bits=12))
        expected = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        assert list(headers)[-1] == ("Sec-WebSocket-Extensions", expected)
        assert deflate is not None
        assert deflate.server_max_window_bits == 12

    def test_compression_that_is_not_offered_is_not_answered(self) -> None:
        headers, deflate = accept(Offer(HANDSHAKE_KEY, [], ["x-other"]), None, DeflateOptions())
        assert deflate is None
        assert len(headers) == 3

    def test_the_extensions_of_several_lines_are_offered_in_order(self) -> None:
        lines = [("Sec-WebSocket-Extensions", "a; b=1, c"), ("Sec-WebSocket-Extensions", "permessage-deflate")]
        offer = judge(handshake(*lines))
        assert isinstance(offer, Offer)
        assert offer.extensions == ["a; b=1", "c", "permessage-deflate"]

    @pytest.mark.parametrize(
        "extension",
        [
            "x",
            "x;a",
            "x ;\ta = b ; c",
            'x; a="b"; c=d',
            'permessage-deflate; client_max_window_bits="1\\0"',
            "; ".join(["x", *(f"a{at}" for at in range(1000))]),
        ],
    )
    def test_an_extension_may_be_written_in_any_way_that_the_grammar_has(self, extension: str) -> None:
        offer = judge(handshake(("Sec-WebSocket-Extensions", f", {extension},y")))
        assert isinstance(offer, Offer)
        assert offer.extensions == [extension, "y"]

    @pytest.mark.parametrize(
        "extension",
        [
            "x;",
            ";a",
            "x;;a",
            "x; =b",
            "x; a=",
            "x; a=b c",
            "x y",
            "x; a=b=c",
            '"x"',
            'x; "a"',
            'x; a=""',
            'x; a="b',
            'x; a=b"',
            'x; a="b c"',
            'x; a="1, permessage-deflate; b=\\", c"',
            'x; a="b\\"',
            "x\xa0; a",
            "; ".join(["x", *(f"a{at}" for at in range(1000)), "="]),
        ],
    )
    def test_what_is_no_extension_is_refused(self, extension: str) -> None:
        for value in (extension, f"y, {extension}, z"):
            refusal = judge(handshake(("Sec-WebSocket-Extensions", value)))
            assert isinstance(refusal, Refusal)
            assert (refusal.status, refusal.text) == (400, "Sec-WebSocket-Extensions must be a list of extensions.")


class TestMistakes:
    """What a proxy's or the server's own configuration may have wrong is said once an hour, in words that help."""

    @pytest.fixture(autouse=True)
    def _nothing_was_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server_handshake, "_mistakes", LogLimit(interval=3600))

    @pytest.mark.parametrize("lost", ["Upgrade", "Connection"])
    def test_a_header_that_a_proxy_dropped_is_named_and_what_passes_it_on(
        self, lost: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            assert isinstance(judge(handshake(without=lost)), Refusal)
        (said,) = caplog.messages
        assert said.startswith(f"A WebSocket's handshake came without its {lost} header. A proxy in between drops it")
        assert "proxy_set_header Upgrade $http_upgrade;" in said

    def test_a_browser_that_merely_opens_the_page_is_no_mistake(self, caplog: pytest.LogCaptureFixture) -> None:
        assert isinstance(judge([("Host", "test")]), Refusal)
        assert caplog.messages == []

    @pytest.mark.parametrize(
        ("headers", "says"),
        [
            ([("Origin", "https://www.example.com")], "Origin is 'https://www.example.com' was refused"),
            ([("Origin", "https://a" + "a" * 5000)], "Origin is 'https://" + "a" * 92 + "' was refused"),
            ([("Origin", "x\ty")], r"Origin is 'x\ty' was refused"),
            ([], "Origin is missing, as a script's is, was refused"),
        ],
    )
    def test_an_origin_that_is_refused_is_named_beside_those_that_are_not(
        self, headers: Lines, says: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        request = HTTPRequest(headers=handshake(*headers))
        for _ in range(3):
            assert isinstance(read_offer(request, ["https://example.org", re.compile("https://.*[.]org")]), Refusal)
        (said,) = caplog.messages
        assert says in said
        assert said.endswith("origins= lets in 'https://example.org', 'https://.*[.]org'")
