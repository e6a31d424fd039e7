"""A network of one's own that loses, delays, reorders and halves packets.

The process gets a network namespace with one device in it, a TUN: what is sent to `THERE` comes out of it as packets,
and what is put into it arrives at `HERE`. A relay swaps the two addresses of each packet and puts it back in, so that
whoever connects to `THERE` reaches who listens at `HERE`, and the other way round; and no checksum changes by that.
What netem would do in the kernel, which not every kernel has, is done here.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import socket
import struct
import time
from collections import Counter
from random import Random
from threading import Thread

HERE, THERE = "10.87.0.1", "10.87.0.2"

_DEVICE = b"chaos"
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_TCP, _FIN, _SYN, _PSH, _URG = 6, 0x01, 0x02, 0x08, 0x20


class BadNetwork:
    """The network; good until it is told otherwise. To be made before the process has a second thread.

    Raises:
        OSError: The machine forbids it.

    Args:
        seed: What chance begins with.

    Attributes:
        loss: The part of the packets that are lost.
        delay: By how many seconds a packet is late at most; each by another time, so that some overtake others.
        halving: The part of the packets that are cut in two.
        counts: How many were lost, late, cut, and passed on.
    """

    def __init__(self, seed: int) -> None:
        self.loss = self.delay = self.halving = 0.0
        self.counts = Counter[str]()
        self._random = Random(seed)
        self._late: list[tuple[float, int, bytes]] = []
        _enter_namespace()
        self._tun = _open_device()
        Thread(target=self._relay, daemon=True).start()

    def _relay(self) -> None:
        while True:
            timeout = max(0.0, self._late[0][0] - time.monotonic()) if self._late else None
            if select.select([self._tun], [], [], timeout)[0]:
                self._take(bytearray(os.read(self._tun, 65536)))
            while self._late and self._late[0][0] <= time.monotonic():
                os.write(self._tun, heapq.heappop(self._late)[2])

    def _take(self, packet: bytearray) -> None:
        if packet[0] >> 4 != 4:
            return  # the kernel looks for neighbours by IPv6
        packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
        for each in self._pieces(packet):
            if self._random.random() < self.loss:
                self.counts["lost"] += 1
                continue
            self.counts["passed on"] += 1
            self.counts["late"] += self.delay > 0
            due = time.monotonic() + self._random.random() * self.delay
            heapq.heappush(self._late, (due, self.counts["passed on"], each))

    def _pieces(self, packet: bytearray) -> list[bytes]:
        if self._random.random() >= self.halving:
            return [bytes(packet)]
        pieces = halves(bytes(packet))
        self.counts["cut"] += len(pieces) > 1
        return pieces


def halves(packet: bytes) -> list[bytes]:
    """Return the two segments that say what one says; a packet that cannot be cut stays as it is."""
    head_end = (packet[0] & 0x0F) * 4
    if packet[9] != _TCP:
        return [packet]
    data_start = head_end + (packet[head_end + 12] >> 4) * 4
    flags, half = packet[head_end + 13], (len(packet) - data_start) // 2
    if not half or flags & (_SYN | _URG):
        return [packet]
    first, second = bytearray(packet[: data_start + half]), bytearray(packet[:data_start] + packet[data_start + half :])
    first[head_end + 13] = flags & ~(_FIN | _PSH)
    (number,) = struct.unpack_from("!I", packet, head_end + 4)
    struct.pack_into("!I", second, head_end + 4, (number + half) % 2**32)
    return [_sealed(first, head_end), _sealed(second, head_end)]


def _sealed(packet: bytearray, head_end: int) -> bytes:
    """Write the length and the checksums. Source: RFC 791 §3.1, RFC 9293 §3.1."""
    struct.pack_into("!H", packet, 2, len(packet))
    struct.pack_into("!H", packet, 10, 0)
    struct.pack_into("!H", packet, 10, _checksum(bytes(packet[:head_end])))
    struct.pack_into("!H", packet, head_end + 16, 0)
    pseudo = bytes(packet[12:20]) + struct.pack("!HH", _TCP, len(packet) - head_end)
    struct.pack_into("!H", packet, head_end + 16, _checksum(pseudo + bytes(packet[head_end:])))
    return bytes(packet)


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _enter_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET | (_CLONE_NEWUSER if os.geteuid() else 0)):
        number = ctypes.get_errno()
        raise OSError(number, f"no network namespace: {os.strerror(number)}")


def _open_device() -> int:
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH14x", _DEVICE, _IFF_TUN | _IFF_NO_PI))
    with socket.socket() as control:
        for request, address in ((_SIOCSIFADDR, HERE), (_SIOCSIFNETMASK, "255.255.255.0")):
            where = socket.inet_aton(address)
            fcntl.ioctl(control, request, struct.pack("16sH2x4s8x", _DEVICE, socket.AF_INET, where))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", _DEVICE, _IFF_UP | _IFF_RUNNING))
    return tun
