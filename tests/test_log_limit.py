"""What goes wrong again and again is logged once."""

from __future__ import annotations

import pytest

from perfectws import log_limit
from perfectws.log_limit import INTERVAL, LogLimit


def test_each_kind_is_logged_once_and_later_with_how_often(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(log_limit, "monotonic", lambda: now)
    each = LogLimit()
    for _ in range(5):
        each.log("one", "it is %s", "hot")
    each.log("two", "it is cold")
    assert caplog.messages == ["it is hot", "it is cold"]
    now += INTERVAL
    each.log("one", "it is %s", "hotter")
    each.log("one", "it is %s", "hottest")
    assert caplog.messages[2:] == ["it is hotter (and 4 times more since this was last said)"]
