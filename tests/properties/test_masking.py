"""Both ways of masking are the definition of RFC 6455 §5.3, for every size."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perfectws.websocket.masking import TABLES_FROM, apply_mask, xor_in_python, xor_with_integers

FUNCTIONS = pytest.mark.parametrize(
    "function", [apply_mask, xor_in_python, xor_with_integers], ids=["installed", "python", "integers"]
)
masks = st.binary(min_size=4, max_size=4)
sizes = st.integers(0, 300) | st.integers(TABLES_FROM - 8, TABLES_FROM + 8) | st.integers(0, 70_000)


def by_definition(data: bytes, mask: bytes) -> bytes:
    """§5.3: "Octet i of the transformed data [...] is the XOR of octet i of the original data with octet i mod 4"."""
    return bytes(octet ^ mask[i % 4] for i, octet in enumerate(data))


@FUNCTIONS
@given(st.binary(max_size=100), sizes, masks)
@example(b"", 0, b"\x00\x00\x00\x00")
def test_masking_is_its_definition(function: object, seed: bytes, size: int, mask: bytes) -> None:
    assert callable(function)
    data = (seed * (size // len(seed) + 1))[:size] if seed else bytes(size)
    assert function(data, mask) == by_definition(data, mask)
    assert function(function(data, mask), mask) == data
