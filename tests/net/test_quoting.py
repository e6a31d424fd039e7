"""What a stranger says stands in an error as its first 200 characters, which do nothing where they are shown."""

from __future__ import annotations

import pytest

from perfectws.net.quoting import quoted


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", ""),
        ("no", "no"),
        (b"no\r\n\tway ", "no way"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "…"),
        (b"x" * 60_000, "x" * 200 + "…"),
        ("é" * 60_000, "é" * 200 + "…"),
        ("é".encode() * 60_000, "é" * 200 + "…"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        ("\x1b[31mred\x9b0m\N{RIGHT-TO-LEFT OVERRIDE}", "�[31mred�0m�"),
    ],
)
def test_it_is_short_and_of_one_line(said: str | bytes, shown: str) -> None:
    assert quoted(said) == shown
