"""How a server's process manages its memory."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from perfectws.net.memory import YOUNG_OBJECTS, collect_less_often

PROGRAM = """
import gc, os, signal, threading
from perfectws import HTTPServer, Routes

def launch(wait):
    return HTTPServer.launch(name="localhost", address="127.0.0.1", port=0, routes=Routes(), wait=wait)

first = gc.get_threshold()[0]
context = launch(False)
beside = gc.get_threshold()[0]
context.terminate().wait()
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
launch(True)
print(first == beside, gc.get_threshold()[0])
"""


@pytest.fixture(autouse=True)
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_cycles_are_looked_for_after_more_objects_and_the_other_thresholds_stay() -> None:
    gc.set_threshold(700, 11, 12)
    collect_less_often()
    assert gc.get_threshold() == (YOUNG_OBJECTS, 11, 12)


@pytest.mark.parametrize("chosen", [0, YOUNG_OBJECTS * 2])
def test_what_the_application_has_chosen_stays(chosen: int) -> None:
    gc.set_threshold(chosen, 10, 10)
    collect_less_often()
    assert gc.get_threshold()[0] == chosen


def test_a_program_that_serves_in_a_thread_keeps_its_own_and_one_that_is_a_server_does_not() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout == f"True {YOUNG_OBJECTS}\n"
