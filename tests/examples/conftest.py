from __future__ import annotations

from collections.abc import Iterator

import pytest

from .running import RunningServer, running


@pytest.fixture(scope="module")
def echo_server() -> Iterator[RunningServer]:
    with running("-m", "examples.echo", "--port", "0") as server:
        yield server
