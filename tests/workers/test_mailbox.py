"""Messages between processes, with descriptors, through a pair of sockets."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator

assert sys.platform != "win32"  # where these are not collected


import pytest

from perfectws.net.mailbox import Letter, Mailbox, Post


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.close()


def test_messages_come_whole_and_in_order(mailbox: Mailbox) -> None:
    assert mailbox.receive() is None
    assert mailbox.send(b"one")
    assert mailbox.send(b"and another")
    assert mailbox.receive() == Letter(b"one", [])
    assert mailbox.receive() == Letter(b"and another", [])
    assert mailbox.receive() is None


def test_a_descriptor_comes_as_one_of_the_receivers_own_and_is_not_inherited(mailbox: Mailbox) -> None:
    reading, writing = os.pipe()
    assert mailbox.send(b"x", [writing])
    os.close(writing)
    letter = mailbox.receive()
    assert letter is not None
    (received,) = letter.descriptors
    assert not os.get_inheritable(received)
    os.write(received, b"through")
    assert os.read(reading, 100) == b"through"
    os.close(received)
    os.close(reading)


def test_a_full_mailbox_takes_no_more_and_loses_nothing(mailbox: Mailbox) -> None:
    sent = 0
    while mailbox.send(b"%d" % sent):
        sent += 1
    assert sent > 270  # what the kernel lets it have by itself
    for number in range(sent):
        letter = mailbox.receive()
        assert letter is not None
        assert letter.message == b"%d" % number
    assert mailbox.send(b"again")


def test_a_process_without_room_for_a_descriptor_finds_that_it_is_missing(mailbox: Mailbox) -> None:
    assert mailbox.send(b"x", [0])
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        letter = mailbox.receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    assert letter is not None
    assert not letter.descriptors


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody is told")
def test_the_end_of_one_side_is_told_to_the_other_behind_what_it_has_sent() -> None:
    ours, theirs = Post.pair()
    assert theirs.send(b"farewell")
    theirs.close()
    assert ours.receive() == Letter(b"farewell", [])
    with pytest.raises(EOFError):
        ours.receive()
    assert not ours.send(b"is anybody there?")
    ours.close()
