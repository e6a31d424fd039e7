"""Trouble of the machine, by its own means: each test says what holds meanwhile, and that all is well behind it.

A trouble that lasts is short here, and as long as in real life with ``--long``. What the machine forbids is skipped,
and the reason says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from ..examples.running import PATIENCE

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # these means are Linux's own


@pytest.fixture
def is_long(request: pytest.FixtureRequest) -> bool:
    """Whether ``--long`` was asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client that keeps its connections, and asks no proxy."""
    with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
        yield client


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, authority: trustme.CA, tmp_path: Path) -> Iterator[str | None]:
    """The path of a certificate, or none."""
    if request.param == "plain":
        yield None
        return
    path = tmp_path / "certificate.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
    yield str(path)
