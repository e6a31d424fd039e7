"""Masking: each way of doing it, at every size where it could go wrong. By RFC 6455 §5.3."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

import pytest

from perfectws.websocket import masking
from perfectws.websocket.masking import TABLES_FROM, apply_mask, xor_in_python, xor_with_integers

MASK = bytes.fromhex("37fa213d")
Mask = Callable[[bytes, bytes], bytes]
FUNCTIONS = pytest.mark.parametrize(
    "function", [apply_mask, xor_in_python, xor_with_integers], ids=["installed", "python", "integers"]
)


@FUNCTIONS
def test_the_example_of_the_rfc(function: Mask) -> None:
    assert function(bytes.fromhex("7f9f4d5158"), MASK) == b"Hello"  # §5.7


@FUNCTIONS
def test_every_size_around_a_change_of_method_is_right(function: Mask) -> None:
    for size in [*range(70), *range(TABLES_FROM - 5, TABLES_FROM + 6)]:
        data = bytes(at * 7 % 256 for at in range(size))
        masked = function(data, MASK)
        assert type(masked) is bytes
        assert masked == bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))


@FUNCTIONS
def test_the_mask_of_nought_changes_nothing(function: Mask) -> None:
    assert function(b"as it was", bytes(4)) == b"as it was"


def test_without_the_extra_it_is_done_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def import_without_speedups(name: str, *args: Any) -> Any:
        if name == "websockets.speedups":
            raise ImportError(name)
        return real_import(name, *args)

    monkeypatch.delitem(sys.modules, "websockets.speedups", raising=False)
    monkeypatch.setattr(builtins, "__import__", import_without_speedups)
    assert masking._fastest() is xor_in_python


def test_with_the_extra_it_is_done_in_c() -> None:
    speedups = pytest.importorskip("websockets.speedups")
    assert masking.apply_mask is speedups.apply_mask
