"""Masking and unmasking payloads, the fastest way that is installed.

With the extra ``speedups`` the C function of the package websockets does it. Else it depends on the size: what is short
is one exclusive or of two long integers, what is long goes through wsproto's four tables. docs/performance.md has the
figures.

Source: RFC 6455 §5.3.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader, PathFinder
from importlib.util import find_spec, module_from_spec

from wsproto.frame_protocol import XorMaskerSimple

#: From this many bytes on, wsproto's tables are faster than integers.
TABLES_FROM = 2048


def xor_in_python(data: bytes, mask: bytes) -> bytes:
    """Return ``data`` masked, or unmasked, with the four bytes of ``mask``."""
    if len(data) >= TABLES_FROM:
        return bytes(XorMaskerSimple(mask).process(bytearray(data)))
    return xor_with_integers(data, mask)


def xor_with_integers(data: bytes, mask: bytes) -> bytes:
    """Return ``data`` masked, or unmasked, with the four bytes of ``mask``."""
    size = len(data)
    if not size:
        return b""
    key = mask * (size // 4) + mask[: size % 4]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def _fastest() -> Callable[[bytes, bytes], bytes]:
    """Return the compiled function of the package websockets, or ours where it is not installed.

    Only the extension module is loaded: its package would double the time of ``import perfectws``.
    """
    package = find_spec("websockets")
    if package is None or package.submodule_search_locations is None:
        return xor_in_python
    spec = PathFinder.find_spec("speedups", package.submodule_search_locations)
    if spec is None or not isinstance(spec.loader, ExtensionFileLoader):
        return xor_in_python
    speedups = module_from_spec(spec)
    spec.loader.exec_module(speedups)
    function: Callable[[bytes, bytes], bytes] = speedups.apply_mask
    return function


apply_mask = _fastest()
