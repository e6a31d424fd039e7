"""What `serve` writes of what is logged."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from perfectws.cli.logging import JSONFormatter, configure


def line_of(level: int = logging.INFO, message: str = "x", *arguments: object, **keywords: Any) -> dict[str, Any]:
    record = logging.getLogger("shop").makeRecord(
        "shop.orders", level, __file__, 7, message, arguments, keywords.pop("exc_info", None), "f", keywords, "sinfo"
    )
    record.stack_info = None
    text = JSONFormatter().format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return found


def test_a_record_is_one_line_with_its_time_level_logger_and_message() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    line = line_of(logging.WARNING, "%d of\n%s", 3, "ü")
    assert line.keys() == {"time", "level", "logger", "message"}
    assert (line["level"], line["logger"], line["message"]) == ("warning", "shop.orders", "3 of\nü")
    assert line["time"].endswith("Z")
    assert before <= datetime.fromisoformat(line["time"]) <= datetime.now(UTC)


def test_what_came_by_extra_is_there_and_never_in_the_place_of_what_is() -> None:
    line = line_of(order=5, seconds=0.25, tags=["a"], nothing=None, time="never")
    assert (line["order"], line["seconds"], line["tags"], line["nothing"]) == (5, 0.25, ["a"], None)
    assert line["time"] != "never"


def test_an_exception_is_there_with_its_traceback() -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        line = line_of(exc_info=sys.exc_info())
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ZeroDivisionError: division by zero")


def test_what_json_has_no_form_for_costs_no_line() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert line_of(thing={1, 2})["thing"] == "{1, 2}"
    assert line_of(circle=circle)["circle"] == "[[...]]"
    assert line_of(keys={(1, 2): 3})["keys"] == "{(1, 2): 3}"


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_json_has_not_stands_as_its_repr_and_others_stay(number: str) -> None:
    line = line_of(x=float(number), within=[float(number)], order=5, tags=["a"])
    assert (line["x"], line["within"], line["order"], line["tags"]) == (number, f"[{number}]", 5, ["a"])


class Unshown:
    """What has no repr."""

    def __repr__(self) -> str:
        raise ValueError("not today")


def test_a_repr_that_fails_costs_no_line() -> None:
    assert "Unshown object at 0x" in line_of(thing=Unshown())["thing"]
    assert "list object at 0x" in line_of(things=[Unshown()])["things"]
    assert line_of(thing=Unshown(), order=5)["order"] == 5


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_however_deep_it_is_the_log_call_does_not_raise() -> None:
    limit = sys.getrecursionlimit()
    for depth in (*range(limit - 150, limit + 5), 20 * limit):
        assert line_of(body=nested(depth), order=5)["order"] == 5


@pytest.fixture
def _loggers() -> Iterator[None]:
    """Loggers as in a new process."""
    root = logging.getLogger()
    names = ("perfectws", "perfectws.access")
    levels = {name: logging.getLogger(name).level for name in names}
    level = root.level
    yield
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])


@pytest.mark.usefixtures("_loggers")
class TestConfiguring:
    def written(self, monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> list[str]:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own
        configure(*arguments)
        logging.getLogger("perfectws").info("ours")
        logging.getLogger("shop").info("the application's")
        logging.getLogger("perfectws.access").info("a request")
        logging.getLogger("perfectws").error("an error")
        return stream.getvalue().splitlines()

    def test_text_is_the_message(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.written(monkeypatch, "info", "text", False) == ["ours", "the application's", "an error"]

    def test_json_is_a_line_each(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = [json.loads(line)["message"] for line in self.written(monkeypatch, "info", "json", True)]
        assert lines == ["ours", "the application's", "a request", "an error"]

    def test_a_level_leaves_out_what_is_below_it_but_not_an_access_log_that_is_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.written(monkeypatch, "error", "text", True) == ["a request", "an error"]
