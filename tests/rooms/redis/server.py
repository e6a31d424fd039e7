"""A real redis-server for tests: the one that the benchmarks have too."""

from __future__ import annotations

from benchmarks.brokers.redis_server import RedisServer

__all__ = ["RedisServer"]
