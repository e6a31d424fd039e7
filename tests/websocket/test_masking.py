"""Masking: each way of doing it, at every size where it could go wrong. By RFC 6455 §5.3."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import BuiltinFunctionType

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


@pytest.mark.parametrize("missing", ["package", "extension"])
def test_without_the_extra_it_is_done_in_python(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing == "package":  # the package is not installed
        monkeypatch.setattr(masking, "find_spec", lambda name: None)
    else:  # it is, without its extension module
        monkeypatch.setattr(masking, "ExtensionFileLoader", ())
    assert masking._fastest() is xor_in_python


def test_with_the_extra_it_is_done_in_c_without_its_package() -> None:
    assert isinstance(masking.apply_mask, BuiltinFunctionType)
    command = "import sys, perfectws.websocket.masking; sys.exit('websockets' in sys.modules)"
    subprocess.run([sys.executable, "-c", command], check=True)
