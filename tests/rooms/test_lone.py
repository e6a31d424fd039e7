"""Rooms with a name that no other process hears of."""

from __future__ import annotations

import gc
import subprocess
import sys

from perfectws import Room
from perfectws.rooms.lone import lone_rooms, lone_rooms_error

LATE = """
from perfectws import LocalProtocolError, Room
from perfectws.rooms.lone import refuse_lone_rooms

refuse_lone_rooms()
Room()
try:
    Room("tea")
except LocalProtocolError as error:
    print(error)
"""


def test_a_room_with_a_name_is_known_as_long_as_it_lives() -> None:
    room, nameless = Room("only here"), Room()
    assert "only here" in lone_rooms()
    assert nameless.name not in lone_rooms()
    del room
    gc.collect()
    assert "only here" not in lone_rooms()


def test_the_error_names_them_and_says_what_to_do() -> None:
    assert "room 'tea' would" in lone_rooms_error("tea")
    assert "rooms 'coffee', 'tea' would" in lone_rooms_error("coffee", "tea")
    assert "broker=RedisBroker(…)" in lone_rooms_error("tea")


def test_a_worker_can_make_none_but_a_nameless_one() -> None:
    """In a process of its own: what refuses them stays."""
    run = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == lone_rooms_error("tea")
