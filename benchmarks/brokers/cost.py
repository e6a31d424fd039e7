"""What a message costs its publisher and a subscriber, and how long it takes, beside plain pub/sub.

CPU time is that of the processes, all of it, per message. A room that has no broker is measured too, without history
and stamp, and with: what is more with one is the broker's. Of the subscriber's cost, the delivery to its member is not:
it is what a member costs a room without one. Plain pub/sub is coredis's (the extra ``bench``), one after the other.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import NamedTuple

import trio

from ..processes import running_process
from .member import Member, joined
from .redis_server import RedisServer
from .running import RoomServer, room_servers, running_redis, show

#: How long is published before it is measured, in seconds.
WARM_UP = 1.0
#: What is measured. With the broker the subscriber has a member, and the publisher has none or one.
NAMES = ("nobody", "no broker", "history here", "plain pub/sub", "RedisBroker, nobody", "RedisBroker")
HISTORY = 1000


class Cost(NamedTuple):
    """What was measured: CPU µs per message, and milliseconds that half and 99 of 100 messages took at most."""

    publisher: float
    subscriber: float
    median: float
    p99: float


def measure(rate: float, seconds: float, rounds: int) -> None:
    """Print each round, and the medians."""
    found: dict[str, list[Cost]] = {name: [] for name in NAMES}
    show("how | publisher µs | subscriber µs | p50 ms | p99 ms")
    for _ in range(rounds):
        with running_redis() as redis:
            costs = [
                _alone(rate, seconds, members=0),
                _alone(rate, seconds, members=1),
                _alone(rate, seconds, members=1, history=HISTORY),
                _plain(redis, rate, seconds),
                _rooms(redis, rate, seconds, members=0),
                _rooms(redis, rate, seconds, members=1),
            ]
        for name, cost in zip(NAMES, costs, strict=True):
            found[name].append(cost)
            _print(name, cost)
    show("medians")
    medians = [Cost(*map(statistics.median, zip(*each, strict=True))) for each in found.values()]
    for name, cost in zip(NAMES, medians, strict=True):
        _print(name, cost)
    _show_shares(*medians)


def _show_shares(nobody: Cost, alone: Cost, history: Cost, plain: Cost, _: Cost, broker: Cost) -> None:
    """Print what is the broker's own of its cost; and how many times as long as plain pub/sub it took."""
    for name, base in (("no broker", alone), ("history here", history)):
        share = Cost(
            broker.publisher - base.publisher,
            broker.subscriber - (base.publisher - nobody.publisher),
            broker.median / plain.median,
            broker.p99 / plain.p99,
        )
        _print(f"RedisBroker beside {name}, and its times to those of plain pub/sub", share)


def _print(name: str, cost: Cost) -> None:
    show(f"{name} | " + " | ".join(f"{value:.1f}" for value in cost))


def _alone(rate: float, seconds: float, members: int, history: int = 0) -> Cost:
    with room_servers(None, 1, history=history) as servers:
        return trio.run(_run, servers[0], None, members, rate, seconds)


def _rooms(redis: RedisServer, rate: float, seconds: float, members: int) -> Cost:
    with room_servers(redis, 2, history=HISTORY) as (publisher, subscriber):
        return trio.run(_run, publisher, subscriber, members, rate, seconds)


async def _run(publisher: RoomServer, subscriber: RoomServer | None, members: int, rate: float, seconds: float) -> Cost:
    took: list[float] = []
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        for _ in range(members):
            nursery.start_soon((await stack.enter_async_context(joined(publisher.port))).drain)
        if subscriber is not None:
            nursery.start_soon(_listen, await stack.enter_async_context(joined(subscriber.port)), took)
        await _speak(publisher, rate, WARM_UP)
        await trio.sleep(0.5)
        took.clear()
        clocks = [publisher.clock] + ([] if subscriber is None else [subscriber.clock])
        before = [time.clock_gettime(clock) for clock in clocks]
        count = await _speak(publisher, rate, seconds)
        await trio.sleep(0.5)
        used = [time.clock_gettime(clock) - start for clock, start in zip(clocks, before, strict=True)]
        nursery.cancel_scope.cancel()
    costs = [1e6 * each / count for each in used]
    return Cost(costs[0], costs[1] if subscriber else 0, *_percentiles(took))


async def _speak(server: RoomServer, rate: float, seconds: float) -> int:
    found = await trio.to_thread.run_sync(server.ask, f"/publish?rate={rate}&seconds={seconds}")
    return int(found["count"])


async def _listen(member: Member, took: list[float]) -> None:
    async for texts in member.texts():
        now = time.monotonic()
        took.extend(now - float(text.partition(" ")[0]) for name, _, text in texts if name != "!")


def _percentiles(took: list[float]) -> tuple[float, float]:
    if not took:
        return 0.0, 0.0
    ordered = sorted(took)
    return 1000 * ordered[len(ordered) // 2], 1000 * ordered[int(0.99 * (len(ordered) - 1))]


# Plain pub/sub, in processes of its own: ``python -m benchmarks.brokers.cost publish|subscribe URL RATE SECONDS``.


def _plain(redis: RedisServer, rate: float, seconds: float) -> Cost:
    with _child("subscribe", redis, rate, seconds) as subscriber:
        assert subscriber.stdout is not None
        subscriber.stdout.readline()
        with _child("publish", redis, rate, seconds) as publisher:
            assert publisher.stdout is not None
            published = float(publisher.stdout.readline())
            subscribed, median, p99 = map(float, subscriber.stdout.readline().split())
    return Cost(published, subscribed, median, p99)


@contextmanager
def _child(role: str, redis: RedisServer, rate: float, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "benchmarks.brokers.cost", role, redis.url, str(rate), str(seconds)]
    with running_process(command, stdout=subprocess.PIPE) as process:
        yield process


async def _publish(url: str, rate: float, seconds: float) -> None:
    import coredis

    async with coredis.Redis.from_url(url) as client:
        for duration in (WARM_UP, seconds):
            used, begin, count = time.process_time(), time.monotonic(), 0
            while (now := time.monotonic()) < begin + duration:
                while count < (now - begin) * rate:
                    count += 1
                    await client.publish("plain", f"{time.monotonic()!r} {'x' * 80}")
                await trio.sleep(1 / rate)
        cost = 1e6 * (time.process_time() - used) / count
        await client.publish("plain", "end")
        show(f"{cost}")


async def _subscribe(url: str, rate: float, seconds: float) -> None:
    import coredis

    async with coredis.Redis.from_url(url) as client, client.pubsub(channels=["plain"]) as subscriber:
        show("ready")
        took: list[float] = []
        used = 0.0
        while True:
            message = await subscriber.get_message(ignore_subscribe_messages=True)
            if message is None:
                continue
            data = message["data"]
            assert isinstance(data, bytes)
            if data == b"end":
                break
            took.append(time.monotonic() - float(data.split()[0]))
            if not used and len(took) > WARM_UP * rate / 2:
                used = time.process_time()
                took.clear()
        cost = 1e6 * (time.process_time() - used) / len(took)
        show(f"{cost} {' '.join(map(str, _percentiles(took)))}")


if __name__ == "__main__":
    trio.run(_publish if sys.argv[1] == "publish" else _subscribe, sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
