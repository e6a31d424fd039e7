"""RFC 6455 §3: the URLs of WebSockets."""

from __future__ import annotations

import pytest
import trio

from perfectws import InvalidURL

from .conftest import Dial


@pytest.mark.parametrize("fragment", ["#", "#part", "?q#part"])
async def test_3_a_url_with_a_fragment_is_refused(dial: Dial, fragment: str) -> None:
    """ "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used on these URIs"."""
    with pytest.raises(InvalidURL):
        await dial.begin(dial.raw.url + fragment)
    with trio.move_on_after(0.02) as waited:
        await dial.raw.accept()
    assert waited.cancelled_caught


async def test_3_a_number_sign_is_sent_as_it_was_escaped(dial: Dial) -> None:
    """the character "#", when not indicating the start of a fragment, MUST be escaped as %23."""
    other, _ = await dial.asked(dial.raw.url + "a%23b?c=%23")
    assert other.request_line == "GET /a%23b?c=%23 HTTP/1.1"
