"""Connections are counted by their clients' addresses."""

from __future__ import annotations

import logging

import pytest

from perfectws.per_address import PerAddress


def counted(most: int, *hosts: str) -> PerAddress:
    """Return what has counted one connection for each of these addresses, each held by its number."""
    found = PerAddress(most, lambda host: host.startswith("10."))
    for holder, host in enumerate(hosts):
        found.add(holder, host)
    return found


def test_each_address_has_room_of_its_own() -> None:
    found = counted(2, "192.0.2.1", "192.0.2.1", "192.0.2.2")
    assert not found.admits("192.0.2.1")
    assert found.admits("192.0.2.2")
    assert found.admits("192.0.2.3")
    assert found.refusals == 1


def test_one_that_goes_makes_room_once() -> None:
    found = counted(1, "192.0.2.1")
    found.discard(0)
    found.discard(0)
    found.discard("never counted")
    found.add(1, "192.0.2.1")
    assert not found.admits("192.0.2.1")


def test_nothing_is_kept_of_those_that_have_gone() -> None:
    found = counted(1, "192.0.2.1", "2001:db8::1")
    for holder in range(2):
        found.discard(holder)
    assert (found._counts, found._holders) == ({}, {})


def test_a_holder_counts_for_the_address_that_it_was_given_last() -> None:
    found = counted(1, "192.0.2.1")
    found.add(0, "192.0.2.2")
    assert found.admits("192.0.2.1")
    assert not found.admits("192.0.2.2")


@pytest.mark.parametrize("host", ["2001:db8:1:2::9", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::1%eth0"])
def test_a_network_of_ipv6_is_one_client(host: str) -> None:
    assert not counted(1, "2001:db8:1:2::1").admits(host)
    assert counted(1, "2001:db8:1:3::1").admits(host)


def test_an_ipv4_address_is_the_same_by_either_socket() -> None:
    assert not counted(1, "::ffff:192.0.2.1").admits("192.0.2.1")
    assert counted(1, "::ffff:192.0.2.1").admits("::ffff:192.0.2.2")


@pytest.mark.parametrize("host", ["", "10.0.0.1"])
def test_unix_sockets_and_proxies_are_not_limited(host: str) -> None:
    assert counted(1, host, host, host).admits(host)


def test_a_name_that_is_no_address_counts_for_itself() -> None:
    assert not counted(1, "memory:x").admits("memory:x")


def test_it_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    found = counted(1, "192.0.2.1")
    for _ in range(100):
        found.admits("192.0.2.1")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("192.0.2.1 has max_connections_per_address=1 connections: ")
    assert found.refusals == 100
