"""The errors that are public: each can be sent to another process, and copied."""

from __future__ import annotations

import copy
import pickle

import pytest

import perfectws
from perfectws import ConnectionClosed, ConnectionRejected, PerfectWSError

#: One of each, made as perfectws makes it.
ERRORS: list[PerfectWSError] = [
    ConnectionClosed(1001, "bye"),
    ConnectionRejected("ws://h/: the server answered 403", 403, [("Retry-After", "5")], b"no"),
    *[
        kind("what went wrong")
        for name in perfectws.__all__  # type: ignore[attr-defined]
        if isinstance(kind := getattr(perfectws, name), type)
        and issubclass(kind, PerfectWSError)
        and kind not in (ConnectionClosed, ConnectionRejected)
    ],
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_survives_pickle_and_copy(error: PerfectWSError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_all_are_here() -> None:
    assert len(ERRORS) >= 9
